"""Holdings: what agents brought about that still lives, what it costs, and how to end it."""

from __future__ import annotations

from datetime import datetime
from typing import cast

from starlette.responses import Response
from starlette.routing import Route

from comptroller.core.errors import UsageError
from comptroller.core.holding import HoldingState
from comptroller.core.role import Right
from comptroller.server import words
from comptroller.server.console.app import Console, Visit, demand
from comptroller.server.console.page import Page
from comptroller.server.neutral import neutral, neutral_name
from comptroller.server.render import Json

PAGE = Page(name="holdings", path="holdings", title="Holdings", right=Right.READ, order=40, key="h")

SHOWN_MAX = 40
DRIFT_SHOWN_MAX = 50
TONES = {
    HoldingState.LIVE: "good",
    HoldingState.MARKED: "bad",
    HoldingState.STOPPING: "wait",
    HoldingState.STOPPED: "wait",
}
STOPPABLE = frozenset({HoldingState.LIVE, HoldingState.MARKED, HoldingState.STOPPING})


def routes(console: Console) -> list[Route]:
    """The page, and what may be done with a holding."""
    return [
        console.get(PAGE, "", show),
        console.get(PAGE, "drift", drift, right=Right.OPERATE),
        console.post(PAGE, "adopt", adopt, right=Right.OPERATE),
        console.post(PAGE, "{id}/stop", stop, right=Right.STOP),
        console.post(PAGE, "{id}/delete", delete, right=Right.OPERATE),
        console.post(PAGE, "{id}/forget", forget, right=Right.OPERATE),
    ]


async def show(visit: Visit) -> Response:
    """The whole page."""
    return await _page(visit, None)


async def drift(visit: Visit) -> Response:
    """The same, after every provider was asked what is there."""
    found = cast(list[Json], (await visit.console.operations.drift())["drift"])
    shown = [{name: neutral(str(value), chars_max=200) for name, value in each.items()} for each in found]
    return await _page(visit, shown[:DRIFT_SHOWN_MAX])


async def _page(visit: Visit, drifted: list[dict[str, str]] | None) -> Response:
    every = visit.query("all") == "yes"
    whole = await visit.console.operations.holdings(every=every)
    items = cast(list[Json], whole["holdings"])
    items.sort(key=lambda item: (-cast(int, item["usd_micros_per_hour"] or 0), str(item["opened_at"])))
    page = max(0, int(number)) if (number := visit.query("page", "0")).isdigit() and len(number) < 7 else 0
    here = items[page * SHOWN_MAX : (page + 1) * SHOWN_MAX]
    now = visit.console.desk.clock.now()
    return await visit.show(
        "holdings",
        {
            "every": every,
            "items": [{**item, **_said(item), "left": _left(item, now)} for item in here],
            "count": len(items),
            "number": page,
            "newer": page > 0,
            "older": (page + 1) * SHOWN_MAX < len(items),
            "burn": {
                "hour": whole["usd_micros_per_hour"],
                "month": whole["usd_micros_per_30_days"],
                "unknown": whole["rate_unknown"],
                "lasts": [
                    {**each, "says": words.seconds_text(float(str(each["hours"])) * 3600)}
                    for each in cast(list[Json], whole["lasts"])[:4]
                ],
            },
            "agents": sorted(visit.console.desk.config.agents),
            "drift": drifted,
        },
    )


def _said(item: Json) -> Json:
    state = HoldingState(str(item["state"]))
    return {
        "tone": TONES.get(state, ""),
        "stoppable": state in STOPPABLE,
        "there": state not in (HoldingState.CLOSED, HoldingState.FORGOTTEN),
    }


def _left(item: Json, now: datetime) -> str:
    until = item["paid_until"]
    if not until:
        return "no term"
    left = words.time_left(until, now)
    return f"paid for {words.seconds_text(left)} more" if left > 0 else "its term is over"


async def stop(visit: Visit) -> Response:
    """Ask its provider to stop it."""
    return await _end(visit, delete=False)


async def delete(visit: Visit) -> Response:
    """Ask its provider to delete it."""
    return await _end(visit, delete=True)


async def _end(visit: Visit, *, delete: bool) -> Response:
    form = await visit.form()

    async def act() -> str:
        _sure(form.ticked("sure"))
        done = await visit.console.operations.stop_holding(
            visit.caller, visit.part("id"), reason=_reason(form.text("reason")), delete=delete
        )
        return f"{'Deleting' if delete else 'Stopping'}: {_name(done)} (now {done['state']})"

    return await visit.done(act(), back=PAGE.path)


async def forget(visit: Visit) -> Response:
    """Take it off the books."""
    form = await visit.form()

    async def act() -> str:
        _sure(form.ticked("sure"))
        done = await visit.console.operations.forget_holding(visit.caller, visit.part("id"), reason=form.text("reason"))
        return f"Off the books: {_name(done)}. Nobody here stops it or pays for it any longer"

    return await visit.done(act(), back=PAGE.path)


async def adopt(visit: Visit) -> Response:
    """Put something on the books that lives and that nobody here knows of."""
    form = await visit.form()

    async def act() -> str:
        demand(visit, Right.OPERATE)
        done = await visit.console.operations.adopt_holding(
            visit.caller,
            kind=form.text("kind").strip(),
            resource=form.text("resource").strip(),
            agent=form.text("agent"),
            account=form.text("account").strip(),
            region=form.text("region").strip(),
            endpoint=form.text("endpoint").strip(),
            reason=form.text("reason"),
        )
        return f"On the books: {_name(done)}"

    return await visit.done(act(), back=PAGE.path)


def _name(item: Json) -> str:
    return f"{neutral_name(item['kind'])} {neutral_name(item['resource'] or item['id'])}"


def _sure(ticked: bool) -> None:
    if not ticked:
        raise UsageError("nothing was done: tick the box that says what will happen")


def _reason(text: str) -> str:
    if not text.strip():
        raise UsageError("this needs a reason: it is written down")
    return text
