"""Listeners: a unix socket whose callers are known by the kernel, a loopback port, and uvicorn run inside our loop."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import os
import socket
import stat
from collections.abc import Iterator
from pathlib import Path

import h11
import uvicorn
from starlette.types import ASGIApp
from uvicorn.protocols.http.h11_impl import H11Protocol

from comptroller.core.config_console import ConsoleTlsConfig, split_listen
from comptroller.core.errors import RefusedError, UsageError
from comptroller.server.identity import peer_uid

SOCKET_PATH_BYTES_MAX = 107
LOCALHOST = ("127.0.0.1", "::1")
FREE_PORT_TRIES = 20
HEADER_BYTES_MAX = 32 << 10
CONNECTIONS_MAX = 200
BACKLOG = 64
CLOSE_SECONDS_MAX = 2
REQUEST_SECONDS_MAX = 10.0
"""From connecting, or the first byte on an open connection, to the last byte of a request."""
PEER_PREFIX = "uid:"


def bind_unix(path: Path) -> socket.socket:
    """A listening unix socket at `path`, mode 0600. A stale one is replaced: the caller holds the installation's lock.

    Raises `UsageError` where the path is too long or taken by something that is no socket.
    """
    encoded = os.fsencode(path)
    if len(encoded) > SOCKET_PATH_BYTES_MAX:
        raise UsageError(
            f"the socket path `{path}` is {len(encoded)} bytes long; the kernel allows {SOCKET_PATH_BYTES_MAX}",
            hint="set XDG_STATE_HOME to a folder with a shorter path",
        )
    with contextlib.suppress(FileNotFoundError):
        if not stat.S_ISSOCK(path.lstat().st_mode):
            raise UsageError(f"`{path}` is in the way: it is no socket", hint=f"move it away: mv {path} {path}.old")
        path.unlink()
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_CLOEXEC)
    before = os.umask(0o177)
    try:
        listener.bind(encoded)
        listener.listen(BACKLOG)
    except OSError as error:
        listener.close()
        raise UsageError(f"cannot listen at `{path}`: {error.strerror}") from error
    finally:
        os.umask(before)
    listener.setblocking(False)
    return listener


def bind_console(listen: str, port: int) -> list[socket.socket]:
    """The listening sockets of the console: at `listen`, `port` (0 for that of `listen`) in place of its own.

    On 127.0.0.1 also on ::1, where the machine has it: whoever had that could answer under the name `localhost`. Where
    it cannot be had, one socket is returned. Raises `UsageError` where the port is in use.
    """
    host, own_port = split_listen(listen)
    wanted = port or own_port
    for _ in range(1 if wanted else FREE_PORT_TRIES):
        first = _bind(host, wanted)
        if host != LOCALHOST[0]:
            return [first]
        try:
            return [first, _bind(LOCALHOST[1], first.getsockname()[1])]
        except UsageError:
            if wanted or not socket.has_ipv6 or not has_address(LOCALHOST[1]):
                return [first]
            first.close()
    raise UsageError("no port is free on both 127.0.0.1 and ::1", hint="choose one with --page-port")


def has_address(host: str) -> bool:
    """Whether the machine has the address at all."""
    with contextlib.suppress(OSError), socket.socket(socket.AF_INET6, socket.SOCK_STREAM) as probe:
        probe.bind((host, 0))
        return True
    return False


def _bind(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        listener = socket.socket(family, socket.SOCK_STREAM | socket.SOCK_CLOEXEC)
    except OSError as error:
        raise UsageError(f"cannot listen on {host}: {error.strerror}") from error
    try:
        if family == socket.AF_INET6:
            listener.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((host, port))
        listener.listen(BACKLOG)
    except OSError as error:
        listener.close()
        taken = error.errno == errno.EADDRINUSE
        raise UsageError(
            f"port {port} on {host} is {'in use' if taken else 'not available: ' + str(error.strerror)}",
            hint="choose another with --page-port, or leave it out to take any free port",
        ) from error
    listener.setblocking(False)
    return listener


class PromptProtocol(H11Protocol):  # type: ignore[misc]
    """HTTP/1.1 for callers who send a whole request in good time; the others are cut off, however they trickle."""

    _deadline: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:
        """The time for the first request starts."""
        super().connection_made(transport)
        self._watch()

    def data_received(self, data: bytes) -> None:
        """More of a request; its time goes on, or ends with it."""
        super().data_received(data)
        self._watch()

    def connection_lost(self, exc: Exception | None) -> None:
        """No more to wait for."""
        if self._deadline is not None:
            self._deadline.cancel()
        super().connection_lost(exc)

    def _watch(self) -> None:
        incomplete = self.conn.their_state in (h11.IDLE, h11.SEND_BODY)
        if incomplete and self._deadline is None:
            self._deadline = self.loop.call_later(REQUEST_SECONDS_MAX, self.transport.abort)
        elif not incomplete and self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None


class PeerProtocol(PromptProtocol):
    """HTTP/1.1 over a unix socket; `scope["client"]` is (`uid:N`, 0) as the kernel says."""

    def connection_made(self, transport: asyncio.Transport) -> None:
        """Ask the kernel who connected."""
        super().connection_made(transport)
        connection = transport.get_extra_info("socket")
        self.client = (f"{PEER_PREFIX}{peer_uid(connection)}", 0)


class _Server(uvicorn.Server):  # type: ignore[misc]
    """uvicorn without its signal handlers: the process has one place that handles signals."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.ready = asyncio.Event()
        self.stopping = asyncio.Event()

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Leave signals alone."""
        yield

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Say when connections are accepted."""
        await super().startup(sockets=sockets)
        self.ready.set()

    async def main_loop(self) -> None:
        """Wait to be told, instead of looking ten times a second (which is all for the `Date` header)."""
        await self.stopping.wait()


class HttpListener:
    """One ASGI application on one listening socket."""

    def __init__(
        self, app: ASGIApp, listener: socket.socket, *, peers: bool, tls: ConsoleTlsConfig | None = None
    ) -> None:
        self._listener = listener
        self._server = _Server(
            uvicorn.Config(
                app,
                http=PeerProtocol if peers else PromptProtocol,
                ws="none",
                lifespan="off",
                loop="none",
                log_config=None,
                log_level="error",
                access_log=False,
                proxy_headers=False,
                server_header=False,
                date_header=False,
                limit_concurrency=CONNECTIONS_MAX,
                timeout_graceful_shutdown=CLOSE_SECONDS_MAX,
                h11_max_incomplete_event_size=HEADER_BYTES_MAX,
                ssl_certfile=tls.certificate if tls else None,
                ssl_keyfile=tls.key if tls else None,
            )
        )
        self._task: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Accept connections; returns once it does."""
        self._task = asyncio.create_task(self._server.serve(sockets=[self._listener]))
        ready = asyncio.create_task(self._server.ready.wait())
        await asyncio.wait({self._task, ready}, return_when=asyncio.FIRST_COMPLETED)
        if not ready.done():
            ready.cancel()
            self._listener.close()
            raise RefusedError("the server could not start listening") from self._task.exception()

    async def close(self) -> None:
        """Stop accepting, finish what is under way for a moment, close."""
        if self._task is not None:
            self._server.stopping.set()
            await self._task
            self._task = None
        self._listener.close()
