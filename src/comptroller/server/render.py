"""Values of the core as JSON objects for scripts. Text stays exactly as it is: showing it is `server/words.py`."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime

from comptroller.core.approval import Approval, Person
from comptroller.core.audit import Entry, PrivateField
from comptroller.core.brake import Brake, BrakeState, Run
from comptroller.core.budget import THRESHOLD_PERCENTS, BudgetState, scopes_of
from comptroller.core.estimate import Unit
from comptroller.core.holding import Holding
from comptroller.core.pattern import pattern_of, pattern_text
from comptroller.core.reservation import Reservation
from comptroller.core.vote import Hat
from comptroller.engine.suspense import Unconfirmed
from comptroller.server.progress import answering_json, moment_text, rule_json

Json = dict[str, object]

time_text = moment_text
"""How times are written in JSON."""


def brake_of(path: str, brakes: Iterable[Brake]) -> Brake | None:
    """The most restrictive brake on `path` or above it."""
    scopes = scopes_of(path)
    order = {BrakeState.FREE: 0, BrakeState.FROZEN: 1, BrakeState.KILLED: 2}
    return max((b for b in brakes if b.scope in scopes), key=lambda b: order[b.state], default=None)


def run_json(run: Run, brakes: Iterable[Brake]) -> Json:
    """One run, with the brake that holds it."""
    brake = brake_of(run.path, brakes)
    return {
        "id": run.id,
        "agent": run.agent,
        "owner": run.owner,
        "path": run.path,
        "purpose": run.purpose,
        "state": run.state.value,
        "brake": brake.state.value if brake else BrakeState.FREE.value,
        "brake_scope": brake.scope if brake else None,
        "brake_reason": brake.reason if brake else None,
        "brake_by": brake.by if brake else None,
        "started_at": time_text(run.started_at),
        "ended_at": time_text(run.ended_at),
        "exit_code": run.exit_code,
        "observed": run.observed,
        "unboxed": run.unboxed,
    }


def budget_json(state: BudgetState) -> Json:
    """One budget and what its window holds."""
    budget, account = state.budget, state.account
    return {
        "scope": budget.scope,
        "unit": budget.unit.value,
        "window": budget.window.value,
        "start": state.start,
        "limit": budget.limit,
        "on_exceed": budget.on_exceed.value,
        "settled": account.settled,
        "dispatched": account.dispatched,
        "reserved": account.reserved,
        "suspense": account.suspense,
        "room": state.room,
        "percent": (account.taken * 100 // budget.limit) if budget.limit > 0 else None,
        "thresholds": list(THRESHOLD_PERCENTS),
    }


def holding_json(item: Holding, term: Reservation | None, now: datetime) -> Json:
    """One holding: what it is, whose, what it costs by the hour and cost so far, until when it is paid for."""
    reserved = term.amounts.get(Unit.USD_MICROS, 0) if term is not None else 0
    return {
        "id": item.id,
        "kind": item.kind,
        "resource": item.resource,
        "account": item.account,
        "region": item.region,
        "endpoint": item.endpoint,
        "agent": item.agent,
        "run": item.run,
        "path": item.path,
        "owner": item.owner,
        "approver": item.approver,
        "operation": item.operation,
        "state": item.state.value,
        "why": item.why,
        "opened_at": time_text(item.opened_at),
        "state_at": time_text(item.state_at),
        "usd_micros_per_hour": item.rate_usd_micros_per_hour,
        "reserved_usd_micros": reserved,
        "spent_usd_micros": item.spent_usd_micros(now, reserved),
        "paid_until": time_text(item.paid_until) if item.term_reservation else None,
        "tagged": item.tagged,
    }


def burn_json(items: Sequence[Holding], budgets: Sequence[BudgetState]) -> Json:
    """What everything that lives costs by the hour and over 30 days, and how long each limit lasts at that rate."""
    living = [item for item in items if item.costs]
    rate = sum(item.rate_usd_micros_per_hour or 0 for item in living)
    lasts = []
    for state in budgets:
        scope = state.budget.scope
        burned = sum(item.rate_usd_micros_per_hour or 0 for item in living if scope in scopes_of(item.path))
        if state.budget.unit is Unit.USD_MICROS and burned:
            hours = max(state.room, 0) / burned
            lasts.append({"scope": scope, "window": state.budget.window.value, "hours": round(hours, 2)})
    return {
        "usd_micros_per_hour": rate,
        "usd_micros_per_30_days": rate * 720,
        "rate_unknown": sum(item.rate_usd_micros_per_hour is None for item in living),
        "lasts": sorted(lasts, key=lambda each: float(str(each["hours"]))),
    }


def suspense_json(row: Unconfirmed, now: datetime) -> Json:
    """One reservation in suspense, and how old it is."""
    held = row.reservation
    return {
        "reservation": held.id,
        "operation": held.operation,
        "sentence": row.sentence,
        "agent": held.agent,
        "run": held.run,
        "since": time_text(held.created_at),
        "age_seconds": max(0, int((now - held.created_at).total_seconds())),
        "reserved": {unit.value: amount for unit, amount in held.amounts.items()},
        "why": row.why,
        "scopes": sorted({line.scope for line in held.lines}),
    }


def settled_json(reservation: Reservation) -> Json:
    """What was held for a reservation and what it cost."""
    return {
        "reservation": reservation.id,
        "operation": reservation.operation,
        "agent": reservation.agent,
        "run": reservation.run,
        "reserved": {unit.value: amount for unit, amount in reservation.amounts.items()},
        "actual": {unit.value: amount for unit, amount in reservation.actual.items()},
    }


def budget_tree(states: Sequence[BudgetState]) -> list[Json]:
    """Every budget, parents before their children, with its depth below the organization."""
    ordered = sorted(states, key=_tree_key)
    return [{"depth": s.budget.scope.count("/"), **budget_json(s)} for s in ordered]


def _tree_key(state: BudgetState) -> tuple[list[str], bool, str, str]:
    """Parents first, money first."""
    unit = state.budget.unit
    return state.budget.scope.split("/"), unit is not Unit.USD_MICROS, unit.value, state.budget.window.value


def approval_json(
    approval: Approval,
    *,
    person: Person,
    path: str = "",
    budgets: Sequence[BudgetState] = (),
    now: datetime | None = None,
    hats: Sequence[Hat] = (),
    people: Mapping[str, frozenset[str]] | None = None,
) -> Json:
    """One question with everything `person` needs to answer it. `budgets` are today's: the room is counted afresh.

    `obstacle` says why this person may not answer; empty where they may. `hats` are those they may wear as a deputy,
    `people` the configured ones with their groups. Without `now` it is as it was when it was asked.
    """
    facts, now = approval.facts, now or approval.asked_at
    return {
        "id": approval.id,
        "state": approval.state.value,
        "grant": approval.grant.value,
        "sentence": approval.sentence,
        "operation": approval.operation,
        "classes": facts.get("classes", []),
        "account": facts.get("account", ""),
        "region": facts.get("region", ""),
        "endpoint": facts.get("endpoint", ""),
        "quantity": facts.get("quantity", 1),
        "resources": facts.get("resources", []),
        "parameters": facts.get("parameters", []),
        "usd_micros": facts.get("usd_micros_high"),
        "usd_micros_per_hour": facts.get("usd_micros_per_hour_high"),
        "standing": facts.get("standing", False),
        "term_seconds": facts.get("term_seconds"),
        "basis": facts.get("basis", ""),
        "payment": facts.get("payment"),
        "parts": facts.get("parts") or {"lines": [], "more": 0},
        "efforts": facts.get("efforts", {}),
        "like": _like(facts.get("like")),
        "narrowings": facts.get("narrowings", []),
        "narrowed": facts.get("narrowed"),
        "price_unknown": approval.price_unknown,
        "ceiling_usd_micros": approval.ceiling_usd_micros,
        "budget_after": _budget_after(approval, path, budgets),
        "agent": approval.agent,
        "owner": approval.owner,
        "purpose": facts.get("purpose", ""),
        "run": approval.run,
        "rules": [rule_json(approval, each, now) for each in approval.obligations],
        "votes": [
            {
                "person": v.person,
                "by": v.by,
                "stands_for": v.stands_for,
                "assurance": v.assurance.value,
                "at": time_text(v.at),
                "self_approved": v.self_approved,
                "comment": v.comment,
            }
            for v in approval.votes
        ],
        "digest": approval.digest,
        "asked_at": time_text(approval.asked_at),
        "expires_at": time_text(approval.expires_at),
        "answered_at": time_text(approval.answered_at),
        "answered_by": approval.answered_by,
        "comment": approval.comment,
        "grant_expires_at": time_text(approval.grant_expires_at),
        **answering_json(approval, person, now, hats, people or {}),
    }


def _like(told: object) -> Json | None:
    """What a standing grant from this question would cover; None where nothing can be called like it."""
    pattern = pattern_of(told)
    if pattern is None:
        return None
    return {"key": pattern.key, "sentence": pattern_text(pattern), "include": sorted(pattern.named_classes)}


def _budget_after(approval: Approval, path: str, budgets: Sequence[BudgetState]) -> list[Json]:
    """What each limit leaves after this action; limits of units that it does not take are left out."""
    facts = approval.facts
    ceiling = approval.ceiling_usd_micros
    wanted: dict[Unit, object] = {Unit.CALLS: 1}
    if approval.price_unknown or facts.get("usd_micros_high") is not None:
        wanted[Unit.USD_MICROS] = ceiling if approval.price_unknown else facts.get("usd_micros_high")
    if facts.get("standing"):
        wanted[Unit.USD_MICROS_PER_HOUR] = facts.get("usd_micros_per_hour_high")
    scopes = scopes_of(path) if path else ()
    rows: list[Json] = []
    for state in budgets:
        amount = wanted.get(state.budget.unit)
        if state.budget.scope not in scopes or state.budget.unit not in wanted:
            continue
        known = isinstance(amount, int)
        rows.append(
            {
                "scope": state.budget.scope,
                "unit": state.budget.unit.value,
                "window": state.budget.window.value,
                "limit": state.budget.limit,
                "room": state.room,
                "room_after": state.room - amount if isinstance(amount, int) else None,
                "fits": known and state.room >= (amount if isinstance(amount, int) else 0),
            }
        )
    return rows


def entry_json(entry: Entry, private: Sequence[PrivateField]) -> Json:
    """One entry: the leaf's document, and under `beside` the values that were not erased."""
    document: Mapping[str, object] = entry.document
    return {
        "index": entry.index,
        "at": document.get("at"),
        "kind": document.get("kind"),
        "agent": document.get("agent", ""),
        "run": document.get("run", ""),
        "body": document.get("body", {}),
        "private": document.get("private", {}),
        "beside": {item.name: item.value for item in private},
    }
