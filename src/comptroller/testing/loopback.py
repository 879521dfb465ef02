"""Small threaded servers on 127.0.0.1 that the fakes are made of: every connection is counted and closed at the end."""

from __future__ import annotations

import contextlib
import socket
import socketserver
import threading
from collections.abc import Callable, Generator, Iterable, Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler
from typing import Self
from urllib.parse import parse_qsl, urlsplit

BODY_BYTES_MAX = 64 << 20
JOIN_SECONDS_MAX = 5.0


class LoopbackServer:
    """Accepts on 127.0.0.1 and handles each connection in a thread; `close` ends them all and waits for them.

    Use it as a context manager. `port` 0 takes a free one.
    """

    def __init__(self, handle: Callable[[socket.socket], None], *, port: int = 0) -> None:
        self._handle = handle
        self._open: set[socket.socket] = set()
        self._threads: list[threading.Thread] = []
        self._lock = threading.Lock()
        self._closing = False
        self._listener = socket.create_server(("127.0.0.1", port), backlog=128)
        self.port: int = self._listener.getsockname()[1]
        self.connections = 0
        self._acceptor = threading.Thread(target=self._accept, name=f"loopback-{self.port}", daemon=True)
        self._acceptor.start()

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            with self._lock:
                if self._closing:
                    connection.close()
                    return
                self.connections += 1
                self._open.add(connection)
                thread = threading.Thread(target=self._serve, args=(connection,), daemon=True)
                self._threads = [known for known in self._threads if known.is_alive()] + [thread]
                thread.start()

    def _serve(self, connection: socket.socket) -> None:
        try:
            with contextlib.suppress(OSError):
                self._handle(connection)
        finally:
            with self._lock:
                self._open.discard(connection)
            connection.close()

    def close(self) -> None:
        """Stop accepting, cut what is open, wait for every thread. Safe to call twice."""
        with self._lock:
            self._closing = True
            for connection in self._open:
                with contextlib.suppress(OSError):
                    connection.shutdown(socket.SHUT_RDWR)
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        for thread in (self._acceptor, *self._threads):
            thread.join(JOIN_SECONDS_MAX)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()


@dataclass(frozen=True, slots=True, kw_only=True)
class HttpRequest:
    """A request as a fake sees it: header names are lower-case, `body` is whole."""

    method: str
    path: str
    query: Mapping[str, str]
    headers: Mapping[str, str]
    body: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class HttpAnswer:
    """What a fake answers. A `body` that is not bytes is sent chunk by chunk as it is made."""

    status: int = 200
    content_type: str = "application/json"
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes | Iterable[bytes] = b""


class HttpServer(LoopbackServer):
    """An HTTP/1.1 server with keep-alive; `answer` is called from many threads at once."""

    def __init__(self, answer: Callable[[HttpRequest], HttpAnswer], *, port: int = 0) -> None:
        self._answer = answer
        super().__init__(self._http, port=port)

    @property
    def url(self) -> str:
        """Where it listens, without a trailing slash."""
        return f"http://127.0.0.1:{self.port}"

    def _http(self, connection: socket.socket) -> None:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        _Handler(connection, connection.getpeername(), _Answering(self._answer))


class _Answering(socketserver.BaseServer):
    """What `BaseHTTPRequestHandler` wants to call its server."""

    def __init__(self, answer: Callable[[HttpRequest], HttpAnswer]) -> None:
        self.answer = answer


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    wbufsize = -1
    server: _Answering

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing: a fake is quiet."""

    def _exchange(self) -> None:
        split = urlsplit(self.path)
        body = self._body()
        if body is None:
            self.close_connection = True
            return
        request = HttpRequest(
            method=self.command,
            path=split.path,
            query=dict(parse_qsl(split.query, keep_blank_values=True)),
            headers={name.lower(): value for name, value in self.headers.items()},
            body=body,
        )
        self._send(self.server.answer(request))

    def _body(self) -> bytes | None:
        if self.headers.get("transfer-encoding", "").lower() != "chunked":
            length = int(self.headers.get("content-length") or 0)
            return self.rfile.read(length) if length <= BODY_BYTES_MAX else None
        parts: list[bytes] = []
        while size := int(self.rfile.readline(64).split(b";")[0] or b"0", 16):
            if sum(map(len, parts)) + size > BODY_BYTES_MAX:
                return None
            parts.append(self.rfile.read(size))
            self.rfile.readline(4)
        while self.rfile.readline(8192).strip():
            continue
        return b"".join(parts)

    def _send(self, answer: HttpAnswer) -> None:
        self.send_response(answer.status)
        self.send_header("content-type", answer.content_type)
        for name, value in answer.headers.items():
            self.send_header(name, value)
        if isinstance(answer.body, bytes):
            self.send_header("content-length", str(len(answer.body)))
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(answer.body)
            self.wfile.flush()
            return
        self.send_header("transfer-encoding", "chunked")
        self.end_headers()
        with contextlib.closing(_told(answer.body)) as chunks:
            for chunk in chunks:
                if chunk:
                    self.wfile.write(b"%x\r\n%b\r\n" % (len(chunk), chunk))
                    self.wfile.flush()
        self.wfile.write(b"0\r\n\r\n")
        self.wfile.flush()

    do_GET = do_HEAD = do_POST = do_PUT = do_PATCH = do_DELETE = _exchange


def _told(body: Iterable[bytes]) -> Generator[bytes, None, None]:
    """The chunks of a body, whose own maker learns at once when nobody takes them any more."""
    try:
        yield from body
    finally:
        if isinstance(body, Generator):
            body.close()
