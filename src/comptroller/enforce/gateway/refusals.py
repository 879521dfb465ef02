"""Records what was refused before it became an action, many equal ones as one entry; never makes anybody wait."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass

from comptroller.core.audit import EntryKind
from comptroller.core.errors import ComptrollerError
from comptroller.enforce.gateway.settings import RunIdentity

DESTINATION_CHARACTERS_MAX = 280
DETAIL_CHARACTERS_MAX = 300
OVERFLOW = "many destinations"

Record = Callable[..., Awaitable[int]]
"""`Recorder.record`."""


@dataclass(slots=True)
class _Count:
    more: int = 0
    detail: str = ""


class Refusals:
    """The refusals of one box. The first of a kind is recorded at once, its repetitions once a window."""

    def __init__(self, *, record: Record, identity: RunIdentity, window_seconds: float, kinds_max: int) -> None:
        self._record = record
        self._identity = identity
        self._window_seconds = window_seconds
        self._kinds_max = kinds_max
        self._counts: dict[tuple[str, str], _Count] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._timer: asyncio.TimerHandle | None = None
        self._lost = 0

    @property
    def lost(self) -> int:
        """Entries the store could not take."""
        return self._lost

    def note(self, look: str, destination: str, detail: str = "") -> None:
        """One more refusal of `look` (`ssh`, `raw`, …) on its way to `destination` (`host:port`)."""
        key = (look, destination[:DESTINATION_CHARACTERS_MAX])
        if key not in self._counts and len(self._counts) >= self._kinds_max:
            key = (look, OVERFLOW)
        known = self._counts.get(key)
        if known is not None:
            known.more += 1
            known.detail = detail
            return
        self._counts[key] = _Count()
        self._write(key, 1, detail)
        if self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(self._window_seconds, self._flush)

    async def close(self) -> None:
        """Write what was only counted so far, and wait until all is recorded."""
        if self._timer is not None:
            self._timer.cancel()
        self._flush()
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        while self._tasks:
            await asyncio.gather(*self._tasks)

    def _flush(self) -> None:
        """A window ended: what repeated itself stays known for another, everything else may be told anew."""
        self._timer = None
        repeated = {key: count for key, count in self._counts.items() if count.more}
        self._counts = {key: _Count() for key in repeated}
        for key, count in repeated.items():
            self._write(key, count.more, count.detail)
        if repeated:
            self._timer = asyncio.get_running_loop().call_later(self._window_seconds, self._flush)

    def _write(self, key: tuple[str, str], count: int, detail: str) -> None:
        body = {"look": key[0], "destination": key[1], "count": count}
        task = asyncio.create_task(self._append(body, {"detail": detail[:DETAIL_CHARACTERS_MAX]} if detail else {}))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _append(self, body: Mapping[str, object], private: Mapping[str, object]) -> None:
        try:
            await self._record(
                EntryKind.BOX_REFUSED,
                agent=self._identity.agent,
                run=self._identity.run,
                body=body,
                private=private,
            )
        except (ComptrollerError, OSError):
            self._lost += 1
