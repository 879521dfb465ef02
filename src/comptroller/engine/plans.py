"""Plans as people see and approve them: each action priced and judged as if it came, then granted as a whole."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

from comptroller.core.approval import Approval
from comptroller.core.audit import EntryKind
from comptroller.core.errors import ComptrollerError, RefusedError
from comptroller.core.estimate import Unit
from comptroller.core.pattern import NAMED_CLASSES, Pattern, pattern_of
from comptroller.core.plan import Intended, Plan
from comptroller.core.standing import Standing, Terms, check_may_grant, question_key, standing_document
from comptroller.core.verdict import VerdictKind
from comptroller.core.vote import Person
from comptroller.engine.entries import Scribe
from comptroller.engine.sequencer import Proposal
from comptroller.engine.standing import StandingGrants
from comptroller.ports import Changes, Clock, Facts, Ids, RunBook, Store, Wants

PLANNED_RUN = "planned"
"""Stands for the run that is still to come: what names its own run is like it in every run."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Weighed:
    """One intended action, priced and judged. `why_not`: why it is not granted with the plan; empty where it is, or
    where nobody is asked about it."""

    item: Intended
    proposal: Proposal
    why_not: str = ""

    @property
    def asks(self) -> bool:
        """Whether people are asked about it."""
        return self.proposal.boundary.kind is VerdictKind.REQUIRE_APPROVAL or self.proposal.estimate.unknown(
            Unit.USD_MICROS
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Plans:
    """Weighs plans and grants them. `intend` makes an intended action a proposal, as its agent and run would."""

    store: Store
    clock: Clock
    ids: Ids
    scribe: Scribe
    runbook: RunBook
    standing: StandingGrants
    intend: Callable[[Intended, str, str], Proposal]

    def weigh(
        self, plan: Plan, person: Person, *, agent: str, run: str, until: datetime, include: frozenset[str]
    ) -> tuple[Weighed, ...]:
        """Every action of the plan with its price, its verdict, and what of it `person` can grant."""
        now = self.clock.now()
        return tuple(self._weigh(item, person, agent, run, until, include, now) for item in plan.items)

    def _weigh(
        self,
        item: Intended,
        person: Person,
        agent: str,
        run: str,
        until: datetime,
        include: frozenset[str],
        now: datetime,
    ) -> Weighed:
        weighed = Weighed(item=item, proposal=self.intend(item, agent, run or PLANNED_RUN))
        if weighed.proposal.boundary.kind is VerdictKind.DENY:
            reasons = "; ".join(reason.text for reason in weighed.proposal.boundary.reasons)
            return Weighed(item=item, proposal=weighed.proposal, why_not=f"the rules deny it: {reasons}")
        if not weighed.asks:
            return weighed
        why_not = item.only_shown
        if not why_not:
            try:
                self._check(weighed, person, until, include, now)
            except ComptrollerError as error:
                why_not = error.message
        return Weighed(item=item, proposal=weighed.proposal, why_not=why_not)

    def _check(
        self, weighed: Weighed, person: Person, until: datetime, include: frozenset[str], now: datetime
    ) -> tuple[Approval, Pattern, Terms]:
        proposal, agent = weighed.proposal, weighed.proposal.action.agent
        question = Approval(
            id="",
            run=proposal.action.run,
            agent=agent,
            owner=self.runbook.owner_of(agent),
            requester=self.runbook.requester_of(proposal.action.run, agent),
            author=self.runbook.author(),
            digest=proposal.digest,
            slice_hash=proposal.boundary.slice_hash,
            operation=proposal.action.operation,
            obligations=proposal.boundary.obligations,
            sentence=proposal.sentence,
            facts={},
            asked_at=now,
            expires_at=now + timedelta(seconds=1),
            price_unknown=proposal.estimate.unknown(Unit.USD_MICROS),
        )
        pattern = pattern_of(proposal.like)
        each = pattern.usd_micros_max or 0 if pattern is not None else 0
        terms = Terms(
            count=weighed.item.count,
            usd_micros=each * weighed.item.count,
            expires_at=until,
            every_run=proposal.action.run == PLANNED_RUN,
            include=include & {item.value for item in NAMED_CLASSES},
        )
        check_may_grant(question, person, pattern, terms, now)
        assert pattern is not None
        return question, pattern, terms

    async def approve(
        self, plan: Plan, person: Person, *, agent: str, run: str, until: datetime, include: frozenset[str]
    ) -> tuple[str, tuple[Weighed, ...], tuple[Standing, ...]]:
        """Grant what of the plan can be granted, in one commit, each action for one run and as often as it is intended.
        Returns the plan's id. Raises `RefusedError` where nothing of it can be."""
        weighed = self.weigh(plan, person, agent=agent, run=run, until=until, include=include)
        now, plan_id, path = self.clock.now(), self.ids.new(), self.runbook.path_of(agent)
        granted: list[Standing] = []
        for each in weighed:
            if each.why_not or not each.asks:
                continue
            question, pattern, terms = self._check(each, person, until, include, now)
            granted.append(
                Standing(
                    id=self.ids.new(),
                    agent=agent,
                    path=path,
                    owner=question.owner,
                    run=run,
                    one_run=not run,
                    pattern=pattern,
                    questions=frozenset(question_key(obligation) for obligation in question.obligations),
                    rules=question.rules,
                    slice_hash=question.slice_hash,
                    include=terms.include,
                    person=person.name,
                    groups=tuple(sorted(person.groups)),
                    via=person.via,
                    assurance=person.assurance.value,
                    granted_at=now,
                    expires_at=until,
                    count=terms.count,
                    usd_micros=terms.usd_micros,
                    plan=plan_id,
                )
            )
        if not granted:
            raise RefusedError("nothing of this plan can be granted", hint="comptroller approvals plan FILE says why")
        await self.standing.check_room(run or path, len(granted))
        body = {
            "plan": plan_id,
            "items": len(weighed),
            "granted": [item.id for item in granted],
            "left_out": sum(bool(each.why_not) for each in weighed),
            "unread": len(plan.unread),
            "usd_micros": sum(item.usd_micros for item in granted),
            "expires_at": until,
            "by": person.name,
            "via": person.via,
        }

        def decide(facts: Facts) -> tuple[Changes, None]:
            entry = self.scribe.draft(EntryKind.PLAN_APPROVED, at=now, agent=agent, run=run, body=body)
            entries = (entry, *(self.standing.granted_entry(item) for item in granted))
            return Changes(entries=entries, documents=tuple(map(standing_document, granted))), None

        done = await self.store.commit(Wants(now=now), decide)
        for item, index in zip(granted, done.indices[1:], strict=True):
            await self.standing.told(item, index)
        return plan_id, weighed, tuple(granted)
