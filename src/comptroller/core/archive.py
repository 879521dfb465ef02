"""An archive: a gap-free range of the log that proves itself offline, also when the store holds only its hashes.

JSON lines: a header `{"comptroller_archive": 1, "origin", "size", "root", "first", "edge"}`, where `edge` are the roots
of the complete subtrees before entry `first`; one line an entry, as in an export; a last line `{"count", "checkpoint",
"consistency": {"size", "proof"}}` that leads from the end of the range to the signed checkpoint.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

from comptroller.core import checkpoint as notes
from comptroller.core import merkle
from comptroller.core.checkpoint import Checkpoint, VerifierKey
from comptroller.core.errors import VerificationError
from comptroller.core.export_reader import ExportReader, entry_line, line_of, number_of
from comptroller.core.verification import VerificationReport, report_of, verify_extension
from comptroller.core.walk import Record, Walk

ARCHIVE_VERSION = 1
ARCHIVE_ENTRIES_MAX = 16_384
"""Entries of one file: what is removed with one change of the store."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Archive:
    """A range that was read and checked: `records` from index `first` on, `root` that of the log at its end."""

    first: int
    records: tuple[Record, ...]
    root: bytes
    report: VerificationReport

    @property
    def end(self) -> int:
        """The index after the last entry."""
        return self.first + len(self.records)

    def record(self, index: int) -> Record | None:
        """The entry at `index`, where it is here with its leaf."""
        found = self.records[index - self.first] if self.first <= index < self.end else None
        return found if found is not None and found.leaf else None


def archive_lines(
    records: Iterable[Record],
    *,
    edge: merkle.Edge,
    note: bytes,
    signed: Checkpoint,
    consistency: Callable[[int], Sequence[bytes]],
) -> Iterator[bytes]:
    """The lines of an archive of `records`, which follow `edge` without a gap; `consistency` proves from a size on."""
    yield line_of(
        {
            "comptroller_archive": ARCHIVE_VERSION,
            "origin": signed.origin,
            "size": signed.size,
            "root": signed.root.hex(),
            "first": edge.size,
            "edge": [item.hex() for item in edge.hashes],
        }
    )
    count = 0
    for record in records:
        yield entry_line(record)
        count += 1
    end = edge.size + count
    proof = {"size": end, "proof": [item.hex() for item in consistency(end)]}
    yield line_of({"count": count, "checkpoint": note.decode(), "consistency": proof})


def read_archive(lines: Iterable[bytes], *, key: VerifierKey, earlier: Checkpoint | None = None) -> Archive:
    """Read and check an archive; what is wrong with an entry is a problem of its report.

    Raises `VerificationError` where nothing can be checked, or the file is cut.
    """
    reader = ExportReader(lines)
    header = reader.header("comptroller_archive", ARCHIVE_VERSION)
    with reader.understood():
        first = number_of(header["first"])
        edge = merkle.Edge(size=first, hashes=tuple(map(bytes.fromhex, header["edge"])))
    walk = Walk(origin=str(header["origin"]))
    records: list[Record] = []
    for record in reader.records(first=first):
        if len(records) == ARCHIVE_ENTRIES_MAX:
            raise VerificationError(f"an archive holds at most {ARCHIVE_ENTRIES_MAX} entries")
        walk.check(record, edge.size)
        records.append(record)
        edge, _ = merkle.append(edge, (record.leaf_hash,))
        if earlier is not None and earlier.size == edge.size and earlier.root != merkle.root(edge):
            walk.add(None, f"the entries do not hash to the root of the earlier checkpoint of {earlier.size}")
    signed = notes.verify_any_epoch(reader.note(), key)
    if reader.count != len(records):
        walk.add(None, f"the archive says that it holds {reader.count} entries, it holds {len(records)}")
    root = merkle.root(edge)
    verify_extension(Checkpoint(origin=signed.origin, size=edge.size, root=root), signed, reader.consistency, walk)
    return Archive(
        first=first,
        records=tuple(records),
        root=root,
        report=report_of(walk, signed, complete=False, query=f"entries {first} to {edge.size - 1}"),
    )
