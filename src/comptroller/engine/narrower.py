"""Narrower: a person's yes to a smaller action. The question ends as a no that names what is approved instead."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from comptroller.core.approval import Approval, ApprovalState, GrantState, check_may_answer, check_pending, with_vote
from comptroller.core.audit import EntryKind
from comptroller.core.errors import ConflictError, UsageError
from comptroller.core.estimate import Unit
from comptroller.core.narrow import NotNarrower, check_narrower
from comptroller.core.secrecy import scrubbed, shown
from comptroller.core.standing import rejected_now
from comptroller.core.verdict import Conflict, VerdictKind
from comptroller.core.vote import Hat, Person
from comptroller.engine.entries import Scribe
from comptroller.engine.gatekeeper import Gatekeeper
from comptroller.engine.hub import Hub
from comptroller.engine.sequencer import Proposal
from comptroller.ports import Changes, Clock, Facts, Ids, Store, Wants


@dataclass(frozen=True, slots=True, kw_only=True)
class Narrower:
    """Lowers what was asked and says yes to that."""

    store: Store
    clock: Clock
    ids: Ids
    scribe: Scribe
    hub: Hub
    gatekeeper: Gatekeeper

    def proposed(self, approval: Approval, changes: Mapping[str, str]) -> Proposal:
        """The smaller action, priced and judged; nothing is recorded. Raises `UsageError` where it is not smaller, and
        `ConflictError` where this server does not hold the action."""
        try:
            found = self.gatekeeper.narrowed(approval, changes)
            if found is None:
                raise ConflictError(
                    "this server does not hold the action any more",
                    kind=Conflict.NOT_FOUND,
                    hint="once the agent has asked again it can be lowered",
                )
            before, after, known = found
            check_narrower(before.action, after.action, before.estimate, after.estimate, known)
        except NotNarrower as error:
            raise UsageError(str(error), hint="comptroller approvals show tells what can be lowered") from error
        if after.boundary.kind is VerdictKind.DENY:
            reasons = "; ".join(reason.text for reason in after.boundary.reasons)
            raise UsageError(f"the rules deny the smaller action: {reasons}")
        return after

    async def narrow(
        self,
        approval_id: str,
        person: Person,
        changes: Mapping[str, str],
        *,
        ceiling_usd_micros: int | None = None,
        comment: str = "",
        hats: Sequence[Hat] = (),
    ) -> Approval:
        """One person's yes to less. Returns the smaller question: approved where nobody else is asked. Raises
        `UsageError` and `ConflictError`."""
        asked = await self.store.approval(approval_id)
        if asked is None:
            raise ConflictError(f"there is no approval `{approval_id}`", kind=Conflict.NOT_FOUND)
        after = self.proposed(asked, changes)
        now, new_id = self.clock.now(), self.ids.new()

        def decide(facts: Facts) -> tuple[Changes, tuple[Approval, Approval]]:
            if facts.approval is None:
                raise ConflictError(f"there is no approval `{approval_id}`", kind=Conflict.NOT_FOUND)
            check_pending(facts.approval, now)
            check_may_answer(facts.approval, person, now, hats)
            if rejected_now(facts.approvals, now):
                raise ConflictError("somebody said no to the smaller action", kind=Conflict.REJECTED)
            smaller = with_vote(
                _smaller(facts.approval, after, new_id, now),
                person,
                now,
                ceiling=ceiling_usd_micros,
                comment=comment,
                hats=hats,
            )
            old = _ended(facts.approval, smaller, changes, person, now, comment)
            older = tuple(each for each in map(_closed, facts.approvals) if each is not None)
            entries = (
                self.scribe.draft(
                    EntryKind.APPROVAL_NARROWED,
                    at=now,
                    agent=old.agent,
                    run=old.run,
                    body={
                        "approval": old.id,
                        "operation": old.operation,
                        "digest": old.digest,
                        "narrowed": smaller.id,
                        "narrowed_digest": smaller.digest,
                        "changed": sorted(changes),
                        "by": person.name,
                        "via": person.via,
                    },
                    private={"comment": comment, "sentence": smaller.sentence, "changes": dict(changes)},
                ),
                self.scribe.draft(
                    EntryKind.APPROVAL_APPROVED
                    if smaller.state is ApprovalState.APPROVED
                    else EntryKind.APPROVAL_VOTED,
                    at=now,
                    agent=smaller.agent,
                    run=smaller.run,
                    body={
                        "approval": smaller.id,
                        "operation": smaller.operation,
                        "digest": smaller.digest,
                        "slice": smaller.slice_hash,
                        "rules": list(smaller.rules),
                        "by": person.name,
                        "via": person.via,
                        "groups": sorted(person.groups),
                        "assurance": person.assurance.value,
                        "self_approved": smaller.self_approved,
                        "ceiling_usd_micros": smaller.ceiling_usd_micros,
                        "grant_expires_at": smaller.grant_expires_at,
                        "narrowed_from": old.id,
                    },
                    private={"comment": comment},
                ),
            )
            return Changes(entries=entries, approvals=(*older, old, smaller)), (old, smaller)

        wants = Wants(now=now, approval=approval_id, digest_of=(after.action.run, after.digest))
        done = await self.store.commit(wants, decide)
        old, smaller = done.result
        for kind, item, index in (
            (EntryKind.APPROVAL_NARROWED, old, done.indices[0]),
            (EntryKind.APPROVAL_APPROVED, smaller, done.indices[1]),
        ):
            self.hub.publish(
                kind.value if item.state is not ApprovalState.PENDING else EntryKind.APPROVAL_VOTED.value,
                {
                    "index": index,
                    "agent": item.agent,
                    "run": item.run,
                    "approval": item.id,
                    "sentence": item.sentence,
                    "by": person.name,
                    "comment": item.comment,
                    "self_approved": item.self_approved,
                },
            )
        return smaller


def _smaller(old: Approval, after: Proposal, new_id: str, now: datetime) -> Approval:
    """The question about the smaller action: whoever was asked before is asked, and whoever it asks by itself."""
    action, estimate = after.action, after.estimate
    obligations = tuple(dict.fromkeys((*after.boundary.obligations, *old.obligations)))
    facts = {
        **old.facts,
        "quantity": action.quantity,
        "resources": [scrubbed(name) for name in action.resources[:20]],
        "parameters": shown(action.parameters, action.sensitive),
        "usd_micros_high": estimate.high(Unit.USD_MICROS),
        "usd_micros_per_hour_high": estimate.high(Unit.USD_MICROS_PER_HOUR),
        "basis": estimate.basis,
        "budget_after": [],
        "like": after.like,
        "narrowed_from": old.id,
    }
    if action.payment is not None and isinstance(paid := old.facts.get("payment"), Mapping):
        facts["payment"] = {**paid, "amount_minor": action.payment.amount_minor}
    return replace(
        old,
        id=new_id,
        digest=after.digest,
        slice_hash=after.boundary.slice_hash,
        obligations=obligations,
        sentence=after.sentence,
        facts=facts,
        asked_at=now,
        votes=(),
        escalated=0,
        ceiling_usd_micros=None,
        price_unknown=estimate.unknown(Unit.USD_MICROS),
        bounds={unit: bound.high for unit, bound in estimate.bounds.items()},
    )


def _ended(
    old: Approval, smaller: Approval, changes: Mapping[str, str], person: Person, now: datetime, comment: str
) -> Approval:
    """The first question, ended: whoever asks the same again is told what was approved instead."""
    told = ", ".join(f"{name}={value}" for name, value in sorted(changes.items()))
    state = "approved instead" if smaller.state is ApprovalState.APPROVED else "asked instead"
    text = f"{state}, as {smaller.id}: {smaller.sentence}; set {told} and change nothing else"
    return replace(
        old,
        state=ApprovalState.REJECTED,
        answered_at=now,
        answered_by=person.name,
        comment=f"{text}. {comment}" if comment else text,
        facts={**old.facts, "narrowed": {"approval": smaller.id, "changes": dict(changes)}},
    )


def _closed(older: Approval) -> Approval | None:
    """What was asked or said about the smaller action before counts no more: one yes releases it, never two."""
    if older.state is ApprovalState.PENDING:
        return replace(older, state=ApprovalState.WITHDRAWN)
    if older.grant is GrantState.UNUSED:
        return replace(older, grant=GrantState.REVOKED)
    return None
