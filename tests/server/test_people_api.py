"""People over the control socket: invitations, tokens and sessions by who may; a proof that is found in the log."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
from click.testing import CliRunner
from server_kit import ME, Place, configured, make_place, open_place

from comptroller.cli.verifying import verify
from comptroller.core.account import Account, with_passkey
from comptroller.core.approval import Assurance
from comptroller.core.errors import ConflictError
from comptroller.core.role import Right, Role
from comptroller.core.strong_yes import padless
from comptroller.core.verdict import Obligation
from comptroller.server.api.endpoint import Endpoint
from comptroller.server.api.serve import check_scopes
from comptroller.server.api.table import ENDPOINTS
from comptroller.server.deputies import DeputyOperations
from comptroller.server.identity import Caller, caller_of_account
from comptroller.server.operations import ForbiddenError, NotFoundError
from comptroller.testing.authenticator import Authenticator

ORIGIN = "http://localhost:8320"


async def entries(place: Place) -> list[dict[str, object]]:
    return [dict(entry.document) for entry in await place.store.entries()]


async def test_the_owner_invites_makes_tokens_and_ends_them(place: Place) -> None:
    async with place.client() as client:
        invited = (await client.post("/v1/people/dana/invite")).json()
        assert invited["url"].startswith(f"{place.house.page_origin}/enrol#")
        assert (await client.post("/v1/people/nobody/invite")).status_code == 422
        people = {person["name"]: person for person in (await client.get("/v1/people")).json()["people"]}
        assert people["dana"]["invited_until"] and people["dana"]["ways"] == []
        made = (await client.post("/v1/tokens", json={"name": "build", "rights": ["read"], "days": 3})).json()
        assert made["text"].startswith("cmp_") and made["token"]["rights"] == ["read"]
        assert made["text"] not in json.dumps((await client.get("/v1/tokens")).json())
        assert (await client.post("/v1/tokens/build/revoke")).json()["revoked_by"] == ME
        assert (await client.get("/v1/tokens")).json()["tokens"] == []
        assert len((await client.get("/v1/tokens", params={"every": "true"})).json()["tokens"]) == 1


async def test_others_take_an_administrator(short_folder: Path) -> None:
    config = configured(people={ME: {"groups": ["approvers"]}, "dana": {"groups": ["finance"]}})
    place = make_place(short_folder, config, owner_uid=10**6)
    if ME == "root":
        persons = place.house.persons
        me = caller_of_account("dana", config=config, owner=False, via="session:passkey")
        assert me is not None
        for asking in (persons.invite, persons.reset, persons.sign_out):
            with pytest.raises(ForbiddenError, match="administer"):
                await asking(me, ME)
        return
    await open_place(place)
    async with place.client() as client:
        assert (await client.get("/v1/people")).status_code == 403
        assert (await client.post("/v1/people/dana/invite")).status_code == 403
        assert (await client.post(f"/v1/people/{ME}/invite")).status_code == 200
    await place.house.close()


async def test_a_token_for_one_agent_answers_for_no_other(place: Place) -> None:
    held = await place.held(await place.run())
    owner = Caller(person=replace(_person(place), groups=frozenset({"approvers"})), roles=frozenset(Role), owner=True)
    persons = place.house.persons
    for scopes, passes in ((["acme/other"], False), (["acme/ml"], True)):
        text, token = await persons.tokens.make(owner, name="one", scopes=scopes)
        caller = await persons.tokens.caller(text)
        assert caller is not None
        operations = place.house._api._operations  # type: ignore[union-attr]
        assert len((await operations.approvals(caller))["approvals"]) == int(passes)
        shown = [each.path for each in ENDPOINTS if _open_to(caller, each)]
        assert shown == ["/freeze", "/kill", *["/approvals"], *[f"/approvals/{{id}}{verb}" for verb in VERBS]]
        answer = operations.approve(caller, held.id)
        if passes:
            assert (await answer)["state"] == "approved"
        else:
            with pytest.raises(ForbiddenError, match="not for"):
                await answer
        await persons.tokens.revoke(owner, token.id)
    vote = next(each for each in await entries(place) if each["kind"] == "approval.approved")
    assert vote["body"]["via"] == "token:one"  # type: ignore[index]
    assert vote["body"]["assurance"] == "token"  # type: ignore[index]


async def test_an_administrator_makes_no_way_into_the_owners_account(place: Place) -> None:
    persons = place.house.persons
    await persons.accounts.invite("dana", by="dana", owner=True)
    administrator = Caller(person=_person(place), roles=frozenset({Role.ADMINISTRATOR}))
    with pytest.raises(ForbiddenError, match="every role"):
        await persons.invite(administrator, "dana")
    await persons.invite(replace(administrator, owner=True), "dana")
    await persons.reset(administrator, "dana")
    account = await persons.accounts.account("dana")
    assert account is not None and not account.owner
    await persons.invite(administrator, "dana")


async def test_a_token_ends_nothing_of_its_persons_and_appoints_nobody(place: Place) -> None:
    persons = place.house.persons
    owner = Caller(person=_person(place), roles=frozenset(Role), owner=True)
    persons.sessions.open(owner, how="passkey")
    (session,) = persons.sessions.of(ME)
    text, token = await persons.tokens.make(owner, name="one")
    caller = await persons.tokens.caller(text)
    assert caller is not None and caller.may(Right.ANSWER)
    for forbidden in (
        persons.sign_out(caller, ME),
        persons.end_session(caller, session.id),
        persons.revoke_token(caller, token.id),
        DeputyOperations(desk=place.desk).set(caller, person="dana", until="2099-01-01"),
        DeputyOperations(desk=place.desk).end(caller, "dana"),
    ):
        with pytest.raises((ForbiddenError, NotFoundError)):
            await forbidden
    with pytest.raises(ForbiddenError, match="appoints nobody"):
        await DeputyOperations(desk=place.desk).set(caller, person="dana", until="2099-01-01")
    assert persons.sessions.of(ME) == [session]
    assert await persons.sign_out(owner, ME) == 1


VERBS = ("", "/approve", "/reject")


def _open_to(caller: Caller, endpoint: Endpoint) -> bool:
    try:
        check_scopes(caller, endpoint)
    except ForbiddenError:
        return False
    return True


def _person(place: Place):  # type: ignore[no-untyped-def]
    found = caller_of_account(ME, config=place.desk.config, owner=True, via="uid:0")
    assert found is not None
    return found.person


async def test_only_a_signed_yes_counts_where_a_rule_wants_one_and_its_entry_proves_it(
    place: Place, tmp_path: Path
) -> None:
    rule = Obligation(rule="pay", reason="this pays", approvers="finance", assurance="passkey")
    asked = await place.held(await place.run(), obligations=(rule,))
    persons, browser = place.house.persons, Authenticator(origin=ORIGIN)
    persons.at((ORIGIN,))
    passkeys = persons.passkeys
    assert passkeys is not None
    account = Account(name="dana", handle=padless(b"h" * 32))
    begun = passkeys.begin_enrolment("s", account, organization="acme")
    answer = browser.create(begun["publicKey"])  # type: ignore[arg-type]
    key = passkeys.finish_enrolment("s", str(begun["ceremony"]), answer, name="phone")
    await persons.accounts.add_passkey("dana", key)
    account = with_passkey(account, key)
    caller = caller_of_account("dana", config=place.desk.config, owner=False, via="session:passkey")
    assert caller is not None
    operations = place.house._api._operations  # type: ignore[union-attr]
    with pytest.raises(ConflictError, match="passkey"):
        await operations.approve(caller, asked.id)
    yes = passkeys.begin_yes("s", account, asked)
    signed = passkeys.finish_yes(
        "s",
        str(yes["ceremony"]),
        browser.get(yes["publicKey"]),
        account,
        asked,  # type: ignore[arg-type]
    )
    strong = replace(caller, person=replace(caller.person, assurance=Assurance.PASSKEY, proof=signed.proof))
    assert (await operations.approve(strong, asked.id))["state"] == "approved"
    found = await entries(place)
    vote = next(each for each in found if each["kind"] == "approval.approved")
    enrolment = next(each for each in found if each["kind"] == "person.passkey_added")
    assert asked.sentence not in json.dumps(vote)
    private = {item.name: item.value for item in await place.store.private(int(str(vote["index"])))}
    for name, entry, beside in (("vote", vote, private), ("key", enrolment, {})):
        (tmp_path / name).write_text(json.dumps({"entry": entry, "private": beside}), "utf-8")
    good = ["--entry", str(tmp_path / "vote"), "--enrolment", str(tmp_path / "key"), "--json"]
    done = CliRunner().invoke(verify, good)
    assert done.exit_code == 0, done.output
    vouched = json.loads(done.output)["votes"][0]
    assert (vouched["person"], vouched["document"]["sentence"]) == ("dana", asked.sentence)
    assert vouched["enrolled_in"] == enrolment["index"]
    for change in ({"digest": "a1:0"}, {"by": "eve"}, {"approval": "x"}):
        (tmp_path / "vote").write_text(
            json.dumps({"entry": {**vote, "body": {**vote["body"], **change}}, "private": private}),
            "utf-8",  # type: ignore[dict-item]
        )
        assert CliRunner().invoke(verify, good).exit_code != 0
