"""The log as it grows, read once and shown to many: each entry becomes one line, however many browsers follow."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections import deque
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from comptroller.core.audit import Entry, EntryKind
from comptroller.core.errors import StoreError
from comptroller.engine.hub import Hub
from comptroller.ports import Store
from comptroller.server.beside import for_watching
from comptroller.server.render import entry_json
from comptroller.server.words import Line, entry_line

LINES_KEPT_MAX = 4_000
"""Lines held for followers; whoever falls further behind is cut, and resumes."""
READ_ENTRIES_MAX = 500
FLUSH_SECONDS = 0.04
"""Entries of so long a time are read and sent together."""
RETRY_SECONDS = 1.0


@dataclass(frozen=True, slots=True)
class Shown:
    """One entry as a browser gets it. `text` is JSON, made once."""

    index: int
    kind: str
    agent: str
    run: str
    classes: frozenset[str]
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Filter:
    """Which lines somebody wants; empty members want all. `kind` is a whole kind or its first word."""

    agent: str = ""
    run: str = ""
    kind: str = ""
    classed: str = ""

    def wants(self, shown: Shown) -> bool:
        """Whether `shown` is among them."""
        return (
            (not self.agent or shown.agent == self.agent)
            and (not self.run or shown.run == self.run)
            and (not self.kind or shown.kind == self.kind or shown.kind.startswith(f"{self.kind}."))
            and (not self.classed or self.classed in shown.classes)
        )


class Feed:
    """Reads while somebody follows. `end` is the index of the last entry it has shown; `stirs` counts what other
    gateways told, which is in their logs and not in this one."""

    def __init__(self, store: Store, hub: Hub) -> None:
        self._store = store
        self._hub = hub
        self._lines: deque[Shown] = deque(maxlen=LINES_KEPT_MAX)
        self.end = -1
        self.stirs = 0
        self.followers = 0
        self._stirred: dict[str, int] = {}
        self._more = asyncio.Event()
        self._news: set[asyncio.Event] = set()
        self._task: asyncio.Task[None] | None = None
        self._unsubscribe = hub.subscribe(self._heard)
        self.closed = False

    def _heard(self, kind: str, summary: Mapping[str, object]) -> None:
        if not summary.get("elsewhere"):
            self._more.set()
            return
        self.stirs += 1
        self._stirred.update(dict.fromkeys(_topics([kind]), self.stirs))
        for news in self._news:
            news.set()

    async def join(self) -> None:
        """One more follower; the first one starts the reading, at the log's end."""
        if self._task is None and not self.closed:
            self._lines.clear()
            self.end = await self._store.size() - 1
            self._more.set()
            if self._task is None:
                self._task = asyncio.create_task(self._read())
        self.followers += 1

    async def leave(self) -> None:
        """One follower less; after the last one nothing is read."""
        self.followers -= 1
        if self.followers == 0 and (task := self._task) is not None:
            self._task = None
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task

    async def close(self) -> None:
        """Let every follower go."""
        self.closed = True
        self._unsubscribe()
        for news in self._news:
            news.set()
        if (task := self._task) is not None:
            self._task = None
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task

    # ------------------------------------------------------------ following

    def after(self, index: int) -> Sequence[Shown] | None:
        """The lines above `index`, in order; None where some of them are no longer held."""
        if index >= self.end:
            return ()
        if not self._lines or self._lines[0].index > index + 1:
            return None
        found: list[Shown] = []
        for shown in reversed(self._lines):
            if shown.index <= index:
                break
            found.append(shown)
        return found[::-1]

    async def older(self, after: int, upto: int) -> Sequence[Shown]:
        """Lines above `after` and up to `upto` out of the store: at most `READ_ENTRIES_MAX`."""
        rows = await self._store.entries(after=after, limit=READ_ENTRIES_MAX)
        return await self._shown([row for row in rows if row.index <= upto])

    def stirred(self, since: int) -> tuple[str, ...]:
        """The topics of what other gateways told after the first `since`."""
        return tuple(sorted(topic for topic, stir in self._stirred.items() if stir > since))

    async def wait(self, index: int, stirs: int, timeout_seconds: float) -> bool:
        """Return once there is a line above `index` or more than `stirs` were told, or when the time is up (False)."""
        if self.closed or self.end > index or self.stirs > stirs:
            return True
        news = asyncio.Event()
        self._news.add(news)
        try:
            async with asyncio.timeout(timeout_seconds):
                await news.wait()
        except TimeoutError:
            return False
        else:
            return True
        finally:
            self._news.discard(news)

    # ------------------------------------------------------------ reading

    async def _read(self) -> None:
        while True:
            await self._more.wait()
            self._more.clear()
            try:
                await self._read_new()
            except StoreError:
                self._more.set()
                await asyncio.sleep(RETRY_SECONDS)
            await asyncio.sleep(FLUSH_SECONDS)

    async def _read_new(self) -> None:
        while rows := await self._store.entries(after=self.end, limit=READ_ENTRIES_MAX):
            self._lines.extend(await self._shown(rows))
            self.end = rows[-1].index
            for news in self._news:
                news.set()

    async def _shown(self, rows: Iterable[Entry]) -> list[Shown]:
        found = await self._store.entries_at([row.index for row in rows])
        return [shown_of(entry_json(row, for_watching(private))) for row, private in found]


def shown_of(entry: Mapping[str, object]) -> Shown:
    """An entry of `render.entry_json` as a line for browsers."""
    line = entry_line(entry)
    body = entry.get("body")
    classes = body.get("classes") if isinstance(body, Mapping) else None
    kind = str(entry.get("kind") or "")
    return Shown(
        index=line.index,
        kind=kind,
        agent=line.agent,
        run=line.run,
        classes=frozenset(map(str, classes)) if isinstance(classes, list | tuple) else frozenset(),
        text=json.dumps(line_json(line, kind), ensure_ascii=True, separators=(",", ":")),
    )


def line_json(line: Line, kind: str) -> dict[str, object]:
    """A line with short member names: two hundred of them a second go to a phone."""
    return {
        "i": line.index,
        "t": line.time,
        "k": kind,
        "c": line.tone,
        "w": line.word,
        "a": line.agent,
        "r": line.run,
        "x": line.text,
    }


def topics_of(lines: Iterable[Shown]) -> tuple[str, ...]:
    """What pages may want to read again: the first words of the kinds, and `approval` where a question came up."""
    return _topics(shown.kind for shown in lines)


def _topics(kinds: Iterable[str]) -> tuple[str, ...]:
    found = set(kinds)
    asked = {"approval"} if EntryKind.ACTION_HELD.value in found else set()
    return tuple(sorted(asked | {kind.partition(".")[0] for kind in found}))
