"""Fills a store as months of use would: a long log, many runs, open questions, holdings. For what the console shows.

`python -m bench.console_fill comptroller.yaml --entries 1000000 --pending 1000` fills the store of an installation
whose `serve` does not run; `fill` fills any store. The shapes are those that the engine writes; the seed is fixed.
"""

from __future__ import annotations

import argparse
import asyncio
import hashlib
import random
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from comptroller.core.approval import Approval
from comptroller.core.audit import EntryDraft, EntryKind, PrivateField
from comptroller.core.brake import Run, RunState
from comptroller.core.budget import Budget
from comptroller.core.estimate import Unit
from comptroller.core.holding import Holding, HoldingState
from comptroller.core.reservation import AccountDelta
from comptroller.core.verdict import Obligation
from comptroller.core.window import Window
from comptroller.ports import Changes, Store, Wants
from comptroller.server.place import Paths, load_config
from comptroller.stores.sqlite import SqliteStore

SEED = 20261123
BATCH_ENTRIES = 4_000
ENTRIES_A_RUN = 1_000
DAYS = 90


@dataclass(frozen=True, slots=True, kw_only=True)
class Who:
    """An agent as the log knows it."""

    agent: str
    path: str
    owner: str


AGENTS = (
    Who(agent="research", path="acme/ml/research", owner="ann"),
    Who(agent="trainer", path="acme/ml/trainer", owner="ann"),
    Who(agent="shop", path="acme/web/shop", owner="ben"),
    Who(agent="deploy", path="acme/web/deploy", owner="ben"),
)
SERVICES = (
    ("openai", "openai:chat", "infer", "", "ask gpt-5-mini, at most {n} tokens out"),
    ("aws:ec2", "aws:ec2:RunInstances", "provision", "us-east-1", "start {n} x m8g.large in us-east-1"),
    ("aws:s3", "aws:s3:GetObject", "read", "eu-west-1", "read object {n} of bucket data"),
    ("stripe", "stripe:POST:/v1/refunds", "pay", "", "refund $4.{n:02}"),
    ("http", "http:packages.example.com:GET", "read", "", "fetch packages.example.com/simple/{n}"),
)


class Filler:
    """Makes the drafts of one log, the same for the same seed."""

    def __init__(self, agents: Sequence[Who], now: datetime, entries: int) -> None:
        self._agents = agents
        self._random = random.Random(SEED)
        self._begin = now - timedelta(days=DAYS)
        self._step = timedelta(days=DAYS) / max(entries, 1)
        self._made = 0
        self.runs: list[Run] = []
        self.spent: dict[tuple[str, Unit, str], int] = {}

    @property
    def at(self) -> datetime:
        """When the next entry is written."""
        return self._begin + self._step * self._made

    def drafts(self, count: int) -> Iterator[EntryDraft]:
        """The next `count` entries: runs that begin, act and end."""
        end = self._made + count
        while self._made < end:
            who = self._random.choice(self._agents)
            run = f"01900000-0000-7000-8000-{len(self.runs):012d}"
            path = f"{who.path}/{run}"
            body = {"path": path, "owner": who.owner, "resumed": False, "per_run": {"usd_micros": 50_000_000}}
            started = self.at
            yield self._draft(EntryKind.RUN_STARTED, who, run, body, purpose="compare what the providers ask")
            until = min(self._made + ENTRIES_A_RUN - 2, end - 1)
            while self._made < until:
                yield from self._action(who, run, until)
            if self._made < end:
                yield self._draft(EntryKind.RUN_ENDED, who, run, {"exit_code": 0, "reason": ""})
            self.runs.append(
                Run(
                    id=run,
                    agent=who.agent,
                    owner=who.owner,
                    path=path,
                    purpose="compare what the providers ask",
                    state=RunState.ENDED,
                    started_at=started,
                    ended_at=self.at,
                    exit_code=0,
                )
            )

    def _action(self, who: Who, run: str, until: int) -> Iterator[EntryDraft]:
        """One action: two entries where it goes through, one where it does not."""
        service, operation, kind, region, form = self._random.choice(SERVICES)
        sentence = form.format(n=self._random.randrange(1, 100))
        amount = self._random.randrange(1_000, 900_000) if kind != "read" else 0
        held = {"calls": 1, **({"usd_micros": amount} if amount else {})}
        held |= {"tokens": amount // 50} if kind == "infer" else {}
        body: dict[str, object] = {
            "operation": operation,
            "classes": [kind],
            "service": service,
            "account": "123456789012" if service.startswith("aws") else "",
            "region": region,
            "endpoint": "api.example.com",
            "resources": 0,
            "quantity": 1,
            "digest": f"a1:{self._hash(b'digest')}",
            "estimate": {"bounds": {unit: [0, high] for unit, high in held.items()}, "term_seconds": None, "basis": ""},
            "slice": self._hash(b"slice"),
            "request_id": "",
        }
        dice = self._random.random()
        if dice < 0.04 or self._made + 1 >= until:
            reasons = [{"code": "no_permit", "text": "no rule permits it", "rule": ""}]
            yield self._draft(
                EntryKind.ACTION_DENIED, who, run, {**body, "verdict": "deny", "rules": [], "reasons": reasons},
                sentence=sentence,
            )  # fmt: skip
            return
        if dice < 0.042:
            refused = {"look": "ssh", "destination": "203.0.113.7:22", "count": 1, "layer": "box"}
            yield self._draft(EntryKind.BOX_REFUSED, who, run, refused, detail="SSH-2.0-OpenSSH_9.2")
            return
        reservation = f"r-{self._made:09d}"
        rules = ["permit-named"]
        yield self._draft(
            EntryKind.ACTION_ALLOWED, who, run,
            {**body, "verdict": "allow", "rules": rules, "reasons": [], "reservation": reservation, "reserved": held},
            sentence=sentence, parameters={"n": self._made},
        )  # fmt: skip
        actual = {unit: value if unit == "calls" else value * 3 // 4 for unit, value in held.items()}
        self._count(who, run, actual)
        yield self._draft(
            EntryKind.ACTION_SETTLED, who, run,
            {
                "reservation": reservation, "operation": operation, "status": 200, "ok": True, "complete": True,
                "actual": actual, "reserved": held, "usage": {}, "exceeded": [], "price_distrusted": False,
            },
        )  # fmt: skip

    def _count(self, who: Who, run: str, actual: dict[str, int]) -> None:
        organization, team, _ = who.path.split("/")
        for scope in (organization, f"{organization}/{team}", who.path):
            for unit in (Unit.USD_MICROS, Unit.CALLS):
                for window in (Window.TOTAL, Window.MONTH):
                    key = (scope, unit, f"{window.value} {window.start(self.at)}")
                    self.spent[key] = self.spent.get(key, 0) + actual.get(unit.value, 0)

    def _draft(self, kind: EntryKind, who: Who, run: str, body: dict[str, object], **private: object) -> EntryDraft:
        fields = tuple(
            PrivateField(name=name, salt=self._random.randbytes(16), value=value)
            for name, value in sorted(private.items())
        )
        draft = EntryDraft(kind=kind, at=self.at, agent=who.agent, run=run, body=body, private=fields)
        self._made += 1
        return draft

    def _hash(self, what: bytes) -> str:
        return hashlib.sha256(what + self._made.to_bytes(8, "big")).hexdigest()


async def fill(
    store: Store, *, entries: int, pending: int, holdings: int = 50, now: datetime | None = None,
    agents: Sequence[Who] = AGENTS,
) -> None:  # fmt: skip
    """Write `entries` entries over the last 90 days, and then open questions and holdings of one active run."""
    now = now or datetime.now(UTC)
    filler = Filler(agents, now, entries)
    left = entries
    while left:
        count = min(left, BATCH_ENTRIES)
        known = len(filler.runs)
        drafts = tuple(filler.drafts(count))
        await _write(store, Changes(entries=drafts, runs=tuple(filler.runs[known:])))
        left -= count
    who = agents[0]
    active = f"{'0190ffff'}-0000-7000-8000-{0:012d}"
    run = Run(
        id=active, agent=who.agent, owner=who.owner, path=f"{who.path}/{active}", purpose="what is asked now",
        state=RunState.ACTIVE, started_at=now,
    )  # fmt: skip
    await _write(store, Changes(runs=(run,), budgets=_budgets(agents), accounts=_accounts(filler)))
    questions = [_question(number, run, now) for number in range(pending)]
    for start in range(0, pending, BATCH_ENTRIES):
        await _write(store, Changes(approvals=tuple(questions[start : start + BATCH_ENTRIES])))
    await _write(store, Changes(holdings=tuple(_holding(number, run, now) for number in range(holdings))))


async def _write(store: Store, changes: Changes) -> None:
    await store.commit(Wants(now=datetime.now(UTC)), lambda _: (changes, None))


def _scopes(agents: Sequence[Who]) -> list[str]:
    found: dict[str, None] = {}
    for who in agents:
        parts = who.path.split("/")
        found |= {"/".join(parts[: depth + 1]): None for depth in range(len(parts))}
    return list(found)


def _budgets(agents: Sequence[Who]) -> tuple[Budget, ...]:
    limits = {Unit.USD_MICROS: 10**12, Unit.CALLS: 10**8}
    return tuple(
        Budget(scope=scope, unit=unit, window=window, limit=limit)
        for scope in _scopes(agents)
        for unit, limit in limits.items()
        for window in (Window.TOTAL, Window.MONTH)
    )


def _accounts(filler: Filler) -> tuple[AccountDelta, ...]:
    rows = []
    for (scope, unit, where), amount in filler.spent.items():
        window, _, start = where.partition(" ")
        rows.append(AccountDelta(scope=scope, unit=unit, window=window, start=start, settled=amount))
    return tuple(rows)


def _question(number: int, run: Run, now: datetime) -> Approval:
    return Approval(
        id=f"0190fffe-0000-7000-8000-{number:012d}",
        run=run.id,
        agent=run.agent,
        owner=run.owner,
        digest=f"a1:{hashlib.sha256(number.to_bytes(8, 'big')).hexdigest()}",
        slice_hash=hashlib.sha256(b"slice").hexdigest(),
        operation="aws:ec2:RunInstances",
        obligations=(Obligation(rule="provision", reason="this brings about cost"),),
        sentence=f"start {number % 9 + 1} x m8g.large in us-east-1",
        facts={
            "operation": "aws:ec2:RunInstances",
            "classes": ["provision"],
            "account": "123456789012",
            "region": "us-east-1",
            "endpoint": "ec2.us-east-1.amazonaws.com",
            "quantity": number % 9 + 1,
            "resources": [],
            "parameters": [["InstanceType", "m8g.large"]],
            "usd_micros_high": 89_000 * (number % 9 + 1),
            "usd_micros_per_hour_high": 89_000 * (number % 9 + 1),
            "standing": True,
            "term_seconds": 3600,
            "basis": "list price",
            "payment": None,
            "efforts": {},
            "purpose": run.purpose,
        },
        asked_at=now - timedelta(seconds=number),
        expires_at=now + timedelta(hours=12),
    )


def _holding(number: int, run: Run, now: datetime) -> Holding:
    return Holding(
        id=f"0190fffd-0000-7000-8000-{number:012d}",
        kind="aws:ec2:instance",
        resource=f"i-{number:017x}",
        account="123456789012",
        region="us-east-1",
        endpoint="ec2.us-east-1.amazonaws.com",
        agent=run.agent,
        run=run.id,
        path=run.path,
        owner=run.owner,
        operation="aws:ec2:RunInstances",
        reservation=f"made-{number}",
        rate_usd_micros_per_hour=89_000,
        opened_at=now - timedelta(hours=number),
        paid_until=now + timedelta(minutes=30),
        term_seconds=3600,
        state=HoldingState.LIVE,
        state_at=now,
        tagged=True,
    )


def main() -> None:
    """Fill the store of the installation whose configuration is named."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("config", type=Path)
    parser.add_argument("--entries", type=int, default=1_000_000)
    parser.add_argument("--pending", type=int, default=1_000)
    arguments = parser.parse_args()
    config = load_config(arguments.config)
    agents = [
        Who(agent=name, path=config.path_of(name), owner=agent.owner) for name, agent in sorted(config.agents.items())
    ]

    async def run() -> None:
        store = await SqliteStore.open(Paths.of(arguments.config).store)
        try:
            await fill(store, entries=arguments.entries, pending=arguments.pending, agents=agents or AGENTS)
        finally:
            await store.close()

    started = time.monotonic()
    asyncio.run(run())
    print(f"{arguments.entries:,} entries, {arguments.pending:,} questions in {time.monotonic() - started:.1f} s")


if __name__ == "__main__":
    main()
