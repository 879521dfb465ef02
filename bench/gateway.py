"""What the line costs: our gateway passing through, and doing all its work, beside mitmproxy passing through."""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import os
import socket
import ssl
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path

from bench.fsyncs import FsyncCounter
from bench.gateway_subject import ACCOUNT, attached, door, write_configuration
from bench.gateway_wire import FORM, HOST, RESPONSE, request_bytes
from bench.report import Result, emit
from comptroller import price
from comptroller.compose import open_installation, registry_of
from comptroller.core.action import digest
from comptroller.core.estimate import Outcome
from comptroller.core.request import Header, Request
from comptroller.engine.gatekeeper import Released
from comptroller.testing.certificates import self_signed

PEER_VERSIONS = {(3, 11): "11.0.2"}
PEER_VERSION_NEWER = "12.2.3"
PEER_FOLDER = Path(".bench/mitmproxy")
READY_SECONDS_MAX = 60
ALTERNATIONS = 5
KEYS = {"AWS_ACCESS_KEY_ID": "AKIAREALREALREALREAL", "AWS_SECRET_ACCESS_KEY": "bench-secret"}


# ---------------------------------------------------------------- processes


@contextlib.contextmanager
def process(*command: str, environment: dict[str, str] | None = None) -> Iterator[subprocess.Popen[str]]:
    """A child that is ended with the block."""
    child = subprocess.Popen(
        command,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE if os.environ.get("BENCH_QUIET") else None,
        text=True,
        env={**os.environ, **(environment or {})},
    )
    try:
        yield child
    finally:
        child.kill()
        child.communicate()


def first_line(child: subprocess.Popen[str]) -> list[str]:
    """The words of the child's first line, which it prints once it is ready."""
    assert child.stdout is not None
    line = child.stdout.readline().split()
    if not line:
        raise SystemExit(f"`{child.args!r}` ended before it was ready")
    return line


@contextlib.contextmanager
def subject(what: str, folder: Path, url: str, trust: Path) -> Iterator[tuple[subprocess.Popen[str], int, str]]:
    """Our own process: (child, port, its CA)."""
    folder.mkdir(parents=True, exist_ok=True)
    environment = {"SSL_CERT_FILE": str(trust), "XDG_STATE_HOME": str(folder / "state"), **KEYS}
    command = (sys.executable, "-m", "bench.gateway_subject", what, str(folder), url)
    with process(*command, environment=environment) as child:
        port, ca = first_line(child)
        yield child, int(port), ca


def install_peer() -> Path:
    """mitmproxy in an environment of its own; returns `mitmdump`."""
    program = PEER_FOLDER / "bin" / "mitmdump"
    if not program.exists():
        version = PEER_VERSIONS.get(sys.version_info[:2], PEER_VERSION_NEWER)
        print(f"installing mitmproxy {version} into {PEER_FOLDER} (once)", file=sys.stderr)
        subprocess.run([sys.executable, "-m", "venv", str(PEER_FOLDER)], check=True)
        pip = str(PEER_FOLDER / "bin" / "python")
        subprocess.run([pip, "-m", "pip", "install", "-q", f"mitmproxy=={version}"], check=True)
    return program


@contextlib.contextmanager
def peer(program: Path, folder: Path, url: str) -> Iterator[int]:
    """mitmproxy as a reverse proxy, TLS on both sides, keeping nothing."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    options = ("--set", "ssl_insecure=true", "--set", "keep_host_header=true", "--set", f"confdir={folder}")
    mode = ("--mode", f"reverse:{url}", "--listen-host", "127.0.0.1", "--listen-port", str(port))
    with process(str(program), "-q", *mode, *options):
        started = time.monotonic()
        while time.monotonic() - started < READY_SECONDS_MAX:
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
                yield port
                return
            time.sleep(0.05)
        raise SystemExit("mitmproxy did not begin to listen")


def load(port: int, connections: int, seconds: float, trust: str = "") -> dict[str, float]:
    """One measurement, by a process of its own."""
    command = [sys.executable, "-m", "bench.gateway_wire", "load", str(port), str(connections), str(seconds)]
    done = subprocess.run([*command, trust] if trust else command, stdout=subprocess.PIPE, text=True, check=True)
    found: dict[str, float] = json.loads(done.stdout)
    return found


# ---------------------------------------------------------------- measurements


def rates(program: Path, folder: Path, url: str, trust: Path, seconds: float) -> list[Result]:
    """Requests per second at 16 connections and the median at one, everybody in the same minute."""
    found: dict[str, list[dict[str, float]]] = {}
    with contextlib.ExitStack() as stack:
        _, own, own_ca = stack.enter_context(subject("passthrough", folder / "passthrough", url, trust))
        _, line, line_ca = stack.enter_context(subject("full", folder / "full", url, trust))
        other = stack.enter_context(peer(program, folder / "peer", url))
        subjects = {"own": (own, own_ca), "line": (line, line_ca), "peer": (other, "")}
        for name, (port, ca) in subjects.items():
            load(port, 4, 0.5, ca)
            found[name] = []
        # Alternating, so that a slow moment of the machine meets everybody.
        single: dict[str, list[float]] = {name: [] for name in subjects}
        for _ in range(ALTERNATIONS):
            for name, (port, ca) in subjects.items():
                found[name].append(load(port, 16, seconds / ALTERNATIONS, ca))
                single[name].append(load(port, 1, seconds / ALTERNATIONS / 2, ca)["p50_us"])
    rps = {name: statistics.median(run["rps"] for run in runs) for name, runs in found.items()}
    p50 = {name: statistics.median(values) for name, values in single.items()}
    named = "mitmproxy passing through"
    return [
        Result(name="passthrough_rps_16", value=rps["own"], unit="1/s", peer=named, peer_value=rps["peer"]),
        Result(name="rps_16", value=rps["line"], unit="1/s", peer=named, peer_value=rps["peer"]),
        Result(name="passthrough_p50_1", value=p50["own"], unit="us", peer=named, peer_value=p50["peer"]),
        Result(name="p50_1", value=p50["line"], unit="us", peer=named, peer_value=p50["peer"]),
    ]


def ask(port: int, ca: str) -> float:
    """Seconds from connecting to the whole answer, on a connection of its own."""
    context = ssl.create_default_context(cafile=ca)
    started = time.perf_counter()
    with (
        socket.create_connection(("127.0.0.1", port), 10) as raw,
        context.wrap_socket(raw, server_hostname=HOST) as tls,
    ):
        tls.sendall(request_bytes())
        data = b""
        while not data.endswith(b"Response>"):
            more = tls.recv(65536)
            if not more:
                raise SystemExit(f"no answer: {data[:500]!r}")
            data += more
        return time.perf_counter() - started


def first_request(folder: Path, url: str, trust: Path) -> Result:
    """The first request after start, TLS handshake and lazily loaded models included."""
    request_bytes()
    with subject("full", folder / "first", url, trust) as (_, port, ca):
        return Result(name="first_request_ms", value=ask(port, ca) * 1000, unit="ms")


def fsyncs(folder: Path, certificate: Path, trust: Path, requests: int) -> list[Result]:
    """fsync calls between a request's arrival and its release, and between the release and its settlement.

    Medians: a checkpoint that is signed meanwhile belongs to no request.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    listening = door()
    counter: list[FsyncCounter] = []
    at_release: list[int] = []

    def answer() -> None:
        raw, _ = listening.accept()
        with contextlib.suppress(OSError), context.wrap_socket(raw, server_side=True) as tls:
            while tls.recv(65536):
                if counter:
                    at_release.append(counter[0].count)
                tls.sendall(RESPONSE)

    thread = threading.Thread(target=answer, daemon=True)
    thread.start()
    url = f"https://localhost:{listening.getsockname()[1]}"
    try:
        with subject("full", folder / "fsyncs", url, trust) as (child, port, ca):
            ask(port, ca)
            counting = FsyncCounter(child.pid)
            counting.start()
            counter.append(counting)
            before, after = [], []
            for _ in range(requests):
                begun = counting.count
                ask(port, ca)
                released = at_release[-1]
                before.append(released - begun)
                time.sleep(0.05)
                after.append(counting.count - released)
            child.kill()
            counting.join()
    except OSError as error:
        print(f"fsyncs cannot be counted here: {error}", file=sys.stderr)
        return []
    finally:
        listening.close()
    return [
        Result(name="fsyncs_before_release", value=statistics.median(before), unit="count"),
        Result(name="fsyncs_to_settle", value=statistics.median(after), unit="count"),
    ]


async def stages(folder: Path, rounds: int) -> list[Result]:
    """The median of every stage of the line, one after another and alone, in microseconds."""
    os.environ.update(KEYS)
    os.environ["XDG_STATE_HOME"] = str(folder / "state")
    folder.mkdir(parents=True, exist_ok=True)
    installation = await open_installation(write_configuration(folder, "http://127.0.0.1:9"))
    await installation.begin()
    try:
        identity = await attached(installation, door())
        registry, engine = registry_of(installation.config), installation.engine
        head = request_bytes().partition(b"\r\n\r\n")[0].decode().split("\r\n")[1:]
        pairs = (line.partition(": ")[::2] for line in head)
        request = Request(
            scheme="https",
            method="POST",
            host=HOST,
            port=443,
            target="/",
            headers=tuple(Header(name.lower(), value) for name, value in pairs),
            body=FORM,
            agent="bot",
            run=identity.run,
            accounts={"aws": ACCOUNT},
        )
        codec = registry.codec_for(request)
        action = codec.decode(request)
        estimate = price.estimate(action)
        broker = installation.gateway.credentials
        outgoing = codec.encode(action, request)
        released: list[Released] = []

        async def admit() -> None:
            answer = await engine.gatekeeper.admit(request, hold_seconds=0)
            assert isinstance(answer, Released), answer
            released.append(answer)

        async def settle() -> None:
            await engine.gatekeeper.settle(
                released.pop().permit, Outcome(status=200, ok=True, complete=True, charged=True)
            )

        found = {
            "decode": _timed(lambda: codec.decode(request), rounds),
            "digest": _timed(lambda: digest(action), rounds),
            "price": _timed(lambda: price.estimate(action), rounds),
            "boundary": _timed(lambda: installation.boundary.evaluate(action, estimate), rounds),
            "admit": await _awaited(admit, rounds),
            "encode": _timed(lambda: codec.encode(action, request), rounds),
            "sign": _timed(lambda: broker.apply(outgoing, "bot"), rounds),
            "settle": await _awaited(settle, rounds),
        }
    finally:
        await installation.close()
    return [Result(name=f"stage_{name}_us", value=value, unit="us") for name, value in found.items()]


def _timed(work: Callable[[], object], rounds: int) -> float:
    took = []
    for _ in range(rounds):
        started = time.perf_counter()
        work()
        took.append(time.perf_counter() - started)
    return statistics.median(took) * 1e6


async def _awaited(work: Callable[[], Awaitable[None]], rounds: int) -> float:
    took = []
    for _ in range(rounds):
        started = time.perf_counter()
        await work()
        took.append(time.perf_counter() - started)
    return statistics.median(took) * 1e6


def measure(seconds: float, rounds: int) -> list[Result]:
    """Everything."""
    program = install_peer()
    with tempfile.TemporaryDirectory(prefix="bench-gateway-") as name:
        folder = Path(name)
        certificate, key = self_signed("localhost")
        pair, trust = folder / "server.pem", folder / "trust.pem"
        pair.write_bytes(key + certificate)
        trust.write_bytes(certificate)
        with process(sys.executable, "-m", "bench.gateway_wire", "upstream", str(pair)) as upstream:
            url = f"https://localhost:{first_line(upstream)[0]}"
            results = rates(program, folder, url, trust, seconds)
            results.append(first_request(folder, url, trust))
        results += fsyncs(folder, pair, trust, 10)
        results += asyncio.run(stages(folder / "stages", rounds))
    return results


def main() -> None:
    """`python -m bench.gateway [--quick] [--json]`."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="under 45 seconds")
    parser.add_argument("--json", action="store_true", help="print JSON")
    chosen = parser.parse_args()
    emit(measure(4.0 if chosen.quick else 15.0, 200 if chosen.quick else 1000), chosen.json)


if __name__ == "__main__":
    main()
