"""The box's side of HTTP/1.1: one strict request at a time off a wire, one answer back. Chunked bodies are h11's."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from http import HTTPStatus
from typing import Literal

import h11

from comptroller.core.request import Header
from comptroller.enforce.gateway.settings import GatewaySettings
from comptroller.enforce.gateway.wire import Wire, WireClosedError, WireTimeoutError

TARGET_BYTES_MAX = 16 << 10
TINY_CHUNKS_MAX = 4096
TINY_CHUNK_BYTES = 32
"""A body in more than `TINY_CHUNKS_MAX` pieces has to average at least this many bytes a piece."""
LINGER_SECONDS_MAX = 2.0
LINGER_BYTES_MAX = 32 << 20

_CONTROLS = re.compile(rb"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")
_HOST = re.compile(r"([a-z0-9_-]{1,63}(?:\.[a-z0-9_-]{1,63})*)(?::([0-9]{1,5}))?\Z")
_ABSOLUTE = re.compile(r"(https?)://([^/?#]*)(.*)\Z", re.IGNORECASE)
_PHRASES = {status.value: status.phrase.encode("ascii") for status in HTTPStatus}
_REQUEST_LINE = re.compile(rb"([!#$%&'*+.^_`|~0-9A-Za-z-]{1,64}) ([\x21-\x7e]+) HTTP/([0-9]\.[0-9])\Z")
_FIELD_LINE = re.compile(rb"([!#$%&'*+.^_`|~0-9A-Za-z-]+):[ \t]*((?:[^ \t](?:.*[^ \t])?)?)[ \t]*\Z", re.DOTALL)
_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+\Z")
_UNWRITABLE = re.compile(r"[\x00-\x08\x0a-\x1f\x7f]|[^\x00-\xff]")
_DIGITS = re.compile(r"[0-9]{1,15}\Z")
_OURS = frozenset({"connection", "transfer-encoding", "keep-alive"})
_CHUNKED_HEAD = b"POST / HTTP/1.1\r\nhost: box\r\ntransfer-encoding: chunked\r\n\r\n"
_DEFAULT_PORTS = {"http": 80, "https": 443}

CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"
PROCESSING = b"HTTP/1.1 102 Processing\r\n\r\n"


class BadRequestError(Exception):
    """A request nobody should have to interpret: answered with `status`, and the connection ends."""

    def __init__(self, status: int, code: str, text: str) -> None:
        super().__init__(text)
        self.status = status
        self.code = code
        self.text = text


@dataclass(frozen=True, slots=True, kw_only=True)
class Head:
    """The head of one request. `length` is None for a chunked body; `target` is in origin form."""

    method: str
    scheme: Literal["http", "https"]
    host: str
    port: int
    target: str
    headers: tuple[Header, ...]
    version: str
    length: int | None
    expects_continue: bool

    def one(self, name: str) -> str:
        """The first value of a header, or nothing."""
        return next((value for header, value in self.headers if header == name), "")


class Http1:
    """One connection from the box. `server_name` is the TLS name, None on plain connections."""

    def __init__(self, wire: Wire, settings: GatewaySettings, *, server_name: str | None) -> None:
        self.wire = wire
        self._settings = settings
        self._server_name = server_name
        self._scheme: Literal["http", "https"] = "https" if server_name is not None else "http"
        self._pending = bytearray()
        self._begin()

    def _begin(self) -> None:
        """Forget everything about the request before: what it left behind cannot colour the next."""
        self._left: int | None = 0
        self._chunked: h11.Connection | None = None
        self._pieces = 0
        self._body_bytes = 0
        self._read = False
        self._bodyless = False
        self._keep = False
        self._version = "1.1"
        self._framing: Literal["length", "chunked", "close", "none"] = "none"
        self._started = False
        self._finished = False

    # ------------------------------------------------------------ the request

    async def next_head(self) -> Head | None:
        """The next request's head; None when the client ended. Raises `BadRequestError` and the wire's errors."""
        self._begin()
        raw = await self._raw_head()
        if raw is None:
            return None
        head = parse_head(raw, scheme=self._scheme, server_name=self._server_name, settings=self._settings)
        self._version = head.version
        self._bodyless = head.method == "HEAD"
        self._keep = head.version == "1.1" and "close" not in _options(head)
        self._left = head.length
        if head.length is None:
            self._chunked = h11.Connection(h11.SERVER)
            self._chunked.receive_data(_CHUNKED_HEAD)
            self._chunked.next_event()
        return head

    async def _raw_head(self) -> bytes | None:
        buffer, limit = self._pending, self._settings.header_bytes_max
        self.wire.within(self._settings.header_seconds_max if buffer else self._settings.idle_seconds_max)
        searched = checked = 0
        while True:
            end = buffer.find(b"\r\n\r\n", searched)
            if 0 <= end <= limit:
                raw = bytes(buffer[: end + 4])
                del buffer[: end + 4]
                return raw
            if len(buffer) > limit:
                raise BadRequestError(431, "header_too_large", f"the request's head is over {limit} bytes")
            if buffer:
                # Only what is new: whoever sends byte after byte costs no more than whoever sends all at once.
                _check_shape(bytes(buffer[checked:-1]), whole=False)
                checked = len(buffer) - 1
                while checked > 0 and buffer[checked - 1] in b"\r\n":
                    checked -= 1
            searched = max(0, len(buffer) - 3)
            data = await self.wire.read()
            if not data:
                if buffer:
                    raise WireClosedError("closed inside a request's head")
                return None
            if not buffer:
                self.wire.within(self._settings.header_seconds_max)
            buffer += data

    async def piece(self) -> bytes | None:
        """The next bytes of the body; None at its end. Raises `BadRequestError` and the wire's errors."""
        if self._chunked is not None:
            return await self._chunk(self._chunked)
        if not self._left:
            self._read = True
            return None
        data = await self._more()
        if len(data) > self._left:
            self._pending[:0] = data[self._left :]
            data = data[: self._left]
        self._left -= len(data)
        return data

    async def _more(self) -> bytes:
        if self._pending:
            data = bytes(self._pending)
            self._pending.clear()
            return data
        self.wire.within(self._settings.body_idle_seconds_max)
        data = await self.wire.read()
        if not data:
            raise WireClosedError("closed inside a request's body")
        return data

    async def _chunk(self, machine: h11.Connection) -> bytes | None:
        while True:
            try:
                event = machine.next_event()
            except h11.RemoteProtocolError as error:
                raise BadRequestError(400, "bad_request", str(error).partition(":")[0]) from error
            if event is h11.NEED_DATA:
                machine.receive_data(await self._more())
            elif isinstance(event, h11.Data):
                self._pieces += 1
                self._body_bytes += len(event.data)
                if self._pieces > TINY_CHUNKS_MAX and self._body_bytes < self._pieces * TINY_CHUNK_BYTES:
                    raise BadRequestError(400, "bad_request", "the body comes in too many tiny chunks")
                return bytes(event.data)
            elif isinstance(event, h11.EndOfMessage):
                if event.headers:
                    raise BadRequestError(400, "bad_request", "trailers after a request's body are not understood")
                self._pending[:0] = machine.trailing_data[0]
                self._read = True
                return None
            else:
                raise BadRequestError(400, "bad_request", "the body did not end where it should")

    @property
    def mid_request(self) -> bool:
        """True when a request has begun and is not whole: running out of time is then worth an answer."""
        return bool(self._pending) or bool(self._left) or (self._chunked is not None and not self._read)

    @property
    def body_done(self) -> bool:
        """True once the whole request was read."""
        return self._read

    # ------------------------------------------------------------ the answer

    def interim(self, line: bytes) -> None:
        """Send a 1xx answer (`CONTINUE`, `PROCESSING`)."""
        if not self._started:
            self.wire.write(line)

    def start(self, status: int, headers: Iterable[tuple[str, str]], *, reason: bytes = b"") -> bytes:
        """The bytes of an answer's head; whoever sends a length keeps to it. Raises `ValueError` for what cannot be
        written."""
        assert not self._started
        fields = [pair for pair in headers if pair[0] not in _OURS]
        if self._bodyless or status in (204, 304):
            self._framing = "none"
        elif any(name == "content-length" for name, _ in fields):
            self._framing = "length"
        elif self._version == "1.1":
            self._framing = "chunked"
            fields.append(("transfer-encoding", "chunked"))
        else:
            self._framing = "close"
        if not self._read or not self._keep or self._framing == "close":
            self._keep = False
            fields.append(("connection", "close"))
        self._started = True
        return b"HTTP/1.1 %d %b\r\n%b\r\n" % (status, reason, field_lines(fields))

    def body(self, data: bytes) -> bytes:
        """The bytes of a piece of the answer's body."""
        match self._framing:
            case "chunked":
                return b"%x\r\n%b\r\n" % (len(data), data) if data else b""
            case "none":
                return b""
            case "length" | "close":
                return data

    def end(self) -> bytes:
        """The bytes that end the answer."""
        self._finished = True
        return b"0\r\n\r\n" if self._framing == "chunked" else b""

    @property
    def started(self) -> bool:
        """True once an answer's head was written: a second one cannot be."""
        return self._started

    @property
    def reusable(self) -> bool:
        """True when the connection may carry another request."""
        return self._finished and self._read and self._keep and not self.wire.lost

    async def respond(
        self, status: int, headers: Sequence[tuple[str, str]], body: bytes, *, last: bool = False
    ) -> None:
        """Send a whole answer; `last` where the connection ends with it."""
        if last:
            self._keep = False
        fields = [(name, value) for name, value in headers if name != "content-length"]
        fields.append(("content-length", str(len(body))))
        self.wire.within(self._settings.write_seconds_max)
        data = self.start(status, fields, reason=_PHRASES.get(status, b""))
        self.wire.write(data + self.body(body) + self.end())
        await self.wire.drain()

    async def linger(self) -> None:
        """Read what a refused client still sends, so that it reads the answer instead of a reset."""
        left = LINGER_BYTES_MAX
        try:
            async with asyncio.timeout(LINGER_SECONDS_MAX):
                self.wire.forgive()
                self.wire.at_leisure()
                self.wire.finish()
                while left > 0 and (data := await self.wire.read()):
                    left -= len(data)
        except (TimeoutError, WireTimeoutError, ConnectionError):
            return


def parse_head(
    raw: bytes, *, scheme: Literal["http", "https"], server_name: str | None, settings: GatewaySettings
) -> Head:
    """One request head, its empty line included. Raises `BadRequestError` for whatever two parsers could read in two
    ways; h11 is the oracle of its tests."""
    _check_shape(raw, whole=True)
    first, *lines = raw[:-4].split(b"\r\n")
    request = _REQUEST_LINE.match(first)
    if request is None:
        raise BadRequestError(400, "bad_request", "the first line is not a request line")
    version = request[3].decode("ascii")
    if version not in ("1.0", "1.1"):
        raise BadRequestError(505, "bad_version", f"HTTP/{version} is not spoken here")
    if len(lines) > settings.headers_max:
        raise BadRequestError(431, "header_too_large", f"more than {settings.headers_max} headers")
    headers = []
    for line in lines:
        field = _FIELD_LINE.match(line)
        if field is None:
            raise BadRequestError(400, "bad_request", "a header line without a proper name")
        headers.append(Header(field[1].decode("ascii").lower(), field[2].decode("latin-1")))
    hosts = [value for name, value in headers if name == "host"]
    if len(hosts) != 1:
        raise BadRequestError(400, "bad_host", "a request has exactly one Host header")
    host, port = parse_host(hosts[0], scheme)
    if server_name is not None and host != server_name:
        raise BadRequestError(
            421, "misdirected", f"the Host header `{host}` is not the TLS server name `{server_name}`"
        )
    method = request[1].decode("ascii")
    return Head(
        method=method,
        scheme=scheme,
        host=host,
        port=port,
        target=_origin_form(method, request[2], scheme, host, port),
        headers=tuple(headers),
        version=version,
        length=_body_length(headers, version),
        expects_continue=_expects_continue(headers, version),
    )


def _origin_form(method: str, raw: bytes, scheme: str, host: str, port: int) -> str:
    if method == "CONNECT":
        raise BadRequestError(
            405, "connect", "no proxy is needed: connect to the host itself, its certificate is trusted here"
        )
    if method == "TRACE":
        raise BadRequestError(405, "trace", "TRACE gives back what was sent, the credential included")
    if len(raw) > TARGET_BYTES_MAX:
        raise BadRequestError(414, "target_too_long", f"the target is over {TARGET_BYTES_MAX} bytes")
    target = raw.decode("ascii")
    if not target.startswith("/"):
        absolute = _ABSOLUTE.match(target)
        if absolute is None:
            raise BadRequestError(400, "bad_target", "the target has to be a path")
        named, location, rest = absolute.groups()
        if named.lower() != scheme or parse_host(location, scheme) != (host, port):
            raise BadRequestError(400, "bad_target", "the absolute target is not the Host the request is for")
        target = rest if rest.startswith("/") else "/" + rest
    if "#" in target:
        raise BadRequestError(400, "bad_target", "the target has a fragment")
    return target


def field_lines(fields: Iterable[tuple[str, str]]) -> bytes:
    """Header lines. Raises `ValueError` for a name or value that would be read as something else."""
    text = []
    for name, value in fields:
        if not _NAME.match(name) or _UNWRITABLE.search(value):
            raise ValueError(f"the header `{name[:40]!a}` cannot be written")
        text.append(f"{name}: {value}\r\n")
    return "".join(text).encode("latin-1")


def parse_host(text: str, scheme: str) -> tuple[str, int]:
    """`Host` as (lower-case name, port). Raises `BadRequestError`."""
    match = _HOST.match(text.lower())
    if match is None or len(match[1]) > 253:
        raise BadRequestError(400, "bad_host", "the Host header is not a plain host name with an optional port")
    port = int(match[2]) if match[2] else _DEFAULT_PORTS[scheme]
    if not 0 < port < 65_536:
        raise BadRequestError(400, "bad_host", "the Host header's port is out of range")
    return match[1], port


def _check_shape(raw: bytes, *, whole: bool) -> None:
    """Refuse what two parsers could read in two ways. Raises `BadRequestError`."""
    newlines = raw.count(b"\r\n")
    if raw.count(b"\n") != newlines or raw.count(b"\r") - raw.endswith(b"\r") * (not whole) != newlines:
        raise BadRequestError(400, "bad_request", "a bare CR or LF in the request's head")
    if b"\r\n " in raw or b"\r\n\t" in raw:
        raise BadRequestError(400, "bad_request", "a folded header line")
    if _CONTROLS.search(raw):
        raise BadRequestError(400, "bad_request", "a control character in the request's head")


def _options(head: Head) -> set[str]:
    return {part.strip().lower() for name, value in head.headers if name == "connection" for part in value.split(",")}


def _body_length(headers: Sequence[Header], version: str) -> int | None:
    given = [(name, value) for name, value in headers if name in ("content-length", "transfer-encoding")]
    if not given:
        return 0
    if len(given) > 1:
        raise BadRequestError(400, "bad_request", "more than one length for the request's body")
    name, value = given[0]
    if name == "transfer-encoding":
        if version != "1.1":
            raise BadRequestError(400, "bad_request", "a transfer encoding in HTTP/1.0")
        if value.lower() != "chunked":
            raise BadRequestError(501, "bad_request", "a transfer encoding other than `chunked`")
        return None
    if not _DIGITS.match(value):
        raise BadRequestError(400, "bad_request", "a Content-Length that is not a plain number")
    return int(value)


def _expects_continue(headers: Sequence[Header], version: str) -> bool:
    expectations = [value.lower() for name, value in headers if name == "expect"]
    if expectations and expectations != ["100-continue"]:
        raise BadRequestError(417, "bad_request", "an expectation other than `100-continue`")
    return bool(expectations) and version == "1.1"
