"""The one door: decode, price, boundary, sequencer, and the wait for people. Gateway and adapters all come here."""

from __future__ import annotations

import asyncio
import contextlib
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, replace

from comptroller.core.action import Action, ActionClass, Uncanonical
from comptroller.core.action import digest as digest_of
from comptroller.core.approval import Approval
from comptroller.core.errors import StoreError, StoreLostError
from comptroller.core.estimate import Estimate, Outcome, Unit
from comptroller.core.narrow import Narrowing, NotNarrower
from comptroller.core.request import Request
from comptroller.core.secrecy import scrubbed
from comptroller.core.verdict import (
    UNKNOWN_PRICE_RULE,
    BoundaryResult,
    Obligation,
    Reason,
    Verdict,
    VerdictKind,
)
from comptroller.decode.codec import Codec, Lowerable, Narrowable
from comptroller.decode.tags import tagged, touches_our_tags
from comptroller.engine.hub import Hub
from comptroller.engine.like import like_told
from comptroller.engine.messages import refusal
from comptroller.engine.parts import parts_told
from comptroller.engine.sequencer import Permit, Proposal, Sequenced, Sequencer
from comptroller.engine.settle import Settler
from comptroller.ports import Boundary, Clock, Pricer, Registry

BEGUN_MAX = 10_000
"""Approved actions that others carry on (uploads) and that are remembered; the oldest is forgotten, and asked anew."""
HELD_MAX = 1_000
"""Actions that are asked about and remembered; the oldest cannot be made smaller until it is asked again."""
INFLIGHT_MAX = 10_000
"""Released actions whose outcome is awaited; beyond it nothing more is released."""

Targets = Callable[[Action], Awaitable[Mapping[str, str]]]

NEVER_SENT = Outcome(status=0, ok=False, complete=True, charged=False)
"""The outcome of a released action of which not a byte left."""
RECHECK_SECONDS_MAX = 5.0
"""A waiting call asks the store again at least this often: an event is comfort, never the truth."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Released:
    """An allowed action: send it with its permit, then settle it. `lowered` says how it was made to fit a budget."""

    permit: Permit
    action: Action
    codec: Codec
    estimate: Estimate
    lowered: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Refused:
    """A denied action, or one still held when the wait ended; `message` is the text for the agent."""

    verdict: Verdict
    action: Action
    codec: Codec
    estimate: Estimate
    message: str
    approval: Approval | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class _Judged:
    codec: Codec
    proposal: Proposal


class Gatekeeper:
    """Admits requests; holds no state but the actions whose response is still awaited."""

    def __init__(
        self,
        *,
        registry: Registry,
        pricer: Pricer,
        boundary: Callable[[], Boundary],
        sequencer: Sequencer,
        settler: Settler,
        hub: Hub,
        clock: Clock,
        tags: Callable[[Action], Mapping[str, str]] = lambda _: {},
        owned: Callable[[Action], bool] = lambda _: False,
        targets: Targets | None = None,
    ) -> None:
        """`tags` are put on what an action makes; `owned` says whether all that it would end is its own run's;
        `targets` tells the state of the things on the books that an action is about."""
        self._tags = tags
        self._targets = targets
        self._owned = owned
        self._registry = registry
        self._pricer = pricer
        self._boundary = boundary
        self._sequencer = sequencer
        self._settler = settler
        self._hub = hub
        self._clock = clock
        self._inflight: dict[int, Action] = {}
        self._begun: dict[tuple[str, str], str] = {}
        self._held: OrderedDict[tuple[str, str], _Judged] = OrderedDict()
        self._abandoned: set[asyncio.Future[None]] = set()

    def preview(self, request: Request) -> tuple[Action, BoundaryResult]:
        """What would be said of `request` before any fact is read: of what costs nobody knows what, that people are
        asked. Records nothing."""
        proposal = self._judge(request).proposal
        boundary = proposal.boundary
        if boundary.kind is VerdictKind.ALLOW and proposal.estimate.unknown(Unit.USD_MICROS):
            asked = Obligation(rule=UNKNOWN_PRICE_RULE, reason="nobody can say what this costs")
            boundary = replace(boundary, kind=VerdictKind.REQUIRE_APPROVAL, obligations=(asked,))
        return proposal.action, boundary

    async def admit(
        self,
        request: Request,
        *,
        hold_seconds: float,
        on_held: Callable[[Approval], None] | None = None,
        waited: str = "",
    ) -> Released | Refused:
        """Decide `request`; wait up to `hold_seconds` for people where they have to be asked. `waited` is the question
        that this very call met before.

        Never raises for anything about the request: a lost store is a refusal too. Cancelling is safe: a question
        stays open, and the call issued again passes once it is answered.
        """
        deadline = self._clock.now().timestamp() + hold_seconds
        told = False
        while True:
            judged = self._judge(request)
            if judged.proposal.asks:
                self._keep(judged)
            if len(self._inflight) >= INFLIGHT_MAX:
                return self._refused(judged, _denied("overloaded", "too many actions are in flight"))
            try:
                sequenced = await self._sequence(await self._as_it_stands(judged.proposal, waited))
            except StoreError as error:
                # No entry can say so: the person at the terminal is told, the agent only that nothing passes.
                beside = error.beside if isinstance(error, StoreLostError) else ""
                told_of = {"run": request.run, "agent": request.agent, "why": error.message, "hint": error.hint}
                self._hub.publish("store.lost", {**told_of, "beside": beside})
                text = f"the decision could not be recorded{f': {beside}' if beside else ''}"
                return self._refused(judged, _denied("store_lost", text))
            if sequenced.permit is not None:
                allowed = sequenced.proposal or judged.proposal
                self._inflight[sequenced.permit.entry] = allowed.action
                return Released(
                    permit=sequenced.permit,
                    action=allowed.action,
                    codec=judged.codec,
                    estimate=allowed.estimate,
                    lowered=allowed.lowered,
                )
            approval = sequenced.approval
            if approval is None:
                return self._refused(judged, sequenced)
            if on_held is not None and not told:
                told = True
                on_held(approval)
            left = deadline - self._clock.now().timestamp()
            if left <= 0:
                return self._refused(judged, sequenced)
            waited = approval.id
            await self._hub.wait(approval.id, min(left, self._recheck_seconds(approval)))

    def _keep(self, judged: _Judged) -> None:
        """Remember what may be asked about, so that a person can make it smaller. Lost with the process: nothing else
        holds an action with its secrets."""
        key = (judged.proposal.action.run, judged.proposal.digest)
        self._held[key] = judged
        self._held.move_to_end(key)
        while len(self._held) > HELD_MAX:
            self._held.popitem(last=False)

    def narrowed(
        self, approval: Approval, changes: Mapping[str, str]
    ) -> tuple[Proposal, Proposal, tuple[Narrowing, ...]] | None:
        """What was asked, the same with `changes`, both as judged now, and what its codec can lower. None where it is
        not remembered. Raises `NotNarrower`."""
        held = self._held.get((approval.run, approval.digest))
        if held is None:
            return None
        codec, action = held.codec, held.proposal.action
        if not isinstance(codec, Narrowable):
            raise NotNarrower("nobody knows what of this action could be lowered")
        smaller = codec.narrow(action, changes)
        before = self._proposal(codec, action, held.proposal.digest)
        return before, self._proposal(codec, smaller, digest_of(smaller)), codec.narrowings(action)

    def _recheck_seconds(self, approval: Approval) -> float:
        """When to look again without having been woken: soon, and as soon as a yes that waits holds."""
        now = self._clock.now()
        if approval.usable_at is None or not approval.delayed(now):
            return RECHECK_SECONDS_MAX
        return min((approval.usable_at - now).total_seconds(), RECHECK_SECONDS_MAX)

    async def _as_it_stands(self, proposal: Proposal, waited: str) -> Proposal:
        """The proposal with the present state of what it acts on, where people may have to be asked."""
        if self._targets is None or not proposal.asks:
            return replace(proposal, waited=waited)
        return replace(proposal, waited=waited, targets=await self._targets(proposal.action))

    async def settle(self, permit: Permit, outcome: Outcome) -> None:
        """Settle what `outcome` proves. Exactly once per permit."""
        action = self._inflight.pop(permit.entry, None)
        if action is not None:
            self._remember(permit, action, outcome)
            await self._settler.settle(permit, action, outcome)

    async def suspend(self, permit: Permit, why: str) -> None:
        """Dispatched, outcome unknown: the money stays held."""
        if self._inflight.pop(permit.entry, None) is not None:
            await self._settler.suspend(permit, why)

    def _remember(self, permit: Permit, action: Action, outcome: Outcome) -> None:
        """Keep by whose yes something began that further actions carry on. Lost with the process, as runs are."""
        if outcome.opens and permit.approval:
            if len(self._begun) >= BEGUN_MAX:
                self._begun.pop(next(iter(self._begun)))
            self._begun[action.run, outcome.opens] = permit.approval

    async def _sequence(self, proposal: Proposal) -> Sequenced:
        """Sequence to the end even where the caller has gone: then nothing was sent, and that is settled as such."""
        task = asyncio.ensure_future(self._sequencer.admit(proposal))
        try:
            return await asyncio.shield(task)
        except asyncio.CancelledError:
            background = asyncio.ensure_future(self._abandon(task, proposal.action))
            self._abandoned.add(background)
            background.add_done_callback(self._abandoned.discard)
            raise

    async def _abandon(self, task: asyncio.Future[Sequenced], action: Action) -> None:
        with contextlib.suppress(StoreError):
            sequenced = await task
            if sequenced.permit is not None:
                await self._settler.settle(sequenced.permit, action, NEVER_SENT)

    async def close(self) -> None:
        """Finish what callers who left had begun."""
        await asyncio.gather(*self._abandoned)

    @property
    def inflight(self) -> int:
        """How many released actions still await their outcome."""
        return len(self._inflight)

    def _judge(self, request: Request) -> _Judged:
        codec = self._registry.codec_for(request)
        return self._judged(codec, codec.decode(request))

    def planned(self, action: Action) -> Proposal:
        """What would be said of an action that nobody sent yet. Records nothing."""
        place = Request(
            scheme="https",
            method="POST",
            host=action.host,
            port=443,
            target="/",
            headers=(),
            body=b"",
            agent=action.agent,
            run=action.run,
        )
        return self._judged(self._registry.codec_for(place), action).proposal

    def _judged(self, codec: Codec, action: Action) -> _Judged:
        touches = touches_our_tags(action)
        if ActionClass.PROVISION in action.classes and not touches:
            action = tagged(action, self._tags(action))
        try:
            digest = digest_of(action)
        except Uncanonical as error:
            action = _unknown(action, f"the request has no canonical form: {error}")
            digest = digest_of(action)
        proposal = self._proposal(codec, action, digest)
        if touches:
            proposal = replace(proposal, boundary=_OUR_TAGS)
        if ActionClass.INFER in action.classes and isinstance(codec, Lowerable):
            proposal = replace(proposal, smaller=lambda room: self._smaller(codec, action, room))
        return _Judged(codec=codec, proposal=proposal)

    def _proposal(self, codec: Codec, action: Action, digest: str) -> Proposal:
        estimate = self._pricer.estimate(action)
        owned = ActionClass.DESTROY in action.classes and self._owned(action)
        boundary = self._boundary().evaluate(action, estimate, owned=owned)
        asks = boundary.kind is VerdictKind.REQUIRE_APPROVAL or estimate.unknown(Unit.USD_MICROS)
        return Proposal(
            action=action,
            digest=digest,
            estimate=estimate,
            boundary=boundary,
            owned=owned,
            parts=parts_told(action, codec.sentence, self._pricer.estimate) if asks and action.parts else {},
            like=like_told(codec, action, estimate) if asks else None,
            narrowings=codec.narrowings(action) if asks and isinstance(codec, Narrowable) else (),
            sentence=scrubbed(codec.sentence(action)),
            carries_on=self._begun.get((action.run, action.call.part_of), "") if action.call.part_of else "",
        )

    def _smaller(self, codec: Lowerable, action: Action, room: Mapping[Unit, int]) -> Proposal | None:
        """The same model call with an output limit that fits into `room`."""
        limit = self._pricer.affordable_output(action, room)
        lowered = codec.lower(action, limit) if limit is not None else None
        if limit is None or lowered is None:
            return None
        text = f"the answer is limited to {limit} tokens: the budget has no room for more"
        return replace(self._proposal(codec, lowered, digest_of(lowered)), lowered=text)

    def _refused(self, judged: _Judged, sequenced: Sequenced) -> Refused:
        return Refused(
            verdict=sequenced.verdict,
            action=judged.proposal.action,
            codec=judged.codec,
            estimate=judged.proposal.estimate,
            approval=sequenced.approval,
            message=refusal(sequenced.verdict, sequenced.approval),
        )


_OUR_TAGS = BoundaryResult(
    kind=VerdictKind.DENY,
    reasons=(Reason(code="our_tags", text="tags that begin with `comptroller:` say who answers for a thing"),),
    rules=(),
    slice_hash="",
)
"""Of an action that writes, edits or removes one of our tags."""


def _denied(code: str, text: str) -> Sequenced:
    return Sequenced(verdict=Verdict(kind=VerdictKind.DENY, reasons=(Reason(code=code, text=text),)))


def _unknown(action: Action, reason: str) -> Action:
    """The same action with everything that has no canonical form taken out: nobody can say what it would do."""
    empty: Mapping[str, object] = {}
    return replace(
        action,
        operation=_plain(action.operation),
        service=_plain(action.service),
        endpoint=_plain(action.endpoint),
        account=_plain(action.account),
        region=_plain(action.region),
        classes=frozenset({ActionClass.UNKNOWN}),
        resources=(),
        quantity=1,
        parameters=empty,
        reason=reason,
    )


def _plain(text: str) -> str:
    return text.encode("utf-8", "replace").decode("utf-8")[:500]
