"""LiteLLM's budget manager, a Redis counter with a time to live, and ours, doing the same work: storm and crash.

Storm: 64 callers at once, calls of $5 that take the provider 20 ms, a budget of $10. Crash: the process that asks is
killed (`kill -9`) a few times while its calls are under way, and starts again with what it kept; in between passes
the time after which the Redis ledger gives a hold back. The provider's own log says what was really spent.
"""

from __future__ import annotations

import contextlib
import json
import os
import random
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from bench.ledger_peer_work import HOLD_SECONDS, MICROS
from bench.ledger_provider import READY, provider, read_log
from bench.report import Result

LITELLM_VERSION, REDIS_PY_VERSION = "1.106.2", "8.1.0"
PEERS_FOLDER, REDIS_FOLDER = Path(".bench/ledger"), Path(".bench/redis")
REDIS_PACKAGES = ("redis-server", "redis-tools", "libjemalloc2", "liblua5.1-0", "liblzf1", "libatomic1")
THREADS = 64
LIMIT_USD, CALL_USD = 10, 5
CRASH_LIMIT_USD = 20
CRASH_CALL_USD = 1
PROVIDER_MILLISECONDS = 20
REDIS_SECONDS_MAX = 20
SEED = 20261123


@dataclass(frozen=True, slots=True)
class Spent:
    """What the provider did above the limit, in dollars."""

    storm: float
    crash: float


def measure(folder: Path, *, kills: int, each: int) -> list[Result]:
    """Dollars overspent by everybody, and how often a second each can reserve and settle where nothing else happens."""
    python, server = install_litellm(), install_redis()
    results: list[Result] = []
    spent: dict[str, Spent] = {}
    rates: dict[str, float] = {}
    for who in ("litellm", "redis", "ours"):
        place = folder / who
        place.mkdir()
        with running(who, place, server) as at:
            command = Command(who, place, at, python)
            spent[who] = Spent(storm=_storm(command), crash=_crash(command, kills))
            rates[who] = _rate(command, each)
    for who, found in spent.items():
        results.append(Result(name=f"{who}_overspent", value=found.storm + found.crash, unit="usd"))
    for who, found in spent.items():
        results.append(Result(name=f"{who}_overspent_storm", value=found.storm, unit="usd"))
        results.append(Result(name=f"{who}_overspent_crash", value=found.crash, unit="usd"))
    for who, name in (
        ("litellm", "LiteLLM, keeping its file when it gets to it"),
        ("redis", "Redis, synced each second"),
    ):
        results.append(
            Result(name=f"ours_ops_64_vs_{who}", value=rates["ours"], unit="1/s", peer=name, peer_value=rates[who])
        )
    return results


# ---------------------------------------------------------------- what is installed, once


def install_litellm() -> Path:
    """LiteLLM and redis-py in an environment of their own; its Python."""
    python = PEERS_FOLDER / "bin" / "python"
    if not list(PEERS_FOLDER.glob("lib/python3*/site-packages/litellm")):
        print(f"installing litellm {LITELLM_VERSION} into {PEERS_FOLDER} (once)", file=sys.stderr)
        subprocess.run([sys.executable, "-m", "venv", str(PEERS_FOLDER)], check=True)
        packages = (f"litellm=={LITELLM_VERSION}", f"redis=={REDIS_PY_VERSION}")
        subprocess.run([str(python), "-m", "pip", "install", "-q", *packages], check=True, stdout=sys.stderr)
    return python.absolute()


def install_redis() -> tuple[str, Mapping[str, str]]:
    """The `redis-server` of the machine, else Debian's in a folder of its own; its program and environment."""
    if found := shutil.which("redis-server"):
        return found, {}
    folder = REDIS_FOLDER.absolute()
    program = folder / "usr/bin/redis-server"
    if not program.exists():
        print(f"unpacking redis-server into {REDIS_FOLDER} (once)", file=sys.stderr)
        folder.mkdir(parents=True, exist_ok=True)
        download = ["apt-get", "-qq", "-o", "APT::Sandbox::User=root", "download", *REDIS_PACKAGES]
        subprocess.run(download, cwd=folder, check=True, stdout=sys.stderr)
        for archive in folder.glob("*.deb"):
            subprocess.run(["dpkg", "-x", str(archive), str(folder)], check=True)
    libraries = ":".join(str(path) for path in folder.glob("usr/lib/*-linux-gnu"))
    return str(program), {"LD_LIBRARY_PATH": libraries}


@contextlib.contextmanager
def running(who: str, folder: Path, server: tuple[str, Mapping[str, str]]) -> Iterator[str]:
    """What the ledger keeps its state in: a socket of Redis, a file of ours, a folder of LiteLLM's."""
    if who != "redis":
        yield str(folder / "store.db") if who == "ours" else ""
        return
    place = folder / "redis.sock"
    program, environment = server
    options = ("--port", "0", "--unixsocket", str(place), "--dir", str(folder), "--appendonly", "yes", "--save", "")
    command = [program, *options, "--appendfsync", "everysec"]
    child = subprocess.Popen(command, stdout=subprocess.DEVNULL, env={**os.environ, **environment})
    try:
        deadline = time.monotonic() + REDIS_SECONDS_MAX
        while not place.exists():
            if child.poll() is not None or time.monotonic() > deadline:
                raise SystemExit("redis-server did not start")
            time.sleep(0.05)
        yield str(place)
    finally:
        child.kill()
        child.communicate()


# ---------------------------------------------------------------- the work


@dataclass(frozen=True, slots=True)
class Command:
    """How one of the three is started on the same work."""

    who: str
    folder: Path
    place: str
    python: Path
    provider: str = ""

    def start(self, *, limit_usd: float, usd: float, each: int, round_number: int) -> subprocess.Popen[str]:
        """A process that is ready and waits for its signal."""
        shared = {"limit": int(limit_usd * MICROS), "usd_micros": int(usd * MICROS), "each": each}
        if self.who == "ours":
            # A store of its own for each of storm, crash and rate, as the peers have a fresh state for each.
            order = {
                "store": "sqlite", "place": self.place, "callers": THREADS, "provider": self.provider, "settle": True,
                "recover": True, "round": str(round_number), **shared,
            }  # fmt: skip
            command = [sys.executable, "-m", "bench.ledger_work", json.dumps(order)]
            where = Path.cwd()
        else:
            told = {
                "who": self.who, "place": self.place, "threads": THREADS, "provider": self.provider,
                "round": round_number, **shared,
            }  # fmt: skip
            script = Path(__file__).with_name("ledger_peer_work.py").absolute()
            command = [str(self.python), "-W", "ignore", str(script), json.dumps(told)]
            where = self.folder
        child = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=_stderr(), cwd=where, text=True
        )
        assert child.stdout is not None
        if child.stdout.readline() != READY.decode():
            raise SystemExit(f"`{self.who}` ended before it was ready")
        return child

    def emptied(self) -> Command:
        """The same with nothing remembered."""
        if self.who == "ours":
            for file in self.folder.glob("store.db*"):
                file.unlink()
        elif self.who == "litellm":
            (self.folder / "user_cost.json").unlink(missing_ok=True)
        else:
            _redis(self.python, self.place, "flushall")
        return self


def go(child: subprocess.Popen[str]) -> dict[str, float]:
    """Give the signal and wait for what came of it."""
    told, _ = child.communicate("go\n")
    if child.returncode:
        raise SystemExit(f"`{child.args!r}` failed")
    found: dict[str, float] = json.loads(told.splitlines()[-1])
    return found


def _storm(command: Command) -> float:
    with provider(command.folder, PROVIDER_MILLISECONDS, "storm") as (place, log):
        child = replace(command.emptied(), provider=place).start(
            limit_usd=LIMIT_USD, usd=CALL_USD, each=1, round_number=0
        )
        go(child)
        return _above(log, LIMIT_USD)


def _crash(command: Command, kills: int) -> float:
    seed = random.Random(SEED)
    command.emptied()
    with provider(command.folder, PROVIDER_MILLISECONDS, "crash") as (place, log):
        for round_number in range(kills):
            child = replace(command, provider=place).start(
                limit_usd=CRASH_LIMIT_USD, usd=CRASH_CALL_USD, each=1, round_number=round_number
            )
            assert child.stdin is not None
            child.stdin.write("go\n")
            child.stdin.flush()
            time.sleep(seed.uniform(0.01, 0.1))
            child.kill()
            child.communicate()
            if command.who == "redis":
                time.sleep(HOLD_SECONDS)
        last = replace(command, provider=place).start(
            limit_usd=CRASH_LIMIT_USD, usd=CRASH_CALL_USD, each=1, round_number=kills
        )
        go(last)
        return _above(log, CRASH_LIMIT_USD)


def _rate(command: Command, each: int) -> float:
    """Reserve and settle, with room for all and nobody to call."""
    child = command.emptied().start(limit_usd=10**9, usd=0.0001, each=each, round_number=0)
    came = go(child)
    return came["attempts"] / came["seconds"]


def _above(log: Path, limit_usd: float) -> float:
    spent = sum(charge.usd_micros for charge in read_log(log)) / MICROS
    return max(0.0, spent - limit_usd)


def _redis(python: Path, place: str, word: str) -> None:
    script = f"import redis; redis.Redis(unix_socket_path={place!r}).{word}()"
    subprocess.run([str(python), "-c", script], check=True)


def _stderr() -> int | None:
    return None if os.environ.get("BENCH_SHOW") else subprocess.DEVNULL
