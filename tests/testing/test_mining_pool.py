"""The mining pool: a miner can really mine there, and every byte is counted."""

from __future__ import annotations

import json
import socket
import ssl

import pytest

from comptroller.testing.loopback import LoopbackServer
from comptroller.testing.mining_pool import MiningPool


def _talk(connection: socket.socket, *methods: str) -> list[dict[str, object]]:
    answers = []
    with connection, connection.makefile("rwb") as stream:
        for number, method in enumerate(methods):
            stream.write(json.dumps({"id": number, "method": method, "params": []}).encode() + b"\n")
            stream.flush()
            answers.append(json.loads(stream.readline()))
    return answers


def test_plain_stratum_is_answered_and_counted() -> None:
    with MiningPool() as pool:
        answers = _talk(socket.create_connection(("127.0.0.1", pool.plain_port)), "mining.subscribe", "mining.submit")
        assert [answer["id"] for answer in answers] == [0, 1]
        assert answers[1]["result"] is True
        assert (pool.shares, pool.connections) == (1, 1)
        sent = [
            {"id": 0, "method": "mining.subscribe", "params": []},
            {"id": 1, "method": "mining.submit", "params": []},
        ]
        assert pool.bytes_received == sum(len(json.dumps(line)) + 1 for line in sent)


def test_stratum_in_tls_is_answered_and_counted_with_its_handshake() -> None:
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    with MiningPool() as pool:
        raw = socket.create_connection(("127.0.0.1", pool.tls_port))
        answers = _talk(context.wrap_socket(raw, server_hostname="pool.example"), "mining.authorize", "mining.submit")
        assert [answer["result"] for answer in answers] == [True, True]
        assert pool.shares == 1
        assert pool.bytes_received > 200


def test_bytes_that_are_no_stratum_count_as_well() -> None:
    with MiningPool() as pool:
        with socket.create_connection(("127.0.0.1", pool.plain_port)) as connection:
            connection.sendall(b"hello\n")
            assert b"error" in connection.recv(1000)
        with socket.create_connection(("127.0.0.1", pool.tls_port)) as connection:
            connection.sendall(b"not tls at all\n")
            while connection.recv(1000):
                pass
        assert pool.bytes_received == len(b"hello\n") + len(b"not tls at all\n")


def test_closing_cuts_open_connections_and_frees_the_port() -> None:
    pool = MiningPool()
    with socket.create_connection(("127.0.0.1", pool.plain_port)) as connection:
        connection.sendall(b'{"id":1,"method":"mining.subscribe"}\n')
        assert connection.recv(1000)
        pool.close()
        pool.close()
        assert connection.recv(1000) == b""
    with LoopbackServer(lambda _: None, port=pool.plain_port), pytest.raises(OSError, match="in use"):
        LoopbackServer(lambda _: None, port=pool.plain_port)
