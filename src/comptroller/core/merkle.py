"""The RFC 6962 Merkle tree as pure functions: hashing, appending, roots, proofs and their verification.

Nodes are named (level, position): level 0 is a leaf hash, (level, p) covers leaves p * 2**level and the 2**level - 1
after it. Only complete nodes are stored; a root or proof is folded from them through a `Lookup`.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from comptroller.core.errors import VerificationError

HASH_BYTES = 32
PROOF_HASHES_MAX = 64
EMPTY_ROOT = hashlib.sha256(b"").digest()
"""RFC 6962 root of the tree without leaves."""

Lookup = Callable[[int, int], bytes]
"""(level, position) -> the hash of that complete node."""


class Node(NamedTuple):
    """A complete node and its hash."""

    level: int
    position: int
    hash: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Edge:
    """The right edge of a tree: the roots of its complete subtrees, largest first. All that appending needs."""

    size: int = 0
    hashes: tuple[bytes, ...] = ()

    def __post_init__(self) -> None:
        # INVARIANT: one hash for each bit set in the size.
        if self.size < 0 or self.size.bit_count() != len(self.hashes):
            raise ValueError(
                f"an edge of {self.size} leaves has {self.size.bit_count()} hashes, not {len(self.hashes)}"
            )


def leaf_hash(leaf: bytes) -> bytes:
    """SHA-256(0x00 || leaf)."""
    return hashlib.sha256(b"\x00" + leaf).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    """SHA-256(0x01 || left || right)."""
    return hashlib.sha256(b"\x01" + left + right).digest()


def edge_positions(size: int) -> tuple[tuple[int, int], ...]:
    """(level, position) of every node on the right edge of a tree of `size` leaves, largest first."""
    found = []
    start = 0
    for level in reversed(range(size.bit_length())):
        if size >> level & 1:
            found.append((level, start >> level))
            start += 1 << level
    return tuple(found)


def edge_at(size: int, lookup: Lookup) -> Edge:
    """The right edge of the first `size` leaves."""
    return Edge(size=size, hashes=tuple(lookup(level, position) for level, position in edge_positions(size)))


def append(edge: Edge, leaf_hashes: Iterable[bytes]) -> tuple[Edge, tuple[Node, ...]]:
    """The edge after appending, and every node that became complete, leaf hashes included."""
    hashes = list(edge.hashes)
    size = edge.size
    nodes: list[Node] = []
    for leaf in leaf_hashes:
        level, position, current = 0, size, leaf
        nodes.append(Node(level, position, current))
        while position & 1:
            current = node_hash(hashes.pop(), current)
            level, position = level + 1, position >> 1
            nodes.append(Node(level, position, current))
        hashes.append(current)
        size += 1
    return Edge(size=size, hashes=tuple(hashes)), tuple(nodes)


def root(edge: Edge) -> bytes:
    """The root of the tree with this right edge."""
    if not edge.hashes:
        return EMPTY_ROOT
    *rest, current = edge.hashes
    for left in reversed(rest):
        current = node_hash(left, current)
    return current


def root_at(size: int, lookup: Lookup) -> bytes:
    """The root of the first `size` leaves."""
    return root(edge_at(size, lookup))


def inclusion_proof(index: int, size: int, lookup: Lookup) -> tuple[bytes, ...]:
    """PATH(index, D[size]) of RFC 6962 2.1.1, from the leaf up. Raises `ValueError` where there is none."""
    if not 0 <= index < size:
        raise ValueError(f"no leaf {index} in a tree of {size}")
    path: list[bytes] = []
    begin, end = 0, size
    while end - begin > 1:
        middle = begin + _split(end - begin)
        if index < middle:
            path.append(_range_root(middle, end, lookup))
            end = middle
        else:
            path.append(_range_root(begin, middle, lookup))
            begin = middle
    return tuple(reversed(path))


def consistency_proof(old: int, new: int, lookup: Lookup) -> tuple[bytes, ...]:
    """PROOF(old, D[new]) of RFC 6962 2.1.2; empty where `old` is 0 or `new`. Raises `ValueError` for old > new."""
    if not 0 <= old <= new:
        raise ValueError(f"a tree of {new} does not extend one of {old}")
    if old in (0, new):
        return ()
    path: list[bytes] = []
    begin, end, whole = 0, new, True
    while old != end:
        middle = begin + _split(end - begin)
        if old <= middle:
            path.append(_range_root(middle, end, lookup))
            end = middle
        else:
            path.append(_range_root(begin, middle, lookup))
            begin, whole = middle, False
    if not whole:
        path.append(_range_root(begin, end, lookup))
    return tuple(reversed(path))


def verify_inclusion(*, leaf: bytes, index: int, size: int, proof: Sequence[bytes], root: bytes) -> None:
    """Check that `leaf` (its hash) is leaf `index` of the tree of `size` with `root` (RFC 9162 2.1.3.2).

    Raises `VerificationError`.
    """
    _check_hashes((leaf, root, *proof))
    if not 0 <= index < size:
        raise VerificationError(f"no leaf {index} in a tree of {size}")
    first, last, current = index, size - 1, leaf
    for sibling in proof:
        if last == 0:
            raise VerificationError(f"the inclusion proof of leaf {index} is too long")
        if first & 1 or first == last:
            current = node_hash(sibling, current)
            first, last = _skip(first, last)
        else:
            current = node_hash(current, sibling)
        first, last = first >> 1, last >> 1
    if last != 0 or current != root:
        raise VerificationError(f"the inclusion proof of leaf {index} does not lead to the root of size {size}")


def verify_consistency(*, old: int, old_root: bytes, new: int, new_root: bytes, proof: Sequence[bytes]) -> None:
    """Check that the tree of `new` leaves extends the one of `old` (RFC 9162 2.1.4.2). Raises `VerificationError`."""
    _check_hashes((old_root, new_root, *proof))
    if not 0 <= old <= new:
        raise VerificationError(f"a tree of {new} leaves does not extend one of {old}: the tail was cut")
    if old in (0, new):
        expected = EMPTY_ROOT if old == 0 else new_root
        if proof or old_root != expected:
            raise VerificationError(f"the trees of {old} and {new} leaves are not consistent")
        return
    path = [old_root, *proof] if old & (old - 1) == 0 else list(proof)
    if not path:
        raise VerificationError("the consistency proof is empty")
    first, last = old - 1, new - 1
    while first & 1:
        first, last = first >> 1, last >> 1
    before = after = path[0]
    for sibling in path[1:]:
        if last == 0:
            raise VerificationError("the consistency proof is too long")
        if first & 1 or first == last:
            before, after = node_hash(sibling, before), node_hash(sibling, after)
            first, last = _skip(first, last)
        else:
            after = node_hash(after, sibling)
        first, last = first >> 1, last >> 1
    if last != 0 or before != old_root or after != new_root:
        raise VerificationError(f"the trees of {old} and {new} leaves are not consistent: history was rewritten")


def _split(count: int) -> int:
    """The largest power of two below `count` (count > 1)."""
    return 1 << ((count - 1).bit_length() - 1)


def _range_root(begin: int, end: int, lookup: Lookup) -> bytes:
    """The root of leaves [begin, end), where `begin` is a multiple of a power of two not below end - begin."""
    count = end - begin
    if count & (count - 1) == 0:
        level = count.bit_length() - 1
        return lookup(level, begin >> level)
    middle = begin + _split(count)
    return node_hash(_range_root(begin, middle, lookup), _range_root(middle, end, lookup))


def _skip(first: int, last: int) -> tuple[int, int]:
    """Leave the levels at which a right-edge node has no sibling."""
    while first and not first & 1:
        first, last = first >> 1, last >> 1
    return first, last


def _check_hashes(hashes: Sequence[bytes]) -> None:
    if len(hashes) > PROOF_HASHES_MAX + 2 or any(len(item) != HASH_BYTES for item in hashes):
        raise VerificationError(f"a proof holds at most {PROOF_HASHES_MAX} hashes of {HASH_BYTES} bytes")
