"""One writer for money: facts under lock, the pure judge, reservation and entry in one durable commit, then the permit.

The only file that makes a `Permit`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from comptroller.core.action import Action, ActionClass
from comptroller.core.action import digest as digest_of
from comptroller.core.approval import Approval, ApprovalState, GrantState, still_met
from comptroller.core.audit import EntryDraft, EntryKind
from comptroller.core.brake import Brake, BrakeState
from comptroller.core.budget import BudgetState, rooms, scopes_of
from comptroller.core.errors import StoreLostError
from comptroller.core.estimate import Estimate, Unit
from comptroller.core.judge import OBSERVED_CLASSES, Case, Judgement, judge
from comptroller.core.narrow import Narrowing
from comptroller.core.reservation import Reservation, ReservationState, dispatch_deltas, lines_for, suspend_deltas
from comptroller.core.secrecy import scrubbed, shown
from comptroller.core.standing import Standing, covering, question_key, still_held
from comptroller.core.verdict import BoundaryResult, Reason, Verdict, VerdictKind
from comptroller.engine.entries import Scribe, action_body, action_private, amounts_body, payment_body
from comptroller.engine.escrow import NOBODY_TO_ASK, ONLY_CHEAP, Escrow, marked
from comptroller.engine.flood import Flood, Flooded, Seen
from comptroller.engine.hub import Hub
from comptroller.engine.parts import services_within
from comptroller.engine.runs import marks_of
from comptroller.engine.standing import standing_wants, use_body, with_use
from comptroller.engine.thresholds import Crossing, Thresholds
from comptroller.ports import Changes, Clock, Facts, Ids, RunBook, Store, Wants

RESEND_SECONDS_MAX = 15 * 60
"""How long a re-sent call may ride on its first reservation: well inside the time services remember their tokens."""
CLOCK_SKEW_SECONDS_MAX = 60
"""How far in the future a first attempt may seem to lie; further means that the clock was set back."""


SHADOW_WORDS = {
    VerdictKind.ALLOW: "allow",
    VerdictKind.REQUIRE_APPROVAL: "approval",
    VerdictKind.DENY: "deny",
}
"""What a rule in shadow mode would have said, as it stands in entries."""

_EFFORTS = (Unit.TOKENS, Unit.GPU_SECONDS, Unit.MILLIWATT_HOURS, Unit.MILLIGRAMS_CO2E)
"""What people are told beside money, where it applies."""

MOVED = Reason(code="no_run", text="the agent's team changed since this run began: its budget is elsewhere")
UNBOUND = Reason(
    code="unbound_body", text="a yes is for one body: one that was not read to its end cannot be asked about"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Permit:
    """Proof that one allow is durable: `entry` is its index in the log (below 0: its number in the outage journal),
    `reservation` where its money stands and `approval` whose yes it used (empty: none was needed)."""

    reservation: str
    digest: str
    entry: int
    run: str
    agent: str
    approval: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Proposal:
    """An action ready to be judged: what it is, what it costs, what the boundary says.

    `carries_on` is the approval by which something began that this action is a part of. `smaller` makes the same
    action fit into the room that is left per unit, where that can be done (pure and quick); `lowered` then says how.
    `parts` is what people are told of the action's parts; `owned`: all that it ends was made by its own run.
    `targets` are the things on the books that it acts on, with a word for the state of each; `waited` is the approval
    that its call has waited for.
    `like` is the pattern of what is like it (`core.pattern`), `narrowings` what a person may lower.
    """

    action: Action
    digest: str
    estimate: Estimate
    boundary: BoundaryResult
    sentence: str
    carries_on: str = ""
    smaller: Callable[[Mapping[Unit, int]], Proposal | None] | None = None
    lowered: str = ""
    parts: Mapping[str, object] = field(default_factory=dict)
    owned: bool = False
    targets: Mapping[str, str] = field(default_factory=dict)
    waited: str = ""
    like: Mapping[str, object] | None = None
    narrowings: tuple[Narrowing, ...] = ()

    @property
    def asks(self) -> bool:
        """Whether people may have to be asked, budgets aside."""
        return self.boundary.kind is VerdictKind.REQUIRE_APPROVAL or self.estimate.unknown(Unit.USD_MICROS)


@dataclass(frozen=True, slots=True, kw_only=True)
class Sequenced:
    """What was decided and made durable: a permit, an open question, or neither. `proposal` is what was allowed
    where that is smaller than what was asked."""

    verdict: Verdict
    proposal: Proposal | None = None
    permit: Permit | None = None
    approval: Approval | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class _Decision:
    verdict: Verdict
    reservation: str = ""
    approval: Approval | None = None
    asked: bool = False
    used: str = ""
    smaller: Proposal | None = None
    would_deny: bool = False
    crossings: tuple[Crossing, ...] = ()
    froze: Brake | None = None
    uncounted: bool = False


class Sequencer:
    """Admits proposals one after another; waits for neither people nor the network."""

    def __init__(
        self,
        *,
        store: Store,
        clock: Clock,
        ids: Ids,
        scribe: Scribe,
        hub: Hub,
        runbook: RunBook,
        marks: Callable[[Action], Mapping[str, object]] = lambda _: {},
        escrow: Escrow | None = None,
        thresholds: Thresholds | None = None,
    ) -> None:
        """`marks` adds what every entry of an action has to say of it (a development upstream, say); `escrow` is what
        goes on while the store is lost, None for nothing."""
        self._store = store
        self._clock = clock
        self._ids = ids
        self._scribe = scribe
        self._hub = hub
        self._runbook = runbook
        self._marks = marks
        self._escrow = escrow
        self._flood = Flood(store=store, clock=clock, limits=runbook.questions_of)
        hub.subscribe(self._heard)
        self._thresholds = thresholds or Thresholds(scribe=scribe, hub=hub)

    async def admit(self, proposal: Proposal) -> Sequenced:
        """Judge one proposal against the facts and make the decision durable. Raises `StoreError`."""
        reservation_id, escrow = self._ids.new(), self._escrow
        if escrow is None:
            return await self._admit(proposal, reservation_id)
        try:
            if not escrow.lost or await escrow.back():
                return await self._admit(proposal, reservation_id)
        except StoreLostError as error:
            escrow.lose(error)
        # The same reservation: where the store has it all the same, the journal adds nothing to it.
        return await self._from_share(proposal, escrow, reservation_id)

    def _heard(self, kind: str, summary: Mapping[str, object]) -> None:
        """Whoever is let go on begins to count its questions anew: a person has looked."""
        scope = str(summary.get("scope", ""))
        if kind == EntryKind.BRAKE_THAWED.value:
            paths = {agent: self._runbook.path_of(agent) for agent in self._flood.agents()}
            for agent, path in paths.items():
                if f"{path}/".startswith(f"{scope}/") or scope.startswith(f"{path}/"):
                    self._flood.forgive(agent, self._clock.now())

    async def _admit(self, proposal: Proposal, reservation_id: str, seen: Seen | None = None) -> Sequenced:
        """`seen` are the agent's open questions; they are counted only where this becomes another."""
        action = proposal.action
        now = self._clock.now()
        path = f"{self._runbook.path_of(action.agent)}/{action.run}"
        tokens = action.call.idempotency.values()
        # A service takes an empty token for none: such calls are calls of their own.
        token = action.call.retry_token if tokens and all(text.strip() for text in tokens) else ""
        wants = Wants(
            now=now,
            scopes=scopes_of(path),
            run=action.run,
            digest_of=(action.run, proposal.digest),
            call=(action.run, proposal.digest, token) if token else None,
            approval=proposal.carries_on,
            documents=standing_wants(proposal.boundary, action.run, self._runbook.path_of(action.agent)),
        )
        approval_id = self._ids.new()

        def decide(facts: Facts) -> tuple[Changes, _Decision]:
            changes, decision = decided(facts)
            if marks := marks_of(facts.run):
                entries = tuple(replace(entry, body={**entry.body, **marks}) for entry in changes.entries)
                changes = replace(changes, entries=entries)
            return changes, decision

        def decided(facts: Facts) -> tuple[Changes, _Decision]:
            if facts.run is not None and facts.run.path != path:
                return self._deny(proposal, Verdict(kind=VerdictKind.DENY, reasons=(MOVED,)))
            case = Case(
                digest=proposal.digest,
                boundary=proposal.boundary,
                estimate=proposal.estimate,
                budgets=facts.budgets,
                approvals=facts.approvals,
                brakes=facts.brakes,
                run=facts.run,
                now=now,
                cheap=facts.run is not None and facts.run.observed and self._cheap(proposal),
                targets=proposal.targets,
                waited=proposal.waited,
                asking=self._runbook.asking(),
                standing=self._standing(facts, proposal),
                lapsed=self._lapsed(facts),
            )
            if facts.calls and _may_resend(facts.calls[0], now):
                resent = judge(_as_sent(case, facts.calls[0]))
                if resent.verdict.allowed:
                    return self._resend(proposal, facts.calls[0], resent)
            judgement = judge(_as_part(case, facts.approval))
            if judgement.short and (smaller := self._fitting(proposal, case)) is not None:
                changes, decision = self._allow(smaller[0], facts.budgets, smaller[1], reservation_id)
                return changes, replace(decision, smaller=smaller[0])
            match judgement.verdict.kind:
                case VerdictKind.ALLOW:
                    changes, decision = self._allow(proposal, facts.budgets, judgement, reservation_id)
                    return with_use(changes, judgement, facts, now), decision
                case VerdictKind.REQUIRE_APPROVAL if action.unbound:
                    return self._deny(proposal, Verdict(kind=VerdictKind.DENY, reasons=(UNBOUND,)))
                case VerdictKind.REQUIRE_APPROVAL:
                    if judgement.pending is None and seen is None:
                        return Changes(), _Decision(verdict=judgement.verdict, uncounted=True)
                    flooded = self._flood.over(action.agent, seen, now) if judgement.pending is None and seen else None
                    if flooded is not None:
                        return self._freeze(proposal, path, flooded)
                    return self._hold(proposal, facts, judgement, approval_id)
                case VerdictKind.DENY:
                    return self._deny(proposal, judgement.verdict)

        done = await self._store.commit(wants, decide)
        decision = done.result
        if decision.uncounted:
            return await self._admit(proposal, reservation_id, await self._flood.seen(action.agent))
        permit = None
        if decision.reservation:
            # INVARIANT: a permit exists only for an allow whose entry and reservation are durable.
            assert decision.verdict.allowed and done.indices
            permit = Permit(
                reservation=decision.reservation,
                digest=(decision.smaller or proposal).digest,
                entry=done.indices[0],
                run=action.run,
                agent=action.agent,
                approval=decision.used,
            )
        self._publish(decision.smaller or proposal, decision, done.indices)
        return Sequenced(verdict=decision.verdict, permit=permit, approval=decision.approval, proposal=decision.smaller)

    async def order(
        self, action: Action, *, wants: Wants, change: Callable[[Facts], Changes | None], body: Mapping[str, object]
    ) -> Permit | None:
        """Release an action of our own about a holding: recorded, with what `change` makes of the facts, before it
        leaves; None where `change` says that it is not to be done any more. Raises `StoreError`."""
        now, digest = self._clock.now(), digest_of(action)

        def decide(facts: Facts) -> tuple[Changes, bool]:
            changes = change(facts)
            if changes is None:
                return Changes(), False
            entry = self._scribe.draft(
                EntryKind.HOLDING_ORDERED,
                at=now,
                agent=action.agent,
                run=action.run,
                body={
                    "operation": action.operation,
                    "service": action.service,
                    "account": action.account,
                    "region": action.region,
                    "endpoint": action.endpoint,
                    "digest": digest,
                    **self._marks(action),
                    **body,
                },
                private={"resources": [scrubbed(name) for name in action.resources]},
            )
            return replace(changes, entries=(entry, *changes.entries)), True

        done = await self._store.commit(wants, decide)
        if not done.result:
            return None
        # INVARIANT: a permit exists only for what is recorded.
        assert done.indices
        told = {"index": done.indices[0], "agent": action.agent, "run": action.run, "operation": action.operation}
        self._hub.publish(EntryKind.HOLDING_ORDERED.value, {**told, **body})
        return Permit(reservation="", digest=digest, entry=done.indices[0], run=action.run, agent=action.agent)

    async def _from_share(self, proposal: Proposal, escrow: Escrow, reservation_id: str) -> Sequenced:
        """While the store is lost: judged as ever, by the run's share and what is known of brakes; durable in the
        journal. Raises `StoreLostError` for whatever is not plainly allowed."""
        now = self._clock.now()
        share = escrow.share_for(proposal.action, now)
        if proposal.carries_on or Unit.USD_MICROS_PER_HOUR in proposal.estimate.bounds:
            raise escrow.denied(ONLY_CHEAP)
        if proposal.boundary.kind is VerdictKind.REQUIRE_APPROVAL:
            raise escrow.denied(NOBODY_TO_ASK)
        rooms = share.rooms()
        case = Case(
            digest=proposal.digest,
            boundary=proposal.boundary,
            estimate=proposal.estimate,
            budgets=rooms,
            approvals=(),
            brakes=escrow.brakes_of(share.run.path),
            run=share.run,
            now=now,
        )
        judgement = judge(case)
        smaller = self._fitting(proposal, case) if judgement.short else None
        allowed, judgement = smaller or (proposal, judgement)
        if not judgement.verdict.allowed:
            raise escrow.denied("; ".join(reason.text for reason in judgement.verdict.reasons))
        changes, decision = self._allow(allowed, rooms, judgement, reservation_id)
        entry = marked(changes.entries[0])
        entry = replace(entry, body={**entry.body, "share": share.id, **marks_of(share.run)})
        spent = replace(changes.reservations[0], lines=share.lines(judgement.wanted))
        number = await escrow.spend(share, spent, entry)
        # INVARIANT: a permit exists only for an allow whose entry is durable, here in the journal, and whose
        # reservation stands, here as a part of the share.
        permit = Permit(
            reservation=reservation_id,
            digest=allowed.digest,
            entry=-number,
            run=allowed.action.run,
            agent=allowed.action.agent,
        )
        self._publish(allowed, replace(decision, crossings=()), (-number,))
        return Sequenced(verdict=decision.verdict, permit=permit, proposal=smaller[0] if smaller else None)

    def _standing(self, facts: Facts, proposal: Proposal) -> tuple[Standing, ...]:
        """The standing grants that the action fits, of people who could still give them."""
        found = covering(facts.documents, proposal.action, proposal.estimate)
        return tuple(item for item in found if still_held(item, self._runbook.voice_of(item.person)))

    def _lapsed(self, facts: Facts) -> frozenset[str]:
        """The yeses that people gave who may not answer any more."""
        unused = (each for each in facts.approvals if each.grant is GrantState.UNUSED)
        return frozenset(each.id for each in unused if not still_met(each, self._runbook.voice_of))

    def _cheap(self, proposal: Proposal) -> bool:
        """Whether an observed run may go on past the boundary with it: only that its host and service are
        not named is in the way. What brings about further actions is never cheap."""
        action = proposal.action
        return (
            proposal.boundary.kind is VerdictKind.DENY
            and not action.parts
            and bool(action.classes)
            and action.classes <= OBSERVED_CLASSES
            and not self._runbook.names(action.agent, action.service, action.host)
        )

    def _fitting(self, proposal: Proposal, case: Case) -> tuple[Proposal, Judgement] | None:
        """The proposal made to fit the room that is left, where it is then allowed without asking anybody."""
        smaller = proposal.smaller(rooms(case.budgets)) if proposal.smaller is not None else None
        if smaller is None:
            return None
        judged = judge(
            replace(
                case,
                digest=smaller.digest,
                boundary=smaller.boundary,
                estimate=smaller.estimate,
                approvals=(),
                standing=(),
            )
        )
        return (smaller, judged) if judged.verdict.allowed else None

    def _allow(
        self, proposal: Proposal, budgets: tuple[BudgetState, ...], judgement: Judgement, reservation_id: str
    ) -> tuple[Changes, _Decision]:
        now, action = self._clock.now(), proposal.action
        reservation = Reservation(
            id=reservation_id,
            run=action.run,
            agent=action.agent,
            operation=action.operation,
            digest=proposal.digest,
            retry_token=action.call.retry_token,
            state=ReservationState.DISPATCHED,
            amounts=judgement.wanted,
            lines=lines_for(budgets, judgement.wanted),
            created_at=now,
            approval=judgement.grant.id if judgement.grant else judgement.standing.id if judgement.standing else "",
        )
        extra: dict[str, object] = {
            "reservation": reservation_id,
            "reserved": amounts_body(judgement.wanted),
            **_would(judgement),
        }
        used: tuple[Approval, ...] = ()
        if proposal.carries_on:
            extra["carries_on"] = proposal.carries_on
        if proposal.lowered:
            extra["lowered"] = proposal.lowered
        if judgement.grant is not None:
            used = (replace(judgement.grant, grant=GrantState.USED),)
            extra["approval"] = judgement.grant.id
            extra["approved_by"] = [vote.by for vote in judgement.grant.votes]
            extra["self_approved"] = judgement.grant.self_approved
        if judgement.standing is not None:
            extra |= use_body(judgement.standing)
        crossings = self._thresholds.crossed(budgets, judgement.wanted)
        changes = Changes(
            entries=(
                self._entry(EntryKind.ACTION_ALLOWED, proposal, judgement.verdict, extra),
                *self._thresholds.drafts(crossings, agent=action.agent, run=action.run, at=now),
            ),
            reservations=(reservation,),
            accounts=dispatch_deltas(reservation),
            approvals=used,
        )
        grant = judgement.grant.id if judgement.grant else ""
        return changes, _Decision(
            verdict=judgement.verdict,
            reservation=reservation_id,
            used=grant,
            would_deny=judgement.would_deny,
            crossings=crossings,
        )

    def _resend(self, proposal: Proposal, reservation: Reservation, judgement: Judgement) -> tuple[Changes, _Decision]:
        """The service guarantees idempotency by this token: the same call goes again under its reservation.

        From now on two answers may come, and a refusal of one says nothing about the other: the money goes to suspense,
        from which only a known cost frees it.
        """
        verdict = judgement.verdict
        extra: dict[str, object] = {"reservation": reservation.id, "resent": True, **_would(judgement)}
        entry = self._entry(EntryKind.ACTION_ALLOWED, proposal, verdict, extra)
        decision = _Decision(verdict=verdict, reservation=reservation.id, would_deny=judgement.would_deny)
        if reservation.state is not ReservationState.DISPATCHED:
            return Changes(entries=(entry,)), decision
        held = replace(reservation, state=ReservationState.SUSPENSE)
        return Changes(entries=(entry,), accounts=suspend_deltas(reservation), reservations=(held,)), decision

    def _hold(
        self, proposal: Proposal, facts: Facts, judgement: Judgement, approval_id: str
    ) -> tuple[Changes, _Decision]:
        if judgement.pending is not None:
            return Changes(), _Decision(verdict=judgement.verdict, approval=judgement.pending)
        now, action = self._clock.now(), proposal.action
        obligations = judgement.verdict.obligations
        approval = Approval(
            id=approval_id,
            run=action.run,
            agent=action.agent,
            owner=self._runbook.owner_of(action.agent),
            requester=self._runbook.requester_of(action.run, action.agent),
            author=self._runbook.author(),
            digest=proposal.digest,
            slice_hash=proposal.boundary.slice_hash,
            operation=action.operation,
            obligations=obligations,
            sentence=proposal.sentence,
            facts=self._question(proposal, facts.budgets, judgement.wanted),
            asked_at=now,
            expires_at=now + timedelta(seconds=min(each.expires_seconds for each in obligations)),
            price_unknown=proposal.estimate.unknown(Unit.USD_MICROS),
            bounds={unit: bound.high for unit, bound in proposal.estimate.bounds.items()},
            targets=proposal.targets,
        )
        older = tuple(changed for old in facts.approvals if (changed := _superseded(old, now)) is not None)
        extra: dict[str, object] = {"approval": approval_id, "expires_at": approval.expires_at}
        if older:
            extra["supersedes"] = [each.id for each in older]
        entry = self._entry(EntryKind.ACTION_HELD, proposal, judgement.verdict, extra)
        self._flood.asked(action.agent, approval_id, now)
        decision = _Decision(verdict=judgement.verdict, approval=approval, asked=True)
        return Changes(entries=(entry,), approvals=(*older, approval)), decision

    def _freeze(self, proposal: Proposal, path: str, flooded: Flooded) -> tuple[Changes, _Decision]:
        """One question too many: it is not asked, and nothing more leaves the run until a person has looked."""
        now, action = self._clock.now(), proposal.action
        reason = Reason(code="too_many_questions", text=f"people are asked too much: {flooded.text}; the run is frozen")
        brake = Brake(scope=path, state=BrakeState.FROZEN, reason=reason.text, by="comptroller", at=now)
        changes, decision = self._deny(proposal, Verdict(kind=VerdictKind.DENY, reasons=(reason,)))
        entry = self._scribe.draft(
            EntryKind.BRAKE_FROZEN,
            at=now,
            agent=action.agent,
            run=action.run,
            body={"scope": path, "by": brake.by, "reason": brake.reason, **flooded.body()},
        )
        changes = replace(changes, entries=(*changes.entries, entry), brakes=(brake,))
        return changes, replace(decision, froze=brake)

    def _deny(self, proposal: Proposal, verdict: Verdict) -> tuple[Changes, _Decision]:
        if proposal.action.undecodable and proposal.action.reason:
            reason = Reason(code="undecodable", text=proposal.action.reason)
            verdict = replace(verdict, reasons=(reason, *verdict.reasons))
        entry = self._entry(EntryKind.ACTION_DENIED, proposal, verdict, {})
        return Changes(entries=(entry,)), _Decision(verdict=verdict)

    def _entry(self, kind: EntryKind, proposal: Proposal, verdict: Verdict, extra: Mapping[str, object]) -> EntryDraft:
        action = proposal.action
        body = action_body(action, proposal.digest, proposal.estimate, verdict)
        return self._scribe.draft(
            kind,
            at=self._clock.now(),
            agent=action.agent,
            run=action.run,
            body={
                **body,
                "slice": proposal.boundary.slice_hash,
                **_shadow(proposal.boundary, verdict),
                **({"permits": list(proposal.boundary.permits)} if proposal.boundary.permits else {}),
                **({"owned": True} if proposal.owned else {}),
                **({"parts": len(action.parts)} if action.parts else {}),
                "request_id": action.call.request_id,
                **self._marks(action),
                **extra,
            },
            private=action_private(action, proposal.sentence),
        )

    def _question(
        self, proposal: Proposal, budgets: tuple[BudgetState, ...], wanted: Mapping[Unit, int]
    ) -> dict[str, object]:
        """The facts a person is shown beside the sentence."""
        action, estimate = proposal.action, proposal.estimate
        return {
            "operation": action.operation,
            "classes": sorted(action.classes),
            "account": action.account,
            "region": action.region,
            "endpoint": action.endpoint,
            "quantity": action.quantity,
            "resources": [scrubbed(name) for name in action.resources[:20]],
            "parameters": shown({**action.parameters, **action.preview}, action.sensitive - action.preview.keys()),
            "usd_micros_high": estimate.high(Unit.USD_MICROS),
            "usd_micros_per_hour_high": estimate.high(Unit.USD_MICROS_PER_HOUR),
            "standing": Unit.USD_MICROS_PER_HOUR in estimate.bounds,
            "term_seconds": estimate.term_seconds,
            "basis": estimate.basis,
            "payment": None if action.payment is None else payment_body(action.payment),
            "parts": dict(proposal.parts),
            "efforts": {unit.value: estimate.high(unit) for unit in _EFFORTS if unit in estimate.bounds},
            "purpose": self._runbook.purpose_of(action.agent),
            "budget_after": [
                {
                    "scope": state.budget.scope,
                    "unit": state.budget.unit.value,
                    "window": state.budget.window.value,
                    "limit": state.budget.limit,
                    "room_after": state.room - wanted[state.budget.unit],
                }
                for state in budgets
                if state.budget.unit in wanted
            ],
            "executes": ActionClass.EXECUTE in action.classes,
            "like": proposal.like,
            "narrowings": [[each.path, each.kind.value, scrubbed(each.value)] for each in proposal.narrowings],
        }

    def _publish(self, proposal: Proposal, decision: _Decision, indices: tuple[int, ...]) -> None:
        if not indices:
            return
        kind = (
            EntryKind.ACTION_ALLOWED
            if decision.reservation
            else EntryKind.ACTION_HELD
            if decision.approval
            else EntryKind.ACTION_DENIED
        )
        action = proposal.action
        self._hub.publish(
            kind.value,
            {
                "index": indices[0],
                "agent": action.agent,
                "run": action.run,
                "operation": action.operation,
                "service": action.service,
                "part_services": services_within(action),
                "host": action.host,
                "account": action.account,
                "classes": sorted(action.classes),
                "sentence": proposal.sentence,
                "verdict": decision.verdict.kind.value,
                "rules": list(decision.verdict.rules),
                "reasons": [{"code": r.code, "text": r.text} for r in decision.verdict.reasons],
                "approval": decision.approval.id if decision.approval else "",
                **({"would": VerdictKind.DENY.value} if decision.would_deny else {}),
                "usd_micros_high": proposal.estimate.high(Unit.USD_MICROS),
            },
        )
        if decision.froze is not None:
            told = {"index": indices[1], "agent": action.agent, "run": action.run, "scope": decision.froze.scope}
            self._hub.publish(
                EntryKind.BRAKE_FROZEN.value, {**told, "by": decision.froze.by, "reason": decision.froze.reason}
            )
        self._thresholds.publish(decision.crossings, indices[1:], agent=action.agent, run=action.run)


def _shadow(boundary: BoundaryResult, verdict: Verdict) -> dict[str, object]:
    """What rules in shadow mode would have changed: nothing, where more than the boundary stood in the way."""
    if verdict.kind is VerdictKind.DENY and boundary.kind is not VerdictKind.DENY:
        return {}
    told = [
        {"rule": item.rule, "would": SHADOW_WORDS[item.would]}
        for item in boundary.shadow
        if item.would is not verdict.kind or item.would is boundary.kind
    ]
    return {"shadow": told} if told else {}


def _superseded(old: Approval, now: datetime) -> Approval | None:
    """An earlier question about the same action, or its unused yes, once people are asked anew: one of them counts."""
    if old.state is ApprovalState.PENDING:
        return replace(old, state=ApprovalState.WITHDRAWN)
    if old.grant is GrantState.UNUSED:
        return replace(old, grant=GrantState.REVOKED, taken_back_by="comptroller", taken_back_at=now)
    return None


def _would(judgement: Judgement) -> dict[str, object]:
    """What the boundary said of what an observed run did all the same; its rules and reasons are in the entry."""
    return {"would": VerdictKind.DENY.value} if judgement.would_deny else {}


def _as_sent(case: Case, first: Reservation) -> Case:
    """The case of a re-sent call: its money already stands and its yes, given under the rules that hold now, is
    already used; brake and boundary count."""
    boundary = case.boundary
    answered = any(
        approval.id == first.approval
        and approval.slice_hash == boundary.slice_hash
        and {obligation.rule for obligation in boundary.obligations} <= set(approval.rules)
        for approval in case.approvals
    ) or any(
        item.id == first.approval
        and item.slice_hash == boundary.slice_hash
        and {question_key(obligation) for obligation in boundary.obligations} <= item.questions
        for item in case.standing
    )
    if boundary.kind is VerdictKind.REQUIRE_APPROVAL and answered:
        boundary = replace(boundary, kind=VerdictKind.ALLOW, obligations=())
    return replace(case, boundary=boundary, estimate=Estimate(bounds={}), budgets=())


def _as_part(case: Case, whole: Approval | None) -> Case:
    """The case of what carries on an approved action (a part of an upload): the yes that began it covers its parts,
    as long as the run, the rules that ask and the group of rules that judged are still the same."""
    boundary = case.boundary
    if (
        whole is None
        or boundary.kind is not VerdictKind.REQUIRE_APPROVAL
        or case.run is None
        or whole.run != case.run.id
        or whole.grant is not GrantState.USED
        or not {obligation.rule for obligation in boundary.obligations} <= set(whole.rules)
        or whole.slice_hash != boundary.slice_hash
    ):
        return case
    return replace(case, boundary=replace(boundary, kind=VerdictKind.ALLOW, obligations=()))


def _may_resend(reservation: Reservation, now: datetime) -> bool:
    """Services forget idempotency tokens, and a call that failed for free would cost when sent again."""
    age = (now - reservation.created_at).total_seconds()
    if not -CLOCK_SKEW_SECONDS_MAX <= age <= RESEND_SECONDS_MAX:
        return False
    if reservation.state is not ReservationState.SETTLED:
        return True
    return all(reservation.actual.get(unit, amount) >= amount for unit, amount in reservation.amounts.items())
