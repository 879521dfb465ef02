"""Standing grants on the page Approvals: what is offered, shown whole before it is given, listed and taken back."""

from __future__ import annotations

import hashlib
from typing import cast

from starlette.responses import Response
from starlette.routing import Route

from comptroller.core.errors import ComptrollerError, UsageError
from comptroller.core.role import Right
from comptroller.core.standing import COUNT_MAX
from comptroller.server.console.app import Console, Visit
from comptroller.server.console.form import Form
from comptroller.server.console.page import Page
from comptroller.server.neutral import neutral
from comptroller.server.render import Json
from comptroller.server.standing import StandingOperations, Wish

COUNT_OFFERED = 20
OFFERS_SHOWN_MAX = 5
LISTED_MAX = 200


def routes(console: Console, page: Page) -> list[Route]:
    """Below `page`, before its own routes: they would take `standing` for the id of a question."""
    return [
        console.get(page, "standing", show),
        console.post(page, "standing/{id}/revoke", revoke, right=Right.ANSWER),
        console.get(page, "{id}/standing", proposal, right=Right.ANSWER),
        console.post(page, "{id}/standing", grant, right=Right.ANSWER),
    ]


async def show(visit: Visit) -> Response:
    """Those in force, and with `all=yes` those that are over."""
    every = visit.query("all") == "yes"
    items = cast(list[Json], (await _of(visit).listed(every=every))["standing"])
    values = {"items": items[-LISTED_MAX:][::-1], "more": max(0, len(items) - LISTED_MAX), "every": every}
    return await visit.show("standing", {**values, "offers": await offered(visit)})


async def offered(visit: Visit) -> list[Json]:
    """What the visitor said yes to so often that one yes may do, each as it would be granted; none that they have."""
    if not visit.may(Right.ANSWER):
        return []
    now = visit.console.desk.clock.now()
    given = [item for item in await visit.console.desk.standing.listed() if item.open_at(now)]
    offers = cast(list[Json], (await _of(visit).offered(visit.caller))["offers"])
    new = [
        offer
        for offer in offers
        if not any(item.pattern.key == offer["like"] and item.run in ("", offer["run"]) for item in given)
    ]
    for offer in new[:OFFERS_SHOWN_MAX]:
        offer["shown"], offer["why"] = await _preview(visit, str(offer["approval"]), Wish(count=COUNT_OFFERED))
    return new[:OFFERS_SHOWN_MAX]


async def proposal(visit: Visit) -> Response:
    """One grant as it would be given, to be read before it is; its terms are in the address."""
    approval = await visit.console.operations.find_approval(visit.part("id"))
    (asked,) = await visit.console.operations.approval_rows(visit.caller, [approval])
    query = visit.request.query_params
    typed = {name: visit.query(name).strip()[:64] for name in ("usd", "until")}
    count = visit.query("count", str(COUNT_OFFERED)).strip()
    values: dict[str, object] = {"a": asked, "count": count[:8], **typed, "every_run": query.get("every_run") == "yes"}
    values["include"] = tuple(query.getlist("include"))[:8]
    shown: Json | None = None
    try:
        wish = _wish(count, typed["usd"], typed["until"], visit.query("every_run"), query.getlist("include"))
    except UsageError as error:
        why = error.message
    else:
        shown, why = await _preview(visit, approval.id, wish)
    return await visit.show("standing_proposal", {**values, "shown": shown, "why": why, "read": _read(shown)})


async def grant(visit: Visit) -> Response:
    """Give what was read: another grant than that is refused."""
    form = await visit.form()
    identifier = visit.part("id")

    async def act() -> str:
        if not form.ticked("sure"):
            raise UsageError("nothing is granted: tick that you read it")
        wish = _wished(form)
        shown = await _of(visit).preview(visit.caller, identifier, wish)
        if _read(shown) != form.text("read"):
            raise UsageError("the grant would not be the one that was shown", hint="read it again, then grant it")
        done = await _of(visit).grant(visit.caller, identifier, wish, sentence=str(shown["sentence"]))
        return f"Granted: {neutral(str(done['sentence']))}"

    return await visit.done(act(), back="approvals/standing")


async def revoke(visit: Visit) -> Response:
    """Take one back."""
    form = await visit.form()

    async def act() -> str:
        done = await _of(visit).revoke(visit.caller, visit.part("id"), reason=form.text("reason"))
        return f"Taken back after {done['used']} of {done['count']}: {neutral(str(done['sentence']))}"

    return await visit.done(act(), back="approvals/standing")


def _of(visit: Visit) -> StandingOperations:
    return StandingOperations(operations=visit.console.operations)


async def _preview(visit: Visit, approval: str, wish: Wish) -> tuple[Json | None, str]:
    """The grant, or why there is none."""
    try:
        return await _of(visit).preview(visit.caller, approval, wish), ""
    except ComptrollerError as error:
        return None, error.message


def _wished(form: Form) -> Wish:
    return _wish(form.text("count"), form.text("usd"), form.text("until"), form.text("every_run"), form.many("include"))


def _wish(count: str, usd: str, until: str, every_run: str, include: list[str] | tuple[str, ...]) -> Wish:
    if not (count.isascii() and count.isdigit() and len(count) < 6 and 1 <= int(count) <= COUNT_MAX):
        raise UsageError(f"how many: 1 to {COUNT_MAX}")
    return Wish(
        count=int(count),
        usd=usd.strip() or None,
        until=until.strip(),
        every_run=every_run == "yes",
        include=tuple(include)[:8],
    )


def _read(shown: Json | None) -> str:
    """What stands for the sentence in the form: its text is an agent's in part, and a form may change line ends."""
    return hashlib.sha256(str(shown["sentence"]).encode()).hexdigest() if shown is not None else ""
