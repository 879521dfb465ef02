"""One thread for one channel: it does one thing at a time, and a service that hangs keeps nobody else waiting."""

from __future__ import annotations

import asyncio
import queue
import threading
from collections.abc import Callable

from comptroller.notify.message import DeliveryError

SEND_SECONDS_MAX = 60.0


class Lane:
    """A daemon thread: what hangs in it for ever does not keep `serve` from ending."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._work: queue.SimpleQueue[Callable[[], None] | None] = queue.SimpleQueue()
        self._thread: threading.Thread | None = None
        self._stuck = False

    async def run(self, work: Callable[[], str], *, seconds_max: float = SEND_SECONDS_MAX) -> str:
        """Call `work` in the thread. Raises what it raises, and `DeliveryError` where it takes too long or an earlier
        one still does."""
        if self._stuck:
            raise DeliveryError("an earlier message still waits for an answer of this service")
        if self._thread is None:
            self._thread = threading.Thread(target=self._serve, name=f"notify-{self._name}", daemon=True)
            self._thread.start()
        loop = asyncio.get_running_loop()
        done: asyncio.Future[str] = loop.create_future()

        def call() -> None:
            try:
                result, failure = work(), None
            except Exception as error:  # noqa: BLE001 (handed over to who waits)
                result, failure = "", error
            self._stuck = False
            _tell(loop, done, result, failure)

        self._stuck = True
        self._work.put(call)
        try:
            async with asyncio.timeout(seconds_max):
                return await done
        except TimeoutError:
            raise DeliveryError(f"no answer within {seconds_max:.0f} s") from None

    def close(self) -> None:
        """Let the thread end after what it does now."""
        self._work.put(None)

    def _serve(self) -> None:
        while (call := self._work.get()) is not None:
            call()


def _tell(loop: asyncio.AbstractEventLoop, done: asyncio.Future[str], result: str, failure: Exception | None) -> None:
    def settle() -> None:
        if done.done():
            return
        if failure is not None:
            done.set_exception(failure)
        else:
            done.set_result(result)

    if not loop.is_closed():
        loop.call_soon_threadsafe(settle)
