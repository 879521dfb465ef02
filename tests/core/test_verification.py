"""Offline verification: an untouched export passes, and every way of tampering with one is found."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given
from hypothesis import strategies as st

from comptroller.core import merkle
from comptroller.core.audit import EntryDraft, EntryKind, PrivateField, leaf_bytes
from comptroller.core.checkpoint import Checkpoint, sign, verifier_key
from comptroller.core.errors import VerificationError
from comptroller.core.verification import VerificationReport, export_lines, verify_export, verify_log
from comptroller.core.walk import Record

ORIGIN = "comptroller/test"
KEY = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
VKEY = verifier_key(ORIGIN, KEY.public_key())
COUNT = 23
EARLIER = 9


def record(index: int, note: str = "") -> Record:
    private = (PrivateField(name="purpose", salt=bytes([index]) * 16, value={"why": [index, "\u00fc\u2028"]}),)
    item = EntryDraft(
        kind=EntryKind.ACTION_DENIED,
        at=datetime(2026, 9, 6, tzinfo=UTC),
        agent="research",
        run=f"run-{index % 3}",
        body={"note": note or f"note {index}"},
        private=private,
    )
    leaf = leaf_bytes(item, index)
    return Record(index=index, leaf=leaf, hash=merkle.leaf_hash(leaf), private=private)


RECORDS = [record(index) for index in range(COUNT)]


class Tree:
    """Nodes, roots and signed checkpoints of a list of records."""

    def __init__(self, records: list[Record]) -> None:
        self.edge, made = merkle.append(merkle.Edge(), [merkle.leaf_hash(item.leaf) for item in records])
        self.nodes = {(node.level, node.position): node.hash for node in made}
        self.records = records

    def lookup(self, level: int, position: int) -> bytes:
        return self.nodes[level, position]

    def at(self, size: int) -> Checkpoint:
        return Checkpoint(origin=ORIGIN, size=size, root=merkle.root_at(size, self.lookup))

    def export(self, *, run: str = "", consistent_with: int | None = None, key: Ed25519PrivateKey = KEY) -> list[bytes]:
        signed = self.at(len(self.records))
        wanted = [item for item in self.records if not run or json.loads(item.leaf)["run"] == run]
        consistency = None
        if consistent_with is not None:
            consistency = (consistent_with, merkle.consistency_proof(consistent_with, signed.size, self.lookup))
        return list(
            export_lines(
                wanted,
                note=sign(signed, key),
                signed=signed,
                query=f"run={run}" if run else "",
                prove=lambda index: merkle.inclusion_proof(index, signed.size, self.lookup),
                consistency=consistency,
            )
        )


TREE = Tree(RECORDS)
EARLIER_NOTE = sign(TREE.at(EARLIER), KEY)


def outcome(lines: list[bytes], earlier: bytes | None = None) -> VerificationReport | None:
    """The report, or None where verification gave up."""
    try:
        return verify_export(lines, public_key=VKEY, earlier_checkpoint=earlier)
    except VerificationError:
        return None


def found(lines: list[bytes], earlier: bytes | None = None) -> bool:
    report = outcome(lines, earlier)
    return report is None or not report.ok


def edited(lines: list[bytes], number: int, change: Callable[[dict[str, Any]], None]) -> list[bytes]:
    value = json.loads(lines[number])
    change(value)
    return [*lines[:number], json.dumps(value).encode() + b"\n", *lines[number + 1 :]]


@pytest.mark.parametrize("size", [0, 1, 2, 7, 8, COUNT])
def test_an_untouched_export_verifies(size: int) -> None:
    tree = Tree(RECORDS[:size])
    for earlier in range(size + 1):
        report = verify_export(tree.export(), public_key=VKEY, earlier_checkpoint=sign(TREE.at(earlier), KEY))
        assert report.ok, report.problems
        assert (report.size, report.entries, report.private_checked) == (size, size, size)
        assert report.complete and report.earlier_size == earlier and report.withheld == 0


def test_an_export_by_run_verifies_with_and_without_an_earlier_checkpoint() -> None:
    lines = TREE.export(run="run-1", consistent_with=EARLIER)
    report = verify_export(lines, public_key=VKEY, earlier_checkpoint=EARLIER_NOTE)
    assert report.ok and report.entries == 8 and not report.complete and report.query == "run=run-1"
    assert verify_export(TREE.export(run="run-1"), public_key=VKEY).ok
    assert verify_export(TREE.export(run="nobody"), public_key=VKEY).ok
    whole = verify_export(TREE.export(run="run-1"), public_key=VKEY, earlier_checkpoint=sign(TREE.at(COUNT), KEY))
    assert whole.ok
    unproven = verify_export(TREE.export(run="run-1"), public_key=VKEY, earlier_checkpoint=EARLIER_NOTE)
    assert not unproven.ok and "consistency" in unproven.problems[0].text


def test_the_format_is_as_documented() -> None:
    lines = [json.loads(line) for line in TREE.export(run="run-2", consistent_with=EARLIER)]
    assert lines[0] == {
        "comptroller_export": 1,
        "origin": ORIGIN,
        "size": COUNT,
        "root": TREE.at(COUNT).root.hex(),
        "query": "run=run-2",
    }
    assert set(lines[1]) == {"leaf", "hash", "private", "index", "proof"}
    assert lines[1]["leaf"].encode() == RECORDS[2].leaf
    assert lines[1]["private"]["purpose"] == {"salt": "02" * 16, "value": {"why": [2, "\u00fc\u2028"]}}
    assert set(lines[-1]) == {"count", "checkpoint", "consistency"} and lines[-1]["count"] == 7
    assert set(json.loads(TREE.export()[1])) == {"leaf", "hash", "private"}


@given(st.integers(1, COUNT), st.booleans(), st.sampled_from(["note", "kind", "at"]))
def test_a_changed_entry_is_found_and_named(line: int, rehash: bool, what: str) -> None:
    def change(value: dict[str, Any]) -> None:
        leaf = json.loads(value["leaf"])
        if what == "note":
            leaf["body"]["note"] = "forged"
        else:
            leaf[what] = "forged"
        value["leaf"] = json.dumps(leaf, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
        if rehash:
            value["hash"] = merkle.leaf_hash(value["leaf"].encode()).hex()

    for earlier in (None, EARLIER_NOTE):
        report = outcome(edited(TREE.export(), line, change), earlier)
        assert report is not None and not report.ok
        if not rehash:
            assert report.first_bad == line - 1
        elif earlier and line > EARLIER:
            assert f"from entry {EARLIER} to {COUNT - 1}" in report.problems[-1].text
    partial = TREE.export(run="run-1")
    at = 1 + line % (len(partial) - 2)
    report = outcome(edited(partial, at, change))
    assert report is not None and report.first_bad == json.loads(partial[at])["index"]


@given(st.integers(0, COUNT + 1), st.binary(min_size=1, max_size=3), st.integers(0, 400))
def test_no_changed_bytes_verify_as_something_else(line: int, garbage: bytes, at: int) -> None:
    """Whatever bytes are overwritten: either it is found, or the line still means exactly the same."""
    lines = TREE.export()
    at = min(at, len(lines[line]) - 2)
    changed = lines[line][:at] + garbage + lines[line][at + len(garbage) :]
    if not found([*lines[:line], changed, *lines[line + 1 :]]):
        # Hexadecimal digits of either case and white space are read alike.
        assert json.loads(changed.lower()) == json.loads(lines[line].lower())


@given(st.data())
def test_missing_doubled_and_reordered_entries_are_found(data: st.DataObject) -> None:
    lines = TREE.export()
    first = data.draw(st.integers(1, COUNT))
    second = data.draw(st.integers(1, COUNT).filter(lambda n: n != first))
    missing = lines[:first] + lines[first + 1 :]
    report = outcome(missing)
    assert report is not None and not report.ok and report.first_bad == first - 1
    doubled = [*lines[:first], lines[second], *lines[first:]]
    report = outcome(doubled)
    assert report is not None and not report.ok
    swapped = list(lines)
    swapped[first], swapped[second] = swapped[second], swapped[first]
    report = outcome(swapped)
    assert report is not None and report.first_bad == min(first, second) - 1


@given(st.integers(1, COUNT + 1))
def test_a_cut_file_is_found(keep: int) -> None:
    assert found(TREE.export()[:keep])
    assert found(TREE.export(run="run-1")[: min(keep, 8)])


def test_an_older_log_in_place_of_the_new_is_found_by_an_earlier_checkpoint() -> None:
    """The whole tail is gone, and what is left was truly signed: only who kept a checkpoint can tell."""
    cut = Tree(RECORDS[: EARLIER - 1])
    assert not found(cut.export())
    report = outcome(cut.export(), EARLIER_NOTE)
    assert report is not None and report.first_bad == EARLIER - 1 and "tail was cut" in report.problems[0].text
    assert found(cut.export(run="run-1"), EARLIER_NOTE)


def test_a_rewritten_and_newly_signed_log_is_found_by_an_earlier_checkpoint() -> None:
    forged = [record(index, note="forged" if index == 4 else "") for index in range(COUNT)]
    assert not found(Tree(forged).export())
    report = outcome(Tree(forged).export(), EARLIER_NOTE)
    assert report is not None and f"from entry 0 to {EARLIER - 1}" in report.problems[0].text
    assert found(Tree(forged).export(run="run-1", consistent_with=EARLIER), EARLIER_NOTE)


def test_signatures_and_headers_are_checked() -> None:
    stranger = Ed25519PrivateKey.from_private_bytes(bytes(32))
    assert outcome(TREE.export(key=stranger)) is None
    with pytest.raises(VerificationError, match="not signed"):
        verify_export(TREE.export(), public_key=VKEY, earlier_checkpoint=sign(TREE.at(EARLIER), stranger))
    other = Checkpoint(origin="comptroller/other", size=COUNT, root=TREE.at(COUNT).root)
    assert found(edited(TREE.export(), COUNT + 1, lambda last: last.update(checkpoint=sign(other, KEY).decode())))
    for member, value in (
        ("size", 3),
        ("origin", "x"),
        ("root", "00" * 32),
        ("root", "00"),
        ("size", -1),
        ("size", "3"),
    ):
        assert found(edited(TREE.export(), 0, lambda head, m=member, v=value: head.update({m: v})))
        assert found(edited(TREE.export(run="run-1"), 0, lambda head, m=member, v=value: head.update({m: v})))
    assert found(edited(TREE.export(), 0, lambda head: head.update(comptroller_export=2)))
    assert found(edited(TREE.export(), 0, lambda head: head.update(query="run=run-1")))
    assert found(edited(TREE.export(run="run-1"), 0, lambda head: head.update(query="")))
    assert found(edited(TREE.export(), COUNT + 1, lambda last: last.update(count=COUNT - 1)))
    assert found([*TREE.export(), TREE.export()[1]])
    assert found([]) and found([b"\n"]) and found([b"[" * 100_000]) and found([b"x" * (17 << 20)])


def test_entries_beyond_what_was_signed_are_found() -> None:
    lines = TREE.export()
    at = TREE.at(5)

    def older(last: dict[str, Any]) -> None:
        last["checkpoint"] = sign(at, KEY).decode()

    head = edited(lines, 0, lambda first: first.update(size=5, root=at.root.hex()))
    report = outcome(edited(head, COUNT + 1, older))
    assert report is not None and report.first_bad == 5


@given(st.integers(1, COUNT), st.sampled_from(["value", "salt", "extra"]))
def test_private_values_must_match_and_may_be_missing(line: int, what: str) -> None:
    def change(value: dict[str, Any]) -> None:
        if what == "extra":
            value["private"]["never"] = {"salt": "00" * 16, "value": 1}
        else:
            value["private"]["purpose"][what] = "ab"

    report = outcome(edited(TREE.export(), line, change))
    assert report is not None and report.first_bad == line - 1
    report = outcome(edited(TREE.export(), line, lambda value: value["private"].clear()))
    assert report is not None and report.ok and report.withheld == 1


def test_entries_of_another_run_cannot_be_passed_off() -> None:
    """A proof belongs to its own leaf and index."""
    lines = TREE.export(run="run-1")
    stolen = json.loads(lines[1])
    assert found(edited(lines, 2, lambda value: value.update(proof=stolen["proof"])))
    assert found(edited(lines, 2, lambda value: value.update(index=value["index"] + 1)))
    assert found([lines[0], lines[2], lines[1], *lines[3:]])
    assert found([*lines[:2], lines[1], *lines[2:]])
    assert found(edited(lines, 1, lambda value: value.pop("proof")))


def test_a_store_with_a_gap_or_a_changed_hash_is_named() -> None:
    signed = TREE.at(COUNT)
    assert verify_log(RECORDS, signed).ok
    assert verify_log([*RECORDS, record(COUNT)], signed).unsigned == 1
    assert verify_log(RECORDS[:4] + RECORDS[5:], signed).first_bad == 4
    assert verify_log(RECORDS[1:], signed).first_bad == 0
    assert verify_log(RECORDS[:-1], signed).first_bad == COUNT - 1
    broken = [*RECORDS[:7], Record(index=7, leaf=b"{", hash=RECORDS[7].hash), *RECORDS[8:]]
    assert verify_log(broken, signed).first_bad == 7
    spaced = [*RECORDS[:7], Record(index=7, leaf=RECORDS[7].leaf + b" "), *RECORDS[8:]]
    assert verify_log(spaced, signed).first_bad == 7
    report = verify_log(RECORDS[:4], signed, earlier=(TREE.at(3),))
    with pytest.raises(VerificationError, match="entry 4"):
        report.check()
    assert report.as_dict()["first_bad"] == 4 and report.as_dict()["verified"] is False
    assert base64.b64encode(signed.root).decode() in signed.body
