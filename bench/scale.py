"""What one, two and three gateways hold on one PostgreSQL database, each in a network of its own over TCP.

As root every gateway is a process in a network namespace of its own, joined by a bridge to the database's; else they
share this machine's network and say so. `disjoint`: organizations with nothing in common. `shared`: one budget of one
organization. The database's own processor time per call says where it would end. Wants Linux and `ip`.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import os
import shutil
import socket
import statistics
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

from bench.ledger_engine import open_store
from bench.ledger_postgres import gateways
from bench.ledger_work import Order
from bench.report import Result, emit
from comptroller.testing.postgres_server import USER, PostgresServer

GATEWAYS_MAX = 3
CALLERS = 64
NETWORK, MASK = "10.213.77", 24
BRIDGE = "cmpbr"


def main() -> None:
    """Measure all and print it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--quick", action="store_true", help="one short round")
    options = parser.parse_args()
    seconds, rounds = (1.0, 1) if options.quick else (4.0, 3)
    with contextlib.ExitStack() as stack:
        prefixes, address = stack.enter_context(networks()), f"{NETWORK}.1"
        if not any(prefixes):
            print("no network namespaces here (needs root and `ip`): one network for all", file=sys.stderr)
            address = "127.0.0.1"
        server = stack.enter_context(PostgresServer(tcp_port=_free_port(), settings={"max_wal_size": "4GB"}))
        place = database(server, address)
        rates: dict[tuple[str, int], list[float]] = {}
        server_us: list[float] = []
        for number in range(rounds):
            for count in range(1, GATEWAYS_MAX + 1):
                for kind in ("disjoint", "shared"):
                    before = _server_seconds(server)
                    rate = gateways(orders(place, kind, count, seconds, number), prefixes)
                    rates.setdefault((kind, count), []).append(rate)
                    server_us.append((_server_seconds(server) - before) / (rate * seconds) * 1e6)
    one = {kind: statistics.median(rates[kind, 1]) for kind in ("disjoint", "shared")}
    results = [
        Result(
            name=f"gateways_{count}_{kind}",
            value=statistics.median(found),
            unit="1/s",
            peer="one gateway",
            peer_value=one[kind],
        )
        for (kind, count), found in sorted(rates.items())
    ]
    results.append(Result(name="database_us_per_call", value=statistics.median(server_us), unit="us"))
    results.append(Result(name="networks", value=GATEWAYS_MAX if any(prefixes) else 1, unit="count"))
    emit(results, options.json)


def orders(place: str, kind: str, count: int, seconds: float, number: int) -> list[Order]:
    """What each gateway does."""
    return [
        Order(
            store="postgres",
            place=place,
            origin=f"scale/{gateway}",
            organization=f"own-{gateway}" if kind == "disjoint" else "all",
            agent=f"bot-{gateway}",
            callers=CALLERS,
            seconds=seconds,
            round=f"{kind}{count}.{number}",
        )
        for gateway in range(count)
    ]


def database(server: PostgresServer, address: str) -> str:
    """A new database that takes connections from `address`'s network; its URL over TCP."""
    with (server.data / "pg_hba.conf").open("a", encoding="utf-8") as rules:
        rules.write(f"host all all {NETWORK}.0/{MASK} scram-sha-256\n")
    server.configure(listen_addresses=f"127.0.0.1,{address}")
    server.restart()
    asyncio.run(_migrate(server.database("scale")))
    return f"postgresql://{USER}:{server.password}@{address}:{server.tcp_port}/scale?sslmode=disable"


@contextlib.contextmanager
def networks() -> Iterator[Sequence[Sequence[str]]]:
    """For each gateway the command that runs it in a network of its own; empty where that is not to be had."""
    with contextlib.ExitStack() as stack:
        if os.geteuid() != 0 or shutil.which("ip") is None:
            yield [()] * GATEWAYS_MAX
            return
        names = [f"cmp-gateway-{number}" for number in range(GATEWAYS_MAX)]
        stack.callback(_ip, "link", "del", BRIDGE)
        _ip("link", "add", BRIDGE, "type", "bridge")
        _ip("addr", "add", f"{NETWORK}.1/{MASK}", "dev", BRIDGE)
        _ip("link", "set", BRIDGE, "up")
        for number, name in enumerate(names):
            stack.callback(_ip, "netns", "del", name)
            _ip("netns", "add", name)
            _ip("link", "add", f"cmpv{number}", "type", "veth", "peer", "name", "eth0", "netns", name)
            _ip("link", "set", f"cmpv{number}", "master", BRIDGE, "up")
            inside = ("netns", "exec", name, "ip")
            _ip(*inside, "addr", "add", f"{NETWORK}.{10 + number}/{MASK}", "dev", "eth0")
            _ip(*inside, "link", "set", "eth0", "up")
            _ip(*inside, "link", "set", "lo", "up")
        yield [("ip", "netns", "exec", name) for name in names]


def _ip(*words: str) -> None:
    subprocess.run(["ip", *words], check=True)


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as free:
        return int(free.getsockname()[1])


def _server_seconds(server: PostgresServer) -> float:
    """Processor time of the server's processes that have ended: every connection of a gateway is one."""
    fields = Path(f"/proc/{server.pid}/stat").read_text("ascii").rpartition(")")[2].split()
    return (int(fields[13]) + int(fields[14])) / os.sysconf("SC_CLK_TCK")


async def _migrate(place: str) -> None:
    await (await open_store("postgres", place, "scale/none")).close()


if __name__ == "__main__":
    main()
