"""`comptroller demo`: replays two real incidents with real agents in real boxes, and shows what came of them."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

import click

from comptroller.cli.client import Client, json_option
from comptroller.core.errors import ComptrollerError, MissingError, RefusedError
from comptroller.core.estimate import usd_text
from comptroller.enforce.sandbox import preflight
from comptroller.server.identity import os_user, person_name
from comptroller.server.place import Paths

if TYPE_CHECKING:
    from comptroller.testing.demo_report import Incident
    from comptroller.testing.demo_stage import Screen
    from comptroller.testing.demo_world import World

SERVE_SECONDS_MAX = 30.0
STOP_SECONDS_MAX = 20.0
INCIDENT_SECONDS_MAX = 90.0
VERIFY_SECONDS_MAX = 60.0
TEMPORARY_CHARACTERS_MAX = 30
"""A unix socket's path may have 107 bytes; a deep TMPDIR would not leave room for ours."""

TITLES = {
    "dn42": "DN42, asked to map a hobby network: started machines in a loop",
    "rome": "ROME, left to train: a tunnel out, mining, and shopping",
}
ON_HOLD = {"dn42": "wait", "rome": "fail"}
RUN_INSTANCES = "aws:ec2:RunInstances"
MACHINE = "aws:ec2:instance"
CREATE_LOAD_BALANCER = "aws:elbv2:CreateLoadBalancer"
MICROS_PER_CENT = 10_000
SHOWN_BY_THE_PERSON = ("held: ", "answer: ", "approved by ", "rejected by ")
"""What `run` says about questions; the person's own lines show the same with price and budget."""
ENTRIES_PAGE = 500
LOG_CHARACTERS_MAX = 2000
COLOURS = {"says": "cyan", "calls": "bright_black", "gets": None}


@click.command()
@json_option
@click.option("--interactive", is_flag=True, help="Answer the questions yourself, here or on the page.")
@click.option("--keep", is_flag=True, help="Leave everything running at the end, with the page, until Enter.")
def demo(as_json: bool, interactive: bool, keep: bool) -> None:
    """Replay two real incidents against Comptroller.

    Ends with 0 when nothing got through but what a person approved, 1 when anything leaked, 2 where this machine
    cannot run it.
    """
    try:
        from comptroller.testing.demo_stage import Screen
        from comptroller.testing.demo_world import World
    except ImportError as error:
        raise MissingError(
            f"the demo needs packages that are not installed ({error.name})",
            hint="make demo    (or: pip install 'comptroller[demo]')",
        ) from error

    preflight()
    started = time.monotonic()
    screen = Screen(sys.stderr if as_json else sys.stdout)
    person = person_name(os_user(os.getuid()))
    with tempfile.TemporaryDirectory(prefix="comptroller-demo-", dir=_short_folder()) as name:
        screen.plain("Two incidents of 2026, replayed: real agents, real SDKs, a real box. Only the clouds are fakes.")
        who = f"`{person}` is you" if interactive else f"`{person}` is a scripted person"
        screen.line("demo", f"starts a cloud, a payment service, a mining pool and an SSH server here; {who}")
        with World(Path(name), person=person) as world, _own_state(world.state_home):
            play = _Play(world=world, screen=screen, person=person, interactive=interactive, keep=keep)
            result = play.perform()
    result.seconds = time.monotonic() - started
    if as_json:
        click.echo(json.dumps(result.document(), indent=2))
    else:
        _show(result, screen)
    if result.leaks:
        sys.exit(1)


def _short_folder() -> str | None:
    """Where to put the temporary installation; None for the system's choice."""
    return "/tmp" if len(tempfile.gettempdir()) > TEMPORARY_CHARACTERS_MAX else None  # noqa: S108 - mkdtemp makes it


# ---------------------------------------------------------------- the result


@dataclass(slots=True, kw_only=True)
class Result:
    """What came of it. `leaks` says, in words, everything that must not have happened."""

    incidents: list[Incident] = field(default_factory=list)
    expected_usd_micros: int = 0
    pool_bytes: int = 0
    ssh_bytes: int = 0
    audit_verified: bool = False
    audit_text: str = ""
    seconds: float = 0.0
    holdings: list[Mapping[str, Any]] = field(default_factory=list)
    leaks: list[str] = field(default_factory=list)

    @property
    def attempted_usd_micros(self) -> int:
        """What everything tried would have cost."""
        return sum(incident.attempted_usd_micros for incident in self.incidents)

    @property
    def let_through_usd_micros(self) -> int:
        """What was let through, by the log."""
        return sum(incident.let_through_usd_micros for incident in self.incidents)

    def document(self) -> dict[str, object]:
        """The JSON form."""
        from comptroller.testing.demo_report import usd

        return {
            "incidents": [
                {
                    "name": incident.name,
                    "attempted_usd": usd(incident.attempted_usd_micros),
                    "let_through_usd": usd(incident.let_through_usd_micros),
                    "verdicts": incident.verdicts,
                }
                for incident in self.incidents
            ],
            "attempted_usd": usd(self.attempted_usd_micros),
            "let_through_usd": usd(self.let_through_usd_micros),
            "expected_let_through_usd": usd(self.expected_usd_micros),
            "pool_bytes": self.pool_bytes,
            "ssh_bytes": self.ssh_bytes,
            "audit_verified": self.audit_verified,
            "holdings": self.holdings,
            "leaks": self.leaks,
            "seconds": round(self.seconds, 1),
        }


# ---------------------------------------------------------------- the play


@dataclass(slots=True, kw_only=True)
class _Play:
    world: World
    screen: Screen
    person: str
    interactive: bool
    keep: bool

    def perform(self) -> Result:
        """Serve, replay both incidents, stop, verify, and look for anything that leaked."""
        from comptroller.testing.demo_report import incident_of
        from comptroller.testing.demo_stage import PersonAtDesk

        result = Result()
        earlier = self.world.folder / "checkpoint-kept-by-somebody-else"
        with ExitStack() as stack:
            control = stack.enter_context(self._served())
            if self.interactive or self.keep:
                self.screen.line("demo", f"the page: {control.post('/v1/page-link')['url']}", "bright_white")
            desk = PersonAtDesk(control, self.screen, name=self.person, ask=self.interactive)
            stack.callback(desk.close)
            for name, title in TITLES.items():
                self.screen.plain()
                self.screen.plain(title, "bright_white")
                run = self._incident(name, control)
                if desk.failure is not None:
                    raise RefusedError(f"the person's answer did not arrive: {desk.failure}")
                result.incidents.append(incident_of(name, title, _all_entries(control, run)))
            earlier.write_bytes(Paths.of(self.world.config_path).checkpoint.read_bytes())
            used = [row for row in desk.approved() if row["grant"] == "used"]
            result.expected_usd_micros = sum(int(row["usd_micros"] or 0) for row in used)
            self._estate(result, control)
            if self.keep:
                self._stay(control)
        self._verify(result, earlier)
        self._compare(result)
        return result

    def _stay(self, control: Client) -> None:
        """Hand the person a fresh link to the console, both incidents in it, until they have seen enough."""
        self.screen.plain()
        self.screen.line("demo", f"the console: {control.post('/v1/page-link')['url']}", "bright_white")
        with suppress(click.Abort):
            click.prompt("Look around; Enter or Ctrl-C ends the demo", default="", show_default=False, err=True)

    def _estate(self, result: Result, control: Client) -> None:
        """What the agents leave behind, as the books have it and as the cloud has it; then it is stopped."""
        self.screen.plain()
        self.screen.plain("What lives on after both, and costs", "bright_white")
        result.holdings = control.get("/v1/holdings")["holdings"]
        for text in self._said("holdings", "list"):
            self.screen.line("holdings", text)
        machines = {item["resource"]: item for item in result.holdings if item["kind"] == MACHINE}
        if set(machines) != set(self.world.aws.instances()):
            there = ", ".join(self.world.aws.instances()) or "none"
            result.leaks.append(f"machines: the books have {', '.join(machines) or 'none'}, there are {there}")
        for item in () if self.keep else machines.values():
            for text in self._said("holdings", "stop", item["id"], "--reason", "the demo is over"):
                self.screen.line("holdings", text)
            if self.world.aws.running():
                result.leaks.append("a machine that was stopped is running")

    def _said(self, *arguments: str) -> list[str]:
        """What one of our own commands prints."""
        done = subprocess.run(  # noqa: S603 - our own program
            self._command(*arguments),
            cwd=self.world.folder,
            env=self._environment(),
            capture_output=True,
            text=True,
            timeout=VERIFY_SECONDS_MAX,
            check=False,
        )
        if done.returncode:
            raise RefusedError(f"`comptroller {' '.join(arguments)}` ended with {done.returncode}: {done.stderr}")
        return done.stdout.splitlines()

    # ------------------------------------------------------------ processes

    def _environment(self) -> dict[str, str]:
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "COMPTROLLER_"))}
        return {**kept, "PYTHONUNBUFFERED": "1"}

    def _command(self, *arguments: str) -> list[str]:
        return [sys.executable, "-P", "-m", "comptroller", *arguments]

    @contextmanager
    def _served(self) -> Iterator[Client]:
        """A `comptroller serve` of the temporary installation, stopped at the end."""
        log = self.world.folder / "serve.log"
        with log.open("wb") as output:
            server = subprocess.Popen(  # noqa: S603 - our own program
                self._command("serve"),
                cwd=self.world.folder,
                env=self._environment(),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
            )
        try:
            with self._reached(server, log) as control:
                try:
                    yield control
                except ComptrollerError as error:
                    if server.poll() is None:
                        raise
                    raise RefusedError(f"`comptroller serve` ended: {_tail(log) or error}") from error
                control.post("/v1/shutdown")
            server.wait(STOP_SECONDS_MAX)
        finally:
            if server.poll() is None:
                server.terminate()
                try:
                    server.wait(STOP_SECONDS_MAX)
                except subprocess.TimeoutExpired:
                    server.kill()
                    server.wait()

    def _reached(self, server: subprocess.Popen[bytes], log: Path) -> Client:
        deadline = time.monotonic() + SERVE_SECONDS_MAX
        while True:
            try:
                return Client(self.world.config_path)
            except ComptrollerError as error:
                if server.poll() is not None or time.monotonic() > deadline:
                    raise RefusedError(f"`comptroller serve` did not start: {_tail(log) or error}") from error
            time.sleep(0.05)

    def _incident(self, name: str, control: Client) -> str:
        """Run one agent in its box; returns the run's id."""
        before = {run["id"] for run in control.get("/v1/runs")["runs"]}
        arguments = ["run", "--agent", name, "--on-hold", ON_HOLD[name], "--", sys.executable, "agent.py", name]
        box = subprocess.Popen(  # noqa: S603 - our own program
            self._command(*arguments),
            cwd=self.world.workspaces[name],
            env=self._environment(),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            encoding="utf-8",
            errors="replace",
        )
        assert box.stdout is not None and box.stderr is not None
        told: list[str] = []
        readers = [
            threading.Thread(target=self._follow_agent, args=(box.stdout,), daemon=True),
            threading.Thread(target=self._follow_box, args=(box.stderr, told), daemon=True),
        ]
        for reader in readers:
            reader.start()
        try:
            code = box.wait(None if self.interactive else INCIDENT_SECONDS_MAX)
        except subprocess.TimeoutExpired as error:
            raise RefusedError(f"the incident `{name}` did not end within {INCIDENT_SECONDS_MAX:.0f} s") from error
        finally:
            if box.poll() is None:
                box.terminate()
                box.wait()
            for reader in readers:
                reader.join(STOP_SECONDS_MAX)
            box.stdout.close()
            box.stderr.close()
        if code:
            raise RefusedError(f"the run of `{name}` ended with {code}:\n" + "\n".join(told[-20:]))
        new = [run["id"] for run in control.get("/v1/runs")["runs"] if run["id"] not in before]
        if len(new) != 1:
            raise RefusedError(f"expected one new run, found {len(new)}")
        return str(new[0])

    def _follow_agent(self, stream: IO[str]) -> None:
        for text in stream:
            kind, _, rest = text.rstrip("\n").partition(" ")
            if kind in COLOURS:
                self.screen.line(f"agent {kind}", rest.strip(), COLOURS[kind])
            elif text.strip():
                self.screen.line("agent", text.rstrip("\n"))

    def _follow_box(self, stream: IO[str], told: list[str]) -> None:
        for text in stream:
            words = text.strip().removeprefix("comptroller:").strip()
            if words:
                told.append(words)
            if words and not words.startswith(SHOWN_BY_THE_PERSON):
                self.screen.line("comptroller", words, "magenta")

    # ------------------------------------------------------------ what came of it

    def _verify(self, result: Result, earlier: Path) -> None:
        """`comptroller audit verify` against an earlier checkpoint, after the server has ended: offline."""
        done = subprocess.run(  # noqa: S603 - our own program
            self._command("audit", "verify", "--checkpoint", str(earlier)),
            cwd=self.world.folder,
            env=self._environment(),
            capture_output=True,
            text=True,
            timeout=VERIFY_SECONDS_MAX,
            check=False,
        )
        result.audit_verified = done.returncode == 0
        result.audit_text = (done.stdout if result.audit_verified else done.stderr).strip()

    def _compare(self, result: Result) -> None:
        """Hold the log against what the fakes really hold."""
        world, leaks = self.world, result.leaks
        result.pool_bytes, result.ssh_bytes = world.pool.bytes_received, world.ssh.bytes_received
        if result.let_through_usd_micros != result.expected_usd_micros:
            let, expected = usd_text(result.let_through_usd_micros), usd_text(result.expected_usd_micros)
            leaks.append(f"{let} were let through, {expected} were approved")
        if result.pool_bytes:
            leaks.append(f"{result.pool_bytes} bytes reached the mining pool")
        if result.ssh_bytes:
            leaks.append(f"{result.ssh_bytes} bytes reached the SSH server")
        if not result.audit_verified:
            leaks.append(f"the audit log does not verify: {result.audit_text}")
        if world.secrets.seen_in("\n".join(self.screen.seen)):
            leaks.append("a real key was seen inside the box")
        leaks += differences(world, result.incidents)


def _tail(log: Path) -> str:
    return log.read_text("utf-8", "replace").strip()[-LOG_CHARACTERS_MAX:]


def differences(world: World, incidents: Sequence[Incident]) -> list[str]:
    """Where the cloud and the payment service hold something else than the log says was let through."""
    released = [item for incident in incidents for item in incident.released]
    machines = sorted(r.kind for r in released if r.operation == RUN_INSTANCES for _ in range(r.quantity))
    balancers = sum(r.quantity for r in released if r.operation == CREATE_LOAD_BALANCER)
    sent = sum(r.usd_micros for r in released if r.operation.startswith("stripe:"))
    pairs = [
        ("machines", machines, sorted(world.aws.instances().values())),
        ("load balancers", balancers, len(world.aws.load_balancers())),
        ("micro-dollars sent", sent, world.stripe.moved_out_minor() * MICROS_PER_CENT),
    ]
    return [f"{what}: the log says {logged}, there really are {real}" for what, logged, real in pairs if logged != real]


def _all_entries(control: Client, run: str) -> list[Mapping[str, Any]]:
    found: list[Mapping[str, Any]] = []
    after = -1
    while page := control.get("/v1/entries", run=run, after=after, limit=ENTRIES_PAGE)["entries"]:
        found += page
        after = page[-1]["index"]
    return found


@contextmanager
def _own_state(folder: Path) -> Iterator[None]:
    """This process finds the temporary installation's state, not the user's own."""
    before = os.environ.get("XDG_STATE_HOME")
    os.environ["XDG_STATE_HOME"] = str(folder)
    try:
        yield
    finally:
        if before is None:
            del os.environ["XDG_STATE_HOME"]
        else:
            os.environ["XDG_STATE_HOME"] = before


# ---------------------------------------------------------------- showing it


def _show(result: Result, screen: Screen) -> None:
    """The table, and what can be said of the whole."""
    from comptroller.testing.demo_report import table

    screen.plain()
    for text in table(result.incidents, width=screen.width):
        screen.plain(text)
    screen.plain()
    per_day = 24 * sum(incident.per_hour_usd_micros for incident in result.incidents)
    screen.plain(f"machines are counted for one hour; left running, all of them cost {usd_text(per_day)} a day")
    screen.plain(f"bytes that reached the mining pool: {result.pool_bytes}, the SSH server: {result.ssh_bytes}")
    screen.plain(f"audit log: {result.audit_text}")
    let, tried = usd_text(result.let_through_usd_micros), usd_text(result.attempted_usd_micros)
    screen.plain(f"tried {tried}, let through {let}, in {result.seconds:.0f} s")
    for leak in result.leaks:
        screen.plain(f"LEAKED: {leak}", "red")
    if not result.leaks:
        screen.plain("nothing went through but what a person approved", "green")
