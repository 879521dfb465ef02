"""Signing in at a real OpenID provider on loopback, and every answer of it that recognises nobody."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest
from joserfc.jwk import RSAKey
from server_kit import ME, Place, configured, make_place, open_place

from comptroller.core.config import Config
from comptroller.core.config_oidc import OidcConfig
from comptroller.core.errors import ConfigError
from comptroller.core.role import Role
from comptroller.server.oidc import BEGUN_SECONDS_MAX
from comptroller.testing.oidc_provider import CLIENT, SECRET, OidcProvider

GROUPS = {"ml-leads": {"groups": ["approvers"], "roles": ["approver"]}, "ops": {"roles": ["operator"]}}


def settings(provider: OidcProvider, **more: Any) -> Config:
    oidc = {
        "issuer": provider.issuer,
        "client_id": CLIENT,
        "client_secret": {"source": "env", "variable": "CLIENT_SECRET"},
        "groups": GROUPS,
        **({} if "subjects" in more else {"people_claim": "preferred_username"}),
        **more,
    }
    return configured(console={"oidc": oidc})


@pytest.fixture
async def desk(short_folder: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[tuple[Place, OidcProvider]]:
    monkeypatch.setenv("CLIENT_SECRET", SECRET)
    provider = OidcProvider(person={"preferred_username": "erin", "groups": ["ml-leads", "others"]})
    place = make_place(short_folder, settings(provider))
    await open_place(place)
    yield place, provider
    await place.house.close()
    provider.close()


def browser(place: Place) -> httpx.AsyncClient:
    return httpx.AsyncClient(base_url=place.house.page_origin, timeout=30)


async def come_back(place: Place, client: httpx.AsyncClient) -> str:
    """Begin, let the provider sign somebody in, and return the address it sends the browser to."""
    away = await client.get("/sign-in/oidc")
    assert away.status_code == 303
    query = parse_qs(urlsplit(away.headers["location"]).query)
    assert query["code_challenge_method"] == ["S256"] and query["nonce"] and query["state"]
    assert "samesite=lax" in away.headers["set-cookie"].lower() and "httponly" in away.headers["set-cookie"].lower()
    async with httpx.AsyncClient() as outside:
        return str((await outside.get(away.headers["location"])).headers["location"])


async def kinds(place: Place) -> list[str]:
    return [str(entry.document["kind"]) for entry in await place.store.entries()]


async def test_somebody_signs_in_with_the_groups_the_provider_names(desk: tuple[Place, OidcProvider]) -> None:
    place, _ = desk
    async with browser(place) as client:
        done = await client.get(await come_back(place, client))
        assert done.status_code == 200
        strict = [each for each in done.headers.get_list("set-cookie") if "samesite=strict" in each.lower()]
        assert len(strict) == 1
        session = place.house.persons.sessions.of("erin")[0]
        assert session.caller.roles == {Role.APPROVER} and session.caller.person.groups == {"approvers"}
        assert not session.caller.owner and session.how == "oidc"
        base = done.text.partition('id="go" href="')[2].partition('"')[0]
        assert (await client.get(base)).status_code == 200
        assert "person.signed_in" in await kinds(place)
        console = place.desk.config.console.model_copy(update={"oidc": None})
        place.desk.config = place.desk.config.model_copy(update={"console": console})
        assert (await client.get(base)).status_code == 401


async def test_an_answer_works_once_for_the_browser_that_began_and_in_time(desk: tuple[Place, OidcProvider]) -> None:
    place, _ = desk
    async with browser(place) as client, browser(place) as other:
        back = await come_back(place, client)
        assert (await other.get(back)).status_code == 403
        assert (await client.get(back)).status_code == 403
        late = await come_back(place, client)
        place.clock.ahead += timedelta(seconds=BEGUN_SECONDS_MAX)
        assert (await client.get(late)).status_code == 403
        place.clock.ahead = timedelta()
        good = await come_back(place, client)
        assert (await client.get(good.replace("state=", "state=x"))).status_code == 403
        assert (await client.get("/sign-in/oidc/back")).status_code == 403
        assert (await client.get(good.replace("code=", "code=x"))).status_code == 403
        assert place.house.persons.sessions.of() == []
        assert "person.refused" in await kinds(place)


@pytest.mark.parametrize(
    "forge",
    [
        {"iss": "https://evil.example"},
        {"aud": "another-client"},
        {"aud": ["comptroller", "another"]},
        {"nonce": "another"},
        {"nonce": None},
        {"exp": 1},
        {"sub": None},
        {"preferred_username": "No Name"},
        {"preferred_username": ["root"]},
        {"preferred_username": None},
        {"groups": ["others"]},
        {"groups": {"ml-leads": True}},
    ],
    ids=str,
)
async def test_a_token_that_is_not_whole_recognises_nobody(
    desk: tuple[Place, OidcProvider], forge: dict[str, Any]
) -> None:
    place, provider = desk
    provider.forge = forge
    async with browser(place) as client:
        assert (await client.get(await come_back(place, client))).status_code == 403
    assert place.house.persons.sessions.of() == []


async def test_a_subject_is_one_person_whatever_they_call_themselves(desk: tuple[Place, OidcProvider]) -> None:
    place, provider = desk
    place.desk.config = settings(provider, subjects={"s-1": "erin"})
    for sub, calls_itself, status in (
        ("s-1", "ann", 200),
        ("s-2", "erin", 403),
        (7, "erin", 403),
        (["s-1"], "erin", 403),
    ):
        provider.forge = {"sub": sub, "preferred_username": calls_itself}
        async with browser(place) as client:
            answer = await client.get(await come_back(place, client))
            assert answer.status_code == status, (sub, answer.text)
            assert status == 200 or sub != "s-2" or "console.oidc.subjects" in answer.text
    assert [session.caller.person.name for session in place.house.persons.sessions.of()] == ["erin"]


@pytest.mark.parametrize("who", [{}, {"people_claim": "email", "subjects": {"s-1": "erin"}}], ids=["neither", "both"])
def test_who_somebody_is_is_said_in_one_way(who: dict[str, Any]) -> None:
    oidc = {"issuer": "https://id.example", "client_id": "c", "client_secret": {"source": "env", "variable": "S"}}
    with pytest.raises(ConfigError, match="say who somebody is, in one way"):
        configured(console={"oidc": {**oidc, **who}})


async def test_a_token_signed_by_another_key_recognises_nobody(desk: tuple[Place, OidcProvider]) -> None:
    place, provider = desk
    provider.signing = RSAKey.generate_key(2048, parameters={"kid": "k1"})
    async with browser(place) as client:
        assert (await client.get(await come_back(place, client))).status_code == 403
    assert provider.asked.count("/jwks_uri") == 2, "the keys are fetched once more before nobody is recognised"


async def test_new_keys_of_the_provider_are_taken_over(desk: tuple[Place, OidcProvider]) -> None:
    place, provider = desk
    for _ in range(2):
        async with browser(place) as client:
            assert (await client.get(await come_back(place, client))).status_code == 200
        provider.key = provider.signing = RSAKey.generate_key(2048, parameters={"kid": "k1"})


async def test_a_configured_person_has_what_both_give_and_nobody_becomes_the_owner(
    desk: tuple[Place, OidcProvider],
) -> None:
    place, provider = desk
    provider.person = {"preferred_username": ME, "groups": ["ops"]}
    async with browser(place) as client:
        assert (await client.get(await come_back(place, client))).status_code == 200
    session = place.house.persons.sessions.of(ME)[0]
    assert session.caller.roles == {Role.APPROVER, Role.OPERATOR} and not session.caller.owner


async def test_a_provider_that_is_away_or_another_is_refused(desk: tuple[Place, OidcProvider]) -> None:
    place, provider = desk
    issuer, provider.issuer = provider.issuer, "http://127.0.0.1:1"
    async with browser(place) as client:
        assert (await client.get("/sign-in/oidc")).status_code == 409
        provider.issuer = issuer
        assert (await client.get("/sign-in/oidc")).status_code == 303


async def test_a_missing_secret_is_said_and_not_shown(
    desk: tuple[Place, OidcProvider], monkeypatch: pytest.MonkeyPatch
) -> None:
    place, _ = desk
    monkeypatch.setenv("CLIENT_SECRET", "")
    async with browser(place) as client:
        answer = await client.get(await come_back(place, client))
        assert answer.status_code == 422 and "console.oidc" in answer.text and SECRET not in answer.text


@pytest.mark.parametrize(
    "change",
    [
        {"issuer": "http://id.example.com"},
        {"issuer": "https://user@id.example.com"},
        {"issuer": "id.example.com"},
        {"client_secret": {"source": "env"}},
        {"client_secret": "inline"},
        {"groups": {"x": {"roles": ["owner"]}}},
    ],
    ids=str,
)
def test_wrong_settings_are_refused(change: dict[str, Any]) -> None:
    good = {"issuer": "https://id.example.com", "client_id": "c", "client_secret": {"source": "file", "path": "s"}}
    good |= {"people_claim": "upn"}
    assert OidcConfig.model_validate(good).scopes == ("openid", "profile")
    with pytest.raises(ConfigError):
        configured(console={"oidc": {**good, **change}})


async def test_what_they_answered_counts_by_what_the_provider_said_last(desk: tuple[Place, OidcProvider]) -> None:
    place, provider = desk
    voice_of = place.desk.approvals._people.voice_of
    assert voice_of("erin") is None
    async with browser(place) as client:
        assert (await client.get(await come_back(place, client))).status_code == 200
        assert voice_of("erin") == {"approvers"}
        provider.person = {**provider.person, "groups": ["ops"]}
        assert (await client.get(await come_back(place, client))).status_code == 200
    assert voice_of("erin") is None, "an operator answers nothing"
    kept = await place.house.persons.accounts.account("erin")
    assert kept is not None and kept.said == ("ops",) and not kept.enrolled
