"""Now: what agents do at this moment, what it costs, and how to stop it."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import cast

from starlette.responses import Response
from starlette.routing import Route

from comptroller.core.action import ActionClass
from comptroller.core.audit import EntryKind
from comptroller.core.brake import BrakeState
from comptroller.core.errors import UsageError
from comptroller.core.role import Right
from comptroller.server import words
from comptroller.server.beside import Sight, for_watching
from comptroller.server.console.app import BRAKES_SHOWN_MAX, Console, Visit
from comptroller.server.console.feed import Filter, shown_of
from comptroller.server.console.page import Page
from comptroller.server.neutral import neutral_name
from comptroller.server.operations import BrakeVerb, NotFoundError
from comptroller.server.render import Json, entry_json

FEED_SHOWN_MAX = 60
FEED_LOOKED_AT_MAX = 1_000
RUNS_SHOWN_MAX = 12
BUDGETS_SHOWN_MAX = 24
RUN_DEPTH = 3
CLASSES = tuple(sorted(ActionClass))
KINDS = tuple(sorted({kind.value.partition(".")[0] for kind in EntryKind}))

PAGE = Page(name="now", path="", title="Now", right=Right.READ, order=10, key="n")


def routes(console: Console) -> list[Route]:
    """The page, its parts, one entry, and the brakes."""
    return [
        console.get(PAGE, "", show),
        console.get(PAGE, "now/figures", figures),
        console.get(PAGE, "now/runs", runs),
        console.get(PAGE, "now/budgets", budgets),
        console.get(PAGE, "now/brakes", brakes),
        console.get(PAGE, "now/entry/{index:int}", entry),
        console.post(PAGE, "brake/{verb}", brake, right=Right.STOP),
        console.post(PAGE, "thaw", thaw, right=Right.OPERATE),
    ]


async def show(visit: Visit) -> Response:
    """The whole page."""
    wanted = {name: visit.query(name)[:64] for name in ("agent", "run", "kind", "class")}
    values = {
        **await _figures(visit),
        **await _runs(visit),
        **await _budgets(visit),
        "lines": await _lines(visit, wanted),
        "wanted": wanted,
        "agents": sorted(visit.console.desk.config.agents),
        "classes": CLASSES,
        "kinds": KINDS,
    }
    return await visit.show("now", values)


async def figures(visit: Visit) -> Response:
    """The row of figures."""
    return visit.fragment("now_figures", await _figures(visit))


async def runs(visit: Visit) -> Response:
    """Those that are active."""
    return visit.fragment("now_runs", await _runs(visit))


async def budgets(visit: Visit) -> Response:
    """What is left of each."""
    return visit.fragment("now_budgets", await _budgets(visit))


async def brakes(visit: Visit) -> Response:
    """The banner over every page."""
    found = [each for each in await visit.console.desk.store.brakes() if each.state is not BrakeState.FREE]
    more = max(0, len(found) - BRAKES_SHOWN_MAX)
    return visit.fragment("brakes", {"brakes": found[:BRAKES_SHOWN_MAX], "brakes_more": more})


async def entry(visit: Visit) -> Response:
    """One entry as it stands in the log, in words and whole."""
    index = int(visit.part("index"))
    found = await visit.console.desk.store.entries_at([index])
    if not found:
        raise NotFoundError(f"there is no entry {index} in this store", hint="it may be archived")
    row, private = found[0]
    document = entry_json(row, await Sight(visit.console.desk, visit.caller).seen(row, private))
    whole = json.dumps({key: document[key] for key in ("body", "beside")}, indent=2, ensure_ascii=True)
    return visit.fragment("now_entry", {"line": words.entry_line(document), "kind": document["kind"], "whole": whole})


async def brake(visit: Visit) -> Response:
    """Freeze or kill; thawing takes another right, which the operation demands."""
    return await _brake(visit, visit.part("verb"))


async def thaw(visit: Visit) -> Response:
    """Let it go on, for an operator who may not stop."""
    return await _brake(visit, "thaw")


async def _brake(visit: Visit, verb: str) -> Response:
    form = await visit.form()

    async def act() -> str:
        if verb not in ("freeze", "thaw", "kill"):
            raise UsageError("a brake can freeze, thaw or kill")
        done = await visit.console.operations.brake(
            visit.caller, cast(BrakeVerb, verb), form.text("scope"), reason=form.text("reason")
        )
        told = {"freeze": "Frozen", "thaw": "Thawed", "kill": "Killed"}[verb]
        return f"{told}: {neutral_name(done['scope'])}"

    return await visit.done(act())


# ---------------------------------------------------------------- what is shown


async def _figures(visit: Visit) -> dict[str, object]:
    operations = visit.console.operations
    held = await operations.holdings()
    active = [run for run in await operations.desk.store.runs() if run.state.value == "active"]
    lasts = cast(list[Json], held["lasts"])
    return {
        "running": len(active),
        "waiting": await visit.console.pending(),
        "burn": held["usd_micros_per_hour"],
        "burn_month": held["usd_micros_per_30_days"],
        "burn_unknown": held["rate_unknown"],
        "lasts": lasts[0] if lasts else None,
        "holdings": len(cast(list[Json], held["holdings"])),
        "entries": await operations.desk.store.size(),
    }


async def _runs(visit: Visit) -> dict[str, object]:
    found = cast(list[Json], (await visit.console.operations.runs())["runs"])
    active = [run for run in found if run["state"] == "active"]
    rows = await _budget_rows(visit)
    for run in active[:RUNS_SHOWN_MAX]:
        run["budgets"] = [row for row in rows if row["scope"] == run["path"] and row["unit"] != "calls"][:3]
    return {
        "runs": active[:RUNS_SHOWN_MAX],
        "runs_more": max(0, len(active) - RUNS_SHOWN_MAX),
        "ended": len(found) - len(active),
    }


async def _budgets(visit: Visit) -> dict[str, object]:
    rows = [row for row in await _budget_rows(visit) if cast(int, row["depth"]) < RUN_DEPTH]
    return {"budgets": rows[:BUDGETS_SHOWN_MAX], "budgets_more": max(0, len(rows) - BUDGETS_SHOWN_MAX)}


async def _budget_rows(visit: Visit) -> list[Json]:
    return [bar(row) for row in cast(list[Json], (await visit.console.operations.budgets())["budgets"])]


async def _lines(visit: Visit, wanted: dict[str, str]) -> Sequence[words.Line]:
    """The newest lines that fit, newest first; where filters leave few, the newest thousand entries are looked at."""
    chosen = Filter(agent=wanted["agent"], run=wanted["run"], kind=wanted["kind"], classed=wanted["class"])
    count = FEED_LOOKED_AT_MAX if any(wanted.values()) else FEED_SHOWN_MAX
    store = visit.console.desk.store
    end = await store.size()
    rows = await store.entries_at(range(max(0, end - count), end))
    entries = [entry_json(row, for_watching(private)) for row, private in rows]
    fitting = [each for each in reversed(entries) if chosen.wants(shown_of(each))]
    return [words.entry_line(each) for each in fitting[:FEED_SHOWN_MAX]]


def bar(row: Json) -> Json:
    """A budget with the widths of its bar in per mille."""
    limit = cast(int, row["limit"])
    settled, room = cast(int, row["settled"]), cast(int, row["room"])
    held = cast(int, row["dispatched"]) + cast(int, row["reserved"]) + cast(int, row["suspense"])
    whole = max(limit, settled + held, 1)
    return {
        **row,
        "held": held,
        "settled_width": settled * 1000 // whole,
        "held_width": -(-held * 1000 // whole),
        "tight": room * 10 < limit,
    }
