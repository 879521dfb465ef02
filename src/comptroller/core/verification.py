"""Proves an audit log offline: with the public key, and one earlier checkpoint where there is one, and nothing else.

Export format, JSON lines: a header `{"comptroller_export": 1, "origin", "size", "root", "query"}`; one line an entry,
`{"leaf": exact leaf text, "hash": hex, "private": {name: {"salt": hex, "value"}}}`, `{"archived": entry that says so,
"hash": hex, "private": {}}` for one that was archived and removed, in an export of less than the whole
log with `"index"` and `"proof"` as well; a last line `{"count", "checkpoint": signed note}`, in an export of less with
`"consistency": {"size", "proof"}` where an earlier checkpoint was known. A full export proves that nothing is missing;
an export by query proves that each of its entries is in the log, not that it holds all that the query matches.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from comptroller.core import checkpoint as notes
from comptroller.core import merkle
from comptroller.core.checkpoint import Checkpoint
from comptroller.core.epoch import Begun
from comptroller.core.errors import VerificationError
from comptroller.core.export_reader import ExportReader, entry_line, line_of, text_of
from comptroller.core.walk import Problem, Walk
from comptroller.core.walk import Record as Record  # part of what this module takes

EXPORT_VERSION = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class VerificationReport:
    """What was checked and what failed. `size` and `root` are those of the signed checkpoint that was proven.

    `withheld` counts private values that are not there (erased or left out); `archived` entries of which only the hash
    is here; `unsigned` entries no checkpoint covers. `epochs` are those that restores began, after the first.
    """

    origin: str
    size: int
    root: str
    entries: int = 0
    private_checked: int = 0
    withheld: int = 0
    archived: int = 0
    unsigned: int = 0
    earlier_size: int | None = None
    complete: bool = True
    query: str = ""
    epochs: tuple[Begun, ...] = ()
    problems: tuple[Problem, ...] = ()

    @property
    def ok(self) -> bool:
        """True where everything verified."""
        return not self.problems

    @property
    def first_bad(self) -> int | None:
        """The lowest entry index at which something shows."""
        return min((problem.index for problem in self.problems if problem.index is not None), default=None)

    def check(self) -> None:
        """Raise `VerificationError` for the first problem."""
        if self.problems:
            raise VerificationError("; ".join(map(str, self.problems[:3])))

    def as_dict(self) -> dict[str, object]:
        """JSON values, for `--json`."""
        names = ("origin", "size", "root", "entries", "private_checked", "withheld", "archived", "unsigned")
        return {
            "verified": self.ok,
            **{name: getattr(self, name) for name in (*names, "earlier_size", "complete", "query")},
            "epochs": [epoch.as_dict() for epoch in self.epochs],
            "first_bad": self.first_bad,
            "problems": [{"index": problem.index, "text": problem.text} for problem in self.problems],
        }


# ---------------------------------------------------------------- a whole log


def verify_log(
    records: Iterable[Record], signed: Checkpoint, *, earlier: Sequence[Checkpoint] = ()
) -> VerificationReport:
    """Check all entries of a log, in order, against its newest signed checkpoint and any earlier ones.

    Entries beyond `signed` are checked for form and counted as `unsigned`. Never raises for what the log holds.
    """
    walk = Walk(origin=signed.origin)
    wanted = {item.size for item in (signed, *earlier)}
    roots = {0: merkle.EMPTY_ROOT}
    edge = merkle.Edge()
    for record in records:
        if record.index != edge.size:
            what = "is missing" if record.index > edge.size else f"is out of order (found entry {record.index})"
            walk.add(edge.size, what)
            if record.index > edge.size:
                break
        walk.see(record, edge)
        edge, _ = merkle.append(edge, (record.leaf_hash,))
        if edge.size in wanted:
            roots[edge.size] = merkle.root(edge)
    walk.check_heads(signed, earlier, edge.size, roots)
    walk.check_all_removed()
    return report_of(
        walk,
        signed,
        unsigned=max(edge.size - signed.size, 0),
        earlier_size=min((item.size for item in earlier), default=None),
    )


def report_of(
    walk: Walk,
    signed: Checkpoint,
    *,
    unsigned: int = 0,
    earlier_size: int | None = None,
    complete: bool = True,
    query: str = "",
) -> VerificationReport:
    """What `walk` found under the checkpoint `signed`."""
    return VerificationReport(
        origin=signed.origin,
        size=signed.size,
        root=signed.root.hex(),
        entries=walk.entries,
        private_checked=walk.private_checked,
        withheld=walk.withheld,
        archived=walk.archived,
        unsigned=unsigned,
        earlier_size=earlier_size,
        complete=complete,
        query=query,
        epochs=tuple(walk.epochs),
        problems=tuple(walk.problems),
    )


# ---------------------------------------------------------------- exports


def export_lines(
    records: Iterable[Record],
    *,
    note: bytes,
    signed: Checkpoint,
    query: str = "",
    prove: Callable[[int], Sequence[bytes]] | None = None,
    consistency: tuple[int, Sequence[bytes]] | None = None,
) -> Iterator[bytes]:
    """The lines of an export of `records` under the signed checkpoint `note`.

    An empty `query` is the whole log. Otherwise `prove` gives an entry's inclusion proof in the tree of `signed.size`,
    and `consistency` the proof from an earlier size.
    """
    yield line_of(
        {
            "comptroller_export": EXPORT_VERSION,
            "origin": signed.origin,
            "size": signed.size,
            "root": signed.root.hex(),
            "query": query,
        }
    )
    count = 0
    for record in records:
        if query and prove is not None:
            yield entry_line(record, index=record.index, proof=[item.hex() for item in prove(record.index)])
        else:
            yield entry_line(record)
        count += 1
    last: dict[str, object] = {"count": count, "checkpoint": note.decode()}
    if query and consistency is not None:
        last["consistency"] = {"size": consistency[0], "proof": [item.hex() for item in consistency[1]]}
    yield line_of(last)


def verify_export(
    lines: Iterable[bytes], *, public_key: str, earlier_checkpoint: bytes | None = None
) -> VerificationReport:
    """Check an export with the log's public key (vkey text) and, where there is one, an earlier signed checkpoint.

    Problems are collected in the report; `VerificationError` is raised only where nothing can be checked: an unreadable
    key, header, last line or checkpoint, or a checkpoint that the key did not sign.
    """
    key = notes.parse_verifier_key(public_key)
    earlier = notes.verify_any_epoch(earlier_checkpoint, key) if earlier_checkpoint is not None else None
    reader = ExportReader(lines)
    header = reader.header("comptroller_export", EXPORT_VERSION)
    with reader.understood():
        query = text_of(header["query"])
    complete = not query
    if complete:
        # The signed size is at the end, so the header's is followed, and compared when the signature is known.
        claimed = Checkpoint(origin=header["origin"], size=header["size"], root=header["root"])
        report = verify_log(reader.records(), claimed, earlier=(earlier,) if earlier else ())
    else:
        walk = Walk(origin=header["origin"])
        _verify_members(reader.records(partial=True), header, walk)
        report = report_of(walk, notes.verify_any_epoch(reader.note(), key), complete=False, query=query)
    signed = notes.verify_any_epoch(reader.note(), key)
    late = Walk(origin=signed.origin, problems=list(report.problems))
    if (signed.origin, signed.size, signed.root) != (header["origin"], header["size"], header["root"]):
        late.add(None, f"the header does not say what was signed: {signed.size} entries of `{signed.origin}`")
    if reader.count != report.entries:
        late.add(None, f"the export says that it holds {reader.count} entries, it holds {report.entries}")
    if not complete and earlier is not None:
        verify_extension(earlier, signed, reader.consistency, late)
    if complete and report.entries > signed.size:
        late.add(signed.size, "is beyond what was signed")
    return replace(
        report,
        origin=signed.origin,
        size=signed.size,
        root=signed.root.hex(),
        unsigned=0,
        earlier_size=earlier.size if earlier is not None else None,
        problems=tuple(late.problems),
    )


def _verify_members(records: Iterable[Record], header: Mapping[str, Any], walk: Walk) -> None:
    """Check each entry of an export by query against the root by its inclusion proof."""
    last = -1
    for record in records:
        walk.check(record, record.index)
        if record.index <= last:
            walk.add(record.index, "is out of order")
        last = record.index
        try:
            merkle.verify_inclusion(
                leaf=record.leaf_hash,
                index=record.index,
                size=header["size"],
                proof=record.proof or (),
                root=header["root"],
            )
        except VerificationError as error:
            walk.add(record.index, error.message)


def verify_extension(
    earlier: Checkpoint, signed: Checkpoint, found: tuple[int, tuple[bytes, ...]] | None, walk: Walk
) -> None:
    """Check that the signed tree extends the earlier one by the consistency proof of an export's last line."""
    proof: tuple[bytes, ...] = ()
    if earlier.size not in (0, signed.size) and earlier.size < signed.size:
        if found is None or found[0] != earlier.size:
            text = f"the export holds no consistency proof from the earlier checkpoint of {earlier.size} entries"
            walk.add(None, f"{text}: export again with `--checkpoint`")
            return
        proof = found[1]
    try:
        merkle.verify_consistency(
            old=earlier.size, old_root=earlier.root, new=signed.size, new_root=signed.root, proof=proof
        )
    except VerificationError as error:
        walk.add(None, error.message)
