"""One-time links and the sessions they turn into. Only hashes of secrets are kept; all is bounded and expires."""

from __future__ import annotations

import hashlib
import hmac
import secrets
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
FAILURES_MAX = 10
FAILURE_WINDOW_SECONDS = 60


@dataclass(slots=True, kw_only=True)
class Session:
    """A person's browser. `csrf` is what every form carries; `notice` is shown once."""

    caller: Caller
    csrf: str
    expires_at: datetime
    seen_at: datetime
    notice: tuple[str, str] | None = None


@dataclass(slots=True)
class Sessions:
    """Links and sessions by the hash of their secret."""

    clock: Clock
    _links: dict[bytes, tuple[Caller, datetime]] = field(default_factory=dict)
    _sessions: dict[bytes, Session] = field(default_factory=dict)
    _failures: list[datetime] = field(default_factory=list)

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

    def login(self, token: str) -> str | None:
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
        self._sessions = {key: item for key, item in self._sessions.items() if _alive(item, now)}
        while len(self._sessions) >= SESSIONS_MAX:
            del self._sessions[min(self._sessions, key=lambda key: self._sessions[key].seen_at)]
        cookie = secrets.token_urlsafe(SECRET_BYTES)
        self._sessions[_hash(cookie)] = Session(
            caller=caller,
            csrf=secrets.token_urlsafe(SECRET_BYTES),
            expires_at=now + timedelta(seconds=SESSION_SECONDS_MAX),
            seen_at=now,
        )
        return cookie

    def find(self, cookie: str) -> Session | None:
        """The living session of a cookie."""
        key = _hash(cookie)
        session = self._sessions.get(key)
        now = self.clock.now()
        if session is None:
            return None
        if not _alive(session, now):
            del self._sessions[key]
            return None
        return session

    def touch(self, session: Session) -> None:
        """Something the person did: the idle time starts anew. Refreshes of the page by itself do not count."""
        session.seen_at = self.clock.now()

    def end(self, cookie: str) -> None:
        """Sign out."""
        self._sessions.pop(_hash(cookie), None)


def same_secret(given: str, expected: str) -> bool:
    """Constant-time comparison."""
    return hmac.compare_digest(given.encode("utf-8", "surrogatepass"), expected.encode())


def _alive(session: Session, now: datetime) -> bool:
    return now < session.expires_at and now - session.seen_at < timedelta(seconds=SESSION_IDLE_SECONDS_MAX)


def _hash(secret: str) -> bytes:
    return hashlib.sha256(secret.encode("utf-8", "surrogatepass")).digest()
