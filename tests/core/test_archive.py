"""An archive proves its range against the signed log, wherever it begins; any change of it is found."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given
from hypothesis import strategies as st

from comptroller.core import merkle
from comptroller.core.archive import Archive, archive_lines, read_archive
from comptroller.core.audit import EntryDraft, EntryKind, PrivateField, leaf_bytes
from comptroller.core.checkpoint import Checkpoint, parse_verifier_key, sign, verifier_key
from comptroller.core.errors import VerificationError
from comptroller.core.retention import CLASSES, KEPT_DAYS_MIN, EntryClass, class_of, is_due
from comptroller.core.walk import Record, ranges_count, ranges_digest, ranges_of

ORIGIN = "comptroller/test"
KEY = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
VKEY = parse_verifier_key(verifier_key(ORIGIN, KEY.public_key()))
SIZE = 37
AT = datetime(2026, 1, 1, tzinfo=UTC)


def record(index: int) -> Record:
    private = (PrivateField(name="purpose", salt=bytes([index]) * 16, value=f"why {index}"),)
    draft = EntryDraft(kind=EntryKind.ACTION_DENIED, at=AT, body={"n": index}, private=private)
    leaf = leaf_bytes(draft, index)
    return Record(index=index, leaf=leaf, hash=merkle.leaf_hash(leaf), private=private)


RECORDS = tuple(map(record, range(SIZE)))
EDGE, NODES = merkle.append(merkle.Edge(), (item.leaf_hash for item in RECORDS))
BY_PLACE = {(node.level, node.position): node.hash for node in NODES}
SIGNED = Checkpoint(origin=ORIGIN, size=SIZE, root=merkle.root(EDGE))


def look(level: int, position: int) -> bytes:
    return BY_PLACE[level, position]


def lines(first: int, end: int, records: Sequence[Record] = RECORDS) -> list[bytes]:
    return list(
        archive_lines(
            records[first:end],
            edge=merkle.edge_at(first, look),
            note=sign(SIGNED, KEY),
            signed=SIGNED,
            consistency=lambda size: merkle.consistency_proof(size, SIZE, look),
        )
    )


def whole(found: list[bytes]) -> Archive:
    archive = read_archive(found, key=VKEY)
    archive.report.check()
    return archive


RANGE = st.tuples(st.integers(0, SIZE - 1), st.integers(1, SIZE)).filter(lambda ends: ends[0] < ends[1])


@given(RANGE)
def test_any_range_proves_itself(ends: tuple[int, int]) -> None:
    first, end = ends
    archive = whole(lines(first, end))
    assert (archive.first, archive.end) == ends
    assert archive.root == merkle.root_at(end, look)
    assert archive.record(first) == RECORDS[first] and archive.record(end) is None
    assert archive.record(first - 1) is None


@given(RANGE, st.data())
def test_any_change_is_found(ends: tuple[int, int], data: st.DataObject) -> None:
    found = lines(*ends)
    number = data.draw(st.integers(0, len(found) - 1))
    kind = data.draw(st.sampled_from(["drop", "twice", "change", "swap", "cut"]))
    changed = list(found)
    if kind == "drop":
        del changed[number]
    elif kind == "twice":
        changed.insert(number, changed[number])
    elif kind == "swap" and number + 1 < len(found):
        changed[number], changed[number + 1] = changed[number + 1], changed[number]
    elif kind == "cut":
        changed = changed[:number]
    else:
        place = data.draw(st.integers(0, len(found[number]) - 2))
        line = bytearray(found[number])
        line[place] = data.draw(st.integers(32, 126).filter(lambda byte: byte != line[place]))
        changed[number] = bytes(line)
    if [json.loads(line) for line in changed if _is_json(line)] == [json.loads(line) for line in found]:
        return  # the same, written another way
    try:
        archive = whole(changed)
    except VerificationError:
        return
    # A member that nobody reads, or a private value that was taken away: what is read is what was written.
    assert archive.first == ends[0]
    assert [(item.index, item.leaf) for item in archive.records] == [(r.index, r.leaf) for r in RECORDS[slice(*ends)]]
    assert all(
        set(item.private) <= set(r.private) for item, r in zip(archive.records, RECORDS[ends[0] :], strict=False)
    )


def _is_json(line: bytes) -> bool:
    try:
        json.loads(line)
    except ValueError:
        return False
    return True


def test_erased_values_leave_the_proof_whole_and_changed_ones_do_not() -> None:
    found = lines(3, 9)
    entry = json.loads(found[2])
    entry["private"] = {}
    archive = whole([*found[:2], json.dumps(entry).encode(), *found[3:]])
    assert archive.report.withheld == 1
    entry["private"] = {"purpose": {"salt": "00" * 16, "value": "another"}}
    with pytest.raises(VerificationError, match="does not match its commitment"):
        whole([*found[:2], json.dumps(entry).encode(), *found[3:]])


@pytest.mark.parametrize(
    "change",
    [
        lambda head: {**head, "first": 4},
        lambda head: {**head, "first": 2**40},
        lambda head: {**head, "edge": []},
        lambda head: {**head, "edge": ["zz"]},
        lambda head: {**head, "edge": 7},
        lambda head: {**head, "comptroller_archive": 2},
        lambda head: {key: value for key, value in head.items() if key != "edge"},
        lambda head: {"comptroller_export": 1},
    ],
)
def test_a_wrong_beginning_is_refused(change: Callable[[dict[str, object]], dict[str, object]]) -> None:
    found = lines(3, 9)
    with pytest.raises(VerificationError):
        whole([json.dumps(change(json.loads(found[0]))).encode() + b"\n", *found[1:]])


def test_removed_entries_are_told_by_their_hash() -> None:
    gone = Record(index=5, leaf=b"", hash=RECORDS[5].hash, archived=30)
    archive = whole(lines(3, 9, (*RECORDS[:5], gone, *RECORDS[6:])))
    assert archive.report.archived == 1 and archive.record(5) is None and archive.record(6) == RECORDS[6]
    wrong = Record(index=5, leaf=b"", hash=RECORDS[6].hash, archived=30)
    with pytest.raises(VerificationError):
        whole(lines(3, 9, (*RECORDS[:5], wrong, *RECORDS[6:])))


# ---------------------------------------------------------------- what may go


def test_every_kind_of_entry_has_a_class_or_stays() -> None:
    assert {kind.value.partition(".")[0] for kind in EntryKind} <= CLASSES.keys()
    for kind in (EntryKind.STORE_RESTORED, EntryKind.AUDIT_ARCHIVED, EntryKind.FIELD_ERASED):
        assert class_of(kind.value) is None
    assert class_of("never.heard") is None and class_of(7) is None


@given(
    st.sampled_from(list(EntryKind)),
    st.integers(0, 2000),
    st.dictionaries(st.sampled_from(EntryClass), st.integers(1, 2000)),
)
def test_only_what_has_a_term_that_is_over_may_go(kind: EntryKind, age: int, days: dict[EntryClass, int]) -> None:
    at = AT.isoformat().replace("+00:00", "Z")
    due = is_due({"kind": kind.value, "at": at}, days, AT + timedelta(days=age))
    term = days.get(class_of(kind.value)) if class_of(kind.value) else None  # type: ignore[arg-type]
    assert due is (term is not None and age >= max(term, KEPT_DAYS_MIN))


@pytest.mark.parametrize("at", [None, "", "soon", "2026-01-01T00:00:00", 7, "9999-12-31T23:59:59Z"])
def test_an_unreadable_time_never_goes(at: object) -> None:
    assert not is_due({"kind": "action.denied", "at": at}, {EntryClass.ACTIONS: 180}, AT + timedelta(days=9000))


@given(st.sets(st.integers(0, 60)))
def test_ranges_hold_exactly_their_indices(indices: set[int]) -> None:
    ranges = ranges_of(sorted(indices))
    assert {index for first, last in ranges for index in range(first, last + 1)} == indices
    assert ranges_count(ranges) == len(indices)
    others = ranges_of(sorted(indices ^ {7}))
    assert ranges_digest(others) != ranges_digest(ranges)
