"""Standing grants as they are given, used and taken back: each step an entry, made durable before it counts."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from comptroller.core.approval import Approval, ApprovalState, Assurance, Person
from comptroller.core.audit import EntryDraft, EntryKind
from comptroller.core.document import DocumentKind
from comptroller.core.errors import ConflictError, RefusedError
from comptroller.core.estimate import Unit
from comptroller.core.judge import Judgement
from comptroller.core.pattern import Pattern, pattern_of, pattern_text
from comptroller.core.standing import (
    OFFERED_AFTER,
    Standing,
    Terms,
    after_use,
    check_may_grant,
    question_key,
    standing_document,
    standing_of,
    standing_text,
)
from comptroller.core.verdict import BoundaryResult, Conflict, VerdictKind
from comptroller.engine.entries import Scribe
from comptroller.engine.hub import Hub
from comptroller.ports import Changes, Clock, Facts, Ids, RunBook, Store, Wants

OPEN_MAX = 200
"""Of one run, or of one agent: nobody reads more, and each is held against every action that asks."""


def standing_wants(boundary: BoundaryResult, run: str, path: str) -> tuple[tuple[DocumentKind, str], ...]:
    """Which standing grants a decision reads: none where nobody is asked."""
    if boundary.kind is not VerdictKind.REQUIRE_APPROVAL:
        return ()
    return (DocumentKind.STANDING, run), (DocumentKind.STANDING, path)


def with_use(changes: Changes, judgement: Judgement, facts: Facts, now: datetime) -> Changes:
    """The changes of an allow with the use of its standing grant; questions about the same action are withdrawn."""
    standing = judgement.standing
    if standing is None or facts.run is None:
        return changes
    used = after_use(standing, facts.run.id, judgement.wanted.get(Unit.USD_MICROS, 0))
    answered = tuple(
        replace(approval, state=ApprovalState.WITHDRAWN, answered_at=now, answered_by=standing.person)
        for approval in facts.approvals
        if approval.state is ApprovalState.PENDING
    )
    return replace(
        changes,
        documents=(*changes.documents, standing_document(used)),
        approvals=(*changes.approvals, *answered),
    )


async def wake_covered(store: Store, hub: Hub, standing: Standing) -> None:
    """Wake the calls that wait and that a standing grant may release: each is judged anew."""
    for approval in await store.approvals(ApprovalState.PENDING):
        if approval.agent == standing.agent and standing.run in ("", approval.run):
            hub.wake(approval.id)


def use_body(standing: Standing) -> dict[str, object]:
    """What the entry of a use says of the grant."""
    return {
        "standing": standing.id,
        "standing_use": standing.used + 1,
        "standing_count": standing.count,
        "approved_by": [standing.person],
        "self_approved": standing.person == standing.owner,
    }


@dataclass(frozen=True, slots=True, kw_only=True)
class Offer:
    """What a person may be offered: they said yes `yeses` times to the like of this in one run."""

    approval: str
    yeses: int
    text: str


class StandingGrants:
    """Grants, revokes, lists. Using one is the sequencer's alone."""

    def __init__(self, *, store: Store, clock: Clock, ids: Ids, scribe: Scribe, hub: Hub, runbook: RunBook) -> None:
        self._store = store
        self._clock = clock
        self._ids = ids
        self._scribe = scribe
        self._hub = hub
        self._runbook = runbook

    async def preview(
        self, approval_id: str, person: Person, terms: Terms, *, shape: Callable[[Pattern], Pattern] = lambda it: it
    ) -> Standing:
        """The grant as it would be given: nothing is recorded. Raises what `grant` raises."""
        approval = await self._store.approval(approval_id)
        if approval is None:
            raise _no_approval(approval_id)
        return self._standing(approval, person, terms, shape, self._ids.new(), self._clock.now())

    async def grant(
        self, approval_id: str, person: Person, terms: Terms, *, shape: Callable[[Pattern], Pattern] = lambda it: it
    ) -> Standing:
        """Give a standing grant for what is like the action of an approval; `shape` is what the person made of the
        pattern. Raises `UsageError`, and `ConflictError` where they may not."""
        now, standing_id = self._clock.now(), self._ids.new()

        def decide(facts: Facts) -> tuple[Changes, Standing]:
            if facts.approval is None:
                raise _no_approval(approval_id)
            standing = self._standing(facts.approval, person, terms, shape, standing_id, now)
            return Changes(entries=(self.granted_entry(standing),), documents=(standing_document(standing),)), standing

        known = await self._store.approval(approval_id)
        scope = "" if known is None else self._runbook.path_of(known.agent) if terms.every_run else known.run
        await self.check_room(scope)
        done = await self._store.commit(Wants(now=now, approval=approval_id), decide)
        await self.told(done.result, done.indices[0])
        return done.result

    async def check_room(self, scope: str, more: int = 1) -> None:
        """Raise `RefusedError` where so many grants are open for `scope` that nobody reads them."""
        if len(await self._store.documents(DocumentKind.STANDING, scope=scope)) + more > OPEN_MAX:
            raise RefusedError(
                f"{OPEN_MAX} standing grants are open there already", hint="comptroller approvals standing list"
            )

    def granted_entry(self, standing: Standing) -> EntryDraft:
        """The entry of a grant: its limits in the leaf, its sentence beside it."""
        body = {
            "standing": standing.id,
            "operation": standing.pattern.operation,
            "pattern": standing.pattern.key,
            "account": standing.pattern.account,
            "region": standing.pattern.region,
            "count": standing.count,
            "usd_micros": standing.usd_micros,
            "usd_micros_each": standing.pattern.usd_micros_max,
            "expires_at": standing.expires_at,
            "every_run": not standing.run and not standing.one_run,
            "include": sorted(standing.include),
            "rules": list(standing.rules),
            "slice": standing.slice_hash,
            "by": standing.person,
            "via": standing.via,
            "assurance": standing.assurance,
            "groups": list(standing.groups),
            "self_approved": standing.person == standing.owner,
            "approval": standing.approval,
            "plan": standing.plan,
        }
        private = {"sentence": standing_text(standing)}
        return self._scribe.draft(
            EntryKind.STANDING_GRANTED,
            at=standing.granted_at,
            agent=standing.agent,
            run=standing.run,
            body=body,
            private=private,
        )

    async def told(self, standing: Standing, index: int) -> None:
        """Tell that it is given, and wake the calls of its agent that wait: it may release them."""
        self._hub.publish(
            EntryKind.STANDING_GRANTED.value,
            {
                "index": index,
                "standing": standing.id,
                "agent": standing.agent,
                "run": standing.run,
                "approval": standing.approval,
                "by": standing.person,
                "sentence": standing_text(standing),
            },
        )
        await wake_covered(self._store, self._hub, standing)

    async def revoke(self, standing_id: str, *, by: str, reason: str = "") -> Standing:
        """Take it back: from now on it releases nothing. Raises `ConflictError` where there is none or it is over."""
        return await self._end(standing_id, EntryKind.STANDING_REVOKED, by=by, why=f"revoked by {by}", reason=reason)

    async def expire_due(self) -> int:
        """Close those whose time is over. Returns how many."""
        now = self._clock.now()
        due = [item for item in await self.listed() if item.open and now >= item.expires_at]
        for item in due:
            await self._end(item.id, EntryKind.STANDING_EXPIRED, by="", why="expired", quiet=True)
        return len(due)

    async def listed(self, *, every: bool = False) -> Sequence[Standing]:
        """Standing grants in the order they were given; with `every` also those that are over."""
        found = await self._store.documents(DocumentKind.STANDING, every=every)
        return tuple(item for document in found if (item := standing_of(document)) is not None)

    async def one(self, standing_id: str) -> Standing | None:
        """One standing grant."""
        document = await self._store.document(standing_id)
        return standing_of(document) if document is not None else None

    async def _end(
        self, standing_id: str, kind: EntryKind, *, by: str, why: str, reason: str = "", quiet: bool = False
    ) -> Standing:
        now = self._clock.now()

        def decide(facts: Facts) -> tuple[Changes, Standing | None]:
            found = standing_of(facts.document) if facts.document is not None else None
            if found is None or not found.open:
                if quiet:
                    return Changes(), None
                state = "there is no standing grant" if found is None else f"it is over already ({found.ended_why}):"
                raise ConflictError(
                    f"{state} `{standing_id}`",
                    kind=Conflict.NOT_FOUND if found is None else Conflict.EXPIRED,
                    hint="comptroller approvals standing list",
                )
            ended = replace(found, open=False, ended_by=by, ended_why=why)
            body = {"standing": found.id, "used": found.used, "spent_usd_micros": found.spent_usd_micros, "by": by}
            entry = self._scribe.draft(
                kind,
                at=now,
                agent=found.agent,
                run=found.run,
                body=body,
                private={"reason": reason, "sentence": standing_text(found)},
            )
            return Changes(entries=(entry,), documents=(standing_document(ended),)), ended

        done = await self._store.commit(Wants(now=now, document=standing_id), decide)
        if done.result is None:
            found = await self.one(standing_id)
            assert found is not None
            return found
        told: Mapping[str, object] = {"index": done.indices[0], "standing": standing_id, "by": by}
        self._hub.publish(kind.value, {**told, "agent": done.result.agent, "run": done.result.run})
        return done.result

    def _standing(
        self,
        approval: Approval,
        person: Person,
        terms: Terms,
        shape: Callable[[Pattern], Pattern],
        standing_id: str,
        now: datetime,
    ) -> Standing:
        pattern = pattern_of(approval.facts.get("like"))
        shaped = shape(pattern) if pattern is not None else None
        check_may_grant(approval, person, shaped, terms, now)
        assert shaped is not None
        return Standing(
            id=standing_id,
            agent=approval.agent,
            path=self._runbook.path_of(approval.agent),
            owner=approval.owner,
            run="" if terms.every_run else approval.run,
            one_run=False,
            pattern=shaped,
            questions=frozenset(question_key(obligation) for obligation in approval.obligations),
            rules=approval.rules,
            slice_hash=approval.slice_hash,
            include=terms.include,
            person=person.name,
            groups=tuple(sorted(person.groups)),
            via=person.via,
            assurance=Assurance(person.assurance).value,
            granted_at=now,
            expires_at=terms.expires_at,
            count=terms.count,
            usd_micros=terms.usd_micros,
            approval=approval.id,
        )


def _no_approval(approval_id: str) -> ConflictError:
    return ConflictError(
        f"there is no approval `{approval_id}`", kind=Conflict.NOT_FOUND, hint="comptroller approvals list --state all"
    )


def offers(approvals: Sequence[Approval], person: Person) -> Mapping[tuple[str, str], Offer]:
    """What `person` may be offered, by (run, key of the pattern): a suggestion after `OFFERED_AFTER` equal yeses of
    theirs in one run. Nothing is ever granted by itself."""
    said: dict[tuple[str, str], list[Approval]] = {}
    for approval in approvals:
        like = approval.facts.get("like")
        key = like.get("key") if isinstance(like, Mapping) else None
        yes = approval.state is ApprovalState.APPROVED and any(vote.person == person.name for vote in approval.votes)
        if yes and isinstance(key, str):
            said.setdefault((approval.run, key), []).append(approval)
    found: dict[tuple[str, str], Offer] = {}
    for place, same in said.items():
        newest = max(same, key=lambda each: each.asked_at)
        pattern = pattern_of(newest.facts.get("like"))
        if len(same) >= OFFERED_AFTER and pattern is not None:
            found[place] = Offer(approval=newest.id, yeses=len(same), text=pattern_text(pattern))
    return found
