"""People's answers: each is checked, made durable with its entry, and only then wakes whoever waits."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime

from comptroller.core.approval import (
    Approval,
    ApprovalState,
    GrantState,
    Person,
    rejected,
    revoked,
    with_voices,
    with_vote,
    withdrawn,
)
from comptroller.core.asking import Deputy, deputy_of, hats_of
from comptroller.core.audit import EntryKind
from comptroller.core.document import DocumentKind
from comptroller.core.errors import ConflictError
from comptroller.core.strong_yes import challenge
from comptroller.core.verdict import Conflict, Escalation
from comptroller.core.vote import Hat, escalated
from comptroller.engine.entries import Scribe
from comptroller.engine.hub import Hub
from comptroller.ports import Changes, Clock, Facts, People, Store, Wants

COMMENT_LENGTH_MAX = 2000

Turn = Callable[[Approval], Approval | None]
Change = Callable[[Approval, Sequence[Hat]], Approval]


class Approvals:
    """Approve, reject, withdraw, revoke, expire. Rows change in the store's own transactions; an event is never the
    truth."""

    def __init__(self, *, store: Store, clock: Clock, scribe: Scribe, hub: Hub, people: People) -> None:
        self._store = store
        self._clock = clock
        self._scribe = scribe
        self._hub = hub
        self._people = people

    async def approve(
        self, approval_id: str, person: Person, *, ceiling_usd_micros: int | None = None, comment: str = ""
    ) -> Approval:
        """One person's yes. Raises `ConflictError` (kind as in ARCHITECTURE) where it does not count."""
        now, comment = self._clock.now(), comment[:COMMENT_LENGTH_MAX]
        return await self._change(
            approval_id,
            person,
            comment,
            lambda approval, hats: with_vote(
                with_voices(approval, self._people.voice_of),
                person,
                now,
                ceiling=ceiling_usd_micros,
                comment=comment,
                hats=hats,
            ),
        )

    async def reject(self, approval_id: str, person: Person, *, comment: str = "") -> Approval:
        """One person's no; the comment is told to the agent. Raises `ConflictError`, and `UsageError` without one."""
        now, comment = self._clock.now(), comment[:COMMENT_LENGTH_MAX]
        return await self._change(
            approval_id,
            person,
            comment,
            lambda approval, hats: rejected(approval, person, now, comment=comment, hats=hats),
        )

    async def withdraw(self, approval_id: str, person: Person, *, comment: str = "") -> Approval:
        """Take a question back: its agent's owner may, and whoever is asked. Raises `ConflictError`."""
        now, comment = self._clock.now(), comment[:COMMENT_LENGTH_MAX]
        return await self._change(
            approval_id,
            person,
            comment,
            lambda approval, hats: withdrawn(approval, person, now, comment=comment, hats=hats),
        )

    async def revoke(self, approval_id: str, person: Person, *, comment: str = "") -> Approval:
        """Take a yes back that was not used. Raises `ConflictError` where it was."""
        now, comment = self._clock.now(), comment[:COMMENT_LENGTH_MAX]
        return await self._change(
            approval_id,
            person,
            comment,
            lambda approval, hats: revoked(approval, person, now, comment=comment, hats=hats),
        )

    async def hats(self, person: str) -> Sequence[Hat]:
        """In whose place somebody may answer now."""
        documents = await self._store.documents(DocumentKind.DEPUTY, scope=person)
        return self._hats(person, [deputy_of(item.body, item.id) for item in documents], self._clock.now())

    def _hats(self, person: str, made: Sequence[Deputy | None], now: datetime) -> Sequence[Hat]:
        deputies = (*self._people.deputies(), *(each for each in made if each is not None))
        return hats_of(person, deputies, self._people.groups_of, now)

    # ------------------------------------------------------------ time

    async def tend(self) -> None:
        """What time does, every few seconds: expire what is over, tell further groups of what waits for long. That no
        yes counts late is seen at each use."""
        await self.expire_due()
        await self.escalate_due()

    async def expire_due(self) -> int:
        """Expire open questions and unused grants whose time is over. Returns how many."""
        now = self._clock.now()
        open_now = (*await self._store.approvals(ApprovalState.PENDING), *await self._store.unused_grants())
        due = [approval for approval in open_now if _expired(approval, now) is not None]
        for approval in due:
            was = "grant" if approval.grant is GrantState.UNUSED else "question"
            await self._turn(approval, EntryKind.APPROVAL_EXPIRED, {"was": was}, lambda item: _expired(item, now))
        return len(due)

    async def escalate_due(self) -> int:
        """Tell which further groups may answer what is still open. Each is told once. Returns how many questions."""
        now = self._clock.now()
        due = [each for each in await self._store.approvals(ApprovalState.PENDING) if _escalated(each, now) is not None]
        for approval in due:
            late = _late(approval, now)
            body = {"groups": sorted({each.group for each in late}), "asked_at": approval.asked_at}
            await self._turn(approval, EntryKind.APPROVAL_ESCALATED, body, lambda item: _escalated(item, now))
        return len(due)

    async def _turn(
        self,
        approval: Approval,
        kind: EntryKind,
        body: dict[str, object],
        change: Callable[[Approval], Approval | None],
    ) -> None:
        """What time makes of one approval, unless somebody was faster."""
        now = self._clock.now()

        def decide(facts: Facts) -> tuple[Changes, Approval | None]:
            current = facts.approval
            changed = change(current) if current is not None else None
            if changed is None:
                return Changes(), None
            entry = self._scribe.draft(
                kind, at=now, agent=changed.agent, run=changed.run, body={"approval": changed.id, **body}
            )
            return Changes(entries=(entry,), approvals=(changed,)), changed

        done = await self._store.commit(Wants(now=now, approval=approval.id), decide)
        if done.result is not None:
            self._publish(kind, done.result, done.indices[0], body)

    # ------------------------------------------------------------ people

    async def _change(self, approval_id: str, person: Person, comment: str, change: Change) -> Approval:
        now = self._clock.now()

        def decide(facts: Facts) -> tuple[Changes, tuple[Approval, EntryKind]]:
            if facts.approval is None:
                raise ConflictError(
                    f"there is no approval `{approval_id}`",
                    kind=Conflict.NOT_FOUND,
                    hint="comptroller approvals list shows the open ones",
                )
            made = [deputy_of(item.body, item.id) for item in facts.documents if item.kind is DocumentKind.DEPUTY]
            approval = change(facts.approval, self._hats(person.name, made, now))
            kind = _kind(approval)
            entry = self._scribe.draft(
                kind,
                at=now,
                agent=approval.agent,
                run=approval.run,
                body=_answer_body(kind, approval, person),
                private={"comment": comment, "proof": dict(person.proof)},
            )
            return Changes(entries=(entry,), approvals=(approval,)), (approval, kind)

        wants = Wants(now=now, approval=approval_id, documents=((DocumentKind.DEPUTY, person.name),))
        done = await self._store.commit(wants, decide)
        approval, kind = done.result
        self._publish(kind, approval, done.indices[0])
        return approval

    def _publish(self, kind: EntryKind, approval: Approval, index: int, more: dict[str, object] | None = None) -> None:
        self._hub.publish(
            kind.value,
            {
                "index": index,
                "agent": approval.agent,
                "run": approval.run,
                "approval": approval.id,
                "sentence": approval.sentence,
                "by": approval.taken_back_by or approval.answered_by,
                "comment": approval.taken_back_why or approval.comment,
                "self_approved": approval.self_approved,
                **(more or {}),
            },
        )


def _kind(approval: Approval) -> EntryKind:
    """What a person made of it."""
    if approval.grant is GrantState.REVOKED:
        return EntryKind.APPROVAL_REVOKED
    return {
        ApprovalState.APPROVED: EntryKind.APPROVAL_APPROVED,
        ApprovalState.REJECTED: EntryKind.APPROVAL_REJECTED,
        ApprovalState.WITHDRAWN: EntryKind.APPROVAL_WITHDRAWN,
    }.get(approval.state, EntryKind.APPROVAL_VOTED)


def _answer_body(kind: EntryKind, approval: Approval, person: Person) -> dict[str, object]:
    """Who answered what, how sure that is, and how far the question is answered by it."""
    body: dict[str, object] = {
        "approval": approval.id,
        "operation": approval.operation,
        "digest": approval.digest,
        "slice": approval.slice_hash,
        "rules": list(approval.rules),
        "by": person.name,
        "via": person.via,
        "groups": sorted(person.groups),
        "assurance": person.assurance.value,
        "self_approved": False,
        "ceiling_usd_micros": approval.ceiling_usd_micros,
        "grant_expires_at": approval.grant_expires_at,
    }
    if kind not in (EntryKind.APPROVAL_VOTED, EntryKind.APPROVAL_APPROVED):
        if approval.answered_by != person.name and kind is EntryKind.APPROVAL_REJECTED:
            body["as"] = approval.answered_by
        return body
    vote = next(vote for vote in reversed(approval.votes) if vote.person == person.name)
    body["self_approved"] = vote.self_approved
    body["votes"] = [each.by for each in approval.votes]
    if vote.stands_for:
        body["stands_for"], body["groups"] = vote.stands_for, sorted(vote.groups)
    if vote.proof and isinstance(document := vote.proof.get("document"), Mapping):
        body["challenge"], body["credential"] = challenge(document).hex(), vote.proof.get("credential")
    if approval.delay_seconds and approval.usable_at is not None:
        body["usable_at"] = approval.usable_at
    return body


def _late(approval: Approval, now: datetime) -> tuple[Escalation, ...]:
    return tuple(late for each in approval.obligations for late in escalated(each, approval.asked_at, now))


def _escalated(approval: Approval, now: datetime) -> Approval | None:
    """`approval` with its further groups told; None where nobody new is due."""
    count = len(_late(approval, now))
    if approval.state is not ApprovalState.PENDING or now >= approval.expires_at or count <= approval.escalated:
        return None
    return replace(approval, escalated=count)


def _expired(approval: Approval, now: datetime) -> Approval | None:
    """`approval` with its question or its grant expired; None where its time is not over."""
    if approval.state is ApprovalState.PENDING and approval.expires_at <= now:
        return replace(approval, state=ApprovalState.EXPIRED)
    if (
        approval.grant is GrantState.UNUSED
        and approval.grant_expires_at is not None
        and approval.grant_expires_at <= now
    ):
        return replace(approval, grant=GrantState.EXPIRED)
    return None
