"""A real SSH server that lets anyone in and allows remote forwarding, so that only a wall can stop a tunnel."""

from __future__ import annotations

import asyncio
import threading
from typing import Self

import asyncssh

RELAY_BYTES = 16 << 10
START_SECONDS_MAX = 20.0


class SshServer:
    """Listens on 127.0.0.1:`port` in its own thread.

    `bytes_received` counts what came over the wire, `sessions` who got in, `forwards` the remote listeners granted.
    """

    def __init__(self, *, port: int = 0) -> None:
        self.bytes_received = 0
        self.connections = 0
        self.sessions = 0
        self.forwards = 0
        self.port = 0
        self._wanted_port = port
        self._ready = threading.Event()
        self._failure: BaseException | None = None
        self._loop = asyncio.new_event_loop()
        self._done = asyncio.Event()
        self._tasks: set[asyncio.Task[None]] = set()
        self._thread = threading.Thread(target=self._run, name="ssh-server", daemon=True)
        self._thread.start()
        if not self._ready.wait(START_SECONDS_MAX) or self._failure is not None:
            raise RuntimeError("the ssh server did not start") from self._failure

    def close(self) -> None:
        """Cut every connection and stop."""
        if self._thread.is_alive():
            self._loop.call_soon_threadsafe(self._done.set)
            self._thread.join(START_SECONDS_MAX)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    def _run(self) -> None:
        try:
            self._loop.run_until_complete(self._serve())
        except BaseException as error:  # noqa: BLE001 - handed to whoever waits in the constructor
            self._failure = error
            self._ready.set()
        finally:
            self._loop.run_until_complete(self._loop.shutdown_asyncgens())
            self._loop.close()

    async def _serve(self) -> None:
        """An inner SSH server behind a relay that counts what passes."""
        inner = await asyncssh.create_server(
            lambda: _Anyone(self),
            "127.0.0.1",
            0,
            server_host_keys=[asyncssh.generate_private_key("ssh-ed25519")],
            process_factory=_greet,
        )
        inner_port = inner.sockets[0].getsockname()[1]

        async def relay(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            self.connections += 1
            task = asyncio.current_task()
            assert task is not None
            self._tasks.add(task)
            try:
                await self._relay(reader, writer, inner_port)
            finally:
                self._tasks.discard(task)

        outer = await asyncio.start_server(relay, "127.0.0.1", self._wanted_port)
        self.port = outer.sockets[0].getsockname()[1]
        self._ready.set()
        await self._done.wait()
        outer.close()
        for task in tuple(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        inner.close()
        await inner.wait_closed()

    async def _relay(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, port: int) -> None:
        async def pump(source: asyncio.StreamReader, sink: asyncio.StreamWriter, *, count: bool) -> None:
            while data := await source.read(RELAY_BYTES):
                self.bytes_received += len(data) if count else 0
                sink.write(data)
                await sink.drain()

        ends, pumps = [writer], []
        try:
            inner_reader, inner_writer = await asyncio.open_connection("127.0.0.1", port)
            ends.append(inner_writer)
            pumps = [
                asyncio.ensure_future(pump(reader, inner_writer, count=True)),
                asyncio.ensure_future(pump(inner_reader, writer, count=False)),
            ]
            await asyncio.wait(pumps, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for pump_task in pumps:
                pump_task.cancel()
            for end in ends:
                end.close()
            try:
                await asyncio.gather(*pumps, *(end.wait_closed() for end in ends), return_exceptions=True)
            finally:  # also where the server closes while the last bytes still leave
                for end in ends:
                    end.transport.abort()


class _Anyone(asyncssh.SSHServer):  # type: ignore[misc]  # asyncssh ships no types
    """Lets everyone in, with or without a password, and grants every remote listener."""

    def __init__(self, server: SshServer) -> None:
        self._server = server

    def begin_auth(self, username: str) -> bool:
        self._server.sessions += 1
        return False

    def server_requested(self, listen_host: str, listen_port: int) -> bool:
        self._server.forwards += 1
        return True


def _greet(process: asyncssh.SSHServerProcess[str]) -> None:
    process.stdout.write("welcome\n")
    process.exit(0)
