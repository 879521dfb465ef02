"""Operation tables: which operation a method and a path are. A literal segment beats a placeholder, case counts."""

from __future__ import annotations

import csv
import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache, cached_property
from importlib.resources import files
from typing import Literal, get_args

from comptroller.core.action import ActionClass

BodyKind = Literal["none", "json", "model", "named", "form", "any", "raw"]
"""`none`: no body; `json`: an object or nothing; `model`: an object that names a model; `named`: one whose
model may stand elsewhere (in the path, in a stored prompt); `form`: multipart/form-data;
`any`: an object or a form; `raw`: bytes as they come."""

_ID = re.compile(r"(?:[A-Za-z0-9._:@~$!*+,;=()-]|%(?:3A|40|2B|3D|20)){1,512}")
_HOLE = "{}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Route:
    """One row of a table. `segments` are literals, or `{}` with what follows it (`{}:generateContent`)."""

    method: str
    path: str
    operation: str
    body: BodyKind
    classes: frozenset[ActionClass]

    @property
    def segments(self) -> tuple[str, ...]:
        """The path in pieces."""
        return tuple(self.path.strip("/").split("/"))


@dataclass(frozen=True)
class Table:
    """The operations of one service. `colons`: whether an id may hold a colon; else what follows one is a verb."""

    routes: tuple[Route, ...]
    colons: bool = True

    @cached_property
    def _by_shape(self) -> Mapping[tuple[str, int], tuple[tuple[Route, tuple[str, ...]], ...]]:
        shapes: dict[tuple[str, int], list[tuple[Route, tuple[str, ...]]]] = {}
        for route in self.routes:
            segments = route.segments
            shapes.setdefault((route.method, len(segments)), []).append((route, segments))
        # Literals first, from the left: `/work/poll` is never taken for a piece of work with the id `poll`.
        return {
            shape: tuple(sorted(found, key=lambda pair: tuple(segment.startswith(_HOLE) for segment in pair[1])))
            for shape, found in shapes.items()
        }

    @cached_property
    def by_operation(self) -> Mapping[str, Route]:
        """Routes by the name of their operation (without the service)."""
        return {route.operation: route for route in self.routes}

    def find(self, method: str, path: str) -> tuple[Route, tuple[str, ...]] | None:
        """The route of a normalised path, and the ids in it; None where there is none."""
        parts = path.removeprefix("/").split("/")
        for route, segments in self._by_shape.get((method, len(parts)), ()):
            ids: list[str] = []
            for segment, part in zip(segments, parts, strict=True):
                if not segment.startswith(_HOLE):
                    if segment != part:
                        break
                    continue
                suffix = segment[len(_HOLE) :]
                bare = part[: len(part) - len(suffix)]
                if not part.endswith(suffix) or not _ID.fullmatch(bare) or (":" in bare and not self.colons):
                    break
                ids.append(bare)
            else:
                return route, tuple(ids)
        return None


@cache
def table(name: str) -> Table:
    """The table of a service (`openai`), read at the first request for it."""
    text = (files(__package__) / "data" / f"{name}.csv").read_text("utf-8")
    kinds: Mapping[str, BodyKind] = {kind: kind for kind in get_args(BodyKind)}
    return Table(
        tuple(
            Route(
                method=row["method"],
                path=row["path"],
                operation=row["operation"],
                body=kinds[row["body"]],
                classes=frozenset(ActionClass(cls) for cls in row["classes"].split()),
            )
            for row in csv.DictReader(text.splitlines())
        ),
        colons=name != "gemini",
    )
