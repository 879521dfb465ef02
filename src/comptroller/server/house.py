"""The whole server of one installation: control socket, attach socket and page, started and ended together."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from pathlib import Path

from comptroller.core.approval import ApprovalState
from comptroller.core.errors import StoreError
from comptroller.server.api.health import Health
from comptroller.server.api.metrics import Metrics
from comptroller.server.api.serve import Api
from comptroller.server.api.web import Web, fronted
from comptroller.server.attach import AttachServer
from comptroller.server.console import Console, address_of
from comptroller.server.console.pages import DOORS, PAGES
from comptroller.server.control import Control
from comptroller.server.desk import Desk
from comptroller.server.identity import Caller
from comptroller.server.listen import LOCALHOST, HttpListener, bind_console, bind_unix, has_address
from comptroller.server.operations import Operations
from comptroller.server.persons import Persons
from comptroller.server.policies import policies_of
from comptroller.server.pulse import Pulse
from comptroller.server.render import Json

IDLE_CHECK_SECONDS = 0.5
TIDY_SECONDS = 3600.0
"""How often what people wrote in calls is thrown away where it is old."""


class House:
    """Owns the listeners. `idle_exit_seconds`: end after so long without a run, a question or a visitor."""

    def __init__(
        self,
        desk: Desk,
        *,
        control_socket: Path,
        attach_socket: Path,
        page_port: int = 0,
        idle_exit_seconds: float | None = None,
    ) -> None:
        self._desk = desk
        self._paths = (control_socket, attach_socket)
        self._page_port = page_port
        self._idle_exit_seconds = idle_exit_seconds
        self._stopping = asyncio.Event()
        self._closing = contextlib.AsyncExitStack()
        self._api: Api | None = None
        self._page: Console | None = None
        self._attach: AttachServer | None = None
        self.page_origin = ""
        self.persons = Persons(desk)

    async def start(self) -> None:
        """Listen everywhere, or nowhere. Raises `UsageError` for a path too long or a port in use."""
        control_path, attach_path = self._paths
        async with contextlib.AsyncExitStack() as opened:
            settings = self._desk.config.console
            listening = bind_console(settings.listen, self._page_port)
            for each in listening:
                opened.callback(each.close)
            port = listening[0].getsockname()[1]
            own_ports = self._desk.door.own_ports
            own_ports.add(port)
            opened.callback(own_ports.discard, port)
            attach_socket = _bound(opened, attach_path)
            control_socket = _bound(opened, control_path)

            pulse = Pulse(self._desk.hub)
            operations = Operations(desk=self._desk, pulse=pulse)
            address = address_of(settings, port=port, named=len(listening) > 1 or not has_address(LOCALHOST[1]))
            self._page = page = Console(operations, address=address, pages=PAGES, doors=DOORS, persons=self.persons)
            self._api = api = Api(operations, self)
            metrics = Metrics(self._desk)
            opened.callback(metrics.close)
            health = Health(self._desk, metrics, attached=self._serves_boxes)
            control = Control(api, self._desk, health)
            web = Web(api, caller_of=self.persons.tokens.caller, health=health)
            self.page_origin = address.origin
            app = fronted(web.app(), page.app(), prefix=address.prefix)
            for listener in (
                *(HttpListener(app, each, peers=False, tls=settings.tls) for each in listening),
                HttpListener(control.app(), control_socket, peers=True),
            ):
                opened.push_async_callback(listener.close)
                await listener.start()
            self._attach = attach = AttachServer(self._desk, attach_socket)
            opened.push_async_callback(attach.close)
            attach.start()
            opened.push_async_callback(page.stream.close)
            opened.push_async_callback(policies_of(self._desk).close)
            opened.callback(pulse.close)
            opened.callback(asyncio.create_task(_tidy(api)).cancel)
            self._closing = opened.pop_all()

    def link(self, caller: Caller) -> Json:
        """A one-time link to the page for `caller`."""
        assert self._page is not None
        return self._page.link(caller)

    def enrol_url(self, secret: str) -> str:
        """Where a person sets up how they sign in."""
        return f"{self.page_origin}{self._desk.config.console.prefix}/enrol#{secret}"

    def stop(self) -> None:
        """Ask the server to end."""
        self._stopping.set()

    async def stopped(self) -> str:
        """Wait until somebody asked, or the server is idle for long enough; says which."""
        loop = asyncio.get_running_loop()
        busy_at = loop.time()
        while not self._stopping.is_set():
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(IDLE_CHECK_SECONDS):
                    await self._stopping.wait()
            if self._idle_exit_seconds is None:
                continue
            if await self.busy():
                busy_at = loop.time()
            elif loop.time() - busy_at >= self._idle_exit_seconds:
                return "idle"
        return "asked"

    def _serves_boxes(self) -> bool:
        return self._attach is not None and not self._stopping.is_set()

    async def busy(self) -> bool:
        """True while a run is attached, a question is open, something is paid for, or somebody is looking."""
        if self._attach is None or self._api is None or self._page is None:
            return False
        if self._attach.count or self._api.open_requests or self._page.watchers:
            return True
        if await self._desk.store.approvals_count(ApprovalState.PENDING):
            return True
        return any(holding.term_reservation for holding in await self._desk.store.holdings())

    async def close(self) -> None:
        """Boxes first, then the page and the control socket; then nothing listens any more."""
        await self._closing.aclose()


async def _tidy(api: Api) -> None:
    """For as long as the server lives; a store that is lost is tried again the next time."""
    while True:
        with contextlib.suppress(StoreError):
            await api.replies.forget()
        await asyncio.sleep(TIDY_SECONDS)


def _bound(opened: contextlib.AsyncExitStack, path: Path) -> socket.socket:
    listener = bind_unix(path)
    opened.callback(path.unlink, missing_ok=True)
    opened.callback(listener.close)
    return listener
