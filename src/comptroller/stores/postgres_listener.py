"""Hears what other gateways changed: PostgreSQL's notifications, turned into `Notice`s in this process's event loop.

Losing one loses comfort, never truth: after every connection made anew, anything is said to have changed.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from comptroller.core.errors import StoreError
from comptroller.ports import Notice
from comptroller.stores.postgres_database import Place, connect, driver
from comptroller.stores.postgres_rows import ANYTHING, CHANNEL

if TYPE_CHECKING:
    import psycopg

    Connection = psycopg.Connection[Any]

RETRY_SECONDS = 1.0


class PostgresListener:
    """One connection that listens, made again whenever it is lost. `heard` must not block."""

    def __init__(self, place: Place, installation: int, heard: Callable[[Notice], None]) -> None:
        self._place = place
        self._installation = installation
        self._heard = heard
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin to listen, in the running event loop."""
        self._task = asyncio.get_running_loop().create_task(self._live())

    async def close(self) -> None:
        """Stop listening."""
        task, self._task = self._task, None
        if task is not None:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    async def _live(self) -> None:
        while True:
            with contextlib.suppress(driver().Error, StoreError, OSError):
                connection = await self._connected()
                try:
                    self._heard(Notice(anything=True))
                    await self._listen(connection)
                finally:
                    connection.close()
            await asyncio.sleep(RETRY_SECONDS)

    async def _connected(self) -> Connection:
        """A connection that listens; one that comes when nobody waits any more is closed."""
        made = asyncio.get_running_loop().run_in_executor(None, self._connect)
        try:
            return await asyncio.shield(made)
        except asyncio.CancelledError:
            made.add_done_callback(_close_unwanted)
            raise

    def _connect(self) -> Connection:
        connection = connect(self._place, read_only=True)
        connection.execute(f"LISTEN {CHANNEL}")
        return connection

    async def _listen(self, connection: Connection) -> None:
        """Until the connection is lost. Raises `psycopg.Error`."""
        loop, ready = asyncio.get_running_loop(), asyncio.Event()
        descriptor = connection.fileno()
        loop.add_reader(descriptor, ready.set)
        try:
            while True:
                await ready.wait()
                ready.clear()
                connection.pgconn.consume_input()
                while (notify := connection.pgconn.notifies()) is not None:
                    notice = notice_of(notify.extra, self._installation)
                    if notice is not None:
                        self._heard(notice)
        finally:
            loop.remove_reader(descriptor)


def notice_of(payload: bytes, installation: int) -> Notice | None:
    """What a notification says; None for our own. One that cannot be understood may mean anything."""
    try:
        found = json.loads(payload)
        if found["from"] == installation:
            return None
        if ANYTHING in found:
            return Notice(anything=True)
        names = ("approvals", "brakes", "runs", "distrusts", "budgets", "standings")
        approvals, brakes, runs, distrusts, budgets, standings = (
            tuple(map(str, found.get(name, ()))) for name in names
        )
        return Notice(
            approvals=approvals,
            brakes=brakes,
            runs=runs,
            distrusts=distrusts,
            budgets=budgets,
            standings=standings,
        )
    except (ValueError, KeyError, TypeError):
        return Notice(anything=True)


def _close_unwanted(made: asyncio.Future[Connection]) -> None:
    if not made.cancelled() and made.exception() is None:
        made.result().close()
