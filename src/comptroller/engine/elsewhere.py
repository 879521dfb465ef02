"""Other gateways over the same store: what they changed is told to this one's hub, and each log vouches for the others.

A cut tail of one log is found by whoever has a later checkpoint of it: so each log holds those of the others.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Mapping

from comptroller.core.approval import Approval, ApprovalState, GrantState
from comptroller.core.audit import EntryKind
from comptroller.core.brake import Brake, BrakeState, RunState
from comptroller.core.checkpoint import Checkpoint
from comptroller.core.errors import StoreError
from comptroller.core.standing import standing_of, standing_text
from comptroller.engine.brake import KINDS
from comptroller.engine.hub import Hub
from comptroller.engine.recorder import Recorder
from comptroller.engine.standing import wake_covered
from comptroller.engine.trust import Trust
from comptroller.ports import Notice, SharedStore

_ANSWERS: Mapping[ApprovalState, EntryKind] = {
    ApprovalState.PENDING: EntryKind.APPROVAL_VOTED,
    ApprovalState.APPROVED: EntryKind.APPROVAL_APPROVED,
    ApprovalState.REJECTED: EntryKind.APPROVAL_REJECTED,
    ApprovalState.EXPIRED: EntryKind.APPROVAL_EXPIRED,
    ApprovalState.WITHDRAWN: EntryKind.APPROVAL_WITHDRAWN,
}


RETRY_SECONDS = 1.0


class Elsewhere:
    """Reads what a notice names and publishes it. The store is the truth: a notice is only where to look."""

    def __init__(self, *, store: SharedStore, hub: Hub, trust: Trust, recorder: Recorder) -> None:
        self._store = store
        self._hub = hub
        self._trust = trust
        self._recorder = recorder
        self._notices: asyncio.Queue[Notice] = asyncio.Queue()
        self._listening: asyncio.Task[None] | None = None
        self._seen: dict[str, int] = {}
        self._published = 0
        self._vouched = 0

    # ------------------------------------------------------------ notices

    def start(self) -> None:
        """Begin to listen, in the running event loop."""
        self._listening = asyncio.get_running_loop().create_task(self._listen())
        self._store.listen(self._notices.put_nowait)

    async def close(self) -> None:
        """Listen no more."""
        if self._listening is not None:
            self._listening.cancel()
            await asyncio.gather(self._listening, return_exceptions=True)

    async def _listen(self) -> None:
        while True:
            notice = await self._notices.get()
            try:
                await self.heard(notice)
            except StoreError:
                await asyncio.sleep(RETRY_SECONDS)
                if self._notices.empty():
                    self._notices.put_nowait(Notice(anything=True))

    async def heard(self, notice: Notice) -> None:
        """Tell what became of everything that `notice` names. Raises `StoreError`."""
        if notice.brakes or notice.anything:
            await self._brakes(notice)
        if notice.runs:
            await self._runs(notice)
        for approval_id in notice.approvals:
            approval = await self._store.approval(approval_id)
            if approval is not None:
                self._answered(approval)
        for standing_id in notice.standings:
            await self._standing(standing_id)
        if notice.distrusts or notice.anything:
            await self._trust.load()
        for scope in notice.budgets:
            self._hub.publish(EntryKind.BUDGET_SET.value, {"scope": scope, "elsewhere": True})
        if notice.anything:
            self._hub.wake_everyone()

    async def _brakes(self, notice: Notice) -> None:
        held = {brake.scope: brake for brake in await self._store.brakes()}
        for scope in sorted(held if notice.anything else notice.brakes):
            brake = held.get(scope)
            if brake is None:
                self._hub.publish(KINDS[BrakeState.FREE].value, {"scope": scope, "elsewhere": True})
            else:
                self._hub.publish(KINDS[brake.state].value, _summary_of_brake(brake))

    async def _runs(self, notice: Notice) -> None:
        """A run that was ended from elsewhere, or taken for dead: its box must not live on."""
        for run in await self._store.runs():
            if run.id in notice.runs and run.state is RunState.ENDED:
                summary = {"run": run.id, "agent": run.agent, "by": "comptroller", "reason": "ended by another gateway"}
                self._hub.publish("run.kill", {**summary, "scope": run.path, "elsewhere": True})

    async def _standing(self, standing_id: str) -> None:
        """A standing grant that was given elsewhere releases what waits here; one that ended is only told."""
        document = await self._store.document(standing_id)
        standing = standing_of(document) if document is not None else None
        if standing is None:
            return
        kind = EntryKind.STANDING_GRANTED if standing.open else EntryKind.STANDING_REVOKED
        summary = {"standing": standing.id, "agent": standing.agent, "run": standing.run, "elsewhere": True}
        if standing.open:
            summary |= {"approval": standing.approval, "by": standing.person, "sentence": standing_text(standing)}
        self._hub.publish(kind.value, summary)
        if standing.open:
            await wake_covered(self._store, self._hub, standing)

    def _answered(self, approval: Approval) -> None:
        if approval.grant is GrantState.USED:
            return
        asked = approval.state is ApprovalState.PENDING and not approval.votes
        kind = EntryKind.ACTION_HELD if asked else _ANSWERS[approval.state]
        if asked and approval.escalated:
            kind = EntryKind.APPROVAL_ESCALATED
        if approval.grant is GrantState.EXPIRED:
            kind = EntryKind.APPROVAL_EXPIRED
        if approval.grant is GrantState.REVOKED:
            kind = EntryKind.APPROVAL_REVOKED if approval.taken_back_by else EntryKind.APPROVAL_WITHDRAWN
        self._hub.publish(
            kind.value,
            {
                "agent": approval.agent,
                "run": approval.run,
                "approval": approval.id,
                "operation": approval.operation,
                "sentence": approval.sentence,
                "by": approval.taken_back_by or approval.answered_by,
                "comment": approval.taken_back_why or approval.comment,
                "self_approved": approval.self_approved,
                "elsewhere": True,
            },
        )

    # ------------------------------------------------------------ logs

    async def publish(self, signed: Checkpoint, note: bytes) -> None:
        """Show the others our newest checkpoint, unless nothing but their own were added since. Raises `StoreError`."""
        if signed.size - self._published <= self._vouched:
            return
        vouched = self._vouched
        await self._store.publish_checkpoint(signed, note)
        self._published, self._vouched = signed.size, self._vouched - vouched

    async def vouch(self) -> int:
        """Record the newest checkpoints of the others that are new. Returns how many. Raises `StoreError`."""
        found = await self._store.checkpoints_elsewhere()
        new = {origin: (size, note) for origin, (size, note) in found.items() if self._seen.get(origin) != size}
        for origin, (size, note) in sorted(new.items()):
            with contextlib.suppress(UnicodeDecodeError):
                body = {"origin": origin, "size": size, "note": note.decode("utf-8")}
                await self._recorder.record(EntryKind.LOG_WITNESSED, body=body)
                self._vouched += 1
            self._seen[origin] = size
        return len(new)


def _summary_of_brake(brake: Brake) -> dict[str, object]:
    parts = brake.scope.split("/")
    run = parts[3] if len(parts) == 4 else ""
    return {"scope": brake.scope, "run": run, "by": brake.by, "reason": brake.reason, "elsewhere": True}
