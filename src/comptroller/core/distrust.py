"""A price that a real cost once exceeded: not believed until a person confirms it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Distrust:
    """What is held of the price called `key` (`aws:ec2:RunInstances/us-east-1/p4d.24xlarge`), and since when.

    `by` is `comptroller` where a settlement found it too low, or the person who confirmed it: then it is `trusted`.
    """

    key: str
    trusted: bool
    reason: str
    by: str
    at: datetime
