"""Freeze, thaw, kill. A frozen scope releases nothing new; killing a run also withdraws its questions and grants."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace
from functools import partial

from comptroller.core.approval import ApprovalState, GrantState
from comptroller.core.audit import EntryKind
from comptroller.core.brake import RESTORE, Brake, BrakeState, Run, RunState
from comptroller.core.errors import RefusedError, StoreLostError
from comptroller.engine.entries import Scribe
from comptroller.engine.escrow import Escrow
from comptroller.engine.hub import Hub
from comptroller.ports import Changes, Clock, Facts, Store, Wants

KINDS = {
    BrakeState.FROZEN: EntryKind.BRAKE_FROZEN,
    BrakeState.FREE: EntryKind.BRAKE_THAWED,
    BrakeState.KILLED: EntryKind.BRAKE_KILLED,
}


class Brakes:
    """Acts on scope paths; a run is named by its id or its path."""

    def __init__(
        self,
        *,
        store: Store,
        clock: Clock,
        scribe: Scribe,
        hub: Hub,
        scopes: Callable[[], Iterable[str]],
        escrow: Escrow | None = None,
    ) -> None:
        """`scopes` lists the configured scope paths: an agent can be frozen before its first run. With an `escrow`
        brakes can be pulled while the store is lost; they are released when it is back."""
        self._escrow = escrow
        self._scopes = scopes
        self._store = store
        self._clock = clock
        self._scribe = scribe
        self._hub = hub

    async def freeze(self, scope: str, *, by: str, reason: str) -> Brake:
        """Nothing new leaves from `scope` until it is thawed. Raises `RefusedError` for an unknown scope."""
        return await self._set(await self._path(scope), BrakeState.FROZEN, by, reason)

    async def thaw(self, scope: str, *, by: str, reason: str) -> Brake:
        """Let `scope` act again. What a restore froze needs a reason; it was reconciled as a whole, so every root that
        the restore froze goes on with it. Raises `RefusedError` where it was killed."""
        path = await self._path(scope)
        frozen = [brake.scope for brake in await self._store.brakes() if brake.by == RESTORE]
        thawed = await self._set(path, BrakeState.FREE, by, reason)
        for other in frozen:
            if path in frozen and other != path:
                await self._set(other, BrakeState.FREE, by, reason)
        return thawed

    async def kill(self, scope: str, *, by: str, reason: str) -> Brake:
        """Freeze `scope` for good, withdraw what its runs asked and were granted; their boxes are ended."""
        path = await self._path(scope)
        brake = await self._set(path, BrakeState.KILLED, by, reason)
        if self._escrow is not None and self._escrow.lost:
            for run_id, own in self._escrow.runs_below(path).items():
                self._publish_kill(run_id, own.split("/")[2], path, by, reason)
            self._escrow.defer(partial(self._end_runs, path, by, reason))
        else:
            await self._end_runs(path, by, reason)
        return brake

    async def _end_runs(self, path: str, by: str, reason: str) -> None:
        for run in await self._store.runs():
            if run.state is RunState.ACTIVE and (run.path == path or run.path.startswith(path + "/")):
                await self._withdraw(run, by)
                self._publish_kill(run.id, run.agent, path, by, reason)

    def _publish_kill(self, run_id: str, agent: str, path: str, by: str, reason: str) -> None:
        self._hub.publish("run.kill", {"run": run_id, "agent": agent, "by": by, "reason": reason, "scope": path})

    async def _path(self, scope: str) -> str:
        try:
            if self._escrow is None or not self._escrow.lost:
                return await self._stored_path(scope)
        except StoreLostError as error:
            if self._escrow is None:
                raise
            self._escrow.lose(error)
        running = self._escrow.runs_below("")
        known = {*self._scopes(), *running.values()}
        if scope in known or scope in running:
            return running.get(scope, scope)
        raise RefusedError(
            f"`{scope}` is neither a configured scope nor a run of this gateway, and the store is lost",
            hint="name a run, an agent, a team or the organization",
        )

    async def _stored_path(self, scope: str) -> str:
        runs = await self._store.runs()
        for run in runs:
            if scope in (run.id, run.path):
                return run.path
        known = {state.budget.scope for state in await self._store.budgets(self._clock.now())}
        known |= set(self._scopes())
        known |= {"/".join(run.path.split("/")[:depth]) for run in runs for depth in (1, 2, 3)}
        if scope in known:
            return scope
        raise RefusedError(
            f"`{scope}` is neither a run nor a scope with a budget or a run",
            hint="comptroller budget show lists the scopes, comptroller tail the runs",
        )

    async def _set(self, path: str, state: BrakeState, by: str, reason: str) -> Brake:
        now = self._clock.now()
        brake = Brake(scope=path, state=state, reason=reason or "no reason given", by=by, at=now)
        run = path.split("/")[3] if path.count("/") == 3 else ""

        def decide(facts: Facts) -> tuple[Changes, None]:
            old = next((held for held in facts.brakes if held.scope == path), None)
            if old is not None and old.state is BrakeState.KILLED:
                raise RefusedError(f"`{path}` was killed: that is final", hint="start a new run")
            if old is not None and old.by == RESTORE:
                _check_reconciled(path, state, reason)
            entry = self._scribe.draft(
                KINDS[state], at=now, run=run, body={"scope": path, "by": by}, private={"reason": reason}
            )
            return Changes(entries=(entry,), brakes=(brake,)), None

        indices: tuple[int, ...] = ()
        try:
            if self._escrow is None or not self._escrow.lost or await self._escrow.back():
                indices = (await self._store.commit(Wants(now=now, scopes=(path,)), decide)).indices
        except StoreLostError as error:
            if self._escrow is None:
                raise
            self._escrow.lose(error)
        told = {"scope": path, "run": run, "by": by, "reason": reason}
        if not indices:
            assert self._escrow is not None
            if state is BrakeState.FREE:
                raise self._escrow.denied("a brake is released when the store is back")
            changes, _ = decide(Facts(brakes=self._escrow.brakes_of(path)))
            await self._escrow.brake(brake, changes.entries[0])
        self._hub.publish(KINDS[state].value, {**({"index": indices[0]} if indices else {}), **told})
        return brake

    async def _withdraw(self, run: Run, by: str) -> None:
        now = self._clock.now()
        for approval in await self._store.approvals():
            if approval.run != run.id:
                continue

            def decide(facts: Facts) -> tuple[Changes, bool]:
                current = facts.approval
                if current is None:
                    return Changes(), False
                if current.state is ApprovalState.PENDING:
                    changed = replace(current, state=ApprovalState.WITHDRAWN)
                elif current.grant is GrantState.UNUSED:
                    changed = replace(current, grant=GrantState.REVOKED)
                else:
                    return Changes(), False
                entry = self._scribe.draft(
                    EntryKind.APPROVAL_WITHDRAWN,
                    at=now,
                    agent=current.agent,
                    run=current.run,
                    body={"approval": current.id, "by": by},
                )
                return Changes(entries=(entry,), approvals=(changed,)), True

            done = await self._store.commit(Wants(now=now, approval=approval.id), decide)
            if done.result:
                self._hub.publish(
                    EntryKind.APPROVAL_WITHDRAWN.value,
                    {"index": done.indices[0], "approval": approval.id, "run": run.id, "agent": run.agent, "by": by},
                )


def _check_reconciled(path: str, state: BrakeState, reason: str) -> None:
    """What a restore froze goes on only with a person's reason. Raises `RefusedError`."""
    if state is BrakeState.FROZEN:
        raise RefusedError(f"`{path}` is frozen since a restore", hint="nothing leaves it; nothing was changed")
    if state is BrakeState.FREE and not reason.strip():
        raise RefusedError(
            f"`{path}` is frozen since a restore: say what was reconciled",
            hint=f'comptroller thaw {path} --reason "compared with the bills of …, limits lowered by what was spent"',
        )
