"""Entries of our own log come back as the actions they were made from."""

from __future__ import annotations

import json
from datetime import UTC, datetime

import pytest

from comptroller.core.action import Action, ActionClass, Payment, digest
from comptroller.core.audit import Entry, EntryKind, leaf_bytes
from comptroller.core.estimate import Bound, Estimate, Unit
from comptroller.core.verdict import Reason, Verdict, VerdictKind
from comptroller.core.verification import export_lines
from comptroller.core.walk import Record
from comptroller.decode.records import Recorded, Who, case_of, read
from comptroller.engine.entries import Scribe, action_body, action_private

WHO = Who(agent="replay")
ACTION = Action(
    operation="stripe:transfers:create",
    service="stripe",
    classes=frozenset({ActionClass.PAY}),
    endpoint="api.stripe.com",
    agent="shop",
    run="0199",
    account="acct_1",
    region="",
    resources=("acct_2",),
    quantity=1,
    parameters={"amount": "40000", "currency": "usd"},
    payment=Payment(amount_minor=40000, currency="usd", payee="acct_2", reversible=False),
)
ESTIMATE = Estimate(bounds={Unit.USD_MICROS: Bound.exactly(400_000_000), Unit.CALLS: Bound.exactly(1)})


class Ids:
    """Salts that are always the same."""

    def new(self) -> str:
        return "id"

    def salt(self) -> bytes:
        return b"0" * 16


def lines(*, private: bool) -> list[bytes]:
    """An export of one denied action, as `audit export` writes it."""
    verdict = Verdict(kind=VerdictKind.DENY, reasons=(Reason(code="no_permit", text="no rule permits `pay` here"),))
    draft = Scribe(Ids()).draft(
        EntryKind.ACTION_DENIED,
        at=datetime(2026, 1, 1, tzinfo=UTC),
        agent=ACTION.agent,
        run=ACTION.run,
        body=action_body(ACTION, digest(ACTION), ESTIMATE, verdict),
        private=action_private(ACTION, "pay 400 USD"),
    )
    leaf = leaf_bytes(draft, 3)
    from comptroller.core.checkpoint import Checkpoint

    signed = Checkpoint(origin="o", size=4, root=b"\0" * 32)
    records = [Record(index=3, leaf=leaf, private=draft.private if private else ())]
    return list(export_lines(iter(records), note=b"note", signed=signed))


def recorded_of(*, private: bool) -> Recorded:
    """The action of the export's one entry."""
    cases = [case for number, line in enumerate(lines(private=private)) if (case := case_of(json.loads(line), number))]
    (case,) = cases
    assert (case.id, case.source, case.label) == ("entry/3", "comptroller", "recorded")
    (recorded,) = read(case, WHO).actions
    return recorded


def test_an_exported_entry_is_the_action_again() -> None:
    recorded = recorded_of(private=True)
    assert recorded.action == ACTION and recorded.action.payment == ACTION.payment
    assert recorded.estimate is not None and recorded.estimate.bounds == ESTIMATE.bounds
    assert recorded.wire is None


def test_without_what_lies_beside_the_classes_and_the_price_are_kept() -> None:
    recorded = recorded_of(private=False)
    assert recorded.action.classes == ACTION.classes and recorded.action.parameters == {}
    assert recorded.estimate is not None and recorded.estimate.high(Unit.USD_MICROS) == 400_000_000


def test_the_form_of_the_control_socket_is_read_too() -> None:
    from comptroller.server.render import entry_json

    leaf = json.loads(json.loads(lines(private=True)[1])["leaf"])
    shown = entry_json(Entry(index=3, leaf=b"", document=leaf), ())
    case = case_of({**shown, "beside": {"parameters": {"a": "b"}}}, 1)
    assert case is not None
    (recorded,) = read(case, WHO).actions
    assert recorded.action.parameters == {"a": "b"} and recorded.action.agent == "shop"


def test_an_entry_about_something_else_has_no_action() -> None:
    case = case_of({"kind": "run.started", "index": 1, "body": {}}, 1)
    assert case is not None
    found = read(case, WHO)
    assert found.actions == () and found.notes == ("no action: run.started",)


@pytest.mark.parametrize(
    "body", [{}, {"operation": "a"}, {"operation": 1, "classes": ["pay"]}, {"classes": ["nothing"]}]
)
def test_a_broken_entry_is_unknown(body: dict[str, object]) -> None:
    case = case_of({"kind": "action.denied", "index": 1, "body": body}, 1)
    assert case is not None
    (recorded,) = read(case, WHO).actions
    assert recorded.action.undecodable
