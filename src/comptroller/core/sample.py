"""A random sample of a log that anybody can draw again: from a checkpoint's root and a seed that is written down.

Nobody who writes the log chooses what is drawn: the root is not known before the entries are, the seed not before the
auditor names it.
"""

from __future__ import annotations

import hashlib

SAMPLE_MAX = 1_000
SEED_CHARS_MAX = 100
_LABEL = b"comptroller/sample/1\n"
_BYTES = 8


def sampled(root: bytes, seed: str, *, size: int, count: int) -> tuple[int, ...]:
    """`count` different indices below `size`, each as likely as any other, in order; all where there are no more.

    Number n is SHA-256(label || root || SHA-256(seed) || n as 8 bytes), its first 8 bytes as an integer, where that
    is below the largest multiple of `size`, modulo `size`; one that was drawn already is not drawn again.

    >>> sampled(bytes(32), "x", size=3, count=9)
    (0, 1, 2)
    """
    if count < 0 or size < 0:
        raise ValueError("a sample has no negative size")
    if count >= size:
        return tuple(range(size))
    fair = (1 << 8 * _BYTES) // size * size
    head = _LABEL + root + hashlib.sha256(seed.encode("utf-8", "surrogatepass")).digest()
    found: set[int] = set()
    number = 0
    while len(found) < count:
        drawn = int.from_bytes(hashlib.sha256(head + number.to_bytes(8, "big")).digest()[:_BYTES], "big")
        number += 1
        if drawn < fair:
            found.add(drawn % size)
    return tuple(sorted(found))
