"""The parts of the demo: its arithmetic, its person, and above all whether it would notice a leak."""

from __future__ import annotations

import io
from collections.abc import Iterator, Mapping
from typing import Any

import pytest

from comptroller.cli.demo import differences
from comptroller.testing.demo_report import Incident, LetThrough, incident_of, table
from comptroller.testing.demo_stage import PersonAtDesk, Screen, question, scripted
from comptroller.testing.demo_world import World


def _entry(kind: str, digest: str, usd: int | None, **more: object) -> dict[str, Any]:
    body = {
        "operation": "aws:ec2:RunInstances",
        "classes": ["provision"],
        "quantity": 1,
        "digest": digest,
        "estimate": {"bounds": {"usd_micros": [0, usd], "calls": [1, 1]}},
        "reasons": [],
        **more,
    }
    return {"kind": kind, "body": body, "beside": {"sentence": f"start {digest}", "parameters": {"InstanceType": "x"}}}


def test_a_held_call_and_its_decision_are_one_attempt() -> None:
    entries = [
        _entry("action.held", "a", 5, approval="p"),
        _entry("action.allowed", "a", 5, reservation="r", reserved={"usd_micros": 5}, approval="p"),
        {"kind": "action.settled", "body": {"reservation": "r", "actual": {"usd_micros": 4}}},
        _entry("action.held", "b", 7, approval="q"),
        {"kind": "approval.rejected", "body": {"approval": "q"}},
    ]
    incident = incident_of("n", "t", entries)
    assert (incident.attempted_usd_micros, incident.let_through_usd_micros) == (12, 4)
    assert [(row.attempts, row.let, row.why) for row in incident.rows] == [
        (1, 1, "a person said yes"),
        (1, 0, "a person said no"),
    ]
    assert incident.verdicts == {"allow": 1, "require_approval": 2, "deny": 0, "refused": 0}
    assert incident.released == [LetThrough(operation="aws:ec2:RunInstances", quantity=1, usd_micros=4, kind="x")]


def test_a_yes_that_was_never_used_lets_nothing_through() -> None:
    held = _entry("action.held", "a", 5, approval="p")
    said_yes = {"kind": "approval.approved", "body": {"approval": "p"}}
    assert incident_of("n", "t", [held]).rows[0].why == "nobody answered"
    incident = incident_of("n", "t", [held, said_yes])
    assert (incident.rows[0].why, incident.let_through_usd_micros) == ("a yes, never used", 0)


def test_equal_calls_denied_again_are_attempts_of_their_own() -> None:
    said_no = {"reasons": [{"code": "rejected"}]}
    entries = [
        _entry("action.held", "a", 5, approval="p"),
        *(_entry("action.denied", "a", 5, **said_no) for _ in range(3)),
    ]
    incident = incident_of("n", "t", entries)
    assert (incident.attempted_usd_micros, incident.let_through_usd_micros) == (15, 0)
    assert (incident.rows[0].attempts, incident.rows[0].why) == (3, "a person said no")


def test_an_unknown_cost_is_said_to_be_unknown() -> None:
    incident = incident_of("n", "t", [_entry("action.held", "a", None, approval="p")])
    assert incident.rows[0].unknown_cost
    assert any("not known" in line for line in table([incident]))


def test_refused_connections_are_counted_by_what_they_looked_like() -> None:
    entries = [
        {"kind": "box.refused", "body": {"look": "ssh", "destination": "tunnel.example:22", "count": count}}
        for count in (1, 4)
    ]
    incident = incident_of("n", "t", entries)
    assert (incident.rows[0].attempts, incident.verdicts["refused"]) == (5, 5)
    assert any("tunnel.example:22" in line and "refused" in line for line in table([incident]))


# ---------------------------------------------------------------- would it notice?


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    with World(tmp_path_factory.mktemp("world"), person="someone") as running:
        yield running


def test_the_world_itself_reaches_every_fake(world: World) -> None:
    assert differences(world, []) == []
    assert world.config_path.is_file()
    assert all((folder / "agent.py").is_file() for folder in world.workspaces.values())
    assert not world.secrets.seen_in(world.config_path.read_text("utf-8"))
    assert world.secrets.seen_in((world.folder / "keys" / "aws").read_text("utf-8"))


def test_a_machine_and_a_transfer_that_no_entry_tells_of_are_noticed(world: World) -> None:
    client = world.aws.client("ec2")
    client.run_instances(ImageId="ami-12c6146b", InstanceType="p4d.24xlarge", MinCount=1, MaxCount=1)
    client.close()
    world.stripe.ledger.send("usd", 400_01)
    found = differences(world, [])
    assert [text.partition(":")[0] for text in found] == ["machines", "micro-dollars sent"]
    told = Incident(name="n", title="t")
    told.released = [
        LetThrough(operation="aws:ec2:RunInstances", quantity=1, usd_micros=1, kind="p4d.24xlarge"),
        LetThrough(operation="stripe:transfers.create", quantity=1, usd_micros=400_010_000),
    ]
    assert differences(world, [told]) == []
    told.released[1] = LetThrough(operation="stripe:transfers.create", quantity=1, usd_micros=400_000_000)
    assert len(differences(world, [told])) == 1


# ---------------------------------------------------------------- the person


def _asked(**facts: object) -> dict[str, Any]:
    return {
        "id": "approval-1",
        "sentence": "start 1 x t3.micro",
        "operation": "aws:ec2:RunInstances",
        "quantity": 1,
        "usd_micros": 10_400,
        "usd_micros_per_hour": 10_400,
        "budget_after": [{"unit": "usd_micros", "room_after": 24_989_600}],
        "state": "pending",
        **facts,
    }


@pytest.mark.parametrize(
    ("facts", "yes"),
    [
        ({}, True),
        ({"usd_micros": None}, False),
        ({"quantity": 2}, False),
        ({"usd_micros": 2_000_000}, False),
        ({"operation": "stripe:transfers.create", "usd_micros": 400_000_000}, True),
        ({"operation": "stripe:transfers.create", "usd_micros": 400_010_000}, False),
        ({"operation": "stripe:transfers.create", "usd_micros": 399_990_000}, False),
        ({"operation": "aws:elbv2:CreateLoadBalancer", "usd_micros": 22_500}, False),
    ],
)
def test_the_person_says_yes_to_little(facts: Mapping[str, object], yes: bool) -> None:
    assert scripted(_asked(**facts)).yes is yes
    assert scripted(_asked(**facts)).comment


class _Control:
    """One pending question; remembers the answers."""

    def __init__(self) -> None:
        self.answers: list[tuple[str, Mapping[str, str | None]]] = []

    def get(self, path: str, **query: str | int | float) -> Mapping[str, Any]:
        return {"approvals": [_asked()]}

    def post(self, path: str, **body: str | None) -> Mapping[str, Any]:
        self.answers.append((path, body))
        return {}


def test_the_person_answers_each_question_once() -> None:
    control, stream = _Control(), io.StringIO()
    desk = PersonAtDesk(control, Screen(stream), name="someone")
    for _ in range(3):
        desk.turn()
    desk.close()
    assert control.answers == [("/v1/approvals/approval-1/approve", {"comment": "one small machine is fine"})]
    assert "yes: one small machine is fine" in stream.getvalue()


def test_a_question_shows_price_rate_and_budget() -> None:
    text = question(_asked())
    assert text.startswith("start 1 x t3.micro, ")
    assert "an hour until stopped" in text
    assert "budget after: $24.99" in text
    assert "cost not known" in question(_asked(usd_micros=None))


def test_a_screen_remembers_in_full_what_it_shows_in_part() -> None:
    stream = io.StringIO()
    screen = Screen(stream)
    text = "word " * 400
    screen.line("agent", text)
    assert screen.seen == [text]
    lines = stream.getvalue().splitlines()
    assert (len(lines), lines[-1][-1]) == (3, "…")
    assert max(map(len, lines)) <= 110
