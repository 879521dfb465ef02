"""Approvals: the questions that wait, and the answers."""

from __future__ import annotations

from typing import cast

from starlette.responses import Response
from starlette.routing import Route

from comptroller.core.approval import ApprovalState
from comptroller.core.errors import UsageError
from comptroller.core.role import Right
from comptroller.server import words
from comptroller.server.console.app import Console, Visit
from comptroller.server.console.page import Page
from comptroller.server.neutral import neutral
from comptroller.server.render import Json

PAGE = Page(name="approvals", path="approvals", title="Approvals", right=Right.READ, order=20, key="a")


def routes(console: Console) -> list[Route]:
    """The page, its parts, and the answers."""
    return [
        console.get(PAGE, "", show),
        console.get(PAGE, "pending", pending),
        console.post(PAGE, "{id}/{verb}", answer, right=Right.ANSWER),
    ]


async def show(visit: Visit) -> Response:
    """The whole page."""
    return await visit.show("approvals", await _pending(visit))


async def pending(visit: Visit) -> Response:
    """The cards alone."""
    return visit.fragment("approvals_pending", await _pending(visit))


async def answer(visit: Visit) -> Response:
    """Approve or reject."""
    form = await visit.form()
    identifier, verb = visit.part("id"), visit.part("verb")
    operations = visit.console.operations

    async def act() -> str:
        if verb == "approve":
            ceiling = form.text("ceiling").strip() or None
            done = await operations.approve(visit.caller, identifier, ceiling_usd=ceiling, comment=form.text("comment"))
            if done["state"] == ApprovalState.PENDING:
                return f"Your yes counts; more people are needed: {neutral(done['sentence'])}"
            return f"Approved, for exactly this and once: {neutral(done['sentence'])}"
        if verb == "reject":
            done = await operations.reject(visit.caller, identifier, comment=form.text("comment"))
            return f"Rejected: {neutral(done['sentence'])}"
        raise UsageError("there is nothing to answer in this way")

    return await visit.done(act(), back="approvals")


async def _pending(visit: Visit) -> dict[str, object]:
    now = visit.console.desk.clock.now()
    found = cast(
        list[Json], (await visit.console.operations.approvals(visit.caller, ApprovalState.PENDING))["approvals"]
    )
    for item in found:
        item["seconds_left"] = int(words.time_left(item["expires_at"], now))
        item["left_text"] = words.seconds_text(words.time_left(item["expires_at"], now))
    return {"pending": list(reversed(found))}
