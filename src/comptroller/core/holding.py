"""Holdings: what an agent brought about that still lives and costs, and how long it is paid for. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from comptroller.core.made import Made

SECONDS_PER_HOUR = 3_600
GRACE_SECONDS_DEFAULT = 300
"""Between telling the owner that something is not paid for and stopping it."""
STOP_SECONDS = 300
"""How long stopping may take within what is paid for: a term is renewed, or not, this long and the grace before its
end."""
OVERRUN_SECONDS = 300
"""In which steps it is paid on for what lives past its term: the truth, whatever the budget says."""


class HoldingState(StrEnum):
    """`live -> marked -> stopping -> stopped -> closed`; from any state it may be found gone, or be forgotten.

    `marked`: its term will not be paid for; its owner was told and it is stopped when the grace is over. `stopping`:
    the provider was asked to and has not confirmed. `stopped`: it rests, confirmed, and could be started again.
    `closed`: it is gone, confirmed. `forgotten`: a person took it off the books.
    """

    LIVE = "live"
    MARKED = "marked"
    STOPPING = "stopping"
    STOPPED = "stopped"
    CLOSED = "closed"
    FORGOTTEN = "forgotten"


OPEN_STATES = frozenset(HoldingState) - {HoldingState.CLOSED, HoldingState.FORGOTTEN}
"""States of what is still there."""
COSTING_STATES = OPEN_STATES - {HoldingState.STOPPED}
"""States of what costs."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Holding:
    """One thing that lives: `kind` (`aws:ec2:instance`) and `resource` (`i-0abc`) name it where it lies; a `resource`
    that is empty could not be read from the answer.

    `path` is the scope path of the run that made it, `reservation` the one of the action, `term_reservation` the one
    that pays for the term until `paid_until` (empty: nothing does). A rate of None is not known. `tagged` says that
    it was made with our tags, `created` that the run made it rather than only started or enlarged it;
    `settled_usd_micros` is what its earlier terms cost; `why` tells how it came to its state, and `asked` how often
    its provider was asked to stop it.
    """

    id: str
    kind: str
    resource: str
    account: str
    region: str
    endpoint: str
    agent: str
    run: str
    path: str
    owner: str
    operation: str
    reservation: str
    rate_usd_micros_per_hour: int | None
    opened_at: datetime
    paid_until: datetime
    term_seconds: int
    state: HoldingState
    state_at: datetime
    approver: str = ""
    term_reservation: str = ""
    tagged: bool = False
    created: bool = True
    settled_usd_micros: int = 0
    why: str = ""
    asked: int = 0

    @property
    def open(self) -> bool:
        """Whether it is still there, as far as anybody knows."""
        return self.state in OPEN_STATES

    @property
    def costs(self) -> bool:
        """Whether it costs while time passes."""
        return self.state in COSTING_STATES and self.rate_usd_micros_per_hour != 0

    @property
    def made(self) -> Made:
        """The thing itself."""
        return Made(
            kind=self.kind,
            resource=self.resource,
            account=self.account,
            region=self.region,
            endpoint=self.endpoint,
        )

    def started_at(self) -> datetime:
        """When the term that is paid for began."""
        return self.paid_until - timedelta(seconds=self.term_seconds)

    def used(self, now: datetime, amount: int) -> int:
        """What of a term's `amount` is used at `now`, rounded up; all of it where the rate is not known."""
        if self.rate_usd_micros_per_hour is None or self.term_seconds <= 0:
            return amount
        seconds = min(max((now - self.started_at()).total_seconds(), 0.0), float(self.term_seconds))
        return min(amount, -(-amount * (int(seconds) + 1) // self.term_seconds))

    def due_at(self, grace_seconds: int) -> datetime:
        """When its next term has to be paid for: so early that it can still be stopped within this one."""
        ahead = min(grace_seconds + STOP_SECONDS, self.term_seconds // 2)
        return self.paid_until - timedelta(seconds=ahead)

    def spent_usd_micros(self, now: datetime, reserved: int) -> int:
        """What it cost so far, where `reserved` pays for its term."""
        return self.settled_usd_micros + (self.used(now, reserved) if self.term_reservation else 0)


def over(rate_usd_micros_per_hour: int, seconds: int) -> int:
    """What a rate comes to in `seconds`, rounded up, in micro-dollars."""
    return -(-rate_usd_micros_per_hour * seconds // SECONDS_PER_HOUR)


def split(amount: int, shares: Sequence[int]) -> tuple[int, ...]:
    """`amount` in parts as large as their shares, together exactly `amount`; all in the first where no share counts."""
    whole = sum(shares)
    if not whole:
        return tuple(amount if n == 0 else 0 for n in range(len(shares)))
    ends, parts = 0, []
    for share in shares:
        parts.append(amount * (ends + share) // whole - amount * ends // whole)
        ends += share
    return tuple(parts)
