"""What lies beside a leaf: all of it for auditors, what it takes to watch for everybody else."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from api_kit import opened, over_tcp, token_of
from hypothesis import given
from hypothesis import strategies as st
from server_kit import ME, Place, configured

from comptroller.core.approval import ApprovalState, Assurance, Person
from comptroller.core.asking import Deputy
from comptroller.core.audit import PrivateField
from comptroller.core.role import Right, Role
from comptroller.core.verdict import VerdictKind
from comptroller.server.beside import FOR_ANSWERING, FOR_WATCHING, Sight, for_watching, sees_all
from comptroller.server.identity import Caller, caller_of_account
from comptroller.server.neutral import neutral
from comptroller.server.operations import Operations
from comptroller.server.pulse import Pulse

SECRET = "m8g.secret"


@pytest.fixture
async def team(short_folder: Path) -> AsyncIterator[Place]:
    async with opened(short_folder) as place:
        yield place


def person(name: str, assurance: Assurance) -> Person:
    return Person(name=name, groups=frozenset(), via="x", assurance=assurance)


@pytest.mark.parametrize("role", list(Role))
async def test_only_auditors_read_parameters_purposes_and_comments(team: Place, role: Role) -> None:
    run = await team.run()
    held = await team.held(run, parameters={"InstanceType": SECRET})
    dana = Person(name="dana", groups=frozenset({"approvers"}), via="uid:1", assurance=Assurance.SOCKET)
    await team.desk.approvals.reject(held.id, dana, comment="private words")
    async with over_tcp(team, await token_of(team, role)) as client:
        answer = await client.get("/entries", params={"run": run.id})
        beside = {entry["kind"]: entry["beside"] for entry in answer.json()["entries"]}
        assert beside["action.held"]["sentence"] == held.sentence
        told = [word in answer.text for word in (SECRET, "private words", "compare instance prices")]
        # Who may answer the question sees what is asked, and still nothing of what others say.
        assert told == [role in (Role.AUDITOR, Role.APPROVER), role is Role.AUDITOR, role is Role.AUDITOR]
        if role is not Role.AUDITOR:
            names = {name for fields in beside.values() for name in fields}
            assert names <= (FOR_ANSWERING if role is Role.APPROVER else FOR_WATCHING)


@pytest.mark.parametrize(
    ("groups", "roles", "sees"),
    [
        (["approvers"], ["approver"], True),
        (["approvers"], ["viewer"], False),
        (["finance"], ["approver"], False),
        ([], ["operator"], False),
    ],
)
async def test_whoever_may_answer_a_question_sees_its_parameters_in_the_log_too(
    team: Place, groups: list[str], roles: list[str], sees: bool
) -> None:
    erin = {"groups": groups, "roles": roles}
    team.desk.config = configured(people={ME: {"groups": ["approvers"]}, "erin": erin})
    run = await team.run()
    held = await team.held(run, parameters={"InstanceType": SECRET})
    await team.propose(run, kind=VerdictKind.DENY, parameters={"InstanceType": SECRET, "Other": "denied"})
    caller = caller_of_account("erin", config=team.desk.config, owner=False, via="session:x")
    assert caller is not None
    operations = Operations(desk=team.desk, pulse=Pulse(team.desk.hub))
    for _ in range(2):
        shown = await operations.entries(caller, after=-1, limit=100, run=run.id)
        beside = {entry["kind"]: entry["beside"] for entry in shown["entries"]}  # type: ignore[attr-defined]
        assert ("parameters" in beside["action.held"]) == sees
        assert not sees or beside["action.held"]["parameters"] == {"InstanceType": SECRET}
        assert "purpose" not in beside["run.started"] and "parameters" not in beside["action.denied"]
        question = await operations.approval(caller, held.id)
        assert not sees or ["InstanceType", SECRET] in [list(pair) for pair in question["parameters"]]  # type: ignore[attr-defined]
        dana = Person(name=ME, groups=frozenset({"approvers"}), via="uid:1", assurance=Assurance.SOCKET)
        if held.state is ApprovalState.PENDING:
            held = await team.desk.approvals.reject(held.id, dana, comment="no")


async def test_a_deputy_sees_what_who_they_stand_for_would_and_a_token_no_more_than_its_own(team: Place) -> None:
    people = {ME: {"groups": ["approvers"]}, "one-approver": {"groups": [], "roles": ["approver"]}}
    team.desk.config = configured(people=people)
    run = await team.run()
    await team.held(run, parameters={"InstanceType": SECRET})
    held = next(row for row in await team.store.entries() if row.document["kind"] == "action.held")
    caller = caller_of_account("one-approver", config=team.desk.config, owner=False, via="session:x")
    assert caller is not None
    assert await Sight(team.desk, caller).names(held) == FOR_WATCHING
    now = team.clock.now()
    deputy = Deputy(person="one-approver", stands_for=ME, since=now, until=now + timedelta(days=1))
    await team.desk.deputies.set(deputy, by=ME)
    assert await Sight(team.desk, caller).names(held) == FOR_ANSWERING
    assert await Sight(team.desk, replace(caller, only=frozenset({Right.READ}))).names(held) == FOR_WATCHING
    assert await Sight(team.desk, replace(caller, scopes=("acme/other",))).names(held) == FOR_WATCHING


async def test_the_feed_shows_the_sentence_and_nobody_more(team: Place) -> None:
    run = await team.run()
    held = await team.held(run, parameters={"InstanceType": SECRET})
    dana = Person(name="dana", groups=frozenset({"approvers"}), via="uid:1", assurance=Assurance.SOCKET)
    await team.desk.approvals.reject(held.id, dana, comment="private words")
    assert team.house._page is not None
    rows = await team.store.entries()
    text = "".join(shown.text for shown in await team.house._page.stream._feed._shown(rows))
    assert held.sentence in text
    assert "private words" not in text and "compare instance prices" not in text and SECRET not in text


async def test_who_sees_all_of_an_entry(team: Place) -> None:
    await team.run()
    entry = next(row for row in await team.store.entries() if row.document["agent"] == "research")
    other = Caller(person=person("dana", Assurance.SOCKET), roles=frozenset({Role.OPERATOR}))
    config = team.desk.config
    assert sees_all(other, config, entry)
    assert not sees_all(replace(other, person=person("dana", Assurance.SESSION)), config, entry)
    assert not sees_all(replace(other, roles=frozenset({Role.APPROVER})), config, entry)
    owner = Caller(person=person(ME, Assurance.SESSION), roles=frozenset({Role.VIEWER}))
    assert sees_all(owner, config, entry)
    assert not sees_all(replace(owner, only=frozenset({Right.READ})), config, entry), "a token is for what it names"


@given(st.dictionaries(st.sampled_from([*FOR_WATCHING, "parameters", "payment", "proof", "comment"]), st.text()))
def test_what_everybody_sees_is_named_and_harmless(values: dict[str, str]) -> None:
    fields = [PrivateField(name=name, salt=b"0" * 16, value=[value]) for name, value in values.items()]
    shown = {item.name: item.value for item in for_watching(fields)}
    assert shown == {name: [neutral(value)] for name, value in values.items() if name in FOR_WATCHING}
