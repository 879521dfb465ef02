"""A mining pool that speaks stratum in plain and in TLS, and counts every byte that reaches it."""

from __future__ import annotations

import json
import socket
import ssl
import threading
from typing import Self

from comptroller.testing.certificates import server_context
from comptroller.testing.loopback import LoopbackServer

RECEIVE_BYTES = 16 << 10
LINE_BYTES_MAX = 64 << 10


class MiningPool:
    """Answers `mining.subscribe`, `mining.authorize` and `mining.submit` on `plain_port` and `tls_port`.

    `bytes_received` counts what came over the wire, TLS handshakes included; `shares` counts accepted work.
    """

    def __init__(self, *, plain_port: int = 0, tls_port: int = 0, name: str = "pool.example") -> None:
        self._lock = threading.Lock()
        self._context = server_context(name)
        self.bytes_received = 0
        self.shares = 0
        self._plain = LoopbackServer(self._serve_plain, port=plain_port)
        self._tls = LoopbackServer(self._serve_tls, port=tls_port)
        self.plain_port = self._plain.port
        self.tls_port = self._tls.port

    @property
    def connections(self) -> int:
        """How often anyone connected."""
        return self._plain.connections + self._tls.connections

    def close(self) -> None:
        """Stop serving."""
        self._plain.close()
        self._tls.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    def _receive(self, connection: socket.socket) -> bytes:
        data = connection.recv(RECEIVE_BYTES)
        with self._lock:
            self.bytes_received += len(data)
        return data

    def _serve_plain(self, connection: socket.socket) -> None:
        talk = _Stratum(self)
        while data := self._receive(connection):
            connection.sendall(talk.feed(data))

    def _serve_tls(self, connection: socket.socket) -> None:
        incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        tls = self._context.wrap_bio(incoming, outgoing, server_side=True)
        talk, ready = _Stratum(self), False
        while data := self._receive(connection):
            incoming.write(data)
            try:
                if not ready:
                    tls.do_handshake()
                    ready = True
                while True:
                    tls.write(talk.feed(tls.read(RECEIVE_BYTES)))
            except ssl.SSLWantReadError:
                connection.sendall(outgoing.read())
            except ssl.SSLError:
                return


class _Stratum:
    """One miner's conversation, sans-IO."""

    def __init__(self, pool: MiningPool) -> None:
        self._pool = pool
        self._buffer = b""

    def feed(self, data: bytes) -> bytes:
        """The answers to every whole line received so far."""
        *lines, self._buffer = (self._buffer + data).split(b"\n")
        self._buffer = self._buffer[:LINE_BYTES_MAX]
        return b"".join(self._answer(line) for line in lines if line.strip())

    def _answer(self, line: bytes) -> bytes:
        try:
            message = json.loads(line)
            method, number = message["method"], message.get("id")
        except (ValueError, KeyError, TypeError):
            return b'{"id":null,"result":null,"error":[20,"Other/Unknown",null]}\n'
        result: object = True
        if method == "mining.subscribe":
            result = [[["mining.set_difficulty", "1"], ["mining.notify", "1"]], "f000000f", 4]
        elif method == "mining.submit":
            with self._pool._lock:
                self._pool.shares += 1
        return json.dumps({"id": number, "result": result, "error": None}).encode() + b"\n"
