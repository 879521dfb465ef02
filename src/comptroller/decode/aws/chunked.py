"""The `aws-chunked` body framing (`STREAMING-*`), read sans-IO: payload out, signatures dropped, trailers kept."""

from __future__ import annotations

import base64
import hashlib
import zlib
from collections.abc import Mapping
from typing import Literal, Protocol

from comptroller.decode.aws.wire import Undecodable

CHUNK_LINE_BYTES_MAX = 4096
CHUNK_BYTES_MAX = 1 << 30
TRAILERS_MAX = 16
LENGTH_DIGITS_MAX = 16
CHECKSUM_PREFIX = "x-amz-checksum-"
TRAILER_SIGNATURE = "x-amz-trailer-signature"


class Checksum(Protocol):
    """A running checksum."""

    def update(self, data: bytes) -> None:
        """Take the next bytes."""
        ...

    def digest(self) -> bytes:
        """The checksum so far."""
        ...


class _Crc32:
    def __init__(self) -> None:
        self.value = 0

    def update(self, data: bytes) -> None:
        self.value = zlib.crc32(data, self.value)

    def digest(self) -> bytes:
        return self.value.to_bytes(4, "big")


class _TableCrc:
    """A reflected CRC by table: CRC32C and CRC64NVME, for bodies that are written anew (small ones)."""

    def __init__(self, polynomial: int, bits: int) -> None:
        self.mask = (1 << bits) - 1
        self.bits = bits
        self.value = self.mask
        self.table = []
        for byte in range(256):
            remainder = byte
            for _ in range(8):
                remainder = (remainder >> 1) ^ (polynomial if remainder & 1 else 0)
            self.table.append(remainder)

    def update(self, data: bytes) -> None:
        value, table = self.value, self.table
        for byte in data:
            value = table[(value ^ byte) & 255] ^ (value >> 8)
        self.value = value

    def digest(self) -> bytes:
        return (self.value ^ self.mask).to_bytes(self.bits // 8, "big")


def checksum(name: str) -> Checksum | None:
    """A running checksum by its header's end (`crc32`, `sha256`, …), None for one that is not known here."""
    match name.lower():
        case "crc32":
            return _Crc32()
        case "crc32c":
            return _TableCrc(0x82F63B78, 32)
        case "crc64nvme":
            return _TableCrc(0x9A6C9329AC4BC9B5, 64)
        case "sha1":
            return hashlib.sha1(usedforsecurity=False)
        case "sha256":
            return hashlib.sha256()
        case _:
            return None


def is_chunked(headers: Mapping[str, str]) -> bool:
    """Whether a body is framed so. Raises `Undecodable` where the headers disagree about it."""
    streaming = headers.get("x-amz-content-sha256", "").startswith("STREAMING-")
    codings = [part.strip().lower() for part in headers.get("content-encoding", "").split(",")]
    if streaming != ("aws-chunked" in codings) and "aws-chunked" in codings:
        raise Undecodable("aws-chunked without a STREAMING- content hash")
    length = headers.get("x-amz-decoded-content-length", "")
    if streaming and not (length.isascii() and length.isdigit() and len(length) <= LENGTH_DIGITS_MAX):
        raise Undecodable("an aws-chunked body without its decoded length")
    return streaming


def decoded_headers(headers: Mapping[str, str]) -> dict[str, str]:
    """Headers as they are without the framing."""
    out = {k: v for k, v in headers.items() if k not in ("x-amz-decoded-content-length", "x-amz-trailer")}
    out.pop("x-amz-content-sha256", None)
    codings = [part.strip() for part in headers.get("content-encoding", "").split(",")]
    left = ",".join(part for part in codings if part and part.lower() != "aws-chunked")
    out.pop("content-encoding", None)
    return {**out, "content-encoding": left} if left else out


class ChunkedReader:
    """Feed framed bytes, get payload bytes. `length` is the declared decoded length; `verify` names checksums to check.

    Every method raises `Undecodable` on a body that is not exactly what it declared.
    """

    def __init__(self, length: int, trailers: tuple[str, ...] = ()) -> None:
        self.length = length
        self.declared = frozenset(name.strip().lower() for name in trailers if name.strip())
        self.trailers: dict[str, str] = {}
        self.received = 0
        self._buffer = bytearray()
        self._left = 0
        self._state: Literal["size", "data", "end", "trailer", "done"] = "size"
        names = (name.removeprefix(CHECKSUM_PREFIX) for name in self.declared if name.startswith(CHECKSUM_PREFIX))
        self._running = {name: running for name in names if name in _FAST and (running := checksum(name))}

    def feed(self, data: bytes) -> bytes:
        """The payload in the next bytes of the body."""
        self._buffer += data
        out = bytearray()
        while self._step(out):
            pass
        self.received += len(out)
        if self.received > self.length:
            raise Undecodable("an aws-chunked body longer than it declared")
        for running in self._running.values():
            running.update(bytes(out))
        return bytes(out)

    def finish(self) -> None:
        """Check that the body ended, is as long as declared, and that its checksum trailers hold."""
        if self._state != "done":
            raise Undecodable("an aws-chunked body that ends early")
        if self._buffer:
            raise Undecodable("bytes after an aws-chunked body")
        if self.received != self.length:
            raise Undecodable("an aws-chunked body shorter than it declared")
        if self.trailers.keys() - {TRAILER_SIGNATURE} != self.declared:
            raise Undecodable("aws-chunked trailers other than those declared")
        for name, running in self._running.items():
            if self.trailers[CHECKSUM_PREFIX + name] != base64.b64encode(running.digest()).decode():
                raise Undecodable(f"the {name} trailer is not the checksum of the body")

    def _line(self) -> str | None:
        end = self._buffer.find(b"\r\n")
        if end > CHUNK_LINE_BYTES_MAX or (end < 0 and len(self._buffer) > CHUNK_LINE_BYTES_MAX):
            raise Undecodable("an aws-chunked line that is too long")
        if end < 0:
            return None
        line = self._buffer[:end].decode("latin-1")
        del self._buffer[: end + 2]
        return line

    def _step(self, out: bytearray) -> bool:
        if self._state == "data":
            piece = self._buffer[: self._left]
            out += piece
            del self._buffer[: len(piece)]
            self._left -= len(piece)
            if self._left == 0:
                self._state = "end"
            return bool(piece)
        if self._state == "done":
            return False
        line = self._line()
        if line is None:
            return False
        match self._state:
            case "size":
                self._size(line)
            case "end":
                if line:
                    raise Undecodable("an aws-chunked chunk longer than its size")
                self._state = "size"
            case _:
                self._trailer(line)
        return True

    def _size(self, line: str) -> None:
        digits, _, extension = line.partition(";")
        if extension and not extension.startswith("chunk-signature="):
            raise Undecodable("an aws-chunked extension that is not known")
        if not 0 < len(digits) <= 8 or not all(letter in "0123456789abcdefABCDEF" for letter in digits):
            raise Undecodable("an aws-chunked size that is not one")
        self._left = int(digits, 16)
        if self._left > CHUNK_BYTES_MAX:
            raise Undecodable("an aws-chunked chunk that is too large")
        self._state = "data" if self._left else "trailer"

    def _trailer(self, line: str) -> None:
        if not line:
            self._state = "done"
            return
        name, colon, value = line.partition(":")
        low = name.strip().lower()
        if not colon or low in self.trailers or len(self.trailers) >= TRAILERS_MAX:
            raise Undecodable("an aws-chunked trailer that is none, or stands twice")
        self.trailers[low] = value.strip()


_FAST = frozenset({"crc32", "sha1", "sha256"})
"""Checksums verified here; the others are passed on where the body is whole, and the service verifies them."""


def reader_for(headers: Mapping[str, str]) -> ChunkedReader:
    """A reader as the headers declare it."""
    names = tuple(headers.get("x-amz-trailer", "").split(","))
    return ChunkedReader(int(headers["x-amz-decoded-content-length"]), names)


def unframe(headers: Mapping[str, str], body: bytes) -> tuple[dict[str, str], bytes]:
    """A whole body without its framing, its checksum trailers promoted to headers. Raises `Undecodable`."""
    reader = reader_for(headers)
    payload = reader.feed(body)
    reader.finish()
    out = decoded_headers(headers)
    for name, value in reader.trailers.items():
        if name == TRAILER_SIGNATURE:
            continue
        if name in out:
            raise Undecodable(f"`{name}` stands in a header and in a trailer")
        out[name] = value
    return out, payload
