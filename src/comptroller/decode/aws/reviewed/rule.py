"""One reviewed sentence about operations: their class, and why."""

from __future__ import annotations

from typing import NamedTuple


class Rule(NamedTuple):
    """`operations` are names or shell patterns between spaces, of the botocore services `services` (patterns too)."""

    classes: str
    services: str
    operations: str
    reason: str
