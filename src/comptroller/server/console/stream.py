"""`GET …/stream`: server-sent events, resumable by log index, bounded, cut where the browser does not keep up."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Callable, Sequence

from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from comptroller.core.errors import UsageError
from comptroller.server.console.feed import READ_ENTRIES_MAX, Feed, Filter, Shown, topics_of
from comptroller.server.desk import Desk
from comptroller.server.problem import problem

FOLLOWERS_MAX = 64
HEARTBEAT_SECONDS = 15.0
SEND_SECONDS_MAX = 10.0
"""A browser that takes nothing for so long is cut; it resumes at the last index it saw."""
RESUMED_ENTRIES_MAX = 2_000
"""Whoever missed more is told how many, and goes on near the end."""
AFTER_GAP_ENTRIES = 200
BATCH_LINES_MAX = 250
RETRY_MS = 1_000
INDEX_MAX = 2**53


class Stream:
    """The one feed of a server, and everybody who follows it."""

    def __init__(self, desk: Desk) -> None:
        self._feed = Feed(desk.store, desk.hub)

    @property
    def watchers(self) -> int:
        """How many follow."""
        return self._feed.followers

    async def close(self) -> None:
        """End every stream."""
        await self._feed.close()

    async def answer(self, request: Request, *, alive: Callable[[], bool]) -> Response:
        """The stream for one browser: `?after=INDEX&agent=&run=&kind=&class=`; `Last-Event-ID` goes before `after`;
        with `lines=no` only what pages may want to read again. It ends once its session is not `alive`."""
        if self.watchers >= FOLLOWERS_MAX:
            return problem(503, f"{FOLLOWERS_MAX} browsers follow already", hint="close one and reload")
        after = _index(request.headers.get("last-event-id") or request.query_params.get("after", "-1"))
        asked = {name: request.query_params.get(name, "") for name in ("agent", "run", "kind", "class", "lines")}
        wanted = Filter(agent=asked["agent"], run=asked["run"], kind=asked["kind"], classed=asked["class"])
        only = None if asked["lines"] == "no" else wanted
        return _EventStream(self._events(alive, after, only))

    async def _events(self, alive: Callable[[], bool], after: int, wanted: Filter | None) -> AsyncIterator[bytes]:
        feed = self._feed
        await feed.join()
        try:
            yield f"retry: {RETRY_MS}\n\n".encode()
            after, stirs = min(after, feed.end), feed.stirs
            missed = feed.end - after
            if missed > RESUMED_ENTRIES_MAX:
                after = feed.end - AFTER_GAP_ENTRIES
                yield _event("gap", after, {"missed": missed - AFTER_GAP_ENTRIES})
            while (lines := feed.after(after)) is None and missed > 0:
                found = await feed.older(after, feed.end)
                missed -= READ_ENTRIES_MAX
                if found:
                    after = found[-1].index
                    yield _batch(found, after, wanted)
            while lines is not None and not feed.closed and alive():
                for start in range(0, len(lines), BATCH_LINES_MAX):
                    part = lines[start : start + BATCH_LINES_MAX]
                    after = part[-1].index
                    yield _batch(part, after, wanted)
                if topics := feed.stirred(stirs):
                    stirs = feed.stirs
                    yield _event("batch", after, {"topics": topics, "lines": []})
                if not await feed.wait(after, stirs, HEARTBEAT_SECONDS):
                    if not alive():
                        return
                    yield b": alive\n\n"
                lines = feed.after(after)
        finally:
            await feed.leave()


class _EventStream(Response):
    """Sends what comes, as far as it is taken in good time, until either side has enough."""

    def __init__(self, events: AsyncIterator[bytes]) -> None:
        super().__init__(media_type="text/event-stream", headers={"x-accel-buffering": "no"})
        self._events = events

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        headers = [pair for pair in self.raw_headers if pair[0] != b"content-length"]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        sending = asyncio.create_task(self._send(send))
        gone = asyncio.create_task(_gone(receive))
        try:
            await asyncio.wait({sending, gone}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in (sending, gone):
                task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await gone
            with contextlib.suppress(asyncio.CancelledError, TimeoutError, OSError):
                await sending

    async def _send(self, send: Send) -> None:
        async with contextlib.aclosing(self._events) as events:  # type: ignore[type-var]
            async for event in events:
                async with asyncio.timeout(SEND_SECONDS_MAX):
                    await send({"type": "http.response.body", "body": event, "more_body": True})
        await send({"type": "http.response.body", "body": b"", "more_body": False})


async def _gone(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


def _batch(lines: Sequence[Shown], after: int, wanted: Filter | None) -> bytes:
    shown = ",".join(line.text for line in lines if wanted is not None and wanted.wants(line))
    topics = json.dumps(topics_of(lines))
    return f'id: {after}\nevent: batch\ndata: {{"topics":{topics},"lines":[{shown}]}}\n\n'.encode()


def _event(name: str, index: int, value: object) -> bytes:
    return f"id: {index}\nevent: {name}\ndata: {json.dumps(value)}\n\n".encode()


def _index(text: str) -> int:
    """A log index, -1 for the beginning. Raises `UsageError`."""
    try:
        value = int(text)
    except ValueError as error:
        raise UsageError("the stream resumes after a log index") from error
    if not -1 <= value <= INDEX_MAX:
        raise UsageError("the stream resumes after a log index")
    return value
