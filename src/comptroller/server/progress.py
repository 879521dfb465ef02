"""How far a question is answered and who may answer it now: as JSON for scripts, and as one line for people."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta

from comptroller.core.approval import Approval, ApprovalState, Person, check_may_answer
from comptroller.core.errors import ConflictError
from comptroller.core.verdict import EXPIRES_SECONDS_DEFAULT, Obligation
from comptroller.core.vote import Hat, groups_open

Json = dict[str, object]


def moment_text(moment: datetime | None) -> str | None:
    """RFC 3339 in UTC, to the second."""
    if moment is None:
        return None
    return moment.astimezone(UTC).replace(microsecond=0).isoformat().replace("+00:00", "Z")


def rule_json(approval: Approval, obligation: Obligation, now: datetime) -> Json:
    """One rule that asks: its stages with what was answered, and what it demands besides."""
    standing = approval.standing(obligation)
    return {
        "rule": obligation.rule,
        "reason": obligation.reason,
        "approvers": obligation.approvers,
        "quorum": obligation.quorum,
        "exclude": sorted(obligation.exclude),
        "ttl_seconds": obligation.ttl_seconds,
        "met": standing.full,
        "assurance": obligation.assurance,
        "delay_seconds": obligation.delay_seconds,
        "expires_seconds": obligation.expires_seconds,
        "stage": min(standing.stage + 1, len(obligation.asked)),
        "stages": [
            {
                "group": stage.group,
                "quorum": stage.quorum,
                "votes": [vote.by for vote in votes],
                "met": number < standing.stage,
                "open": number == standing.stage,
            }
            for number, (stage, votes) in enumerate(zip(obligation.asked, standing.stages, strict=True))
        ],
        "groups_open": sorted(groups_open(obligation, standing.stage, approval.asked_at, now)),
        "escalations": [
            {
                "group": late.group,
                "at": moment_text(at := approval.asked_at + timedelta(seconds=late.after_seconds)),
                "due": now >= at,
            }
            for late in obligation.escalations
        ],
    }


def answering_json(
    approval: Approval, person: Person, now: datetime, hats: Sequence[Hat], people: Mapping[str, frozenset[str]]
) -> Json:
    """Who may answer, and what `person` may do. `people` are the configured ones with their groups."""
    is_open = approval.state is ApprovalState.PENDING and now < approval.expires_at
    groups = approval.groups_open(now) if is_open else frozenset()
    said = {vote.person for vote in approval.votes} | approval.excluded
    demanded = [o.assurance for o in approval.obligations if o.assurance and not approval.standing(o).full]
    return {
        "progress": progress_text(approval),
        "assurance": demanded[0] if demanded else "",
        "answerable_by": [
            {"group": group, "people": sorted(n for n, theirs in people.items() if group in theirs and n not in said)}
            for group in sorted(groups)
        ],
        "excluded": sorted(approval.excluded - {approval.agent}),
        "answered_already": any(vote.person == person.name for vote in approval.votes),
        "stands_for": [hat.stands_for for hat in hats if hat.groups & groups],
        "obstacle": _obstacle(approval, person, now, hats),
        "delayed": approval.delayed(now),
        "delay_seconds": approval.delay_seconds,
        "usable_at": moment_text(approval.usable_at),
        "self_approved": approval.self_approved,
        "requester": approval.requester,
        "author": approval.author,
        "taken_back_by": approval.taken_back_by,
        "taken_back_at": moment_text(approval.taken_back_at),
        "taken_back_why": approval.taken_back_why,
    }


def progress_text(approval: Approval) -> str:
    """`1 of 2 from finance; waiting for stage 2 of 2`: of each rule that is not answered yet."""
    parts = []
    for obligation in approval.obligations:
        standing = approval.standing(obligation)
        if standing.full:
            continue
        stage = obligation.asked[standing.stage]
        text = f"{len(standing.stages[standing.stage])} of {stage.quorum} from {stage.group}"
        if len(obligation.asked) > 1:
            text += f"; waiting for stage {standing.stage + 1} of {len(obligation.asked)}"
        parts.append(text)
    return ", ".join(dict.fromkeys(parts))


def _obstacle(approval: Approval, person: Person, now: datetime, hats: Sequence[Hat]) -> str:
    """Why `person` may not answer now; empty where they may."""
    try:
        check_may_answer(approval, person, now, hats)
    except ConflictError as error:
        return error.message
    return ""


def asked_text(obligation: Obligation) -> str:
    """`one of group finance, not the agent; signed with a passkey`: whom a rule asks, and how."""
    stages = [f"{'one' if stage.quorum == 1 else stage.quorum} of group {stage.group}" for stage in obligation.asked]
    parts = [f"{', then '.join(stages)}, not the {' nor '.join(sorted(obligation.exclude))}"]
    if obligation.assurance:
        parts.append("signed with a passkey")
    parts += [f"after {_length(late.after_seconds)} group {late.group} too" for late in obligation.escalations]
    if obligation.delay_seconds:
        parts.append(f"holds {_length(obligation.delay_seconds)} after the yes")
    if obligation.expires_seconds != EXPIRES_SECONDS_DEFAULT:
        parts.append(f"open for {_length(obligation.expires_seconds)}")
    return "; ".join(parts)


def _length(seconds: int) -> str:
    for unit, size in (("d", 86_400), ("h", 3_600), ("min", 60)):
        if seconds % size == 0:
            return f"{seconds // size} {unit}"
    return f"{seconds} s"
