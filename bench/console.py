"""The console as people feel it: from a click to the first byte upstream, from an action to the screen, every page.

`decision_to_byte_p50_ms`: from the moment before a signed-in browser posts the approval to the moment the service
outside reads the first line of the released call. `feed_latency_p50_ms`: from the time in an entry to the frame in
which Chromium shows it, while an agent makes `FEED_RATE` actions a second. `page_p95_ms`: every page, whole, with 1,000
open questions and a log of a million entries. `questions_per_100_*`: see `bench.questions`.
"""

from __future__ import annotations

import argparse
import asyncio
import shutil
import statistics
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from datetime import datetime
from pathlib import Path

from bench import questions
from bench.console_fill import fill
from bench.console_place import Agent, Place, Service, Visitor, place
from bench.report import Result, emit
from comptroller.server.console.pages import PAGES
from comptroller.stores.sqlite import SqliteStore
from comptroller.testing.postgres_server import PostgresServer

FEED_RATE = 200
FEED_CALLERS = 8
PENDING = 1_000
CASES_BESIDE = Path("../shared/cases")
"""Recorded cases lie beside the checkout, not in it."""
ENTRIES = 1_000_000
REST_SECONDS = 0.3
"""Between two clicks, so that what the first one set off is over."""

WATCH = """
() => {
  window.shown = {};
  const note = () => { const now = Date.now(); for (const link of document.querySelectorAll('#feed a.text')) {
    const index = link.getAttribute('href').split('/').pop();
    if (!(index in window.shown)) window.shown[index] = now; } };
  new MutationObserver(() => requestAnimationFrame(note)).observe(
    document.getElementById('feed'), {childList: true, subtree: true});
}
"""


# ---------------------------------------------------------------- from the click to the first byte


def decision(rounds: int, store: str = "") -> float:
    """Milliseconds, the median of `rounds` held calls that a person lets go."""
    with place(store=store) as (made, service):
        agent, visitor = Agent(made), Visitor(made)
        try:
            return statistics.median(_clicks(made, service, agent, visitor, rounds)) * 1000
        finally:
            agent.close()
            visitor.client.close()


def _clicks(made: Place, service: Service, agent: Agent, visitor: Visitor, rounds: int) -> list[float]:
    known: set[str] = set()
    found = []
    for number in range(rounds + 1):
        path = f"/call/{number}"
        agent.tell(f"post {path}")
        question = made.question(known)
        known.add(question)
        time.sleep(REST_SECONDS)
        clicked = visitor.approve(question)
        if agent.said() != "200":
            raise SystemExit("a released call was not answered")
        found.append(service.seen[path] - clicked)
    return found[1:]


# ---------------------------------------------------------------- from the action to the screen


def feed(seconds: float) -> float:
    """Milliseconds, the median over what Chromium showed while `FEED_RATE` actions a second were made."""
    from playwright.sync_api import sync_playwright

    with place() as (made, _), sync_playwright() as driver:
        agent, visitor = Agent(made), Visitor(made)
        chromium = shutil.which("chromium") or shutil.which("google-chrome")
        browser = driver.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        try:
            page = browser.new_page()
            link = str(made.control("POST", "/v1/page-link")["url"])
            page.goto(link)
            page.wait_for_selector("#feed")
            page.evaluate(WATCH)
            agent.tell(f"read {FEED_CALLERS} {seconds} {FEED_RATE}")
            asked = int(_while_served(agent, page.wait_for_timeout))
            page.wait_for_timeout(500)
            shown = {int(index): moment / 1000 for index, moment in page.evaluate("() => window.shown").items()}
        finally:
            browser.close()
            agent.close()
            visitor.client.close()
        if asked < FEED_RATE * seconds / 2:
            raise SystemExit(f"only {asked} actions were made in {seconds} s")
        return statistics.median(_delays(made, shown)) * 1000


def _while_served(agent: Agent, wait: Callable[[float], None]) -> str:
    """What the agent says; meanwhile the browser's events are served."""
    import threading

    said: list[str] = []
    listening = threading.Thread(target=lambda: said.append(agent.said()))
    listening.start()
    while listening.is_alive():
        wait(50)
    return said[0]


def _delays(made: Place, shown: dict[int, float]) -> list[float]:
    """Seconds from an action's entry to its frame."""
    found = []
    for first in range(min(shown) - 1, max(shown), 1000):
        entries = made.control("GET", f"/v1/entries?after={first}&limit=1000")["entries"]
        assert isinstance(entries, list)
        found += [
            shown[entry["index"]] - datetime.fromisoformat(entry["at"]).timestamp()
            for entry in entries
            if entry["kind"] == "action.allowed" and entry["index"] in shown
        ]
    return found


# ---------------------------------------------------------------- every page


def pages(rounds: int, entries: int, pending: int) -> tuple[float, str]:
    """Milliseconds: the 95th percentile over every page, `rounds` times each; and which page was the slowest."""

    def prepare(path: Path) -> None:
        asyncio.run(_filled(path, entries))

    with place(prepare=prepare) as (made, _):
        agent, visitor = Agent(made, on_hold="fail"), Visitor(made)
        agent.tell(f"posts {pending}")
        if agent.said() != str(pending):
            raise SystemExit("not every call was held")
        took: dict[str, list[float]] = {}
        for _ in range(rounds):
            for each in PAGES:
                begun = time.perf_counter()
                visitor.page(each.PAGE.path)
                took.setdefault(each.PAGE.name, []).append(time.perf_counter() - begun)
        agent.close()
        visitor.client.close()
        every = sorted(moment for found in took.values() for moment in found)
        slowest = max(took, key=lambda name: statistics.median(took[name]))
        return every[int(len(every) * 0.95)] * 1000, slowest


async def _filled(path: Path, entries: int) -> None:
    store = await SqliteStore.open(path)
    try:
        await fill(store, entries=entries, pending=0)
    finally:
        await store.close()


# ---------------------------------------------------------------- all


def measure(*, quick: bool, cases: Path) -> Sequence[Result]:
    """Everything. `quick` takes fewer clicks, a shorter feed, and a smaller log with fewer questions."""
    rounds = 8 if quick else 40
    results = [Result(name="decision_to_byte_p50_ms", value=decision(rounds), unit="ms")]
    with PostgresServer() as server:
        there = decision(rounds, server.database("console"))
    results.append(Result(name="decision_to_byte_postgres_p50_ms", value=there, unit="ms"))
    results.append(Result(name="feed_latency_p50_ms", value=feed(3 if quick else 15), unit="ms"))
    slow, _ = pages(3 if quick else 15, ENTRIES // 50 if quick else ENTRIES, PENDING // 5 if quick else PENDING)
    results.append(Result(name="page_p95_ms", value=slow, unit="ms"))
    if cases.exists():
        results += questions.measure(cases)
    else:
        print(f"no questions measured: there is no {cases} (--cases DIR)", file=sys.stderr)
    return results


def main() -> None:
    """`python -m bench.console [--quick] [--json]`."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="under 45 seconds")
    parser.add_argument("--json", action="store_true", help="print JSON")
    parser.add_argument("--cases", type=Path, default=CASES_BESIDE, help=f"the folder with {questions.CASES}")
    chosen = parser.parse_args()
    with suppress(BrokenPipeError):
        emit(measure(quick=chosen.quick, cases=chosen.cases / questions.CASES), chosen.json)


if __name__ == "__main__":
    main()
