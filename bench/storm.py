"""100,000 attempts by eight processes at once against tight nested budgets: nothing overspent, lost or stuck.

`--store sqlite`: one process owns the store, as `serve` does, and eight processes ask it over a socket, 16 callers
each. `--store postgres`: eight gateways, each with an engine and a writer of its own, share one database.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

from bench.ledger_disk import folder_of_benches
from bench.ledger_engine import KINDS, Book, open_store
from bench.ledger_provider import READY
from bench.ledger_truth import Log, money, taken_by_scope
from bench.report import Result, emit
from bench.storm_work import AGENTS, USD_MICROS_MAX, Part, Story
from comptroller.core.budget import BudgetState, scopes_of
from comptroller.testing.postgres_server import PostgresServer

ATTEMPTS, ATTEMPTS_QUICK = 100_000, 6_000
PROCESSES = 8
SEED = 20261123
ROOM = (0.30, 0.09, 0.085, 0.05)
"""What organization, team, agent and run have room for, as shares of all that is asked: every one is tight."""


@dataclass(frozen=True, slots=True)
class Storm:
    """What the clients saw, what the logs say, and the accounts as they stand in the end."""

    stories: list[Story]
    logs: list[Log]
    accounts: list[BudgetState]

    @property
    def attempts(self) -> int:
        """Questions asked."""
        return sum(story.attempts for story in self.stories)

    @property
    def deadlocks(self) -> int:
        """Questions that were never answered, or answered with an error: a deadlock is one of PostgreSQL's."""
        return sum(story.unanswered + len(story.errors) for story in self.stories)

    @property
    def overspent(self) -> int:
        """USD micros above any limit: by the accounts, or by what the clients know was spent."""
        true: dict[str, int] = {}
        for story in self.stories:
            spent = sum(wanted if cost is None else cost for _, _, wanted, cost in story.permits)
            for scope in self._paths[story.run]:
                true[scope] = true.get(scope, 0) + spent
        return sum(
            max(0, state.account.taken - state.budget.limit, true.get(state.budget.scope, 0) - state.budget.limit)
            for state in self.accounts
        )

    @property
    def lost(self) -> int:
        """Permits without their entry, costs without theirs, holds that nobody knows of, and accounts that are not
        the sum of what the logs say."""
        allowed = {key: value for log in self.logs for key, value in log.allowed.items()}
        settled = {key: value for log in self.logs for key, value in log.settled.items()}
        suspended = {key for log in self.logs for key in log.suspended}
        given = [permit for story in self.stories for permit in story.permits]
        wrong = sum(allowed.get(key) != (entry, wanted) for key, entry, wanted, _ in given)
        wrong += sum(key not in suspended if cost is None else settled.get(key) != cost for key, _, _, cost in given)
        wrong += len(allowed.keys() - {permit[0] for permit in given})
        wrong += len(allowed) - len({(number, value[0]) for number, log in enumerate(self.logs)
                                     for value in log.allowed.values()})  # fmt: skip
        by_log = taken_by_scope(self.logs, self._paths)
        return wrong + sum(state.account.taken != by_log.get(state.budget.scope, 0) for state in self.accounts)

    @property
    def _paths(self) -> dict[str, tuple[str, ...]]:
        book = Book("acme")
        return {
            story.run: scopes_of(f"{book.path_of(f'a{number % AGENTS}')}/{story.run}")
            for number, story in enumerate(self.stories)
        }


def main() -> None:
    """Run the storm and print `attempts overspent lost deadlocks` and how long callers waited."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--store", choices=KINDS, default="sqlite")
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--quick", action="store_true", help=f"{ATTEMPTS_QUICK:,} attempts instead of {ATTEMPTS:,}")
    options = parser.parse_args()
    print(f"seed {SEED}", file=sys.stderr)
    found = storm(options.store, ATTEMPTS_QUICK if options.quick else ATTEMPTS)
    for error in sorted({error for story in found.stories for error in story.errors}):
        print(error, file=sys.stderr)
    waits = sorted(wait for story in found.stories for wait in story.waits_ms)
    median = statistics.median(waits)
    emit(
        [
            Result(name="attempts", value=found.attempts, unit="count"),
            Result(name="overspent", value=found.overspent, unit="usd_micros"),
            Result(name="lost", value=found.lost, unit="count"),
            Result(name="deadlocks", value=found.deadlocks, unit="count"),
            Result(name="allowed", value=sum(len(story.permits) for story in found.stories), unit="count"),
            Result(
                name="attempts_per_second",
                value=found.attempts / max(story.seconds for story in found.stories),
                unit="1/s",
            ),
            Result(name="wait_p50", value=median, unit="ms"),
            Result(name="wait_p99", value=waits[len(waits) * 99 // 100], unit="ms", peer="median", peer_value=median),
            Result(name="wait_max", value=waits[-1], unit="ms", peer="median", peer_value=median),
        ],
        options.json,
    )


def storm(kind: str, attempts: int, *, processes: int = PROCESSES, seed: int = SEED) -> Storm:
    """One storm on a new store."""
    with tempfile.TemporaryDirectory(prefix="storm-", dir=folder_of_benches()) as name, contextlib.ExitStack() as stack:
        folder = Path(name).absolute()
        place = str(folder / "store.db")
        if kind == "postgres":
            place = stack.enter_context(PostgresServer()).database("storm")
            asyncio.run(_migrate(place))
        asked = attempts * (USD_MICROS_MAX + 1) // 2
        shared = Part(
            what="client",
            store=kind,
            place=place,
            folder=name,
            processes=processes,
            attempts=attempts // processes,
            limits=tuple(int(asked * share * (8 / processes if depth == 3 else 1)) for depth, share in enumerate(ROOM)),
            seed=seed,
        )
        owner = stack.enter_context(process({**asdict(shared), "what": "desk"})) if kind == "sqlite" else None
        with contextlib.ExitStack() as clients:
            children = [clients.enter_context(process({**asdict(shared), "process": n})) for n in range(processes)]
            for child in children:
                go(child)
            for child in children:
                if child.wait():
                    raise SystemExit("a client of the storm failed")
        if owner is not None:
            go(owner)
            if owner.wait():
                raise SystemExit("the owner of the store failed")
        told = [json.loads((folder / f"client-{n}.json").read_text("utf-8")) for n in range(processes)]
        logs = [document["log"] for document in told]
        if kind == "sqlite":
            logs = [json.loads((folder / "desk.json").read_text("utf-8"))["log"]]
        return Storm(
            stories=[_story(document["story"]) for document in told],
            logs=[_log(document) for document in logs],
            accounts=asyncio.run(_accounts(kind, place)),
        )


@contextlib.contextmanager
def process(part: dict[str, object]) -> Iterator[subprocess.Popen[str]]:
    """A process of the storm that is ready; ended with the block."""
    command = [sys.executable, "-m", "bench.storm_work", json.dumps(part)]
    child = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    try:
        assert child.stdout is not None
        if child.stdout.readline() != READY.decode():
            raise SystemExit("a process of the storm ended before it was ready")
        yield child
    finally:
        child.kill()
        child.communicate()


def go(child: subprocess.Popen[str]) -> None:
    """Give the signal."""
    assert child.stdin is not None
    child.stdin.write("go\n")
    child.stdin.flush()


async def _accounts(kind: str, place: str) -> list[BudgetState]:
    store = await open_store(kind, place, "bench/after")
    try:
        return await money(store)
    finally:
        await store.close()


async def _migrate(place: str) -> None:
    await (await open_store("postgres", place, "bench/before")).close()


def _story(document: dict[str, object]) -> Story:
    return Story(**document)  # type: ignore[arg-type]


def _log(document: dict[str, object]) -> Log:
    log = Log(**document)  # type: ignore[arg-type]
    log.allowed = {key: (value[0], value[1]) for key, value in log.allowed.items()}
    return log


if __name__ == "__main__":
    main()
