"""Values to columns and back: the JSON documents of reservations and approvals, times as sortable UTC text."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Any

from comptroller.core.approval import Approval, ApprovalState, Assurance, GrantState, Vote
from comptroller.core.brake import Brake, BrakeState, Run, RunState
from comptroller.core.budget import Budget, OnExceed
from comptroller.core.distrust import Distrust
from comptroller.core.document import Document, DocumentKind
from comptroller.core.estimate import Unit
from comptroller.core.holding import Holding, HoldingState
from comptroller.core.reservation import Line, Reservation, ReservationState
from comptroller.core.verdict import Escalation, Obligation, Stage
from comptroller.core.window import Window

Row = tuple[Any, ...]
_ENCODER = json.JSONEncoder(ensure_ascii=False, allow_nan=False, separators=(",", ":"))


def time_text(at: datetime) -> str:
    """UTC with microseconds, so that text order is time order. Raises `ValueError` for a naive time."""
    if at.tzinfo is None:
        raise ValueError("a time without a zone")
    return at.astimezone(UTC).isoformat(timespec="microseconds")


def time_of(text: str | None) -> datetime | None:
    """The time that `time_text` wrote."""
    return datetime.fromisoformat(text) if text is not None else None


def document(value: object) -> str:
    """JSON text. Raises `ValueError` or `TypeError` for what JSON cannot hold."""
    text = _ENCODER.encode(value)
    text.encode("utf-8")
    return text


def _units(amounts: Mapping[Unit, int]) -> dict[str, int]:
    return {unit.value: amount for unit, amount in amounts.items()}


def _units_of(document: Mapping[str, int]) -> dict[Unit, int]:
    return {Unit(name): amount for name, amount in document.items()}


def _time(text: str) -> datetime:
    return datetime.fromisoformat(text)


# ---------------------------------------------------------------- reservations


def reservation_row(item: Reservation) -> Row:
    """(id, run, digest, retry_token, state, created_at, document)."""
    whole = {
        "id": item.id,
        "run": item.run,
        "agent": item.agent,
        "operation": item.operation,
        "digest": item.digest,
        "retry_token": item.retry_token,
        "state": item.state.value,
        "amounts": _units(item.amounts),
        "lines": [[n.scope, n.unit.value, n.window, n.start, n.amount] for n in item.lines],
        "created_at": time_text(item.created_at),
        "approval": item.approval,
        "actual": _units(item.actual),
    }
    return (
        item.id, item.run, item.digest, item.retry_token, item.state.value, whole["created_at"], document(whole),
    )  # fmt: skip


def reservation_of(whole: Mapping[str, Any]) -> Reservation:
    """The reservation in a parsed document."""
    return Reservation(
        id=whole["id"],
        run=whole["run"],
        agent=whole["agent"],
        operation=whole["operation"],
        digest=whole["digest"],
        retry_token=whole["retry_token"],
        state=ReservationState(whole["state"]),
        amounts=_units_of(whole["amounts"]),
        lines=tuple(
            Line(scope=scope, unit=Unit(unit), window=window, start=start, amount=amount)
            for scope, unit, window, start, amount in whole["lines"]
        ),
        created_at=_time(whole["created_at"]),
        approval=whole["approval"],
        actual=_units_of(whole["actual"]),
    )


# ---------------------------------------------------------------- approvals

UNUSED_SQLITE = """instr(document, '"grant":"unused"') > 0"""
UNUSED_POSTGRES = """strpos(document, '"grant":"unused"') > 0"""
"""What the index of unused grants holds, word for word. Text of an agent cannot say it: its quotes are escaped;
a nested object could, so that `is_unused` looks once more. (PostgreSQL's own JSON functions refuse a NUL.)"""


def is_unused(item: Approval) -> bool:
    """Whether its yes was given and not used."""
    return item.grant is GrantState.UNUSED


def approval_row(item: Approval) -> Row:
    """(id, run, digest, state, asked_at, document)."""
    whole = {
        "id": item.id,
        "run": item.run,
        "agent": item.agent,
        "owner": item.owner,
        "digest": item.digest,
        "slice_hash": item.slice_hash,
        "operation": item.operation,
        "obligations": [{**asdict(each), "exclude": sorted(each.exclude)} for each in item.obligations],
        "sentence": item.sentence,
        "facts": item.facts,
        "asked_at": time_text(item.asked_at),
        "expires_at": time_text(item.expires_at),
        "price_unknown": item.price_unknown,
        "state": item.state.value,
        "votes": [
            {
                "person": v.person,
                "groups": sorted(v.groups),
                "at": time_text(v.at),
                "self_approved": v.self_approved,
                "comment": v.comment,
                "assurance": v.assurance.value,
                "proof": v.proof,
                "stands_for": v.stands_for,
            }
            for v in item.votes
        ],
        "answered_at": time_text(item.answered_at) if item.answered_at else None,
        "answered_by": item.answered_by,
        "comment": item.comment,
        "ceiling_usd_micros": item.ceiling_usd_micros,
        "grant": item.grant.value,
        "grant_expires_at": time_text(item.grant_expires_at) if item.grant_expires_at else None,
        "requester": item.requester,
        "author": item.author,
        "bounds": {unit.value: bound for unit, bound in item.bounds.items()},
        "targets": item.targets,
        "usable_at": time_text(item.usable_at) if item.usable_at else None,
        "escalated": item.escalated,
        "taken_back_by": item.taken_back_by,
        "taken_back_at": time_text(item.taken_back_at) if item.taken_back_at else None,
        "taken_back_why": item.taken_back_why,
    }
    return (item.id, item.run, item.digest, item.state.value, whole["asked_at"], document(whole))


def approval_of(whole: Mapping[str, Any]) -> Approval:
    """The approval in a parsed document."""
    return Approval(
        id=whole["id"],
        run=whole["run"],
        agent=whole["agent"],
        owner=whole["owner"],
        digest=whole["digest"],
        slice_hash=whole["slice_hash"],
        operation=whole["operation"],
        obligations=tuple(map(_obligation_of, whole["obligations"])),
        sentence=whole["sentence"],
        facts=whole["facts"],
        asked_at=_time(whole["asked_at"]),
        expires_at=_time(whole["expires_at"]),
        price_unknown=whole["price_unknown"],
        state=ApprovalState(whole["state"]),
        votes=tuple(map(_vote_of, whole["votes"])),
        answered_at=time_of(whole["answered_at"]),
        answered_by=whole["answered_by"],
        comment=whole["comment"],
        ceiling_usd_micros=whole["ceiling_usd_micros"],
        grant=GrantState(whole["grant"]),
        grant_expires_at=time_of(whole["grant_expires_at"]),
        # What follows came later: a question that was asked before is as it was.
        requester=whole.get("requester", ""),
        author=whole.get("author", ""),
        bounds={Unit(unit): bound for unit, bound in whole.get("bounds", {}).items()},
        targets=whole.get("targets", {}),
        usable_at=time_of(whole.get("usable_at")),
        escalated=whole.get("escalated", 0),
        taken_back_by=whole.get("taken_back_by", ""),
        taken_back_at=time_of(whole.get("taken_back_at")),
        taken_back_why=whole.get("taken_back_why", ""),
    )


def _obligation_of(whole: Mapping[str, Any]) -> Obligation:
    return Obligation(
        **{
            **whole,
            "exclude": frozenset(whole["exclude"]),
            "stages": tuple(Stage(**stage) for stage in whole.get("stages", ())),
            "escalations": tuple(Escalation(**each) for each in whole.get("escalations", ())),
        }
    )


def _vote_of(whole: Mapping[str, Any]) -> Vote:
    """A vote; one that was written before assurance was known came over the socket or from its page."""
    found = {**whole, "groups": frozenset(whole["groups"]), "at": _time(whole["at"])}
    return Vote(**{**found, "assurance": Assurance(whole.get("assurance", Assurance.SOCKET))})


# ---------------------------------------------------------------- runs, brakes, budgets


def run_row(run: Run) -> Row:
    """The columns of `runs`, in order."""
    ended = time_text(run.ended_at) if run.ended_at else None
    return (
        run.id, run.agent, run.owner, run.path, run.purpose, run.state.value, time_text(run.started_at), ended,
        run.exit_code, int(run.observed), int(run.unboxed),
    )  # fmt: skip


def run_of(row: Row) -> Run:
    """The run in a row of `runs`."""
    return Run(
        id=row[0],
        agent=row[1],
        owner=row[2],
        path=row[3],
        purpose=row[4],
        state=RunState(row[5]),
        started_at=_time(row[6]),
        ended_at=time_of(row[7]),
        exit_code=row[8],
        observed=bool(row[9]),
        unboxed=bool(row[10]),
    )


def brake_row(brake: Brake) -> Row:
    """The columns of `brakes`, in order."""
    return (brake.scope, brake.state.value, brake.reason, brake.by, time_text(brake.at))


def brake_of(row: Row) -> Brake:
    """The brake in a row of `brakes`."""
    return Brake(scope=row[0], state=BrakeState(row[1]), reason=row[2], by=row[3], at=_time(row[4]))


def distrust_row(item: Distrust) -> Row:
    """The columns of `distrusts`, in order."""
    return (item.key, int(item.trusted), item.reason, item.by, time_text(item.at))


def distrust_of(row: Row) -> Distrust:
    """The price in a row of `distrusts`."""
    return Distrust(key=row[0], trusted=bool(row[1]), reason=row[2], by=row[3], at=_time(row[4]))


def budget_row(budget: Budget) -> Row:
    """The columns of `budgets`, in order."""
    return (budget.scope, budget.unit.value, budget.window.value, budget.limit, budget.on_exceed.value)


def budget_of(row: Row) -> Budget:
    """The budget in a row of `budgets`."""
    scope, unit, window, limit, on_exceed = row
    return Budget(scope=scope, unit=Unit(unit), window=Window(window), limit=limit, on_exceed=OnExceed(on_exceed))


# ---------------------------------------------------------------- holdings


def holding_row(item: Holding) -> Row:
    """(id, run, state, document)."""
    whole = {
        **asdict(item),
        "opened_at": time_text(item.opened_at),
        "paid_until": time_text(item.paid_until),
        "state_at": time_text(item.state_at),
    }
    return (item.id, item.run, item.state.value, document(whole))


def holding_of(whole: Mapping[str, Any]) -> Holding:
    """The holding in a parsed document."""
    times = {name: _time(whole[name]) for name in ("opened_at", "paid_until", "state_at")}
    return Holding(**{**whole, **times, "state": HoldingState(whole["state"])})


# ---------------------------------------------------------------- documents


def document_row(item: Document) -> Row:
    """(id, kind, scope, open, at, body)."""
    return (item.id, item.kind.value, item.scope, int(item.open), time_text(item.at), document(item.body))


def document_of(row: Row) -> Document:
    """The document in the columns of `documents`."""
    document_id, kind, scope, is_open, at, body = row
    return Document(
        id=document_id,
        kind=DocumentKind(kind),
        scope=scope,
        open=bool(is_open),
        at=_time(at),
        body=json.loads(body),
    )
