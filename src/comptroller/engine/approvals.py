"""People's answers: each is checked, made durable with its entry, and only then wakes whoever waits."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from comptroller.core.approval import Approval, ApprovalState, GrantState, Person, rejected, with_vote
from comptroller.core.audit import EntryKind
from comptroller.core.errors import ConflictError
from comptroller.core.verdict import Conflict
from comptroller.engine.entries import Scribe
from comptroller.engine.hub import Hub
from comptroller.ports import Changes, Clock, Facts, Store, Wants

COMMENT_LENGTH_MAX = 2000


class Approvals:
    """Approve, reject, expire. Rows change in the store's own transactions; an event is never the truth."""

    def __init__(self, *, store: Store, clock: Clock, scribe: Scribe, hub: Hub) -> None:
        self._store = store
        self._clock = clock
        self._scribe = scribe
        self._hub = hub

    async def approve(
        self, approval_id: str, person: Person, *, ceiling_usd_micros: int | None = None, comment: str = ""
    ) -> Approval:
        """One person's yes. Raises `ConflictError` (kind as in ARCHITECTURE) where it does not count."""
        now = self._clock.now()
        return await self._change(
            approval_id,
            person,
            comment,
            lambda approval: with_vote(
                approval, person, now, ceiling=ceiling_usd_micros, comment=comment[:COMMENT_LENGTH_MAX]
            ),
        )

    async def reject(self, approval_id: str, person: Person, *, comment: str = "") -> Approval:
        """One person's no; the comment is told to the agent. Raises `ConflictError`."""
        now = self._clock.now()
        return await self._change(
            approval_id,
            person,
            comment,
            lambda approval: rejected(approval, person, now, comment=comment[:COMMENT_LENGTH_MAX]),
        )

    async def expire_due(self) -> int:
        """Expire open questions and unused grants whose time is over. Returns how many."""
        now = self._clock.now()
        due = [
            approval
            for approval in (
                *await self._store.approvals(ApprovalState.PENDING),
                *await self._store.approvals(ApprovalState.APPROVED),
            )
            if _expired(approval, now.timestamp()) is not None
        ]
        for approval in due:

            def decide(facts: Facts) -> tuple[Changes, Approval | None]:
                current = facts.approval
                changed = _expired(current, now.timestamp()) if current is not None else None
                if current is None or changed is None:
                    return Changes(), None
                entry = self._scribe.draft(
                    EntryKind.APPROVAL_EXPIRED,
                    at=now,
                    agent=current.agent,
                    run=current.run,
                    body={"approval": current.id, "was": "grant" if current.grant is GrantState.UNUSED else "question"},
                )
                return Changes(entries=(entry,), approvals=(changed,)), changed

            done = await self._store.commit(Wants(now=now, approval=approval.id), decide)
            if done.result is not None:
                self._publish(EntryKind.APPROVAL_EXPIRED, done.result, done.indices[0])
        return len(due)

    async def _change(
        self, approval_id: str, person: Person, comment: str, change: Callable[[Approval], Approval]
    ) -> Approval:
        now = self._clock.now()

        def decide(facts: Facts) -> tuple[Changes, tuple[Approval, EntryKind]]:
            if facts.approval is None:
                raise ConflictError(
                    f"there is no approval `{approval_id}`",
                    kind=Conflict.NOT_FOUND,
                    hint="comptroller approvals list shows the open ones",
                )
            approval = change(facts.approval)
            kind = {
                ApprovalState.APPROVED: EntryKind.APPROVAL_APPROVED,
                ApprovalState.REJECTED: EntryKind.APPROVAL_REJECTED,
            }.get(approval.state, EntryKind.APPROVAL_VOTED)
            body = {
                "approval": approval.id,
                "operation": approval.operation,
                "digest": approval.digest,
                "slice": approval.slice_hash,
                "rules": list(approval.rules),
                "by": person.name,
                "via": person.via,
                "groups": sorted(person.groups),
                "self_approved": person.name == approval.owner and approval.state is not ApprovalState.REJECTED,
                "ceiling_usd_micros": approval.ceiling_usd_micros,
                "grant_expires_at": approval.grant_expires_at,
            }
            entry = self._scribe.draft(
                kind, at=now, agent=approval.agent, run=approval.run, body=body, private={"comment": comment}
            )
            return Changes(entries=(entry,), approvals=(approval,)), (approval, kind)

        done = await self._store.commit(Wants(now=now, approval=approval_id), decide)
        approval, kind = done.result
        self._publish(kind, approval, done.indices[0])
        return approval

    def _publish(self, kind: EntryKind, approval: Approval, index: int) -> None:
        self._hub.publish(
            kind.value,
            {
                "index": index,
                "agent": approval.agent,
                "run": approval.run,
                "approval": approval.id,
                "sentence": approval.sentence,
                "by": approval.answered_by,
                "comment": approval.comment,
                "self_approved": approval.self_approved,
            },
        )


def _expired(approval: Approval, now: float) -> Approval | None:
    """`approval` with its question or its grant expired; None where its time is not over."""
    if approval.state is ApprovalState.PENDING and approval.expires_at.timestamp() <= now:
        return replace(approval, state=ApprovalState.EXPIRED)
    if (
        approval.grant is GrantState.UNUSED
        and approval.grant_expires_at is not None
        and approval.grant_expires_at.timestamp() <= now
    ):
        return replace(approval, grant=GrantState.EXPIRED)
    return None
