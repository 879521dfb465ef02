"""Now: what agents do at this moment, what it costs, and how to stop it."""

from __future__ import annotations

from typing import cast

from starlette.responses import Response
from starlette.routing import Route

from comptroller.core.brake import BrakeState
from comptroller.core.errors import UsageError
from comptroller.core.role import Right
from comptroller.server import words
from comptroller.server.console.app import BRAKES_SHOWN_MAX, Console, Visit
from comptroller.server.console.page import Page
from comptroller.server.neutral import neutral_name
from comptroller.server.operations import BrakeVerb
from comptroller.server.render import Json

RECENT_SHOWN_MAX = 60
RUNS_SHOWN_MAX = 20

PAGE = Page(name="now", path="", title="Now", right=Right.READ, order=10, key="n")


def routes(console: Console) -> list[Route]:
    """The page, its parts, and the brakes."""
    return [
        console.get(PAGE, "", show),
        console.get(PAGE, "now/runs", runs),
        console.get(PAGE, "now/budgets", budgets),
        console.get(PAGE, "now/brakes", brakes),
        console.post(PAGE, "brake/{verb}", brake, right=Right.STOP),
    ]


async def show(visit: Visit) -> Response:
    """The whole page."""
    lines = [words.entry_line(entry) for entry in await visit.console.operations.recent(count=RECENT_SHOWN_MAX)]
    return await visit.show("now", {**await _runs(visit), **await _budgets(visit), "lines": lines})


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


async def brake(visit: Visit) -> Response:
    """Freeze, thaw or kill."""
    form = await visit.form()
    verb = visit.part("verb")

    async def act() -> str:
        if verb not in ("freeze", "thaw", "kill"):
            raise UsageError("a brake can freeze, thaw or kill")
        done = await visit.console.operations.brake(
            visit.caller, cast(BrakeVerb, verb), form.text("scope"), reason=form.text("reason")
        )
        told = {"freeze": "Frozen", "thaw": "Thawed", "kill": "Killed"}[verb]
        return f"{told}: {neutral_name(done['scope'])}"

    return await visit.done(act())


async def _runs(visit: Visit) -> dict[str, object]:
    found = cast(list[Json], (await visit.console.operations.runs())["runs"])
    active = [run for run in found if run["state"] == "active"]
    return {"runs": active[:RUNS_SHOWN_MAX], "ended": len(found) - len(active)}


async def _budgets(visit: Visit) -> dict[str, object]:
    rows = cast(list[Json], (await visit.console.operations.budgets())["budgets"])
    return {"budgets": [bar(row) for row in rows]}


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
