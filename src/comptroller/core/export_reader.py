"""Reads the lines of an export or an archive; anything malformed is a `VerificationError` that names its line."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from comptroller.core.audit import PrivateField
from comptroller.core.errors import VerificationError
from comptroller.core.walk import Record

LINE_BYTES_MAX = 16 << 20


class ExportReader:
    """Reads an export's lines one after the other; anything malformed is a `VerificationError` naming its line."""

    def __init__(self, lines: Iterable[bytes]) -> None:
        self._lines = iter(lines)
        self._number = 0
        self._last: dict[str, Any] | None = None

    def header(self, name: str, version: int) -> Mapping[str, Any]:
        """The first line, of a file of this kind and version, with its origin, size and root checked."""
        first = self._next()
        what = name.partition("_")[2]
        if first is None or name not in first:
            raise VerificationError(
                f"this is not an {what} of Comptroller", hint=f"make one with `comptroller audit {what}`"
            )
        if first[name] != version:
            raise VerificationError(f"{what} version `{first[name]}` is not known, upgrade Comptroller")
        with self.understood():
            text_of(first["origin"])
            number_of(first["size"])
            return {**first, "root": bytes.fromhex(first["root"])}

    def records(self, *, first: int = 0, partial: bool = False) -> Iterator[Record]:
        """The entries, from index `first`; with `partial` each names its own index and proof."""
        position = first
        while (found := self._next()) is not None:
            if "checkpoint" in found:
                self._last = found
                if self._next() is not None:
                    raise VerificationError(f"line {self._number}: something follows the checkpoint")
                return
            with self.understood():
                record = Record(
                    index=number_of(found["index"]) if partial else position,
                    leaf=b"" if "archived" in found else text_of(found["leaf"]).encode("utf-8", "surrogateescape"),
                    hash=bytes.fromhex(found["hash"]) if "hash" in found else None,
                    private=tuple(
                        PrivateField(name=name, salt=bytes.fromhex(item["salt"]), value=item["value"])
                        for name, item in found["private"].items()
                    ),
                    proof=tuple(map(bytes.fromhex, found["proof"])) if partial else None,
                    archived=number_of(found["archived"]) if "archived" in found else None,
                )
            yield record
            position += 1
        raise VerificationError("the file has no last line with a signed checkpoint: its tail was cut")

    def note(self) -> bytes:
        """The signed checkpoint of the last line."""
        with self.understood():
            return text_of((self._last or {})["checkpoint"]).encode()

    @property
    def count(self) -> int:
        """How many entries the last line says there are."""
        with self.understood():
            return number_of((self._last or {})["count"])

    @property
    def consistency(self) -> tuple[int, tuple[bytes, ...]] | None:
        """The last line's consistency proof and the size it starts from."""
        found = (self._last or {}).get("consistency")
        if found is None:
            return None
        with self.understood():
            return number_of(found["size"]), tuple(map(bytes.fromhex, found["proof"]))

    def _next(self) -> dict[str, Any] | None:
        line = next(self._lines, None)
        if line is None:
            return None
        self._number += 1
        if len(line) > LINE_BYTES_MAX:
            raise VerificationError(f"line {self._number}: longer than {LINE_BYTES_MAX} bytes")
        with self.understood():
            found = json.loads(line, object_pairs_hook=_unique)
            if not isinstance(found, dict):
                raise TypeError("not an object")
            return found

    def understood(self) -> Understood:
        """Around whatever reads the values of the present line."""
        return Understood(self._number)


class Understood:
    """Turns whatever malformed JSON values raise into a `VerificationError` with the line's number."""

    def __init__(self, number: int) -> None:
        self._number = number

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        if isinstance(error, ValueError | TypeError | KeyError | AttributeError | RecursionError):
            raise VerificationError(f"line {self._number} of the file is malformed") from error


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a key appears twice")
    return found


def text_of(value: object) -> str:
    """`value`, where it is text. Raises `TypeError`."""
    if not isinstance(value, str):
        raise TypeError("not text")
    return value


def number_of(value: object) -> int:
    """`value`, where it is a whole number from 0. Raises `TypeError`."""
    if not isinstance(value, int) or isinstance(value, bool) or value < 0:
        raise TypeError("not a number")
    return value


def line_of(value: Mapping[str, object]) -> bytes:
    """One line of an export."""
    return json.dumps(value, ensure_ascii=True, allow_nan=False, separators=(",", ":")).encode() + b"\n"


def entry_line(record: Record, **more: object) -> bytes:
    """One entry as a line; of an archived one its hash is all there is."""
    if record.removed:
        leaf: dict[str, object] = {"archived": record.archived}
    else:
        leaf = {"leaf": record.leaf.decode("utf-8", "surrogateescape")}
    return line_of(
        {
            **leaf,
            "hash": (record.hash or record.leaf_hash).hex(),
            "private": {item.name: {"salt": item.salt.hex(), "value": item.value} for item in record.private},
            **more,
        }
    )
