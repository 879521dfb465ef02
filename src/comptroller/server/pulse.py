"""Wakes long polls: a counter that every durable entry moves on."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping

from comptroller.engine.hub import Hub

WAITERS_MAX = 64


class Pulse:
    """Counts durable entries since the start; whoever waits is woken by the next one."""

    def __init__(self, hub: Hub) -> None:
        self.beats = 0
        self._waiters: set[asyncio.Event] = set()
        self._closed = False
        self._unsubscribe = hub.subscribe(self._beat)

    def _beat(self, kind: str, summary: Mapping[str, object]) -> None:
        self.beats += 1
        self._wake()

    def _wake(self) -> None:
        for waiter in self._waiters:
            waiter.set()

    async def wait(self, seen: int, timeout_seconds: float) -> None:
        """Return once `beats` differs from `seen`, when the time is up, or at once where too many wait already."""
        if self._closed or self.beats != seen or timeout_seconds <= 0 or len(self._waiters) >= WAITERS_MAX:
            return
        waiter = asyncio.Event()
        self._waiters.add(waiter)
        try:
            async with asyncio.timeout(timeout_seconds):
                await waiter.wait()
        except TimeoutError:
            return
        finally:
            self._waiters.discard(waiter)

    def close(self) -> None:
        """Let every waiter go; later waits return at once."""
        self._closed = True
        self._unsubscribe()
        self._wake()
