"""One pass over the entries of a log: what each says of itself, the epochs they begin, what of them was archived."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from comptroller.core import merkle
from comptroller.core.audit import LEAF_VERSION, EntryKind, PrivateField
from comptroller.core.checkpoint import Checkpoint
from comptroller.core.epoch import Begun, begun, epoch_of, origin_at, same_installation
from comptroller.core.errors import VerificationError
from comptroller.core.jcs import NotJson, jcs

PROBLEMS_MAX = 100

Ranges = Sequence[tuple[int, int]]
"""First and last index of each run of neighbours, in order."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """Something that does not verify; `index` is the entry it shows at, None where it concerns the whole."""

    index: int | None
    text: str

    def __str__(self) -> str:
        return self.text if self.index is None else f"entry {self.index}: {self.text}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """One entry as found: the position it claims or is stored at, its exact leaf, and what lies beside it.

    Of one that was archived and removed only `hash` is left (`leaf` is empty); `archived` is the entry that says so.
    """

    index: int
    leaf: bytes
    hash: bytes | None = None
    private: tuple[PrivateField, ...] = ()
    proof: tuple[bytes, ...] | None = None
    archived: int | None = None

    @property
    def removed(self) -> bool:
        """True where the leaf is not here."""
        return self.archived is not None and not self.leaf

    @property
    def leaf_hash(self) -> bytes:
        """What the tree holds at this position; of a removed leaf, what was recorded."""
        return self.hash or b"" if self.removed else merkle.leaf_hash(self.leaf)


def ranges_of(indices: Iterable[int]) -> list[tuple[int, int]]:
    """Sorted indices as runs of neighbours."""
    found: list[tuple[int, int]] = []
    for index in indices:
        _extend(found, index)
    return found


def ranges_digest(ranges: Ranges) -> str:
    """What an `audit.archived` entry holds of the entries it removes: SHA-256 of `0-99,101-105`."""
    return hashlib.sha256(",".join(f"{first}-{last}" for first, last in ranges).encode()).hexdigest()


def ranges_count(ranges: Ranges) -> int:
    """How many indices they hold."""
    return sum(last - first + 1 for first, last in ranges)


def _extend(ranges: list[tuple[int, int]], index: int) -> None:
    if ranges and ranges[-1][1] == index - 1:
        ranges[-1] = (ranges[-1][0], index)
    else:
        ranges.append((index, index))


@dataclass(slots=True)
class Walk:
    """What one pass has seen so far. `origin` is that of the log, in any of its epochs."""

    origin: str
    problems: list[Problem] = field(default_factory=list)
    entries: int = 0
    private_checked: int = 0
    withheld: int = 0
    archived: int = 0
    epochs: list[Begun] = field(default_factory=list)
    _removed: dict[int, list[tuple[int, int]]] = field(default_factory=dict)

    def add(self, index: int | None, text: str) -> None:
        """Note a problem."""
        if len(self.problems) < PROBLEMS_MAX:
            self.problems.append(Problem(index=index, text=text))

    def see(self, record: Record, edge: merkle.Edge) -> None:
        """Check one entry of a whole log, where `edge` is that of the leaves before it."""
        if record.archived is not None:
            _extend(self._removed.setdefault(record.archived, []), record.index)
        document = self.check(record, edge.size)
        body = document.get("body")
        match document.get("kind"):
            case EntryKind.STORE_RESTORED.value:
                self._begin(body if isinstance(body, dict) else {}, edge)
            case EntryKind.AUDIT_ARCHIVED.value:
                self._check_removed(body if isinstance(body, dict) else {}, edge.size)

    def check(self, record: Record, index: int) -> Mapping[str, Any]:
        """Check one entry for itself: its hash, its form, its index, the values beside it. Returns what it says."""
        self.entries += 1
        if record.removed:
            self.archived += 1
            if record.hash is None or len(record.hash) != merkle.HASH_BYTES:
                self.add(index, "was archived, and not even its hash is left")
            return {}
        if record.hash is not None and record.hash != merkle.leaf_hash(record.leaf):
            self.add(index, "was changed: it does not match the hash recorded for it")
        try:
            leaf = json.loads(record.leaf)
            canonical = jcs(leaf)
        except (ValueError, RecursionError):
            self.add(index, "is not readable")
            return {}
        if not isinstance(leaf, dict) or canonical != record.leaf:
            self.add(index, "is not in canonical form")
            return {}
        if leaf.get("v") != LEAF_VERSION:
            self.add(index, f"has format version `{leaf.get('v')}`, this program knows {LEAF_VERSION}")
        if leaf.get("index") != index:
            self.add(index, f"says that it is entry `{leaf.get('index')}`")
        committed = leaf.get("private")
        self._check_private(record, index, committed if isinstance(committed, dict) else {})
        return leaf

    def _check_private(self, record: Record, index: int, committed: Mapping[str, object]) -> None:
        for item in record.private:
            self.private_checked += 1
            try:
                matches = committed.get(item.name) == item.commitment
            except NotJson:
                matches = False
            if not matches:
                self.add(index, f"private value `{item.name}` does not match its commitment")
        self.withheld += len(committed.keys() - {item.name for item in record.private})

    # ------------------------------------------------------------ epochs

    def _begin(self, body: Mapping[str, Any], edge: merkle.Edge) -> None:
        before = self.epochs[-1].origin if self.epochs else origin_at(self.origin, 1)
        try:
            self.epochs.append(begun(body, index=edge.size, root=merkle.root(edge), origin=before))
        except VerificationError as error:
            self.add(edge.size, error.message)

    def check_heads(
        self, signed: Checkpoint, earlier: Sequence[Checkpoint], size: int, roots: Mapping[int, bytes]
    ) -> None:
        """Check that the entries seen are those of the signed checkpoint and of every earlier one."""
        good = 0
        for name, item in (*(("an earlier", each) for each in sorted(earlier, key=_size)), ("the", signed)):
            if not same_installation(item.origin, signed.origin):
                self.add(None, f"{name} checkpoint is of another log, `{item.origin}`")
            elif (end := self._end_of(item)) is not None and item.size > end.index:
                self.add(end.index, self._lost(name, item, end))
            elif item.size > size:
                self.add(size, f"is missing: {name} signed checkpoint covers {item.size} entries, the tail was cut")
            elif roots.get(item.size) != item.root:
                where = f"somewhere from entry {good} to {item.size - 1}"
                text = f"the entries do not hash to the root of {name} signed checkpoint of {item.size}: {where}"
                self.add(None, text)
            else:
                good = max(good, item.size)
        covered = [each.number for each in self.epochs if each.index < signed.size]
        if epoch_of(signed.origin) != (covered[-1] if covered else 1):
            self.add(None, f"the log's own entries do not begin the epoch that was signed, `{signed.origin}`")

    def _end_of(self, item: Checkpoint) -> Begun | None:
        """What ended the epoch of a checkpoint."""
        return next((each for each in self.epochs if each.number > epoch_of(item.origin)), None)

    def _lost(self, name: str, item: Checkpoint, end: Begun) -> str:
        newest = end.newest
        known = newest is not None and newest.size >= item.size and newest.origin == item.origin
        said = "which it names" if known else "of which it knows nothing"
        return (
            f"begins epoch {end.number} after a restore: {name} checkpoint covers {item.size} entries, "
            f"{item.size - end.index} of them are lost, {said}"
        )

    # ------------------------------------------------------------ archived

    def _check_removed(self, body: Mapping[str, Any], index: int) -> None:
        ranges = self._removed.pop(index, [])
        if body.get("removed") != {"count": ranges_count(ranges), "sha256": ranges_digest(ranges)}:
            self.add(ranges[0][0] if ranges else index, f"entries were removed that entry {index} does not name")

    def check_all_removed(self) -> None:
        """Check, at the end, that an entry of the log stands behind every leaf that is not here."""
        for index, ranges in sorted(self._removed.items()):
            self.add(ranges[0][0], f"was removed, and entry {index} does not say so")


def _size(item: Checkpoint) -> int:
    return item.size
