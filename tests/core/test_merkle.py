"""The tree against pymerkle as oracle, proofs against everything that could be wrong with them."""

from __future__ import annotations

import hashlib

import pymerkle
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from comptroller.core import merkle
from comptroller.core.errors import VerificationError

SIZE_MAX = 130


def leaf(number: int) -> bytes:
    return b"leaf %d" % number


def grown(size: int, steps: list[int] | None = None) -> tuple[merkle.Edge, dict[tuple[int, int], bytes]]:
    """A tree of `size` leaves, appended in `steps` at a time, and its stored nodes."""
    edge, nodes, number = merkle.Edge(), {}, 0
    sizes = list(steps or [])
    while number < size:
        count = min(sizes.pop() if sizes else size, size - number)
        edge, made = merkle.append(edge, [merkle.leaf_hash(leaf(n)) for n in range(number, number + count)])
        for node in made:
            assert (node.level, node.position) not in nodes, "a node became complete twice"
            nodes[node.level, node.position] = node.hash
        number += count
    return edge, nodes


_, NODES = grown(SIZE_MAX)
ORACLE = pymerkle.InmemoryTree(algorithm="sha256")
for _number in range(SIZE_MAX):
    ORACLE.append_entry(leaf(_number))


def lookup(level: int, position: int) -> bytes:
    return NODES[level, position]


def root_of(size: int) -> bytes:
    return merkle.root_at(size, lookup)


def rfc_root(hashes: list[bytes]) -> bytes:
    """MTH of RFC 6962 2.1, word for word."""
    if len(hashes) == 1:
        return hashes[0]
    k = max(2**n for n in range(10) if 2**n < len(hashes))
    return hashlib.sha256(b"\x01" + rfc_root(hashes[:k]) + rfc_root(hashes[k:])).digest()


def rfc_proof(m: int, hashes: list[bytes], whole: bool) -> list[bytes]:
    """SUBPROOF of RFC 6962 2.1.2, word for word."""
    if m == len(hashes):
        return [] if whole else [rfc_root(hashes)]
    k = max(2**n for n in range(10) if 2**n < len(hashes))
    if m <= k:
        return [*rfc_proof(m, hashes[:k], whole), rfc_root(hashes[k:])]
    return [*rfc_proof(m - k, hashes[k:], False), rfc_root(hashes[:k])]


def test_known_answers_of_rfc_6962() -> None:
    """The test vectors of the certificate-transparency reference implementation."""
    inputs = [
        "", "00", "10", "2021", "3031", "40414243", "5051525354555657", "606162636465666768696a6b6c6d6e6f",
    ]  # fmt: skip
    edge, _ = merkle.append(merkle.Edge(), [merkle.leaf_hash(bytes.fromhex(text)) for text in inputs])
    assert merkle.root(edge).hex() == "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328"
    assert merkle.EMPTY_ROOT.hex() == "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
    assert merkle.leaf_hash(b"").hex() == "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d"


def test_every_root_is_the_oracles() -> None:
    for size in range(1, SIZE_MAX + 1):
        assert root_of(size) == ORACLE.get_root(size)
    assert root_of(0) == merkle.EMPTY_ROOT


def test_every_small_proof_verifies_and_has_the_oracles_hashes() -> None:
    for size in range(1, 20):
        for index in range(size):
            proof = merkle.inclusion_proof(index, size, lookup)
            own = merkle.leaf_hash(leaf(index))
            merkle.verify_inclusion(leaf=own, index=index, size=size, proof=proof, root=root_of(size))
            assert {own, *proof} == set(ORACLE.prove_inclusion(index + 1, size).path)
        for old in range(size + 1):
            proof = merkle.consistency_proof(old, size, lookup)
            merkle.verify_consistency(old=old, old_root=root_of(old), new=size, new_root=root_of(size), proof=proof)
            if 0 < old < size:
                assert list(proof) == rfc_proof(old, [merkle.leaf_hash(leaf(n)) for n in range(size)], True)


@given(st.integers(0, SIZE_MAX), st.lists(st.integers(1, 40), max_size=20))
def test_appending_in_any_steps_gives_one_tree(size: int, steps: list[int]) -> None:
    edge, nodes = grown(size, steps)
    assert merkle.root(edge) == root_of(size)
    assert nodes == {place: digest for place, digest in NODES.items() if (place[1] + 1) << place[0] <= size}
    assert merkle.edge_at(size, lookup) == edge


@settings(max_examples=200)
@given(st.data())
def test_a_wrong_inclusion_proof_never_verifies(data: st.DataObject) -> None:
    size = data.draw(st.integers(1, SIZE_MAX))
    index = data.draw(st.integers(0, size - 1))
    right = {
        "leaf": merkle.leaf_hash(leaf(index)),
        "index": index,
        "size": size,
        "proof": merkle.inclusion_proof(index, size, lookup),
        "root": root_of(size),
    }
    merkle.verify_inclusion(**right)
    what = data.draw(st.sampled_from(["leaf", "root", "index", "cut", "long", "flip", "swap"]))
    wrong = dict(right)
    proof = right["proof"]
    if what in ("leaf", "root"):
        wrong[what] = data.draw(st.binary(min_size=32, max_size=32))
    elif what == "index":
        wrong["index"] = data.draw(st.integers(-3, size + 3))
    elif what == "cut":
        wrong["proof"] = proof[: data.draw(st.integers(0, max(len(proof) - 1, 0)))]
    elif what == "long":
        wrong["proof"] = (*proof, data.draw(st.binary(min_size=32, max_size=32)))
    elif what == "flip" and proof:
        at = data.draw(st.integers(0, len(proof) - 1))
        wrong["proof"] = (*proof[:at], hashlib.sha256(proof[at]).digest(), *proof[at + 1 :])
    elif what == "swap":
        wrong["proof"] = tuple(reversed(proof))
    if wrong != right:
        with pytest.raises(VerificationError):
            merkle.verify_inclusion(**wrong)


@settings(max_examples=200)
@given(st.data())
def test_a_rewritten_history_never_proves_consistent(data: st.DataObject) -> None:
    new = data.draw(st.integers(1, SIZE_MAX))
    old = data.draw(st.integers(1, new))
    changed = data.draw(st.integers(0, old - 1))
    hashes = [merkle.leaf_hash(leaf(n)) for n in range(new)]
    hashes[changed] = merkle.leaf_hash(b"rewritten")
    edge, made = merkle.append(merkle.Edge(), hashes)
    forged = {(node.level, node.position): node.hash for node in made}
    for proof in (
        merkle.consistency_proof(old, new, lambda level, position: forged[level, position]),
        merkle.consistency_proof(old, new, lookup),
        tuple(data.draw(st.lists(st.sampled_from(sorted(NODES.values())), max_size=9))),
    ):
        with pytest.raises(VerificationError):
            merkle.verify_consistency(old=old, old_root=root_of(old), new=new, new_root=merkle.root(edge), proof=proof)


def test_a_cut_tail_and_malformed_hashes_are_named() -> None:
    with pytest.raises(VerificationError, match="tail was cut"):
        merkle.verify_consistency(old=9, old_root=root_of(9), new=8, new_root=root_of(8), proof=())
    with pytest.raises(VerificationError, match="32 bytes"):
        merkle.verify_inclusion(leaf=b"short", index=0, size=1, proof=(), root=root_of(1))
    with pytest.raises(VerificationError):
        merkle.verify_consistency(old=3, old_root=root_of(3), new=7, new_root=root_of(7), proof=())
    with pytest.raises(VerificationError):
        merkle.verify_consistency(old=0, old_root=root_of(1), new=7, new_root=root_of(7), proof=())
    with pytest.raises(VerificationError):
        merkle.verify_inclusion(leaf=root_of(1), index=0, size=1, proof=(root_of(2),) * 100, root=root_of(1))
    for index, size in ((0, 0), (5, 5), (-1, 5)):
        with pytest.raises(ValueError, match="no leaf"):
            merkle.inclusion_proof(index, size, lookup)
    for old, new in ((6, 5), (-1, 5)):
        with pytest.raises(ValueError, match="does not extend"):
            merkle.consistency_proof(old, new, lookup)
    with pytest.raises(ValueError, match="hashes"):
        merkle.Edge(size=3, hashes=(root_of(1),))
