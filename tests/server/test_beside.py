"""What lies beside a leaf: all of it for auditors, what it takes to watch for everybody else."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest
from api_kit import opened, over_tcp, token_of
from hypothesis import given
from hypothesis import strategies as st
from server_kit import ME, Place

from comptroller.core.approval import Assurance, Person
from comptroller.core.audit import PrivateField
from comptroller.core.role import Right, Role
from comptroller.server.beside import FOR_WATCHING, for_watching, sees_all
from comptroller.server.identity import Caller
from comptroller.server.neutral import neutral

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
        assert told == [role is Role.AUDITOR] * 3
        if role is not Role.AUDITOR:
            assert {name for fields in beside.values() for name in fields} <= FOR_WATCHING


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
