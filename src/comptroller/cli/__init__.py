"""The command line, one file a command. Commands are imported when they are used, so that the others start fast."""

from __future__ import annotations

import click

from comptroller import __version__
from comptroller.cli.lazy import Command, LazyGroup

COMMANDS = {
    "init": Command("init", "init", "Write comptroller.yaml and the starter policies here."),
    "run": Command("run", "run", "Run an agent in its box: comptroller run -- python agent.py."),
    "doctor": Command("doctor", "doctor", "Try to break out of a box on this machine."),
    "demo": Command("demo", "demo", "Replay two real incidents against Comptroller."),
    "serve": Command("serve", "serve", "Run the server of this installation in the foreground."),
    "tail": Command("tail", "tail", "Show what happened, in one run or in all."),
    "top": Command("top", "top", "Watch and answer in the terminal."),
    "approvals": Command("approvals", "approvals", "List, show and answer what waits for a person."),
    "people": Command("people", "people", "Who may sign in and how; invitations, tokens, sessions."),
    "budget": Command("budget", "budget", "Show and set limits."),
    "holdings": Command("holdings", "holdings", "Show and stop what agents made and what goes on costing."),
    "reconcile": Command("reconcile", "reconcile", "Compare a bill with the log; settle what it proves."),
    "report": Command("report", "report", "Sum up what was spent, by team, agent, service, day."),
    "notify": Command("notify", "notify", "Show and test the channels that reach people."),
    "prices": Command("prices", "prices", "Show prices, read newer lists, confirm what proved too low."),
    "policy": Command("policy", "policy", "Check and explain policies; suggest what to add."),
    "replay": Command("replay", "replay", "Judge recorded calls by the policies; nothing is sent."),
    "service": Command("service", "service", "Describe an API of your own; test descriptions."),
    "audit": Command("audit", "audit", "Read, verify and export the log."),
    "backup": Command("keeping", "backup", "Back the state up to one checked file."),
    "restore": Command("keeping", "restore", "Put a backup back; everything is frozen until reconciled."),
    "freeze": Command("brake", "freeze", "Let nothing new leave a run, agent, team or organization."),
    "thaw": Command("brake", "thaw", "Let what was frozen go on."),
    "kill": Command("brake", "kill", "Freeze for good and end the processes."),
}


@click.command(cls=LazyGroup, commands_by_name=COMMANDS, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="comptroller")
def main() -> None:
    """Runs an AI agent in a box whose only way out is a gateway that knows what each request would do and cost."""
