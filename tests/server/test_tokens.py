"""API tokens attacked: stolen from the store, widened, used when over, used for other agents, used to make more."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from people_kit import Doors
from server_kit import ME, configured
from tests.fuzz_kit import fuzz

from comptroller.core.api_token import (
    DAYS_MAX,
    TOKENS_MAX,
    digest_of,
    document_of,
    token_id,
    token_of,
    token_text,
    well_formed,
)
from comptroller.core.approval import Assurance, Person
from comptroller.core.errors import RefusedError, StoreError, UsageError
from comptroller.core.role import Right, Role
from comptroller.core.secrecy import scrubbed
from comptroller.server.identity import Caller, caller_of_account


def caller(doors: Doors, name: str = "dana") -> Caller:
    found = caller_of_account(name, config=doors.config, owner=False, via="session:passkey")
    assert found is not None
    return found


@given(secret=st.binary(min_size=32, max_size=32), place=st.integers(0, 52), other=st.sampled_from("0aZ_"))
@fuzz(200)
def test_a_token_is_recognised_and_one_wrong_character_is_not(secret: bytes, place: int, other: str) -> None:
    text = token_text(secret)
    assert well_formed(text) and len(text) == 53 and text.startswith("cmp_")
    bent = text[:place] + other + text[place + 1 :]
    assert well_formed(bent) == (bent == text)
    assert text not in scrubbed(f"Authorization: Bearer {text}")


async def test_a_token_acts_for_its_person_and_says_so() -> None:
    doors = Doors()
    text, token = await doors.tokens.make(caller(doors), name="build", rights=["read", "answer"])
    found = await doors.tokens.caller(text)
    assert found is not None
    assert (found.person.name, found.person.via, found.person.assurance) == ("dana", "token:build", Assurance.TOKEN)
    assert found.person.groups == frozenset({"finance"})
    assert [right for right in Right if found.may(right)] == [Right.READ, Right.ANSWER]
    assert text not in await doors.written() and digest_of(text) in await doors.written()
    assert (await doors.tokens.tokens("dana"))[0].used_on == doors.clock.now().date()
    assert await doors.kinds() == ["person.token_made"]
    assert token.id == token_id(digest_of(text))


async def test_a_token_is_over_when_its_days_are_or_somebody_says_so() -> None:
    doors = Doors()
    text, _ = await doors.tokens.make(caller(doors), name="build", days=2)
    doors.clock.on(days=2)
    assert await doors.tokens.caller(text) is None
    again, token = await doors.tokens.make(caller(doors), name="build", days=2)
    assert await doors.tokens.caller(again) is not None
    await doors.tokens.revoke(caller(doors), "build")
    assert await doors.tokens.caller(again) is None
    assert await doors.tokens.tokens("dana") == []
    assert {each.revoked_by for each in await doors.tokens.tokens("dana", every=True)} == {"", "dana"}
    assert (await doors.kinds())[-1] == "person.token_revoked"
    with pytest.raises(RefusedError, match="no token"):
        await doors.tokens.revoke(caller(doors), token.id)


async def test_a_token_is_never_wider_than_its_person_is_now() -> None:
    doors = Doors(configured(people={ME: {}, "dana": {"roles": ["approver", "operator"], "groups": ["finance"]}}))
    text, _ = await doors.tokens.make(caller(doors), name="build")
    with pytest.raises(RefusedError, match="may not administer"):
        await doors.tokens.make(caller(doors), name="more", rights=["administer"])
    doors.config = configured(people={ME: {}, "dana": {"roles": ["viewer"]}})
    found = await doors.tokens.caller(text)
    assert found is not None and [right for right in Right if found.may(right)] == [Right.READ]
    assert found.person.groups == frozenset()
    doors.config = configured(people={ME: {}})
    assert await doors.tokens.caller(text) is None


async def test_a_token_leaves_administering_out_unless_it_is_named() -> None:
    doors = Doors()
    owner = Caller(person=Person(name=ME, groups=frozenset(), via="uid:0"), roles=frozenset(Role), owner=True)
    text, _ = await doors.tokens.make(owner, name="all")
    found = await doors.tokens.caller(text)
    assert found is not None and not found.may(Right.ADMINISTER) and found.may(Right.OPERATE) and not found.owner
    named, _ = await doors.tokens.make(owner, name="admin", rights=["administer"])
    found = await doors.tokens.caller(named)
    assert found is not None and [right for right in Right if found.may(right)] == [Right.ADMINISTER]


async def test_a_token_makes_no_tokens() -> None:
    doors = Doors()
    text, _ = await doors.tokens.make(caller(doors), name="build")
    through = await doors.tokens.caller(text)
    assert through is not None
    with pytest.raises(RefusedError, match="makes no tokens"):
        await doors.tokens.make(through, name="more")


async def test_scopes_are_paths_and_hold_what_lies_below() -> None:
    doors = Doors()
    text, token = await doors.tokens.make(caller(doors), name="build", scopes=["research"])
    assert token.scopes == ("acme/ml/research",)
    found = await doors.tokens.caller(text)
    assert found is not None
    paths = ("acme/ml/research", "acme/ml/research/01", "acme/ml/research2", "acme/ml", "acme", "")
    assert [path for path in paths if found.covers(path)] == ["acme/ml/research", "acme/ml/research/01"]
    for scope in ("other/ml", "acme/../x", "", "ACME", "acme/ml/research/run/more"):
        with pytest.raises(UsageError):
            await doors.tokens.make(caller(doors), name="x", scopes=[scope])


async def test_wrong_wishes_are_refused() -> None:
    doors = Doors()
    for change in ({"name": "No Name"}, {"days": 0}, {"days": DAYS_MAX + 1}, {"rights": ["everything"]}):
        with pytest.raises(UsageError):
            await doors.tokens.make(caller(doors), **{"name": "build", **change})
    await doors.tokens.make(caller(doors), name="build")
    with pytest.raises(RefusedError, match="already"):
        await doors.tokens.make(caller(doors), name="build")
    for number in range(TOKENS_MAX - 1):
        await doors.tokens.make(caller(doors), name=f"t{number}")
    with pytest.raises(RefusedError, match="at most"):
        await doors.tokens.make(caller(doors), name="one-more")


async def test_only_ones_own_tokens_are_revoked_without_administering() -> None:
    doors = Doors(configured(people={ME: {"roles": ["administrator"]}, "dana": {}, "eve": {}}))
    text, token = await doors.tokens.make(caller(doors), name="build")
    for name in (token.id, "build"):
        with pytest.raises(RefusedError, match="no token"):
            await doors.tokens.revoke(caller(doors, "eve"), name)
    assert await doors.tokens.caller(text) is not None
    await doors.tokens.revoke(caller(doors, ME), token.id)
    assert await doors.tokens.caller(text) is None


@pytest.mark.parametrize("text", ["", "cmp_", "cmp_" + "0" * 49, "x" * 10_000, "\ud800", token_text(bytes(32))])
async def test_what_is_no_token_of_ours_is_nobody(text: str) -> None:
    assert await Doors().tokens.caller(text) is None


async def test_a_document_of_a_token_comes_back_as_it_went() -> None:
    doors = Doors()
    _, token = await doors.tokens.make(caller(doors), name="build", scopes=["research"])
    assert token_of(document_of(token)) == token
    for body in ({"v": 2}, {**document_of(token).body, "rights": ["all"]}):
        with pytest.raises(StoreError):
            token_of(replace(document_of(token), body=body))
