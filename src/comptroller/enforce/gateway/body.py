"""Request bodies: in memory within a box's allowance, spooled to an unlinked file, or passed through as they come."""

from __future__ import annotations

import asyncio
import hashlib
import tempfile
from collections.abc import AsyncIterator
from typing import IO, Protocol

from comptroller.core.request import BOUND_STREAM_BYTES_MAX
from comptroller.enforce.gateway.http1 import BadRequestError, Http1
from comptroller.enforce.gateway.wire import WireTimeoutError

SPOOL_PIECE_BYTES = 256 << 10


class BodyFilter(Protocol):
    """Takes a transport coding off a streamed body (aws-chunked). Both raise `ValueError` on what is malformed."""

    def feed(self, data: bytes) -> bytes:
        """The payload bytes in `data`."""
        ...

    def finish(self) -> bytes | None:
        """The end was reached; what was still held back."""
        ...


class Allowance:
    """Bytes that the bodies of one box may take at a time."""

    def __init__(self, bytes_max: int) -> None:
        self._left = bytes_max

    def take(self, count: int) -> bool:
        """Reserve `count` bytes; False where they are not to be had."""
        if count > self._left:
            return False
        self._left -= count
        return True

    def give(self, count: int) -> None:
        """Return them."""
        self._left += count


class Held:
    """What one request holds of its box's allowance; `close` returns it."""

    def __init__(self, allowance: Allowance) -> None:
        self._allowance = allowance
        self._count = 0

    def take(self, count: int) -> None:
        """Reserve more. Raises `BadRequestError`."""
        if not self._allowance.take(count):
            raise BadRequestError(503, "body_memory", "too many request bodies are in flight from this box")
        self._count += count

    def close(self) -> None:
        """Give all of it back."""
        self._allowance.give(self._count)
        self._count = 0


async def read_bound(http: Http1, held: Held, *, length: int | None, seconds_max: float) -> tuple[bytes, bool]:
    """The body up to `BOUND_STREAM_BYTES_MAX`, and whether that was all of it.

    Raises `BadRequestError` where it comes too slowly or finds no room, and the wire's errors.
    """
    if length == 0:
        await http.piece()
        return b"", True
    if length is not None:
        held.take(length)
    started = http.wire.now
    pieces: list[bytes] = []
    size = 0
    while (piece := await http.piece()) is not None:
        if length is None:
            held.take(len(piece))
        pieces.append(piece)
        size += len(piece)
        if http.wire.now - started > seconds_max:
            raise BadRequestError(408, "slow_body", "the request's body comes too slowly")
        if size > BOUND_STREAM_BYTES_MAX:
            return b"".join(pieces), False
    return (pieces[0] if len(pieces) == 1 else b"".join(pieces)), True


async def remaining(http: Http1, first: bytes | None, body_filter: BodyFilter | None) -> AsyncIterator[bytes]:
    """The whole body as it comes: what was read already, then the rest, without its transport coding.

    Raises `BadRequestError` for a body that comes too slowly or whose coding is broken.
    """
    if body_filter is None:
        if first:
            yield first
        while (data := await _next(http)) is not None:
            yield data
        return
    try:
        while first is not None:
            piece = body_filter.feed(first)
            if piece:
                yield piece
            first = await _next(http)
        rest = body_filter.finish()
    except ValueError as error:
        raise BadRequestError(400, "bad_request", f"the body's coding is broken: {error}") from error
    if rest:
        yield rest


async def _next(http: Http1) -> bytes | None:
    try:
        return await http.piece()
    except WireTimeoutError as error:
        raise BadRequestError(408, "slow_body", "the request's body comes too slowly") from error


class Spool:
    """A body on disk, in a file that has no name; its length and SHA-256 are what a yes is bound to."""

    def __init__(self, file: IO[bytes], length_bytes: int, sha256: str) -> None:
        self._file = file
        self.length_bytes = length_bytes
        self.sha256 = sha256

    @classmethod
    async def fill(cls, source: AsyncIterator[bytes], *, folder: str | None, bytes_max: int) -> Spool:
        """Write all of `source`. Raises `BadRequestError` above `bytes_max` or where the disk is full."""
        hasher = hashlib.sha256()
        length = 0
        file: IO[bytes] = tempfile.TemporaryFile(dir=folder)  # noqa: SIM115 - closed by `close`
        try:
            async for piece in source:
                length += len(piece)
                if length > bytes_max:
                    raise BadRequestError(413, "body_too_large", f"a body over {bytes_max} bytes cannot be approved")
                hasher.update(piece)
                await asyncio.to_thread(file.write, piece)
            file.flush()
        except OSError as error:
            file.close()
            if isinstance(error, ConnectionError):
                raise
            raise BadRequestError(507, "no_space", "there is no room to keep the request's body") from error
        except BaseException:
            file.close()
            raise
        return cls(file, length, hasher.hexdigest())

    async def pieces(self) -> AsyncIterator[bytes]:
        """The body from its beginning."""
        self._file.seek(0)
        while piece := await asyncio.to_thread(self._file.read, SPOOL_PIECE_BYTES):
            yield piece

    def close(self) -> None:
        """Let go of it."""
        self._file.close()
