"""The brake: what stops an agent. Frozen means nothing new leaves; killed cannot be thawed."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

RESTORE = "restore"
"""Who pulls the brake after a restore from a backup: only a person who gives a reason lets go of it."""


class BrakeState(StrEnum):
    """`free -> frozen -> free`; `killed` is final."""

    FREE = "free"
    FROZEN = "frozen"
    KILLED = "killed"


@dataclass(frozen=True, slots=True, kw_only=True)
class Brake:
    """The brake on one scope (an organization, team, agent or run path)."""

    scope: str
    state: BrakeState
    reason: str
    by: str
    at: datetime


class RunState(StrEnum):
    """`active -> ended`; a resumed run is active again."""

    ACTIVE = "active"
    ENDED = "ended"


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """One execution of an agent in one box. `path` is its scope (`acme/ml/research/RUN_ID`).

    `observed`: cheap actions on unnamed hosts go and are recorded as `would_deny`. `unboxed`: it has no box at all.
    """

    id: str
    agent: str
    owner: str
    path: str
    purpose: str
    state: RunState
    started_at: datetime
    ended_at: datetime | None = None
    exit_code: int | None = None
    observed: bool = False
    unboxed: bool = False
