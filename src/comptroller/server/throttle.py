"""Counts wrong answers at the door, by account and by address. Everything is bounded and forgotten in time."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from comptroller.core.errors import RefusedError
from comptroller.ports import Clock

ACCOUNT_FAILURES_MAX = 5
ADDRESS_FAILURES_MAX = 30
WINDOW_SECONDS = 900
LOCK_SECONDS_FIRST = 60
LOCK_SECONDS_MAX = 900
REMEMBERED_MAX = 4096


class TooManyError(RefusedError):
    """Too many wrong answers. `seconds`: when it is worth another try."""

    def __init__(self, seconds: int) -> None:
        super().__init__(
            "too many wrong answers; this way in is closed for a while",
            hint=f"wait {seconds} s, use a passkey, or on the machine itself: comptroller approvals open",
        )
        self.seconds = seconds


@dataclass(slots=True)
class _Count:
    failures: int = 0
    locks: int = 0
    since: datetime = datetime.min
    until: datetime | None = None


@dataclass(slots=True, kw_only=True)
class Throttle:
    """Closes the password's way in for an account, or for an address, after too many wrong answers.

    What nobody can guess is never closed: passkeys, one-time links, the control socket. So nobody can lock everybody
    out, and names that do not exist are counted as those that do.
    """

    clock: Clock
    _accounts: dict[bytes, _Count] = field(default_factory=dict)
    _addresses: dict[bytes, _Count] = field(default_factory=dict)
    _told: dict[bytes, _Count] = field(default_factory=dict)

    def check(self, account: str, address: str) -> None:
        """Raise `TooManyError` while either is closed."""
        now = self.clock.now()
        for counts, name in ((self._accounts, account), (self._addresses, address)):
            found = counts.get(_key(name))
            if found is not None and found.until is not None and now < found.until:
                raise TooManyError(max(1, int((found.until - now).total_seconds()) + 1))

    def failed(self, account: str, address: str) -> tuple[bool, bool]:
        """Count a wrong answer; says whether it closed the account's way in, and the address's."""
        return (
            self._count(self._accounts, account, ACCOUNT_FAILURES_MAX),
            self._count(self._addresses, address, ADDRESS_FAILURES_MAX),
        )

    def passed(self, account: str) -> None:
        """A right answer: the account starts anew. The address does not: its other guesses were guesses."""
        self._accounts.pop(_key(account), None)

    def counted(self, address: str) -> int:
        """Count a refusal that closes nothing; how many there were of late from this address."""
        now, key = self.clock.now(), _key(address)
        found = self._told.pop(key, None)
        if found is None or now - found.since > timedelta(seconds=WINDOW_SECONDS):
            found = _Count(since=now)
        self._told[key] = found
        _bound(self._told)
        found.failures += 1
        return found.failures

    def _count(self, counts: dict[bytes, _Count], name: str, most: int) -> bool:
        now, key = self.clock.now(), _key(name)
        found = counts.pop(key, None)
        if found is None or (now - found.since > timedelta(seconds=WINDOW_SECONDS) and _open(found, now)):
            found = _Count(since=now)
        counts[key] = found
        _bound(counts)
        found.failures += 1
        if found.failures < most:
            return False
        seconds = min(LOCK_SECONDS_FIRST << min(found.locks, 8), LOCK_SECONDS_MAX)
        found.failures, found.locks, found.until = 0, found.locks + 1, now + timedelta(seconds=seconds)
        found.since = now
        return True


def _bound(counts: dict[bytes, _Count]) -> None:
    while len(counts) > REMEMBERED_MAX:
        del counts[next(iter(counts))]


def _open(count: _Count, now: datetime) -> bool:
    return count.until is None or now >= count.until


def _key(name: str) -> bytes:
    return hashlib.sha256(name.encode("utf-8", "surrogatepass")).digest()
