"""JSON lines with file descriptors over one unix stream connection, bounded in every direction."""

from __future__ import annotations

import asyncio
import json
import os
import socket
from collections.abc import Mapping

from comptroller.core.errors import RefusedError

LINE_BYTES_MAX = 256 << 10
DESCRIPTORS_MAX = 16
READ_BYTES = 64 << 10


class ChannelError(RefusedError):
    """The other end broke the protocol."""


class Channel:
    """One connection. Descriptors that came along with a line belong to whoever reads it."""

    def __init__(self, connection: socket.socket) -> None:
        connection.setblocking(False)
        self._connection = connection
        self._buffer = bytearray()
        self._descriptors: list[int] = []
        self._writing = asyncio.Lock()

    async def receive(self) -> tuple[Mapping[str, object], list[int]] | None:
        """The next message and the descriptors sent with it; None at the end. Raises `ChannelError`."""
        while b"\n" not in self._buffer:
            if len(self._buffer) > LINE_BYTES_MAX:
                raise ChannelError(f"a line is longer than {LINE_BYTES_MAX} bytes")
            await self._readable()
            try:
                data, descriptors, flags, _ = socket.recv_fds(
                    self._connection, READ_BYTES, DESCRIPTORS_MAX, socket.MSG_CMSG_CLOEXEC
                )
            except (BlockingIOError, InterruptedError):
                continue
            except OSError:
                return None
            self._descriptors.extend(descriptors)
            if flags & socket.MSG_CTRUNC or len(self._descriptors) > DESCRIPTORS_MAX:
                raise ChannelError(f"more than {DESCRIPTORS_MAX} descriptors at once")
            if not data:
                return None
            self._buffer += data
        line, _, rest = bytes(self._buffer).partition(b"\n")
        self._buffer = bytearray(rest)
        if len(line) > LINE_BYTES_MAX:
            raise ChannelError(f"a line is longer than {LINE_BYTES_MAX} bytes")
        try:
            message = json.loads(line)
        except (ValueError, RecursionError) as error:
            raise ChannelError("a line is not JSON") from error
        if not isinstance(message, dict) or not isinstance(message.get("op"), str):
            raise ChannelError("a message is an object with `op`")
        taken, self._descriptors = self._descriptors, []
        return message, taken

    @property
    def connection(self) -> socket.socket:
        """The connection itself; who is at its other end is the kernel's to say."""
        return self._connection

    async def send(self, message: Mapping[str, object]) -> None:
        """Write one message. Raises `OSError` where the other end is gone."""
        data = json.dumps(message, ensure_ascii=True).encode() + b"\n"
        async with self._writing:
            await asyncio.get_running_loop().sock_sendall(self._connection, data)

    def close(self) -> None:
        """Close the connection and every descriptor nobody took."""
        for descriptor in self._descriptors:
            os.close(descriptor)
        self._descriptors = []
        self._connection.close()

    async def _readable(self) -> None:
        loop = asyncio.get_running_loop()
        ready: asyncio.Future[None] = loop.create_future()
        descriptor = self._connection.fileno()
        loop.add_reader(descriptor, lambda: None if ready.done() else ready.set_result(None))
        try:
            await ready
        finally:
            loop.remove_reader(descriptor)
