"""Tells listeners in this process what became durable, and wakes the callers who wait for an answer."""

from __future__ import annotations

import asyncio
import contextlib
from collections import defaultdict
from collections.abc import Callable, Mapping

from comptroller.ports import Listener


class Hub:
    """Events after the fact: losing one loses comfort, never truth (the truth is in the store)."""

    def __init__(self) -> None:
        self._listeners: list[Listener] = []
        self._waiters: dict[str, set[asyncio.Event]] = defaultdict(set)

    def subscribe(self, listener: Listener) -> Callable[[], None]:
        """Call `listener(kind, summary)` after every durable entry; returns what ends it."""
        self._listeners.append(listener)

        def unsubscribe() -> None:
            if listener in self._listeners:
                self._listeners.remove(listener)

        return unsubscribe

    def publish(self, kind: str, summary: Mapping[str, object]) -> None:
        """Tell every listener of an entry, or of `store.lost`, which has none.

        Wakes whoever waits for the approval named in `summary`.
        """
        for listener in tuple(self._listeners):
            with contextlib.suppress(Exception):  # what is durable stands, whatever a listener makes of it
                listener(kind, summary)
        approval = summary.get("approval")
        if isinstance(approval, str) and kind.startswith("approval."):
            self.wake(approval)

    def wake(self, key: str) -> None:
        """Wake whoever waits for `key`."""
        for event in self._waiters.get(key, ()):
            event.set()

    def wake_everyone(self) -> None:
        """Wake all who wait: nobody knows what was missed, so each looks for itself."""
        for key in tuple(self._waiters):
            self.wake(key)

    async def wait(self, key: str, timeout_seconds: float) -> bool:
        """Wait until `key` is woken; False when the time is up."""
        event = asyncio.Event()
        self._waiters[key].add(event)
        try:
            await asyncio.wait_for(event.wait(), timeout_seconds)
        except TimeoutError:
            return False
        else:
            return True
        finally:
            self._waiters[key].discard(event)
            if not self._waiters[key]:
                del self._waiters[key]
