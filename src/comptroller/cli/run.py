"""`comptroller run`: an agent in its box, served from its first byte to its last, and a summary at the end.

Standard output, input and the terminal are the agent's. Our own words go to standard error, behind `comptroller: `.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import socket
import time
from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path

import click

from comptroller.cli import changed
from comptroller.cli.client import config_option, config_path
from comptroller.cli.outcome import FAILED, check_summary, parse_fail_on, read_outcome, write_summary
from comptroller.cli.publish import Doors, parse_places
from comptroller.cli.reach import NotStartedError, reach
from comptroller.cli.voice import Voice, screen_taken
from comptroller.core.doors import parse_host_services
from comptroller.core.errors import ComptrollerError, ConfigError, UsageError
from comptroller.enforce.sandbox import Box, BoxSpec, External, Unboxed, check_workspace
from comptroller.enforce.sandbox.changes import look, since
from comptroller.enforce.sandbox.devices import granted
from comptroller.enforce.sandbox.git_hosts import rewrites
from comptroller.server.channel import Channel, ChannelError
from comptroller.server.place import Paths
from comptroller.server.run_settings import RunSettings, load_run_settings

EXIT_LIMITED = 124
EXIT_LOST = 125
SUMMARY_SECONDS_MAX = 20.0
REPOSITORIES_TOLD_MAX = 5
REGION_VARIABLES = ("AWS_REGION", "AWS_DEFAULT_REGION")
IMPATIENCE_SECONDS = 2.0
"""A second Ctrl-C within this time ends the box at once."""
OBSERVED = """OBSERVED RUN: reading, writing, asking models and reaching people on hosts that are not named goes,
and is recorded as what would be denied. All else is enforced: money, rights, deletions, budgets, approvals, brakes."""
NO_BOX = """THERE IS NO BOX: nothing is between this command and the machine or the network. It can read and change all
that you can, and what it sends is neither judged, recorded nor paid from a budget. Its environment holds placeholders
where keys would be; your files hold what they hold."""
EXTERNAL = """NO BOX OF OURS: the wall is whatever stands around the command. Whether it holds, comptroller doctor
--layer external shows from inside. What comes through the proxy of this run is judged, paid and recorded; files,
processes and limits are not ours to guard."""
BUBBLEWRAP_LAYER, EXTERNAL_LAYER = "bubblewrap", "external"
HANGUP_SECONDS = 3.0
"""How long a command whose terminal was closed has to end."""
_voice = Voice()


@click.command(context_settings={"ignore_unknown_options": False})
@click.option("--agent", help="Which agent of comptroller.yaml; not needed where there is one, or one for this folder.")
@click.option("--resume", metavar="RUN", help="Go on as RUN: its identity, budget and unused approvals.")
@click.option("--on-hold", type=click.Choice(["wait", "fail"]), help="What a held call does; `fail` where CI is set.")
@click.option(
    "--workspace", type=click.Path(path_type=Path), help="The only folder it may write; else the agent's own."
)
@click.option("--purpose", help="What this run is for; else the agent's stated purpose.")
@click.option("--observe", is_flag=True, help="Let cheap actions on unnamed hosts go in this run, and record them.")
@click.option(
    "--unsafe-no-box", is_flag=True, help="Run it without a box, where none can be made: nothing is enforced."
)
@click.option("--i-know", is_flag=True, help="With --unsafe-no-box where CI is set: nobody sees the warnings there.")
@click.option(
    "--publish",
    multiple=True,
    metavar="[HOST:]PORT",
    help="Let connections to PORT of this machine reach PORT in the box (Jupyter, a debugger). May be given again.",
)
@click.option(
    "--host-service",
    multiple=True,
    metavar="NAME=PORT[/tcp]",
    help="Let the agent reach PORT of this machine as NAME.host.comptroller.internal, judged like any host.",
)
@click.option(
    "--layer",
    type=click.Choice([BUBBLEWRAP_LAYER, EXTERNAL_LAYER]),
    default=BUBBLEWRAP_LAYER,
    help="Whose wall: a box of ours, or the network and policy that stand around COMMAND already.",
)
@click.option(
    "--listen", metavar="ADDRESS:PORT", help="With --layer external: where this run's proxy listens; else on loopback."
)
@click.option("--diff", is_flag=True, help="At the end, show what changed in the workspace, and what of it runs later.")
@click.option("--json-summary", type=click.Path(path_type=Path), help="Write the summary at the end to this file.")
@click.option("--fail-on", metavar="VERDICTS", help="End with 1 where the run had a verdict: deny, hold or deny,hold.")
@click.option(
    "--summary",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Write what became of each action to FILE: .md Markdown (added to what is there), .xml JUnit.",
)
@click.argument("command", nargs=-1, type=click.UNPROCESSED, required=True)
@config_option
@click.pass_context
def run(
    ctx: click.Context,
    agent: str | None,
    resume: str | None,
    on_hold: str | None,
    workspace: Path | None,
    purpose: str | None,
    observe: bool,
    unsafe_no_box: bool,
    i_know: bool,
    publish: tuple[str, ...],
    host_service: tuple[str, ...],
    layer: str,
    listen: str | None,
    diff: bool,
    json_summary: Path | None,
    fail_on: str | None,
    summary: Path | None,
    command: tuple[str, ...],
    config: Path | None,
) -> None:
    """Run COMMAND as an agent in its box: comptroller run -- python agent.py.

    Ends with the command's exit code (128+N on a signal), or with 1 where that is 0 and the run had a verdict of
    --fail-on; 124 ended by brake or limit, 125 could not start or lost its wall, 126 and 127 the command cannot be run
    or is not there.
    """
    failing = parse_fail_on(fail_on)
    check_summary(summary)
    _voice.marks = (*(["observed"] if observe else []), *(["no box"] if unsafe_no_box else []))
    external = layer == EXTERNAL_LAYER
    if external:
        _voice.marks = (EXTERNAL_LAYER,)
    check_layer(external=external, weakened=observe or unsafe_no_box, published=bool(publish), listen=listen)
    check_unsafe(observe=observe, no_box=unsafe_no_box, i_know=i_know)
    places, services = parse_places(publish), parse_host_services(host_service)
    if unsafe_no_box and (places or services):
        raise UsageError("[no box] without a box there are no doors", hint="leave out --publish and --host-service")
    if config is not None and not config.exists():
        raise ConfigError(f"there is no `{config}`", hint="comptroller init writes a comptroller.yaml")
    path = config_path(config).resolve()
    settings = load_run_settings(path)
    name = agent or choose_agent(settings, path.parent, Path.cwd())
    if name not in settings.agents:
        known = ", ".join(sorted(settings.agents)) or "none"
        raise UsageError(f"there is no agent `{name}`", hint=f"agents in {path}: {known}")
    private = private_paths(settings, path)
    chosen = settings.agents[name]
    place = check_workspace(workspace or path.parent / chosen.workspace, private=private)
    start: dict[str, object] = {
        "op": "start",
        "agent": name,
        "argv": list(command),
        "workspace": str(place),
        "resume": resume,
        "on_hold": on_hold or ("fail" if os.environ.get("CI") else "wait"),
        "purpose": purpose,
        **({"observe": True} if observe else {}),
        **({"unboxed": True} if unsafe_no_box else {}),
        **({"external": True} if external else {}),
    }
    template = BoxSpec(
        argv=command,
        workspace=place,
        directory=Path.cwd(),
        authority_pem="",
        config=path,
        environment=chosen.environment,
        inherited=dict(os.environ),
        private=private,
        limits=chosen.limits,
        fixed=tuple(map(Path, chosen.read_only)),
        masked=tuple(map(Path, chosen.masked)),
        inherit=chosen.inherit,
        devices=granted(chosen.devices),
    )
    doors = Doors(places)
    if places or services:
        start["doors"] = {"publish": doors.asked(), "host_services": [each.text for each in services]}
    for line in (*doors.warnings(), *(each.notice for each in services)):
        say(line)
    before = look(place) if diff else None
    try:
        session = Session(reach(path), start, template, doors, listen=listen)
        code = asyncio.run(session.live())
    except ComptrollerError as error:
        if unsafe_no_box:
            error.message = f"[no box] {error.message}"
        raise
    changes: dict[str, object] = {}
    if before is not None:
        found = since(before)
        changes = {"diff": changed.document(found)}
        say("\n".join(changed.lines(found)))
    if json_summary is not None:
        limited = {} if session.limited is None else {"limited": session.limited}
        document = {"exit_code": code, **session.summary, **limited, **changes}
        json_summary.write_text(json.dumps(document, indent=2, ensure_ascii=True) + "\n", "utf-8")
    if failing or summary is not None:
        code = conclude(path, session.run_id, code, failing=failing, summary=summary)
    ctx.exit(code)


def conclude(path: Path, run_id: str, code: int, *, failing: tuple[str, ...], summary: Path | None) -> int:
    """Read what became of the run and tell it; the exit code. The command's own failure goes before a verdict, and a
    log that cannot be read is no success."""
    try:
        outcome = read_outcome(path, run_id)
        had = outcome.failing(failing)
        code = code or (FAILED if had else 0)
        if summary is not None:
            write_summary(summary, outcome, exit_code=code)
    except (ComptrollerError, OSError) as error:
        say(f"what became of the run cannot be told: {error}")
        return code or FAILED
    if had:
        say(f"failed, as --fail-on {','.join(failing)} wants it: {had}")
    return code


def choose_agent(settings: RunSettings, folder: Path, here: Path) -> str:
    """The agent that is meant where none is named: the only one, or the one whose workspace we stand in."""
    if len(settings.agents) == 1:
        return next(iter(settings.agents))
    standing = [
        (len(place.parts), name)
        for name, agent in settings.agents.items()
        if here.resolve().is_relative_to(place := (folder / agent.workspace).resolve())
    ]
    deepest = [name for depth, name in standing if depth == max(standing)[0]]
    if len(deepest) == 1:
        return deepest[0]
    known = ", ".join(sorted(settings.agents)) or "none"
    raise UsageError("which agent is this?", hint=f"comptroller run --agent NAME -- …   (one of: {known})")


def check_unsafe(*, observe: bool, no_box: bool, i_know: bool) -> None:
    """Refuse what weakens the wall where nobody would notice. Raises `UsageError`."""
    if observe and no_box:
        raise UsageError("--observe needs the box: without one nothing is seen", hint="leave one of the two out")
    if i_know and not no_box:
        raise UsageError("--i-know goes with --unsafe-no-box alone")
    if no_box and os.environ.get("CI") and not i_know:
        raise UsageError(
            "[no box] --unsafe-no-box is refused where CI is set",
            hint="comptroller doctor says how to get a box here; else add --i-know",
        )


def check_layer(*, external: bool, weakened: bool, published: bool, listen: str | None) -> None:
    """Refuse what does not go together with a wall that is not ours. Raises `UsageError`."""
    if external and weakened:
        raise UsageError("--layer external goes with neither --observe nor --unsafe-no-box", hint="leave one out")
    if external and published:
        raise UsageError("--publish leads into a box, and --layer external makes none", hint="leave it out")
    if listen is not None and not external:
        raise UsageError("--listen goes with --layer external", hint="a box reaches its own sockets")


def private_paths(settings: RunSettings, path: Path) -> tuple[Path, ...]:
    """What no box may see: the state of every installation of this person, and files that hold real credentials."""
    files = settings.credential_files
    return (Paths.of(path).folder.parent, *((path.parent / Path(name).expanduser()).resolve() for name in files))


class Session:
    """One run: the connection to the server and the box, each the other's condition."""

    def __init__(
        self,
        connection: socket.socket,
        start: Mapping[str, object],
        template: BoxSpec,
        doors: Doors,
        *,
        listen: str | None = None,
    ) -> None:
        self._doors = doors
        self._listen = listen
        self.summary: Mapping[str, object] = {}
        self.limited: Mapping[str, object] | None = None
        self.run_id = ""
        self._connection = connection
        self._start = start
        self._template = template
        self._box: Box | Unboxed | None = None
        self._ended: int | None = None
        self._finished: asyncio.Future[None]
        self._interrupted = -IMPATIENCE_SECONDS
        self._asked_to_end = False

    async def live(self) -> int:
        """From the start message to the summary; the exit code of `run`."""
        self._finished = asyncio.get_running_loop().create_future()
        channel = Channel(self._connection)
        for asked, warning in (("observe", OBSERVED), ("unboxed", NO_BOX), ("external", EXTERNAL)):
            if self._start.get(asked):
                say(warning)
        try:
            await channel.send(self._start)
            started = await self._expect(channel, "started")
            self.run_id = str(started.get("run", ""))
            with self._launch(started) as self._box:
                if self._box.sockets:
                    self._hand_over(self._box)
                await self._expect(channel, "attached")
                try:
                    return await self._serve(channel, self._box)
                finally:
                    await self._doors.close()
        except (ChannelError, OSError) as error:
            raise NotStartedError(
                f"the server broke off: {error}", hint="see why: comptroller serve in the foreground"
            ) from error
        finally:
            channel.close()

    def _launch(self, started: Mapping[str, object]) -> Box | Unboxed:
        environment = started.get("environment")
        given = {str(name): str(value) for name, value in environment.items()} if isinstance(environment, dict) else {}
        template = self._template
        if any(template.inherited.get(name) for name in REGION_VARIABLES):
            # The server knows the region of whoever started it; this shell's own goes before.
            given = {name: value for name, value in given.items() if name not in REGION_VARIABLES}
        own = dict(template.environment)
        hosts = started.get("hosts")
        if not self._start.get("unboxed") and not self._start.get("external"):
            taken = {name: value for name, value in template.inherited.items() if name in template.inherit}
            own |= rewrites(map(str, hosts) if isinstance(hosts, list) else (), {**taken, **own})
        make = Unboxed.launch if self._start.get("unboxed") else Box.launch
        if self._start.get("external"):
            make = partial(External.launch, listen=self._listen)
        return make(
            replace(
                template,
                authority_pem=str(started.get("ca_pem", "")),
                environment={**given, **own, "COMPTROLLER_RUN": str(started.get("run", ""))},
            )
        )

    def _hand_over(self, box: Box | Unboxed) -> None:
        message: dict[str, object] = {"op": "attach", "sockets": [{"role": item.role} for item in box.sockets]}
        if isinstance(box, External):
            message["proxy_secret"] = box.secret
        given = [item.socket.fileno() for item in box.sockets]
        if isinstance(box, Box):
            message["ender"] = True
            given.append(box.ender)
        line = json.dumps(message).encode() + b"\n"
        sent = socket.send_fds(self._connection, [line], given)
        if sent != len(line):
            raise NotStartedError("the box's sockets could not be handed to the server")

    async def _serve(self, channel: Channel, box: Box | Unboxed) -> int:
        """Release the command; then whichever comes first: its end, the server's word, or the server's end."""
        if isinstance(box, Box) and self._doors.places:
            self._doors.open(box.sockets[0].socket, report=lambda used: count_doors(channel, used), say=say)
        self._listen_to_signals()
        box.release()
        asyncio.get_running_loop().add_reader(box.reports, self._on_news, box)
        self._on_news(box)
        waiting = asyncio.create_task(asyncio.to_thread(box.wait))
        reading = asyncio.create_task(self._read(channel, box))
        try:
            code = await waiting
        finally:
            self._deaf(box)
            await self._doors.close()
        torn = screen_taken()
        box.close()
        if torn:
            _voice.leave_screen()
        _voice.flush()
        await self._tell_breach(channel, box)
        await self._warn(box)
        if self._ended == EXIT_LOST:
            reading.cancel()
            await asyncio.gather(reading, return_exceptions=True)
            return EXIT_LOST
        code = code if self._ended is None else self._ended
        try:
            async with asyncio.timeout(SUMMARY_SECONDS_MAX):
                if self._doors.places:
                    await count_doors(channel, self._doors.use())
                await channel.send({"op": "exited", "code": code})
                await self._finished
        except (TimeoutError, OSError):
            say("the server sent no summary")
        reading.cancel()
        await asyncio.gather(reading, return_exceptions=True)
        return code

    async def _tell_breach(self, channel: Channel, box: Box | Unboxed) -> None:
        """Where a limit ended the box, say so to the person and to the server, which records it."""
        breach = box.breach if isinstance(box, Box) else None
        if breach is None or self._ended is not None:
            return
        self._ended = EXIT_LIMITED
        say(f"ended: {breach.text}")
        self.limited = {"limit": breach.limit, "value": breach.value, "used": breach.used}
        with contextlib.suppress(OSError):
            await channel.send({"op": "limited", **self.limited, "why": breach.why})

    async def _warn(self, box: Box | Unboxed) -> None:
        """Name the repositories the agent made: git, run in one of them or above it, would run what they say."""
        found = await asyncio.to_thread(box.repositories)
        for folder in found.folders[:REPOSITORIES_TOLD_MAX]:
            say(f"the git repository `{folder}` was made or changed: read its .git/config and hooks before using git")
        if len(found.folders) > REPOSITORIES_TOLD_MAX:
            say(f"{len(found.folders) - REPOSITORIES_TOLD_MAX} more git repositories were made or changed")
        if not found.whole:
            say("the workspace has too many folders to look through all of them for new git repositories")

    async def _read(self, channel: Channel, box: Box | Unboxed) -> None:
        """Everything the server says while the box lives. Its silence for good is the end of the box."""
        try:
            while True:
                received = await channel.receive()
                if received is None:
                    break
                message, descriptors = received
                for descriptor in descriptors:
                    os.close(descriptor)
                if message["op"] == "summary":
                    data = message.get("data")
                    self.summary = data if isinstance(data, dict) else {}
                    say(str(message.get("text", "")))
                    self._finish()
                    return
                self._heard(message, box)
        except (ChannelError, OSError):
            pass
        if self._ended is None:
            self._ended = EXIT_LOST
            box.kill()
            say("the server is gone, and with it the wall: the box was ended")
        self._finish()

    def _heard(self, message: Mapping[str, object], box: Box | Unboxed) -> None:
        if message["op"] == "notice":
            _voice.say(str(message.get("text", "")), urgent=message.get("kind") == "held")
        elif message["op"] == "end" and self._ended is None:
            code = message.get("code")
            self._ended = code if isinstance(code, int) and 0 < code < 256 else 124
            box.kill()
            say(f"ended: {message.get('reason', '')}")

    async def _expect(self, channel: Channel, wanted: str) -> Mapping[str, object]:
        while True:
            received = await channel.receive()
            if received is None:
                raise NotStartedError("the server ended before the box was ready", hint="comptroller serve")
            message, descriptors = received
            for descriptor in descriptors:
                os.close(descriptor)
            if message["op"] == wanted:
                return message
            if message["op"] == "notice":
                say(str(message.get("text", "")))
            elif message["op"] == "error":
                failure = UsageError if message.get("exit_code") == UsageError.exit_code else NotStartedError
                raise failure(str(message.get("message", "")), hint=str(message.get("hint", "")))
            else:
                raise NotStartedError(f"the server said `{message['op']}` where `{wanted}` was due")

    def _on_news(self, box: Box | Unboxed) -> None:
        """A protected path was replaced outside. The agent may have met it bare for a moment: a person should know."""
        paths, standing = box.news()
        for path in paths if standing else ():
            say(f"`{path}` was replaced outside while the agent runs; it is protected again: look at it once more")
        if not standing and self._ended is None:
            asyncio.get_running_loop().remove_reader(box.reports)
            self._ended = EXIT_LOST
            box.kill()
            say(
                f"protected files could not be kept protected, so the box was ended: {'; '.join(paths) or 'guard gone'}"
            )

    def _finish(self) -> None:
        if not self._finished.done():
            self._finished.set_result(None)

    # ------------------------------------------------------------ signals

    def _listen_to_signals(self) -> None:
        loop = asyncio.get_running_loop()
        loop.add_signal_handler(signal.SIGINT, self._on_interrupt)
        loop.add_signal_handler(signal.SIGTERM, self._on_end)
        if signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN:
            loop.add_signal_handler(signal.SIGHUP, self._on_hangup)
        loop.add_signal_handler(signal.SIGQUIT, lambda: None)
        signal.signal(signal.SIGTTOU, signal.SIG_IGN)

    def _deaf(self, box: Box | Unboxed) -> None:
        loop = asyncio.get_running_loop()
        loop.remove_reader(box.reports)
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT):
            loop.remove_signal_handler(number)

    def _on_interrupt(self) -> None:
        """The terminal has sent Ctrl-C to the command too; twice in a moment means now."""
        moment = time.monotonic()
        if self._box is None:
            return
        if moment - self._interrupted < IMPATIENCE_SECONDS:
            self._box.kill()
        elif not in_foreground():
            self._box.signal(signal.SIGINT)
        self._interrupted = moment

    def _on_hangup(self) -> None:
        """The terminal is gone, and nobody is left to ask twice."""
        self._on_end()
        if self._box is not None:
            asyncio.get_running_loop().call_later(HANGUP_SECONDS, self._box.kill)

    def _on_end(self) -> None:
        """Once: the command may end in peace. Twice: now."""
        if self._box is None:
            return
        if self._asked_to_end:
            self._box.kill()
        else:
            self._box.terminate()
        self._asked_to_end = True


async def count_doors(channel: Channel, used: Mapping[str, Mapping[str, int]]) -> None:
    """Tell the server what went through the published ports, for the record."""
    await channel.send({"op": "doors", "published": used})


def in_foreground() -> bool:
    """True where our process group, which the command shares, is the terminal's foreground."""
    try:
        descriptor = os.open("/dev/tty", os.O_RDWR | os.O_NOCTTY | os.O_CLOEXEC)
    except OSError:
        return False
    try:
        return os.tcgetpgrp(descriptor) == os.getpgrp()
    except OSError:
        return False
    finally:
        os.close(descriptor)


def say(text: str) -> None:
    """Our words on standard error, each line marked; held back while a program has the whole screen."""
    _voice.say(text)
