"""The two ends of `bench.gateway`, each a process of its own: a TLS server and a load generator."""

from __future__ import annotations

import argparse
import asyncio
import json
import ssl
import statistics
import sys
import time
from pathlib import Path

from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

HOST = "ec2.us-east-1.amazonaws.com"
FORM = b"Action=DescribeInstances&Version=2016-11-15" + b"".join(
    b"&InstanceId.%d=i-0123456789abcdef%d" % (n, n) for n in range(1, 6)
)
ANSWER = (
    b'<?xml version="1.0" encoding="UTF-8"?>\n'
    b'<DescribeInstancesResponse xmlns="http://ec2.amazonaws.com/doc/2016-11-15/">'
    b"<requestId>00000000-0000-0000-0000-000000000000</requestId><reservationSet/></DescribeInstancesResponse>"
)
RESPONSE = b"HTTP/1.1 200 OK\r\ncontent-type: text/xml\r\ncontent-length: %d\r\n\r\n%b" % (len(ANSWER), ANSWER)
WARM_UP = 20


def request_bytes() -> bytes:
    """The measured request: what boto3 sends for DescribeInstances of five ids, signed with a placeholder key."""
    signed = AWSRequest(method="POST", url=f"https://{HOST}/", data=FORM)
    signed.headers["content-type"] = "application/x-www-form-urlencoded; charset=utf-8"
    SigV4Auth(Credentials("AKIACOMPTROLLER2BOX7", "placeholder"), "ec2", "us-east-1").add_auth(signed)
    lines = ["POST / HTTP/1.1", f"Host: {HOST}", "Accept-Encoding: identity", "User-Agent: Boto3/1.40 bench"]
    lines += [f"{name}: {value}" for name, value in signed.headers.items()]
    lines += [f"Content-Length: {len(FORM)}", "", ""]
    return "\r\n".join(lines).encode() + FORM


class Answering(asyncio.Protocol):
    """Answers every request with `RESPONSE`, as soon as its last byte is there."""

    def __init__(self) -> None:
        self._data = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        self._data += data
        while (end := self._data.find(b"\r\n\r\n")) >= 0:
            head = self._data[:end].lower()
            at = head.find(b"content-length:")
            length = int(head[at + 15 :].split(b"\r\n", 1)[0]) if at >= 0 else 0
            if len(self._data) < end + 4 + length:
                return
            self._data = self._data[end + 4 + length :]
            self._transport.write(RESPONSE)  # type: ignore[attr-defined]


class Asking(asyncio.Protocol):
    """Sends one request after the other on one connection until `until`, and keeps how long each took."""

    def __init__(self, request: bytes, until: float, done: asyncio.Future[None]) -> None:
        self._request = request
        self._until = until
        self._done = done
        self._data = b""
        self.took: list[float] = []
        self.first = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport
        self._send()

    def _send(self) -> None:
        self._sent = time.perf_counter()
        self._transport.write(self._request)  # type: ignore[attr-defined]

    def data_received(self, data: bytes) -> None:
        self._data += data
        end = self._data.find(b"\r\n\r\n")
        if end < 0:
            return
        head = self._data[:end].lower()
        at = head.find(b"content-length:")
        length = int(head[at + 15 :].split(b"\r\n", 1)[0]) if at >= 0 else 0
        if len(self._data) < end + 4 + length:
            return
        self.first = self.first or self._data
        if not head.startswith(b"http/1.1 200"):
            self._finish(RuntimeError(self._data[:600].decode("latin-1")))
            return
        self._data = b""
        now = time.perf_counter()
        self.took.append(now - self._sent)
        if now < self._until:
            self._send()
        else:
            self._finish(None)

    def connection_lost(self, exc: Exception | None) -> None:
        self._finish(exc or ConnectionResetError("closed early"))

    def _finish(self, error: Exception | None) -> None:
        if not self._done.done():
            if error is None:
                self._done.set_result(None)
            else:
                self._done.set_exception(error)
        self._transport.abort()  # type: ignore[attr-defined]


async def serve(certificate: Path) -> None:
    """Listen on a free port, print it, answer until killed."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    loop = asyncio.get_running_loop()
    server = await loop.create_server(Answering, "127.0.0.1", 0, ssl=context, backlog=256)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


async def load(port: int, connections: int, seconds: float, trust: str) -> dict[str, float]:
    """Requests per second and latencies over `connections`, each asking as fast as it is answered."""
    loop = asyncio.get_running_loop()
    context = ssl.create_default_context(cafile=trust or None)
    if not trust:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    request = request_bytes()
    started = time.perf_counter()
    until = started + seconds
    protocols, futures = [], []
    for _ in range(connections):
        done: asyncio.Future[None] = loop.create_future()
        _, protocol = await loop.create_connection(
            lambda done=done: Asking(request, until, done), "127.0.0.1", port, ssl=context, server_hostname=HOST
        )
        protocols.append(protocol)
        futures.append(done)
    await asyncio.gather(*futures)
    elapsed = time.perf_counter() - started
    took = sorted(t for p in protocols for t in p.took[min(WARM_UP, len(p.took) // 2) :])
    count = sum(len(p.took) for p in protocols)
    return {
        "rps": count / elapsed,
        "p50_us": statistics.median(took) * 1e6,
        "p99_us": took[int(len(took) * 0.99)] * 1e6,
        "requests": count,
    }


def main(arguments: list[str]) -> None:
    """`upstream CERT` or `load PORT CONNECTIONS SECONDS TRUST`."""
    parser = argparse.ArgumentParser()
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("upstream").add_argument("certificate", type=Path)
    loading = commands.add_parser("load")
    loading.add_argument("port", type=int)
    loading.add_argument("connections", type=int)
    loading.add_argument("seconds", type=float)
    loading.add_argument("trust", nargs="?", default="")
    chosen = parser.parse_args(arguments)
    if chosen.command == "upstream":
        asyncio.run(serve(chosen.certificate))
    else:
        print(json.dumps(asyncio.run(load(chosen.port, chosen.connections, chosen.seconds, chosen.trust))))


if __name__ == "__main__":
    main(sys.argv[1:])
