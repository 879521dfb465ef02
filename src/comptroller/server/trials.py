"""Looks at the log under other rules, one at a time, each in a process of its own; the last few are remembered."""

from __future__ import annotations

import asyncio
import contextlib
import json
import secrets
import tempfile
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any, Literal

from comptroller.boundary import PolicyText
from comptroller.core.errors import ComptrollerError, RefusedError
from comptroller.ports import Clock
from comptroller.server.trial_unsafe import run_policy

KEPT_MAX = 8
DAYS_MAX = 92
ACTIONS_MAX = 20_000
SECONDS_MAX = 180.0

TrialKind = Literal["what-if", "suggest"]
TrialState = Literal["running", "done", "failed", "cancelled"]


@dataclass(slots=True)
class Trial:
    """One look. `found` is the JSON of the command once it is done; `name` the file that was edited, if any, and
    `expected` the hash of all files at that time."""

    id: str
    kind: TrialKind
    by: str
    days: int
    begun: datetime
    name: str = ""
    text: str = ""
    expected: str = ""
    state: TrialState = "running"
    progress: str = ""
    found: dict[str, Any] = field(default_factory=dict)
    complaint: str = ""

    def document(self) -> dict[str, object]:
        """The JSON form."""
        return {
            "id": self.id,
            "kind": self.kind,
            "by": self.by,
            "days": self.days,
            "file": self.name,
            "state": self.state,
            "progress": self.progress,
            "complaint": self.complaint,
            "found": self.found,
        }


class Trials:
    """All of one server. A trial dies with the server and is no entry: it changes nothing."""

    def __init__(self, config_path: str, clock: Clock) -> None:
        self._config_path, self._clock = config_path, clock
        self._kept: OrderedDict[str, Trial] = OrderedDict()
        self._task: asyncio.Task[None] | None = None
        self._running: Trial | None = None

    def start(
        self,
        kind: TrialKind,
        *,
        by: str,
        days: int,
        texts: Sequence[PolicyText] = (),
        name: str = "",
        text: str = "",
        expected: str = "",
    ) -> Trial:
        """Begin one. Raises `RefusedError` while another runs."""
        if self._running is not None:
            raise RefusedError(
                f"`{self._running.by}` is trying something already", hint="wait for it, or cancel it on its page"
            )
        days = max(1, min(days, DAYS_MAX))
        trial = Trial(
            id=secrets.token_hex(8),
            kind=kind,
            by=by,
            days=days,
            begun=self._clock.now(),
            name=name,
            text=text,
            expected=expected,
        )
        self._kept[trial.id] = self._running = trial
        while len(self._kept) > KEPT_MAX:
            self._kept.popitem(last=False)
        self._task = asyncio.create_task(self._run(trial, tuple(texts)))
        return trial

    def find(self, identifier: str) -> Trial | None:
        """One of the last few."""
        return self._kept.get(identifier)

    def latest(self, kind: TrialKind) -> Trial | None:
        """The newest of a kind."""
        return next((trial for trial in reversed(self._kept.values()) if trial.kind == kind), None)

    async def cancel(self, identifier: str) -> None:
        """End it where it still runs."""
        if self._running is not None and self._running.id == identifier and self._task is not None:
            self._running.state = "cancelled"
            self._task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._task
            # It may never have begun, and then does not say so itself.
            self._running = None

    async def wait(self) -> None:
        """Return when nothing runs."""
        if self._task is not None:
            await asyncio.wait([self._task])

    async def close(self) -> None:
        """End what runs."""
        if self._running is not None:
            await self.cancel(self._running.id)

    async def _run(self, trial: Trial, texts: Sequence[PolicyText]) -> None:
        def progress(text: str) -> None:
            trial.progress = text

        try:
            with tempfile.TemporaryDirectory(prefix="comptroller-trial-") as made:
                code, answer, complaint = await run_policy(
                    [*_arguments(trial, texts, Path(made)), "--config", self._config_path],
                    folder=Path(made),
                    seconds_max=SECONDS_MAX,
                    progress=progress,
                )
            trial.found, trial.complaint = json.loads(answer) if answer else {}, complaint
            trial.state = "done" if trial.found else "failed"
            if not trial.found and not complaint:
                trial.complaint = f"it ended with {code} and said nothing"
        except ComptrollerError as error:
            trial.state, trial.complaint = "failed", error.message
        except (OSError, ValueError) as error:
            trial.state, trial.complaint = "failed", f"it could not be run ({type(error).__name__})"
        finally:
            self._running = None
            if trial.state == "running":
                trial.state = "cancelled"


def _arguments(trial: Trial, texts: Sequence[PolicyText], folder: Path) -> list[str]:
    """What to run; edited files are written into `folder`, which nobody else can read."""
    days = ["--days", str(trial.days), "--json"]
    if trial.kind == "suggest":
        return ["suggest", *days]
    policies = folder / "policies"
    policies.mkdir()
    for text in texts:
        (policies / Path(text.file).name).write_text(text.text, "utf-8")
    most = ["--actions-max", str(ACTIONS_MAX), "--progress"]
    return ["what-if", "--policies", str(policies), *most, *days]
