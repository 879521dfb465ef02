"""What holds after a restore: the log's next epoch is opened, and nothing leaves until a person has reconciled."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime

from comptroller.core.approval import Approval, ApprovalState, GrantState
from comptroller.core.audit import EntryDraft, EntryKind
from comptroller.core.brake import RESTORE, Brake, BrakeState, RunState
from comptroller.core.epoch import Head, Restore
from comptroller.core.errors import StoreError
from comptroller.core.estimate import Unit
from comptroller.core.reservation import ReservationState
from comptroller.engine.entries import Scribe
from comptroller.engine.hub import Hub
from comptroller.ports import Changes, Clock, Store, Wants

LOOK_BACK_ENTRIES = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class Unsettled:
    """What a restored store does not know the end of: where a person has to look."""

    entries: int
    known_until: str
    dispatched: int
    suspense: int
    held_usd_micros: int
    runs: tuple[str, ...]
    grants: int
    questions: int
    holdings: int
    usd_micros_per_hour: int

    def as_dict(self) -> Mapping[str, object]:
        """JSON values."""
        return {name: getattr(self, name) for name in self.__dataclass_fields__}


class Keeper:
    """Opens epochs. Works on any store: how the store itself was put back is not its business."""

    def __init__(self, *, store: Store, clock: Clock, scribe: Scribe, hub: Hub) -> None:
        self._store = store
        self._clock = clock
        self._scribe = scribe
        self._hub = hub

    async def restored(self, restore: Restore, *, organization: str) -> int:
        """Record the restore as the first entry of its epoch, freeze every scope, revoke what was granted and take
        back what was asked: it may have been used since. All in one change, and once. Returns the entry's index.

        Raises `StoreError` where the store is not the one that was restored.
        """
        size = await self._store.size()
        recent = await self._store.entries(after=max(size - LOOK_BACK_ENTRIES, 0) - 1, limit=LOOK_BACK_ENTRIES)
        for entry in recent:
            body = entry.document.get("body")
            known = entry.document.get("kind") == EntryKind.STORE_RESTORED.value
            if known and isinstance(body, Mapping) and body.get("restore") == restore.id:
                return entry.index
        kept = Head(origin=restore.kept_origin, size=size, root=(await self._store.root(size)).hex())
        if restore.kept is not None and restore.kept != kept:
            raise StoreError(
                f"the store has {size} entries and is not the one that was restored",
                hint="repeat the restore: comptroller restore FILE",
            )
        now = self._clock.now()
        newest = restore.newest
        beyond = max(newest.size if newest is not None else 0, restore.present_size) - size
        first = self._scribe.draft(
            EntryKind.STORE_RESTORED,
            at=now,
            body={
                "restore": restore.id,
                "epoch": restore.epoch,
                "origin": restore.origin,
                "kept": kept.as_dict(),
                "newest": newest.as_dict() if newest is not None else None,
                "lost_at_least": max(beyond, 0),
                "known_until": recent[-1].document.get("at") if recent else None,
                "backup": restore.backup,
                "by": restore.by,
            },
            private={"reason": restore.reason},
        )
        brakes = await self._brakes(organization, now, restore)
        approvals = [taken for item in await self._store.approvals() if (taken := _taken_back(item)) is not None]
        entries = (first, *(self._frozen(brake) for brake in brakes), *(self._withdrawn(a, now) for a in approvals))
        changes = Changes(entries=entries, brakes=brakes, approvals=tuple(approvals))
        done = await self._store.commit(Wants(now=now), lambda _: (changes, None))
        # INVARIANT: nothing came between what the entry says it follows and the entry.
        assert done.indices[0] == size, (done.indices[0], size)
        self._hub.publish(EntryKind.STORE_RESTORED.value, {"index": size, "by": restore.by, "reason": restore.reason})
        return size

    async def hold(self, organization: str) -> None:
        """While anything is frozen by a restore, so is the organization, whatever the configuration calls it now."""
        held = await self._store.brakes()
        mine = next((brake for brake in held if brake.by == RESTORE and brake.state is BrakeState.FROZEN), None)
        if mine is None or any(brake.scope == organization for brake in held):
            return
        brake = replace(mine, scope=organization, at=self._clock.now())
        changes = Changes(entries=(self._frozen(brake),), brakes=(brake,))
        await self._store.commit(Wants(now=brake.at), lambda _: (changes, None))

    async def unsettled(self) -> Unsettled:
        """What the store holds that went on, or may have, after its last entry."""
        size = await self._store.size()
        last = await self._store.entries(after=size - 2, limit=1)
        reservations = await self._store.open_reservations()
        approvals = await self._store.approvals()
        holdings = await self._store.holdings()
        return Unsettled(
            entries=size,
            known_until=str(last[0].document.get("at")) if last else "",
            dispatched=sum(item.state is ReservationState.DISPATCHED for item in reservations),
            suspense=sum(item.state is ReservationState.SUSPENSE for item in reservations),
            held_usd_micros=sum(item.amounts.get(Unit.USD_MICROS, 0) for item in reservations),
            runs=tuple(run.id for run in await self._store.runs() if run.state is RunState.ACTIVE),
            grants=sum(item.grant is GrantState.UNUSED for item in approvals),
            questions=sum(item.state is ApprovalState.PENDING for item in approvals),
            holdings=len(holdings),
            usd_micros_per_hour=sum(item.rate_usd_micros_per_hour or 0 for item in holdings),
        )

    async def _brakes(self, organization: str, now: datetime, restore: Restore) -> tuple[Brake, ...]:
        """A brake on every root there is a budget, a run or a configuration for; what was killed stays killed."""
        paths = [
            organization,
            *(state.budget.scope for state in await self._store.budgets(now)),
            *(run.path for run in await self._store.runs()),
        ]
        killed = {brake.scope for brake in await self._store.brakes() if brake.state is BrakeState.KILLED}
        reason = f"restored by {restore.by}: reconcile, then thaw with a reason ({restore.reason})"
        return tuple(
            Brake(scope=root, state=BrakeState.FROZEN, reason=reason, by=RESTORE, at=now)
            for root in _roots(paths)
            if root not in killed
        )

    def _frozen(self, brake: Brake) -> EntryDraft:
        return self._scribe.draft(
            EntryKind.BRAKE_FROZEN,
            at=brake.at,
            body={"scope": brake.scope, "by": brake.by},
            private={"reason": brake.reason},
        )

    def _withdrawn(self, approval: Approval, now: datetime) -> EntryDraft:
        return self._scribe.draft(
            EntryKind.APPROVAL_WITHDRAWN,
            at=now,
            agent=approval.agent,
            run=approval.run,
            body={"approval": approval.id, "by": RESTORE},
        )


def _roots(paths: Iterable[str]) -> list[str]:
    return sorted({path.partition("/")[0] for path in paths})


def _taken_back(approval: Approval) -> Approval | None:
    """A question or a grant that counts no longer; None where there is nothing to take back."""
    if approval.state is ApprovalState.PENDING:
        return replace(approval, state=ApprovalState.WITHDRAWN)
    if approval.grant is GrantState.UNUSED:
        return replace(approval, grant=GrantState.REVOKED)
    return None
