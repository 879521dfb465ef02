"""Proves an audit log offline: with the public key, and one earlier checkpoint where there is one, and nothing else.

Export format, JSON lines: a header `{"comptroller_export": 1, "origin", "size", "root", "query"}`; one line an entry,
`{"leaf": exact leaf text, "hash": hex, "private": {name: {"salt": hex, "value"}}}`, in an export of less than the whole
log with `"index"` and `"proof"` as well; a last line `{"count", "checkpoint": signed note}`, in an export of less with
`"consistency": {"size", "proof"}` where an earlier checkpoint was known. A full export proves that nothing is missing;
an export by query proves that each of its entries is in the log, not that it holds all that the query matches.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from comptroller.core import checkpoint as notes
from comptroller.core import merkle
from comptroller.core.audit import LEAF_VERSION, PrivateField
from comptroller.core.checkpoint import Checkpoint
from comptroller.core.errors import VerificationError
from comptroller.core.jcs import NotJson, jcs

EXPORT_VERSION = 1
LINE_BYTES_MAX = 16 << 20
PROBLEMS_MAX = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """Something that does not verify; `index` is the entry it shows at, None where it concerns the whole."""

    index: int | None
    text: str

    def __str__(self) -> str:
        return self.text if self.index is None else f"entry {self.index}: {self.text}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """One entry as found: the position it claims or is stored at, its exact leaf, and what lies beside it."""

    index: int
    leaf: bytes
    hash: bytes | None = None
    private: tuple[PrivateField, ...] = ()
    proof: tuple[bytes, ...] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class VerificationReport:
    """What was checked and what failed. `size` and `root` are those of the signed checkpoint that was proven.

    `withheld` counts private values that are not there (erased or left out); `unsigned` entries no checkpoint covers.
    """

    origin: str
    size: int
    root: str
    entries: int = 0
    private_checked: int = 0
    withheld: int = 0
    unsigned: int = 0
    earlier_size: int | None = None
    complete: bool = True
    query: str = ""
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
        names = ("origin", "size", "root", "entries", "private_checked", "withheld", "unsigned", "earlier_size")
        return {
            "verified": self.ok,
            **{name: getattr(self, name) for name in (*names, "complete", "query")},
            "first_bad": self.first_bad,
            "problems": [{"index": problem.index, "text": problem.text} for problem in self.problems],
        }


@dataclass(slots=True)
class _Findings:
    """What one pass over the entries has seen so far."""

    problems: list[Problem] = field(default_factory=list)
    entries: int = 0
    private_checked: int = 0
    withheld: int = 0

    def add(self, index: int | None, text: str) -> None:
        if len(self.problems) < PROBLEMS_MAX:
            self.problems.append(Problem(index=index, text=text))


# ---------------------------------------------------------------- a whole log


def verify_log(
    records: Iterable[Record], signed: Checkpoint, *, earlier: Sequence[Checkpoint] = ()
) -> VerificationReport:
    """Check all entries of a log, in order, against its newest signed checkpoint and any earlier ones.

    Entries beyond `signed` are checked for form and counted as `unsigned`. Never raises for what the log holds.
    """
    findings = _Findings()
    wanted = {item.size for item in (signed, *earlier)}
    roots = {0: merkle.EMPTY_ROOT}
    edge = merkle.Edge()
    for record in records:
        if record.index != edge.size:
            what = "is missing" if record.index > edge.size else f"is out of order (found entry {record.index})"
            findings.add(edge.size, what)
            if record.index > edge.size:
                break
        _check_record(record, edge.size, findings)
        edge, _ = merkle.append(edge, (merkle.leaf_hash(record.leaf),))
        if edge.size in wanted:
            roots[edge.size] = merkle.root(edge)
    _check_roots(signed, earlier, edge.size, roots, findings)
    return VerificationReport(
        origin=signed.origin,
        size=signed.size,
        root=signed.root.hex(),
        entries=findings.entries,
        private_checked=findings.private_checked,
        withheld=findings.withheld,
        unsigned=max(edge.size - signed.size, 0),
        earlier_size=min((item.size for item in earlier), default=None),
        problems=tuple(findings.problems),
    )


def _check_roots(
    signed: Checkpoint,
    earlier: Sequence[Checkpoint],
    size: int,
    roots: Mapping[int, bytes],
    findings: _Findings,
) -> None:
    good = 0
    for name, item in (*(("an earlier", item) for item in sorted(earlier, key=lambda c: c.size)), ("the", signed)):
        if item.origin != signed.origin:
            findings.add(None, f"{name} checkpoint is of another log, `{item.origin}`")
        elif item.size > size:
            findings.add(size, f"is missing: {name} signed checkpoint covers {item.size} entries, the tail was cut")
        elif roots.get(item.size) != item.root:
            where = f"somewhere from entry {good} to {item.size - 1}"
            findings.add(
                None, f"the entries do not hash to the root of {name} signed checkpoint of {item.size}: {where}"
            )
        else:
            good = max(good, item.size)


def _check_record(record: Record, index: int, findings: _Findings) -> None:
    """Check one entry for itself: its hash, its form, its index, and the values beside it."""
    findings.entries += 1
    if record.hash is not None and record.hash != merkle.leaf_hash(record.leaf):
        findings.add(index, "was changed: it does not match the hash recorded for it")
    try:
        leaf = json.loads(record.leaf)
        canonical = jcs(leaf)
    except (ValueError, RecursionError):
        findings.add(index, "is not readable")
        return
    if not isinstance(leaf, dict) or canonical != record.leaf:
        findings.add(index, "is not in canonical form")
        return
    if leaf.get("v") != LEAF_VERSION:
        findings.add(index, f"has format version `{leaf.get('v')}`, this program knows {LEAF_VERSION}")
    if leaf.get("index") != index:
        findings.add(index, f"says that it is entry `{leaf.get('index')}`")
    committed = leaf.get("private")
    _check_private(record, index, committed if isinstance(committed, dict) else {}, findings)


def _check_private(record: Record, index: int, committed: Mapping[str, object], findings: _Findings) -> None:
    for item in record.private:
        findings.private_checked += 1
        try:
            matches = committed.get(item.name) == item.commitment
        except NotJson:
            matches = False
        if not matches:
            findings.add(index, f"private value `{item.name}` does not match its commitment")
    findings.withheld += len(committed.keys() - {item.name for item in record.private})


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
    yield _line(
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
        entry: dict[str, object] = {
            "leaf": record.leaf.decode("utf-8", "surrogateescape"),
            "hash": (record.hash or merkle.leaf_hash(record.leaf)).hex(),
            "private": {item.name: {"salt": item.salt.hex(), "value": item.value} for item in record.private},
        }
        if query and prove is not None:
            entry |= {"index": record.index, "proof": [item.hex() for item in prove(record.index)]}
        yield _line(entry)
        count += 1
    last: dict[str, object] = {"count": count, "checkpoint": note.decode()}
    if query and consistency is not None:
        last["consistency"] = {"size": consistency[0], "proof": [item.hex() for item in consistency[1]]}
    yield _line(last)


def verify_export(
    lines: Iterable[bytes], *, public_key: str, earlier_checkpoint: bytes | None = None
) -> VerificationReport:
    """Check an export with the log's public key (vkey text) and, where there is one, an earlier signed checkpoint.

    Problems are collected in the report; `VerificationError` is raised only where nothing can be checked: an unreadable
    key, header, last line or checkpoint, or a checkpoint that the key did not sign.
    """
    key = notes.parse_verifier_key(public_key)
    earlier = notes.verify(earlier_checkpoint, key) if earlier_checkpoint is not None else None
    reader = _ExportReader(lines)
    header = reader.header()
    complete = not header["query"]
    if complete:
        # The signed size is at the end, so the header's is followed, and compared when the signature is known.
        claimed = Checkpoint(origin=header["origin"], size=header["size"], root=header["root"])
        same = earlier if earlier is not None and earlier.origin == key.origin else None
        report = verify_log(reader.records(), claimed, earlier=(same,) if same else ())
        findings = _Findings(problems=list(report.problems), entries=report.entries)
    else:
        findings = _Findings()
        _verify_members(reader.records(), header, findings)
    signed = notes.verify(reader.note(), key)
    if (signed.origin, signed.size, signed.root) != (header["origin"], header["size"], header["root"]):
        findings.add(None, f"the header does not say what was signed: {signed.size} entries of `{signed.origin}`")
    if reader.count != findings.entries:
        findings.add(None, f"the export says that it holds {reader.count} entries, it holds {findings.entries}")
    if not complete and earlier is not None:
        _verify_extension(earlier, signed, reader.consistency, findings)
    if complete and findings.entries > signed.size:
        findings.add(signed.size, "is beyond what was signed")
    return VerificationReport(
        origin=signed.origin,
        size=signed.size,
        root=signed.root.hex(),
        entries=findings.entries,
        private_checked=report.private_checked if complete else findings.private_checked,
        withheld=report.withheld if complete else findings.withheld,
        earlier_size=earlier.size if earlier is not None else None,
        complete=complete,
        query=header["query"],
        problems=tuple(findings.problems),
    )


def _verify_members(records: Iterable[Record], header: Mapping[str, Any], findings: _Findings) -> None:
    """Check each entry of an export by query against the root by its inclusion proof."""
    last = -1
    for record in records:
        _check_record(record, record.index, findings)
        if record.index <= last:
            findings.add(record.index, "is out of order")
        last = record.index
        try:
            merkle.verify_inclusion(
                leaf=merkle.leaf_hash(record.leaf),
                index=record.index,
                size=header["size"],
                proof=record.proof or (),
                root=header["root"],
            )
        except VerificationError as error:
            findings.add(record.index, error.message)


def _verify_extension(
    earlier: Checkpoint, signed: Checkpoint, found: tuple[int, tuple[bytes, ...]] | None, findings: _Findings
) -> None:
    """Check that the export's tree extends the earlier one by the consistency proof in its last line."""
    proof: tuple[bytes, ...] = ()
    if earlier.size not in (0, signed.size) and earlier.size < signed.size:
        if found is None or found[0] != earlier.size:
            text = f"the export holds no consistency proof from the earlier checkpoint of {earlier.size} entries"
            findings.add(None, f"{text}: export again with `--checkpoint`")
            return
        proof = found[1]
    try:
        merkle.verify_consistency(
            old=earlier.size, old_root=earlier.root, new=signed.size, new_root=signed.root, proof=proof
        )
    except VerificationError as error:
        findings.add(None, error.message)


class _ExportReader:
    """Reads an export's lines one after the other; anything malformed is a `VerificationError` naming its line."""

    def __init__(self, lines: Iterable[bytes]) -> None:
        self._lines = iter(lines)
        self._number = 0
        self._last: dict[str, Any] | None = None
        self._partial = False

    def header(self) -> Mapping[str, Any]:
        first = self._next()
        if first is None or "comptroller_export" not in first:
            raise VerificationError("this is not a Comptroller export", hint="make one with `comptroller audit export`")
        if first["comptroller_export"] != EXPORT_VERSION:
            raise VerificationError(f"export version `{first['comptroller_export']}` is not known, upgrade Comptroller")
        with self._understood():
            found = {
                "origin": _text(first["origin"]),
                "size": _number(first["size"]),
                "root": bytes.fromhex(first["root"]),
                "query": _text(first["query"]),
            }
        self._partial = bool(found["query"])
        return found

    def records(self) -> Iterator[Record]:
        position = 0
        while (found := self._next()) is not None:
            if "checkpoint" in found:
                self._last = found
                if self._next() is not None:
                    raise VerificationError(f"line {self._number}: something follows the checkpoint")
                return
            with self._understood():
                leaf = _text(found["leaf"]).encode("utf-8", "surrogateescape")
                record = Record(
                    index=_number(found["index"]) if self._partial else position,
                    leaf=leaf,
                    hash=bytes.fromhex(found["hash"]) if "hash" in found else None,
                    private=tuple(
                        PrivateField(name=name, salt=bytes.fromhex(item["salt"]), value=item["value"])
                        for name, item in found["private"].items()
                    ),
                    proof=tuple(map(bytes.fromhex, found["proof"])) if self._partial else None,
                )
            yield record
            position += 1
        raise VerificationError("the export has no last line with a signed checkpoint: its tail was cut")

    def note(self) -> bytes:
        with self._understood():
            return _text((self._last or {})["checkpoint"]).encode()

    @property
    def count(self) -> int:
        with self._understood():
            return _number((self._last or {})["count"])

    @property
    def consistency(self) -> tuple[int, tuple[bytes, ...]] | None:
        found = (self._last or {}).get("consistency")
        if found is None:
            return None
        with self._understood():
            return _number(found["size"]), tuple(map(bytes.fromhex, found["proof"]))

    def _next(self) -> dict[str, Any] | None:
        line = next(self._lines, None)
        if line is None:
            return None
        self._number += 1
        if len(line) > LINE_BYTES_MAX:
            raise VerificationError(f"line {self._number}: longer than {LINE_BYTES_MAX} bytes")
        with self._understood():
            found = json.loads(line, object_pairs_hook=_unique)
            if not isinstance(found, dict):
                raise TypeError("not an object")
            return found

    def _understood(self) -> _Understood:
        return _Understood(self._number)


class _Understood:
    """Turns whatever malformed JSON values raise into a `VerificationError` with the line's number."""

    def __init__(self, number: int) -> None:
        self._number = number

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        if isinstance(error, ValueError | TypeError | KeyError | AttributeError | RecursionError):
            raise VerificationError(f"line {self._number} of the export is malformed") from error


def _line(value: Mapping[str, object]) -> bytes:
    return json.dumps(value, ensure_ascii=True, allow_nan=False, separators=(",", ":")).encode() + b"\n"


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a key appears twice")
    return found


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise TypeError("not text")
    return value


def _number(value: object) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or value < 0:
        raise TypeError("not a number")
    return value
