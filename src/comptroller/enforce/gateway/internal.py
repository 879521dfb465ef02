"""http://comptroller.internal/ inside the box: what is left of the budget, and what became of the run's questions."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass

from comptroller.core.approval import Approval, ApprovalState, GrantState
from comptroller.core.budget import BudgetState
from comptroller.core.request import Header, NativeResponse

APPROVALS_SHOWN_MAX = 100

_NEXT = {
    ApprovalState.PENDING: "wait: a person has been asked; issue the same request again later",
    ApprovalState.REJECTED: "do not repeat this request; choose another way or report back",
    ApprovalState.EXPIRED: "nobody answered in time; issue the same request again to ask anew",
    ApprovalState.WITHDRAWN: "this question no longer stands; issue the request again to ask anew",
}
_NEXT_GRANTED = {
    GrantState.UNUSED: "issue exactly the same request again: it passes once",
    GrantState.USED: "nothing: the approved request was sent",
    GrantState.EXPIRED: "the yes has expired; issue the same request again to ask anew",
    GrantState.REVOKED: "the yes was taken back; report to the person you work for",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Internal:
    """What a run may know of itself; both take the run's id and must return only what belongs to it."""

    budgets: Callable[[str], Awaitable[Sequence[BudgetState]]]
    approvals: Callable[[str], Awaitable[Sequence[Approval]]]

    async def answer(self, run: str, method: str, target: str) -> NativeResponse:
        """The answer to one request. Read-only: anything but GET and HEAD is refused."""
        if method not in ("GET", "HEAD"):
            return _json(405, {"error": "read-only: use GET"}, Header("allow", "GET, HEAD"))
        path = target.partition("?")[0]
        document: dict[str, object] = {"run": run}
        if path in ("/", "/budget"):
            document["budget"] = [_budget(state) for state in await self.budgets(run)]
        if path in ("/", "/approvals"):
            own = [approval for approval in await self.approvals(run) if approval.run == run]
            document["approvals"] = [_approval(approval) for approval in own[:APPROVALS_SHOWN_MAX]]
        if len(document) == 1:
            return _json(404, {"error": "there are `/`, `/budget` and `/approvals`"})
        return _json(200, document)


def _budget(state: BudgetState) -> Mapping[str, object]:
    return {
        "scope": state.budget.scope,
        "unit": state.budget.unit.value,
        "window": state.budget.window.value,
        "limit": state.budget.limit,
        "left": max(0, state.room),
    }


def _approval(approval: Approval) -> Mapping[str, object]:
    granted = approval.state is ApprovalState.APPROVED
    following = _NEXT_GRANTED.get(approval.grant, "") if granted else _NEXT.get(approval.state, "")
    return {
        "id": approval.id,
        "sentence": approval.sentence,
        "state": approval.state.value,
        "grant": approval.grant.value,
        "asked_at": approval.asked_at.isoformat(),
        "expires_at": approval.expires_at.isoformat(),
        "next": following,
    }


def _json(status: int, document: Mapping[str, object], *headers: Header) -> NativeResponse:
    body = (json.dumps(document, indent=1, ensure_ascii=True) + "\n").encode("ascii")
    return NativeResponse(status=status, headers=(Header("content-type", "application/json"), *headers), body=body)
