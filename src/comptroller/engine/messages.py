"""What an agent is told: why, by which rules, and what to do next. Never names what a person could add to a policy."""

from __future__ import annotations

from comptroller.core.approval import Approval
from comptroller.core.verdict import Conflict, Verdict, VerdictKind

NEXT_STEP = {
    Conflict.FROZEN.value: "stop and report to the person you work for: this run is stopped",
    Conflict.REJECTED.value: "do not repeat this request; choose another way or report back",
    Conflict.NARROWED.value: "issue the request again with exactly these changes: it passes where it is approved",
    Conflict.BUDGET_EXCEEDED.value: "ask for less, or state a limit (max_tokens), or report that the budget is short",
    "too_many_questions": "stop and report to the person you work for: ask for less, and only what is needed",
    "withdrawn": "do not wait for it; ask again only where it is still needed",
    "store_lost": "nothing passes until a person has mended it; wait, or report back",
    "no_budget": "report that no budget is set for this",
    "no_credential": "report that no credential is configured for this service",
    "undecodable": "send the request in its plain documented form",
}
DEFAULT_STEP = "this is outside what this agent may do; choose another way or report back"


def refusal(verdict: Verdict, approval: Approval | None) -> str:
    """The full text for the agent: one line, plain words."""
    rules = f" [{', '.join(verdict.rules)}]" if verdict.rules else ""
    reasons = "; ".join(dict.fromkeys(reason.text for reason in verdict.reasons)) or "no rule permits it"
    if verdict.kind is VerdictKind.REQUIRE_APPROVAL and approval is not None:
        return (
            f"comptroller: held for approval {approval.id}{rules}: {reasons}. "
            "Next: issue the same request again later; it passes once a person has approved it. "
            "See http://comptroller.internal/"
        )
    step = next((NEXT_STEP[reason.code] for reason in verdict.reasons if reason.code in NEXT_STEP), DEFAULT_STEP)
    return f"comptroller: denied{rules}: {reasons}. Next: {step}."
