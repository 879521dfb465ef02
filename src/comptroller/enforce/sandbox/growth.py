"""How many bytes folders hold on disk."""

from __future__ import annotations

import stat
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from comptroller.enforce.sandbox.walk import Walk

ENTRIES_MAX = 500_000
BLOCK_BYTES = 512


@dataclass(frozen=True, slots=True, kw_only=True)
class Held:
    """What folders hold: bytes on disk, and whether a folder in them could not be looked into."""

    used_bytes: int
    closed: bool


def held(places: Sequence[Path]) -> Held:
    """The bytes on disk of everything below `places`, a file of several names once. Follows no link and crosses into
    no other file system. Raises `UnmeasurableError` beyond `ENTRIES_MAX` entries or too many folders deep."""
    walk = Walk(entries_max=ENTRIES_MAX)
    several: set[tuple[int, int]] = set()
    used = 0
    for place in places:
        for found in walk.through(place):
            status = found.status
            if status.st_nlink > 1 and not stat.S_ISDIR(status.st_mode):
                key = (status.st_dev, status.st_ino)
                if key in several:
                    continue
                several.add(key)
            used += status.st_blocks * BLOCK_BYTES
    return Held(used_bytes=used, closed=walk.closed)
