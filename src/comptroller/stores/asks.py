"""Decisions on their way through a store's one writer thread, and back to the event loops that wait for them."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from comptroller.ports import Changes, Committed, Facts, Wants

QUEUED_COMMITS_MAX = 10_000


@dataclass(slots=True, eq=False)
class Ask:
    """One caller's decision: afterwards either `done` or `error` is there."""

    wants: Wants
    decide: Callable[[Facts], tuple[Changes, Any]]
    loop: asyncio.AbstractEventLoop
    future: asyncio.Future[Committed[Any]]
    done: Committed[Any] | None = None
    error: BaseException | None = None


def tell(asks: Iterable[Ask]) -> None:
    """Wake the callers, once per event loop."""
    loops: dict[asyncio.AbstractEventLoop, list[Ask]] = {}
    for ask in asks:
        loops.setdefault(ask.loop, []).append(ask)
    for loop, mine in loops.items():
        with suppress(RuntimeError):  # the loop was closed: nobody waits any more
            loop.call_soon_threadsafe(_resolve, mine)


def _resolve(asks: Sequence[Ask]) -> None:
    for ask in asks:
        if ask.future.done():
            continue
        if ask.error is not None:
            # A future cannot carry StopIteration.
            unfit = isinstance(ask.error, StopIteration)
            ask.future.set_exception(RuntimeError("decide raised StopIteration") if unfit else ask.error)
        else:
            assert ask.done is not None
            ask.future.set_result(ask.done)
