"""One-time links and sessions of browsers. Only hashes of secrets are kept; all is bounded, expires, can be ended."""

from __future__ import annotations

import hashlib
import hmac
import secrets
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from comptroller.core.errors import RefusedError
from comptroller.ports import Clock
from comptroller.server.identity import Caller

SECRET_BYTES = 32
LINK_SECONDS_MAX = 300
LINKS_MAX = 32
SESSION_SECONDS_MAX = 8 * 3600
SESSION_IDLE_SECONDS_MAX = 3600
SESSIONS_MAX = 16
"""Of one person."""
SESSIONS_IN_ALL_MAX = 512
PROVED_SECONDS_MAX = 600
"""How long after proving who they are somebody may change how they sign in."""
FAILURES_MAX = 10
FAILURE_WINDOW_SECONDS = 60

Know = Callable[["Session"], Caller | None]
"""Who the person of a session is now: None where they are no longer let in."""


@dataclass(slots=True, kw_only=True, eq=False)
class Session:
    """A person's browser. `csrf` is what every form carries; `notice` is shown once.

    `how` they signed in (`link`, `passkey`, `password`, `oidc`), and when they last proved who they are. `rotate`: what
    they may do changed, so the cookie is due for another. `said` are the groups an OpenID provider named.
    """

    caller: Caller
    csrf: str
    expires_at: datetime
    seen_at: datetime
    notice: tuple[str, str] | None = None
    id: str = ""
    how: str = "link"
    began_at: datetime = datetime.min
    proved_at: datetime = datetime.min
    address: str = ""
    agent: str = ""
    rotate: bool = False
    said: tuple[str, ...] = ()


@dataclass(slots=True)
class Sessions:
    """Links and sessions by the hash of their secret. `know` is asked at every request."""

    clock: Clock
    know: Know = field(default=lambda session: session.caller)
    _links: dict[bytes, tuple[Caller, datetime]] = field(default_factory=dict)
    _sessions: dict[bytes, Session] = field(default_factory=dict)
    _failures: list[datetime] = field(default_factory=list)

    # ------------------------------------------------------------ links

    def link(self, caller: Caller) -> tuple[str, datetime]:
        """A new one-time token for `caller`, and when it stops working. The oldest gives way to the newest."""
        now = self.clock.now()
        self._links = {key: item for key, item in self._links.items() if item[1] > now}
        while len(self._links) >= LINKS_MAX:
            del self._links[next(iter(self._links))]
        token = secrets.token_urlsafe(SECRET_BYTES)
        expires_at = now + timedelta(seconds=LINK_SECONDS_MAX)
        self._links[_hash(token)] = (caller, expires_at)
        return token, expires_at

    def login(self, token: str, *, address: str = "", agent: str = "") -> str | None:
        """The cookie of a new session for a fresh token; None for any other. The token is used up either way.

        Raises `RefusedError` after too many wrong tokens: a right one always passes.
        """
        now = self.clock.now()
        caller, expires_at = self._links.pop(_hash(token), (None, now))
        if caller is None or expires_at <= now:
            oldest = now - timedelta(seconds=FAILURE_WINDOW_SECONDS)
            self._failures = [moment for moment in self._failures if moment > oldest]
            if len(self._failures) >= FAILURES_MAX:
                raise RefusedError("too many wrong links; wait a minute", hint="comptroller approvals open")
            self._failures.append(now)
            return None
        return self.open(caller, how="link", address=address, agent=agent)

    # ------------------------------------------------------------ sessions

    def open(self, caller: Caller, *, how: str, address: str = "", agent: str = "", said: tuple[str, ...] = ()) -> str:
        """The cookie of a new session for somebody who proved who they are."""
        now = self.clock.now()
        self._sessions = {key: item for key, item in self._sessions.items() if _alive(item, now)}
        self._make_room(caller.person.name)
        cookie = secrets.token_urlsafe(SECRET_BYTES)
        self._sessions[_hash(cookie)] = Session(
            id=secrets.token_hex(8),
            caller=caller,
            csrf=secrets.token_urlsafe(SECRET_BYTES),
            how=how,
            expires_at=now + timedelta(seconds=SESSION_SECONDS_MAX),
            began_at=now,
            proved_at=now,
            seen_at=now,
            address=address,
            agent=agent,
            said=said,
        )
        return cookie

    def find(self, cookie: str) -> Session | None:
        """The living session of a cookie, its person as they are now."""
        key = _hash(cookie)
        session = self._sessions.get(key)
        if session is None:
            return None
        caller = self.know(session) if _alive(session, self.clock.now()) else None
        if caller is None:
            del self._sessions[key]
            return None
        if (caller.roles, caller.person.groups, caller.owner) != (
            session.caller.roles,
            session.caller.person.groups,
            session.caller.owner,
        ):
            session.caller, session.rotate = caller, True
        return session

    def touch(self, session: Session) -> None:
        """Something the person did: the idle time starts anew. Refreshes of the page by itself do not count."""
        session.seen_at = self.clock.now()

    def prove(self, session: Session) -> str:
        """The person proved again who they are: another cookie, which the browser is given, and the old one is over."""
        session.proved_at = self.clock.now()
        return self.rotated(session)

    def proved(self, session: Session) -> bool:
        """Whether they proved it just now, so that they may change how they sign in."""
        return self.clock.now() - session.proved_at < timedelta(seconds=PROVED_SECONDS_MAX)

    def rotated(self, session: Session) -> str:
        """Another cookie and another form token for the same session."""
        cookie = secrets.token_urlsafe(SECRET_BYTES)
        self._sessions = {key: item for key, item in self._sessions.items() if item is not session}
        self._sessions[_hash(cookie)] = session
        session.csrf, session.rotate = secrets.token_urlsafe(SECRET_BYTES), False
        return cookie

    def end(self, cookie: str) -> None:
        """Sign out."""
        self._sessions.pop(_hash(cookie), None)

    def of(self, person: str = "") -> list[Session]:
        """The living sessions of a person, or of everybody, newest first."""
        now = self.clock.now()
        alive = [item for item in self._sessions.values() if _alive(item, now)]
        return sorted(
            (item for item in alive if not person or item.caller.person.name == person),
            key=lambda item: item.began_at,
            reverse=True,
        )

    def revoke(self, identifier: str, *, person: str = "") -> bool:
        """End the session of this id (of this person alone, where one is named); False where there is none."""
        before = len(self._sessions)
        self._sessions = {
            key: item
            for key, item in self._sessions.items()
            if item.id != identifier or (person and item.caller.person.name != person)
        }
        return len(self._sessions) < before

    def revoke_all(self, person: str, *, but: Session | None = None) -> int:
        """End every session of a person, and their unused links; `but` stays. Returns how many sessions ended."""
        before = len(self._sessions)
        self._sessions = {
            key: item for key, item in self._sessions.items() if item is but or item.caller.person.name != person
        }
        self._links = {key: item for key, item in self._links.items() if item[0].person.name != person}
        return before - len(self._sessions)

    def _make_room(self, person: str) -> None:
        """The person's own oldest gives way; in all, the oldest of whoever has most."""
        while sum(item.caller.person.name == person for item in self._sessions.values()) >= SESSIONS_MAX:
            self._drop_oldest(person)
        while len(self._sessions) >= SESSIONS_IN_ALL_MAX:
            names = [item.caller.person.name for item in self._sessions.values()]
            self._drop_oldest(max(names, key=names.count))

    def _drop_oldest(self, person: str) -> None:
        mine = [key for key, item in self._sessions.items() if item.caller.person.name == person]
        del self._sessions[min(mine, key=lambda key: self._sessions[key].seen_at)]


def same_secret(given: str, expected: str) -> bool:
    """Constant-time comparison."""
    return hmac.compare_digest(given.encode("utf-8", "surrogatepass"), expected.encode())


def _alive(session: Session, now: datetime) -> bool:
    return now < session.expires_at and now - session.seen_at < timedelta(seconds=SESSION_IDLE_SECONDS_MAX)


def _hash(secret: str) -> bytes:
    return hashlib.sha256(secret.encode("utf-8", "surrogatepass")).digest()
