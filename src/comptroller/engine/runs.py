"""Runs: started with a purpose and a budget of their own, ended with a reason, resumed under the same identity."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from functools import partial

from comptroller.core.audit import EntryKind
from comptroller.core.brake import BrakeState, Run, RunState
from comptroller.core.budget import Budget, scopes_of
from comptroller.core.errors import RefusedError, StoreLostError, UsageError
from comptroller.core.estimate import Unit
from comptroller.core.window import Window
from comptroller.engine.entries import Scribe, amounts_body
from comptroller.engine.escrow import Escrow
from comptroller.engine.hub import Hub
from comptroller.ports import Changes, Clock, Facts, Ids, RunBook, Store, Wants


class Runs:
    """Opens and closes runs."""

    def __init__(
        self,
        *,
        store: Store,
        clock: Clock,
        ids: Ids,
        scribe: Scribe,
        hub: Hub,
        runbook: RunBook,
        escrow: Escrow | None = None,
    ) -> None:
        """With an `escrow`, a run that ends while the store is lost is ended there when it is back."""
        self._escrow = escrow
        self._store = store
        self._clock = clock
        self._ids = ids
        self._scribe = scribe
        self._hub = hub
        self._runbook = runbook

    async def start(
        self,
        *,
        agent: str,
        purpose: str | None,
        resume: str | None,
        per_run: Mapping[Unit, int],
        observed: bool = False,
        unboxed: bool = False,
        external: bool = False,
        by: str = "",
    ) -> Run:
        """Start a run of `agent`, or make run `resume` active again with its budget, identity and unused grants.

        `observed` and `unboxed` hold until it ends, also for a resumed run, whatever it was before. `external`: it has
        no box of ours either, yet its traffic comes to us; the wall is somebody else's, and its first entry says so.
        `by` is the person who started it, where that is known.

        Raises `UsageError` for an unknown agent or run, `RefusedError` for a killed or active one.
        """
        now = self._clock.now()
        run_id = resume or self._ids.new()
        path = f"{self._runbook.path_of(agent)}/{run_id}"
        new = Run(
            id=run_id,
            agent=agent,
            owner=self._runbook.owner_of(agent),
            path=path,
            purpose=purpose or self._runbook.purpose_of(agent),
            state=RunState.ACTIVE,
            started_at=now,
            observed=observed,
            unboxed=unboxed or external,
        )

        def decide(facts: Facts) -> tuple[Changes, Run]:
            run, budgets = (
                new,
                tuple(
                    Budget(scope=path, unit=unit, window=Window.TOTAL, limit=limit) for unit, limit in per_run.items()
                ),
            )
            if resume is not None:
                resumed = _resumed(facts, resume, agent, path)
                run, budgets = replace(resumed, observed=observed, unboxed=unboxed or external), ()
            for brake in facts.brakes:
                if brake.state is not BrakeState.FREE:
                    raise RefusedError(
                        f"`{brake.scope}` is {brake.state.value}: {brake.reason}",
                        hint=f"comptroller thaw {brake.scope}" if brake.state is BrakeState.FROZEN else "",
                    )
            body = {
                "path": path,
                "owner": run.owner,
                "resumed": resume is not None,
                "per_run": amounts_body(per_run),
                **marks_of(run),
                **({"layer": "external"} if external else {}),
                **({"by": by} if by else {}),
            }
            entry = self._scribe.draft(
                EntryKind.RUN_STARTED,
                at=now,
                agent=agent,
                run=run.id,
                body=body,
                private={"purpose": run.purpose},
            )
            return Changes(entries=(entry,), runs=(run,), budgets=budgets), run

        self._runbook.launched(run_id, by)
        done = await self._store.commit(Wants(now=now, scopes=scopes_of(path), run=run_id), decide)
        self._hub.publish(
            EntryKind.RUN_STARTED.value, {"index": done.indices[0], "run": done.result.id, "agent": agent}
        )
        return done.result

    async def end(self, run_id: str, *, exit_code: int | None, reason: str = "") -> Run | None:
        """End a run; ending an ended one changes nothing. Returns the run, None where there is none."""
        try:
            return await self._end(run_id, exit_code, reason, self._clock.now())
        except StoreLostError as error:
            if self._escrow is not None:
                self._escrow.lose(error)
                self._escrow.defer(partial(self._end_later, run_id, exit_code, reason, self._clock.now()))
            raise

    async def _end_later(self, run_id: str, exit_code: int | None, reason: str, at: datetime) -> None:
        await self._end(run_id, exit_code, reason, at)

    async def _end(self, run_id: str, exit_code: int | None, reason: str, now: datetime) -> Run | None:

        def decide(facts: Facts) -> tuple[Changes, Run | None]:
            run = facts.run
            if run is None or run.state is RunState.ENDED:
                return Changes(), run
            ended = replace(run, state=RunState.ENDED, ended_at=now, exit_code=exit_code)
            entry = self._scribe.draft(
                EntryKind.RUN_ENDED,
                at=now,
                agent=run.agent,
                run=run.id,
                body={"exit_code": exit_code, "reason": reason, **marks_of(run)},
            )
            return Changes(entries=(entry,), runs=(ended,)), ended

        done = await self._store.commit(Wants(now=now, run=run_id), decide)
        if done.indices and done.result is not None:
            self._hub.publish(
                EntryKind.RUN_ENDED.value,
                {"index": done.indices[0], "run": run_id, "agent": done.result.agent, "exit_code": exit_code},
            )
        return done.result

    async def recover(self, *, own: bool = True) -> int:
        """After a crash: no box outlives its `serve`, so its active runs have ended. Returns how many.

        Without `own`: only those of other machines whose `serve` is certainly dead.
        """
        active = (await self._store.stranded(own=own)).runs
        for run in active:
            await self.end(run.id, exit_code=None, reason="comptroller restarted")
        return len(active)


def marks_of(run: Run | None) -> dict[str, object]:
    """What every entry of a run says of it where the wall was not all there."""
    if run is None:
        return {}
    return {**({"observed": True} if run.observed else {}), **({"unboxed": True} if run.unboxed else {})}


def _resumed(facts: Facts, run_id: str, agent: str, path: str) -> Run:
    run = facts.run
    if run is None:
        raise UsageError(f"there is no run `{run_id}`", hint="comptroller tail lists the runs")
    if run.agent != agent:
        raise UsageError(f"run `{run_id}` belongs to agent `{run.agent}`", hint=f"use --agent {run.agent}")
    if run.state is RunState.ACTIVE:
        raise RefusedError(f"run `{run_id}` is still active", hint=f"end it first: comptroller kill {run_id}")
    if run.path != path:
        raise RefusedError(
            f"run `{run_id}` began as `{run.path}`, where its budget and brakes are", hint="start a new run"
        )
    return replace(run, state=RunState.ACTIVE, ended_at=None, exit_code=None)
