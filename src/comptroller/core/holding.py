"""Holdings: what an agent brought about that still lives and costs, and how long it is paid for."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum


class HoldingState(StrEnum):
    """`live -> marked -> stopping -> stopped -> closed`; a holding of any state may be found gone, or be forgotten.

    `marked`: its term is not paid for; its owner was told and it is stopped when the grace is over. `stopping`: the
    provider was asked to and has not confirmed. `stopped`: it rests, confirmed. `closed`: it is gone, confirmed.
    `forgotten`: a person took it off the books.
    """

    LIVE = "live"
    MARKED = "marked"
    STOPPING = "stopping"
    STOPPED = "stopped"
    CLOSED = "closed"
    FORGOTTEN = "forgotten"


OPEN_STATES = frozenset(HoldingState) - {HoldingState.CLOSED, HoldingState.FORGOTTEN}
"""States of what is still there."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Holding:
    """One thing that lives: `kind` (`aws:ec2:instance`) and `resource` (`i-0abc`) name it where it lies.

    `path` is the scope path of the run that made it, `reservation` the one of the action, `term_reservation` the one
    that pays for the term until `paid_until` (empty: nothing does). A rate of None is not known. `tagged` says that
    it carries our tag; `settled_usd_micros` is what its earlier terms cost; `why` tells how it came to its state.
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
    settled_usd_micros: int = 0
    why: str = ""

    @property
    def open(self) -> bool:
        """Whether it is still there, as far as anybody knows."""
        return self.state in OPEN_STATES
