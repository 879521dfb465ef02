"""Sessions attacked: old cookies after a proof or a change of roles, other people's sessions, floods of sign-ins."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

from people_kit import Still

from comptroller.core.approval import Assurance, Person
from comptroller.core.role import Role
from comptroller.server.identity import Caller
from comptroller.server.sessions import (
    PROVED_SECONDS_MAX,
    SESSION_SECONDS_MAX,
    SESSIONS_IN_ALL_MAX,
    SESSIONS_MAX,
    Session,
    Sessions,
)


def caller(name: str = "dana", *roles: Role) -> Caller:
    person = Person(name=name, groups=frozenset(), via="session:passkey", assurance=Assurance.SESSION)
    return Caller(person=person, roles=frozenset(roles or (Role.APPROVER,)))


def opened(sessions: Sessions, name: str = "dana") -> tuple[str, Session]:
    cookie = sessions.open(caller(name), how="passkey")
    found = sessions.find(cookie)
    assert found is not None
    return cookie, found


def test_a_proof_gives_another_cookie_and_another_form_token() -> None:
    clock = Still()
    sessions = Sessions(clock)
    cookie, session = opened(sessions)
    clock.on(seconds=PROVED_SECONDS_MAX)
    assert not sessions.proved(session)
    csrf = session.csrf
    fresh = sessions.prove(session)
    assert sessions.proved(session) and session.csrf != csrf and fresh != cookie
    assert sessions.find(cookie) is None and sessions.find(fresh) is session


def test_a_change_of_roles_is_in_force_at_the_next_request_and_asks_for_another_cookie() -> None:
    now = {"dana": caller("dana", Role.APPROVER)}
    sessions = Sessions(Still(), know=lambda session: now.get(session.caller.person.name))
    cookie, session = opened(sessions)
    assert not session.rotate
    now["dana"] = caller("dana", Role.VIEWER)
    found = sessions.find(cookie)
    assert found is session and found.caller.roles == {Role.VIEWER} and found.rotate
    fresh = sessions.rotated(found)
    assert not found.rotate and sessions.find(cookie) is None and sessions.find(fresh) is found
    now["dana"] = replace(now["dana"], owner=True)
    assert sessions.find(fresh) is found and found.rotate
    del now["dana"]
    assert sessions.find(fresh) is None and sessions.of() == []


def test_a_session_ends_after_its_time_however_busy_it_is() -> None:
    clock = Still()
    sessions = Sessions(clock)
    cookie, session = opened(sessions)
    for _ in range(SESSION_SECONDS_MAX // 1800 - 1):
        clock.on(seconds=1800)
        assert sessions.find(cookie) is session
        sessions.touch(session)
    clock.at += timedelta(seconds=1800)
    assert sessions.find(cookie) is None


def test_signing_out_everywhere_leaves_others_alone_and_takes_unused_links() -> None:
    sessions = Sessions(Still())
    mine = [opened(sessions)[0] for _ in range(3)]
    here, kept = opened(sessions)
    theirs, _ = opened(sessions, "eve")
    link, _ = sessions.link(caller())
    assert not sessions.revoke(kept.id, person="eve")
    assert sessions.revoke_all("dana", but=kept) == 3
    assert [sessions.find(cookie) for cookie in mine] == [None] * 3
    assert sessions.find(here) is kept and sessions.find(theirs) is not None
    assert sessions.login(link) is None
    assert sessions.revoke(kept.id, person="dana") and sessions.find(here) is None


def test_a_flood_of_sign_ins_pushes_out_its_own() -> None:
    sessions = Sessions(Still())
    cookie, session = opened(sessions)
    for _ in range(SESSIONS_MAX * 3):
        opened(sessions, "eve")
    assert len(sessions.of("eve")) == SESSIONS_MAX and sessions.find(cookie) is session
    for number in range(SESSIONS_IN_ALL_MAX):
        opened(sessions, f"p{number}")
    assert len(sessions.of()) <= SESSIONS_IN_ALL_MAX
