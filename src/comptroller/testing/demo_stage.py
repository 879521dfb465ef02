"""What a watcher of `comptroller demo` sees, and the person in it: they answer through the API a real one uses."""

from __future__ import annotations

import os
import select
import shutil
import sys
import textwrap
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from typing import IO, Any, Protocol

import click

from comptroller.core.errors import ComptrollerError
from comptroller.core.estimate import USD_MICROS_PER_USD, usd_text

CALL_SECONDS_MAX = 30.0
POLL_SECONDS = 0.1
WIDTH_DEFAULT = 110
MARGIN = 12
LINES_MAX = 3
AGREED_TRANSFER_USD_MICROS = 400 * USD_MICROS_PER_USD
SMALL_MACHINE_USD_MICROS_MAX = USD_MICROS_PER_USD


class Screen:
    """Prints progress, in colour where somebody looks on; remembers all of it for the search for leaked keys."""

    def __init__(self, stream: IO[str]) -> None:
        self._stream = stream
        self._colour = stream.isatty() and "NO_COLOR" not in os.environ
        self._lock = threading.Lock()
        self.width = shutil.get_terminal_size((WIDTH_DEFAULT, 24)).columns if stream.isatty() else WIDTH_DEFAULT
        self.seen: list[str] = []

    def line(self, who: str, text: str, colour: str | None = None) -> None:
        """Who says it, and what; a long text goes on below, a very long one is cut."""
        room = max(60, self.width - MARGIN - 2)
        shown = textwrap.wrap(text, room, max_lines=LINES_MAX, placeholder=" …") or [""]
        with self._lock:
            self.seen.append(text)
            for number, part in enumerate(shown):
                self._echo(f"{'' if number else who:>{MARGIN}}  ", "bright_black", end=False)
                self._echo(part, colour)

    def plain(self, text: str = "", colour: str | None = None) -> None:
        """A line of its own."""
        with self._lock:
            self._echo(text, colour)

    def _echo(self, text: str, colour: str | None, *, end: bool = True) -> None:
        styled = click.style(text, fg=colour) if self._colour and colour else text
        click.echo(styled, file=self._stream, nl=end)


class Control(Protocol):
    """The control API, as every command uses it."""

    def get(self, path: str, **query: str | int | float) -> Mapping[str, Any]:
        """The JSON object at `path`."""
        ...

    def post(self, path: str, **body: str | None) -> Mapping[str, Any]:
        """What `POST path` answers."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """A yes or a no, and what the person says with it."""

    yes: bool
    comment: str


def scripted(approval: Mapping[str, Any]) -> Answer:
    """The demo's person: yes to one small machine and to exactly the 400.00 that were agreed, no to all else."""
    cost = approval["usd_micros"]
    operation = str(approval["operation"])
    if cost is None:
        return Answer(yes=False, comment="nobody can tell me what it costs")
    if operation == "aws:ec2:RunInstances" and approval["quantity"] == 1 and cost < SMALL_MACHINE_USD_MICROS_MAX:
        return Answer(yes=True, comment="one small machine is fine")
    if operation.startswith("stripe:") and cost == AGREED_TRANSFER_USD_MICROS:
        return Answer(yes=True, comment="400.00 was agreed")
    if operation.startswith("stripe:"):
        return Answer(yes=False, comment="only 400.00 was agreed")
    return Answer(yes=False, comment="that is not what this task needs")


class PersonAtDesk:
    """Watches for questions and answers each once, in a thread of its own, until `close`.

    With `ask` the questions are put to whoever sits at the terminal; they may answer on the page instead.
    """

    def __init__(self, control: Control, screen: Screen, *, name: str, ask: bool = False) -> None:
        self._control = control
        self._screen = screen
        self._name = name
        self._ask = ask
        self._answered: set[str] = set()
        self._lock = threading.Lock()
        self._end = threading.Event()
        self.failure: ComptrollerError | None = None
        self._thread = threading.Thread(target=self._work, name="person", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Stop answering."""
        self._end.set()
        self._thread.join(CALL_SECONDS_MAX)

    def approved(self) -> list[Mapping[str, Any]]:
        """Every question that somebody said yes to."""
        rows = self._control.get("/v1/approvals", state="approved")["approvals"]
        return list(rows)

    def _work(self) -> None:
        try:
            while not self._end.wait(POLL_SECONDS):
                self.turn()
        except ComptrollerError as error:
            self.failure = error

    def turn(self) -> None:
        """Look once, and answer what was not answered yet, oldest first."""
        for approval in reversed(self._control.get("/v1/approvals", state="pending")["approvals"]):
            with self._lock:
                known = approval["id"] in self._answered
                self._answered.add(approval["id"])
            if not known:
                self._answer(approval)

    def _answer(self, approval: Mapping[str, Any]) -> None:
        self._screen.line("asks", question(approval), "yellow")
        answer = self._from_terminal(approval) if self._ask else scripted(approval)
        if answer is None:
            return
        verb = "approve" if answer.yes else "reject"
        self._control.post(f"/v1/approvals/{approval['id']}/{verb}", comment=answer.comment)
        word = "yes" if answer.yes else "no"
        said = f"{word}: {answer.comment}" if answer.comment else word
        self._screen.line(self._name[:12], said, "green" if answer.yes else "red")

    def _from_terminal(self, approval: Mapping[str, Any]) -> Answer | None:
        """Wait for a line here, or for an answer given elsewhere (None)."""
        self._screen.line("", "y + Enter is a yes, n + Enter a no (or answer on the page)", "bright_black")
        while not self._end.is_set():
            ready, _, _ = select.select([sys.stdin], [], [], POLL_SECONDS * 3)
            if ready:
                text = sys.stdin.readline()
                word = text.strip().lower()
                if word in ("y", "yes", "n", "no"):
                    return Answer(yes=word.startswith("y"), comment="")
                if not text:
                    return None
            state = self._control.get(f"/v1/approvals/{approval['id']}")["state"]
            if state != "pending":
                self._screen.line("", f"answered elsewhere: {state}", "bright_black")
                return None
        return None


def question(approval: Mapping[str, Any]) -> str:
    """The question in one line: the sentence, the price, and what the budget would be after."""
    parts = [str(approval["sentence"])]
    cost, hourly = approval["usd_micros"], approval["usd_micros_per_hour"]
    parts.append("cost not known" if cost is None else f"{usd_text(cost)} now")
    if hourly:
        parts.append(f"{usd_text(hourly)} an hour until stopped")
    after = [row for row in approval["budget_after"] if row["unit"] == "usd_micros" and row["room_after"] is not None]
    if after:
        parts.append(f"budget after: {usd_text(after[-1]['room_after'])}")
    return ", ".join(parts) + "?"
