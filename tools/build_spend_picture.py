"""Makes the pictures of the spend page in `docs/pictures`, out of a log that the real engine wrote.

Four weeks of three agents' work go through the line: requests are decoded, priced by the shipped lists, judged by the
starter policies, answered by a person where they ask for one, reserved and settled by what an answer says. Only the
requests and answers are made up, and the clock is turned. Needs Chromium:

    python tools/build_spend_picture.py [FOLDER]
"""

from __future__ import annotations

import asyncio
import json
import random
import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from comptroller.boundary import CedarBoundary, PolicyText
from comptroller.compose import Engine, agent_facts, build_engine, registry_of, starter_policies
from comptroller.compose_state import SystemIds
from comptroller.core.approval import Person
from comptroller.core.budget import Budget
from comptroller.core.config import Config, parse_config
from comptroller.core.currency import Display
from comptroller.core.request import Header, Request
from comptroller.core.spend import Dimension, Query
from comptroller.engine.gatekeeper import Released
from comptroller.server.spend.gather import gather
from comptroller.server.spend.page import Groupings, spend_page
from comptroller.stores.reader import SqliteReader
from comptroller.stores.sqlite import SqliteStore

PICTURES = Path(__file__).resolve().parent.parent / "docs/pictures"
SEED = 7
DAYS = 28
BEGIN = datetime(2026, 10, 26, 8, tzinfo=UTC)
SIZE_PIXELS = "1000,1240"
ANN = Person(name="ann", groups=frozenset({"approvers"}), via="uid:1000")
BROWSERS = ("chromium", "chromium-browser", "google-chrome", "chrome")
MODELS = {"tutor": "gpt-4o", "reviewer": "claude-sonnet-4-5", "shop": "gpt-4o-mini"}
CONFIG: dict[str, object] = {
    "version": 1,
    "organization": "acme",
    "teams": {"research": {}, "web": {}},
    "people": {"ann": {"groups": ["approvers"]}, "ben": {}},
    "agents": {
        "tutor": {"team": "research", "owner": "ann", "purpose": "explain papers", "services": ["openai"]},
        "reviewer": {"team": "research", "owner": "ben", "purpose": "review changes", "services": ["anthropic"]},
        "shop": {"team": "web", "owner": "ben", "purpose": "answer refunds", "services": ["openai", "stripe"]},
    },
    "budgets": [
        {"scope": "acme", "unit": "usd", "window": "month", "limit": 100},
        {"scope": "acme", "unit": "calls", "limit": 1_000_000},
        {"scope": "acme/research", "unit": "usd", "window": "month", "limit": 50, "on_exceed": "require_approval"},
        {"scope": "acme/web/shop", "unit": "usd", "window": "week", "limit": 12},
        {"scope": "acme/research/tutor", "unit": "tokens", "window": "rolling:7d", "limit": 3_000_000},
    ],
}


@dataclass
class TurnedClock:
    """A clock that only moves when it is turned."""

    at: datetime = BEGIN

    def now(self) -> datetime:
        """Where it was turned to."""
        return self.at


@dataclass
class Work:
    """What the agents do."""

    engine: Engine
    clock: TurnedClock
    runs: dict[str, str]
    chance: random.Random

    async def month(self) -> None:
        """Every working day some calls; the last of them is still under way."""
        for day in range(DAYS):
            busy = 0.25 if self.clock.at.weekday() >= 5 else 1.0 + day / DAYS
            for agent in self.runs:
                for _ in range(round(self.chance.randint(6, 14) * busy)):
                    await self.ask(agent)
            for _ in range(round(self.chance.randint(0, 2) * busy)):
                await self.refund()
            if day < DAYS - 1:
                self.clock.at += timedelta(days=1)
        await self.ask("reviewer", "break")
        await self.refund("break")
        await self.ask("tutor", "wait")

    async def ask(self, agent: str, end: str = "") -> None:
        """A call of a model."""
        words = "explain this " * self.chance.randint(1000, 9000)
        body: dict[str, object] = {"model": MODELS[agent], "messages": [{"role": "user", "content": words}]}
        wrote, read = self.chance.randint(200, 3000), len(words) // 4
        body["max_tokens"] = 4000
        if agent == "reviewer":
            request = self._post(agent, "api.anthropic.com", "/v1/messages", body)
            usage = {"input_tokens": read, "output_tokens": wrote}
            answer = {"type": "message", "model": MODELS[agent], "content": [], "usage": usage}
        else:
            request = self._post(agent, "api.openai.com", "/v1/chat/completions", body)
            usage = {"prompt_tokens": read, "completion_tokens": wrote, "total_tokens": read + wrote}
            answer = {"object": "chat.completion", "model": MODELS[agent], "choices": [], "usage": usage}
        await self._line(request, answer, end)

    async def refund(self, end: str = "") -> None:
        """Money that a person has said yes to."""
        cents = self.chance.randint(40, 260)
        form = f"amount={cents}&currency=usd&destination=acct_1Customer"
        request = self._post("shop", "api.stripe.com", "/v1/transfers", form)
        await self._line(request, {"id": "tr_1", "object": "transfer", "amount": cents, "currency": "usd"}, end)

    async def _line(self, request: Request, answer: object, end: str) -> None:
        """Decide, and settle as the answer says; what a budget has no room for does not go."""
        gatekeeper = self.engine.gatekeeper
        done = await gatekeeper.admit(request, hold_seconds=0)
        if not isinstance(done, Released) and done.approval is not None:
            await self.engine.approvals.approve(done.approval.id, ANN)
            done = await gatekeeper.admit(request, hold_seconds=0)
        if not isinstance(done, Released):
            return
        if end == "break":
            await gatekeeper.suspend(done.permit, "the connection broke")
        elif not end:
            meter = done.codec.meter(done.action)
            meter.head(200, [("content-type", "application/json")])
            meter.feed(json.dumps(answer).encode())
            await gatekeeper.settle(done.permit, meter.finish(complete=True))

    def _post(self, agent: str, host: str, target: str, body: object) -> Request:
        form = isinstance(body, str)
        return Request(
            scheme="https",
            method="POST",
            host=host,
            port=443,
            target=target,
            headers=(
                Header("content-type", "application/x-www-form-urlencoded" if form else "application/json"),
                Header("idempotency-key", str(self.chance.random())),
                Header("anthropic-version", "2023-06-01"),
            ),
            body=body.encode() if isinstance(body, str) else json.dumps(body).encode(),
            agent=agent,
            run=self.runs[agent],
        )


async def page(folder: Path) -> str:
    """The page over a month's log in `folder`."""
    config = parse_config(CONFIG, origin="here")
    store = await SqliteStore.open(folder / "store.sqlite")
    boundary = CedarBoundary.load(
        [PolicyText(file="starter.cedar", text=starter_policies())],
        agent_facts(config),
        classes_of=registry_of(config).classes_of,
    )
    clock = TurnedClock()
    engine = build_engine(config, store, lambda: boundary, clock=clock, ids=SystemIds())
    await engine.ledger.apply_config(_budgets(config), by="ann")
    started = {
        agent: (await engine.runs.start(agent=agent, purpose=None, resume=None, per_run={})).id
        for agent in config.agents
    }
    await Work(engine=engine, clock=clock, runs=started, chance=random.Random(SEED)).month()  # noqa: S311
    await store.close()
    by = (Dimension.AGENT, Dimension.SERVICE)
    groupings = Groupings(by)
    with SqliteReader(folder / "store.sqlite") as log:
        found = gather(log, by, Query(), others=groupings.all)
        budgets = log.budgets(clock.now())
    return spend_page(found, groupings, budgets, organization=config.organization, shown=Display())


def _budgets(config: Config) -> list[Budget]:
    return [budget.budget() for budget in config.budgets]


def main(arguments: list[str]) -> int:
    """Write `spend-light.png` and `spend-dark.png`; the exit code."""
    if len(arguments) > 1:
        print("usage: build_spend_picture.py [FOLDER]", file=sys.stderr)
        return 2
    browser = next((found for name in BROWSERS if (found := shutil.which(name))), None)
    if browser is None:
        print("there is no Chromium here: apt-get install chromium", file=sys.stderr)
        return 2
    target = Path(arguments[0]) if arguments else PICTURES
    with tempfile.TemporaryDirectory() as name:
        file = Path(name) / "spend.html"
        file.write_text(asyncio.run(page(Path(name))), encoding="utf-8")
        for scheme, number in (("dark", 0), ("light", 1)):
            picture = target / f"spend-{scheme}.png"
            options = ["--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars", f"--user-data-dir={name}/b"]
            options += [
                f"--blink-settings=preferredColorScheme={number}",
                f"--window-size={SIZE_PIXELS}",
            ]
            subprocess.run([browser, *options, f"--screenshot={picture}", file.as_uri()], check=True, timeout=120)
            print(f"{picture}: {picture.stat().st_size} bytes")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
