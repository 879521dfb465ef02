"""Which operation a method and path name. A literal wins over `{id}`, `{id}` over `{rest...}`; what a careless server
might take for another operation (letter case, slashes, suffixes) has no route at all."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Generic, Protocol, TypeVar
from urllib.parse import unquote

SEGMENTS_MAX = 40

_PARAMETER = re.compile(r"\{([A-Za-z_][A-Za-z0-9_.-]{0,63}?)(\.\.\.)?\}")
_SUFFIX = re.compile(r"\.(?:json|xml|html?|csv|txt|ya?ml|js|rss|atom)$", re.IGNORECASE)
_OUTSIDE = re.compile(r"[^A-Za-z0-9._~!$&'()*+,=:@%-]")
_LITERAL, _MIXED, _ONE, _REST = 0, 1, 2, 3


class MalformedTemplate(ValueError):
    """A path template with no single meaning; the message says why."""


class AmbiguousRoute(ValueError):
    """A path that two operations might be meant by."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Segment:
    """One segment of a template: its rank (a lower one wins), its text, its parameters and how they are found."""

    rank: int
    text: str
    names: tuple[str, ...] = ()
    pattern: re.Pattern[str] | None = None


@dataclass(frozen=True, slots=True)
class Template:
    """A path template, split. `loose` is how the most careless server might compare it."""

    text: str
    segments: tuple[Segment, ...]
    loose: tuple[Segment, ...]

    @classmethod
    def parse(cls, text: str) -> Template:
        """`/repos/{owner}/{repo}/contents/{path...}`. Raises `MalformedTemplate`."""
        if not text.startswith("/") or "//" in text or not text.isascii():
            raise MalformedTemplate(f"`{text}` is not a path template: `/v1/things/{{id}}`")
        parts = text[1:].split("/")
        if len(parts) > SEGMENTS_MAX:
            raise MalformedTemplate(f"`{text[:60]}` has more than {SEGMENTS_MAX} segments")
        segments = tuple(_segment(part, text) for part in parts)
        if any(segment.rank == _REST for segment in segments[:-1]):
            raise MalformedTemplate(f"`{text}`: only the last segment may be `{{name...}}`")
        names = [name for segment in segments for name in segment.names]
        if len(names) != len(set(names)):
            raise MalformedTemplate(f"`{text}` uses a parameter's name twice")
        return cls(text, segments, tuple(_loose(segment) for segment in segments if segment.text))

    @property
    def ranks(self) -> tuple[int, ...]:
        """Rank by segment."""
        return tuple(segment.rank for segment in self.segments)

    @property
    def rest(self) -> bool:
        """True where the last parameter takes several segments."""
        return self.segments[-1].rank == _REST

    @property
    def names(self) -> frozenset[str]:
        """The parameters."""
        return frozenset(name for segment in self.segments for name in segment.names)

    def parameters(self, segments: Sequence[str]) -> Mapping[str, str]:
        """The parameters of a path that matches, still percent-encoded."""
        found: dict[str, str] = {}
        for index, segment in enumerate(self.segments):
            if segment.rank == _REST:
                found[segment.names[0]] = "/".join(segments[index:])
            elif segment.rank == _ONE:
                found[segment.names[0]] = segments[index]
            elif segment.pattern is not None and (match := segment.pattern.fullmatch(segments[index])) is not None:
                found |= dict(zip(segment.names, match.groups(), strict=True))
        return found


class HasTemplate(Protocol):
    """What can be routed to."""

    @property
    def methods(self) -> tuple[str, ...]:
        """HTTP methods."""
        ...

    @property
    def template(self) -> Template:
        """The path."""
        ...


T = TypeVar("T", bound=HasTemplate)


@dataclass(slots=True)
class _Node(Generic[T]):
    literals: dict[str, _Node[T]] = field(default_factory=dict)
    mixed: dict[str, tuple[re.Pattern[str], _Node[T]]] = field(default_factory=dict)
    one: _Node[T] | None = None
    rest: list[T] = field(default_factory=list)
    ends: list[T] = field(default_factory=list)

    def add(self, segments: Sequence[Segment], route: T) -> None:
        node = self
        for segment in segments:
            if segment.rank == _REST:
                node.rest.append(route)
                return
            if segment.rank == _LITERAL:
                node = node.literals.setdefault(segment.text, _Node())
            elif segment.pattern is not None:
                node = node.mixed.setdefault(segment.text, (segment.pattern, _Node()))[1]
            else:
                node.one = node.one or _Node()
                node = node.one
        node.ends.append(route)

    def match(self, segments: Sequence[str], index: int = 0) -> Iterator[T]:
        if index == len(segments):
            yield from self.ends
            return
        segment = segments[index]
        if (literal := self.literals.get(segment)) is not None:
            yield from literal.match(segments, index + 1)
        if segment:
            for pattern, node in self.mixed.values():
                if pattern.fullmatch(segment):
                    yield from node.match(segments, index + 1)
            if self.one is not None:
                yield from self.one.match(segments, index + 1)
        yield from self.rest


class Router(Generic[T]):
    """Finds the one route of a request."""

    def __init__(self, routes: Iterable[T]) -> None:
        self._routes = tuple(routes)
        self._verbs = any(
            ":" in segment.text for r in self._routes for segment in r.template.segments if segment.rank != _LITERAL
        )

    @cached_property
    def _exact(self) -> Mapping[str, _Node[T]]:
        return self._tree(loose=False)

    @cached_property
    def _loose(self) -> Mapping[str, _Node[T]]:
        return self._tree(loose=True)

    def _tree(self, *, loose: bool) -> Mapping[str, _Node[T]]:
        found: dict[str, _Node[T]] = {}
        for route in self._routes:
            for method in route.methods:
                segments = route.template.loose if loose else route.template.segments
                found.setdefault(method, _Node()).add(segments, route)
        return found

    def find(self, method: str, path: str) -> tuple[T, Mapping[str, str]] | None:
        """The route of a normalised path with its parameters; None where nothing is like it.

        Raises `AmbiguousRoute` where two servers could disagree, or where it is nearly, but not quite, a known one.
        """
        segments = path.split("/")[1:]
        if len(segments) > SEGMENTS_MAX:
            raise AmbiguousRoute(f"the path has more than {SEGMENTS_MAX} segments")
        if ";" in path or "%3B" in path:
            raise AmbiguousRoute("the path has a `;`, after which some servers stop reading")
        best = self._best(self._exact.get(method), segments)
        careless = [folded for folded in map(folded_segment, segments) if folded]
        if not self._clear(best, self._matches(self._loose.get(method), careless)):
            raise AmbiguousRoute("the path is nearly that of another operation (letter case, slashes or a suffix)")
        if best is None:
            return None
        parameters = best.template.parameters(segments)
        if self._verbs and any(":" in unquote(value) for value in parameters.values()):
            raise AmbiguousRoute("the path has a `:` where this service writes a verb after it")
        return best, parameters

    def overlaps(self) -> Iterator[tuple[T, T]]:
        """Pairs of routes that match the same path and of which neither is the more literal one."""
        groups: dict[tuple[str, int], list[T]] = {}
        for route in self._routes:
            for method in route.methods:
                groups.setdefault((method, len(route.template.segments)), []).append(route)
        for rows in groups.values():
            for index, left in enumerate(rows):
                for right in rows[index + 1 :]:
                    a, b = left.template, right.template
                    if _meet(a, b) and not _dominates(a, b) and not _dominates(b, a):
                        yield left, right

    @staticmethod
    def _clear(best: T | None, careless: Sequence[T]) -> bool:
        """True where the most careless server would read the same operation. One that is described beside it, and
        differs in nothing but letters, is told apart by whoever published both."""
        if best is None or best not in careless:
            return best is None and not careless
        own = best.template
        return all(
            other is best or own.ranks == other.template.ranks or _dominates(own, other.template) for other in careless
        )

    @staticmethod
    def _matches(tree: _Node[T] | None, segments: Sequence[str]) -> list[T]:
        return list(dict.fromkeys(tree.match(segments))) if tree is not None else []

    @classmethod
    def _best(cls, tree: _Node[T] | None, segments: Sequence[str]) -> T | None:
        found = cls._matches(tree, segments)
        if len(found) < 2:
            return found[0] if found else None
        found.sort(key=lambda route: route.template.ranks)
        for other in found[1:]:
            if not _dominates(found[0].template, other.template):
                raise AmbiguousRoute(f"`{found[0].template.text}` and `{other.template.text}` both match this path")
        return found[0]


def folded_segment(segment: str) -> str:
    """How the most careless server might compare a segment: no case, no blanks, no suffix, compatible letters alike."""
    return _SUFFIX.sub("", unicodedata.normalize("NFKC", unquote(segment)).casefold().strip(" \t."))


def _segment(part: str, whole: str) -> Segment:
    found = list(_PARAMETER.finditer(part))
    bare = _PARAMETER.sub("", part)
    if _OUTSIDE.search(bare):
        raise MalformedTemplate(f"`{whole}` has a segment that is neither text nor `{{name}}`: `{part}`")
    if not found:
        return Segment(rank=_LITERAL, text=part)
    names = tuple(match[1] for match in found)
    if any(match[2] for match in found):
        if bare or len(found) > 1:
            raise MalformedTemplate(f"`{whole}`: `{{name...}}` stands alone in its segment")
        return Segment(rank=_REST, text=part, names=names)
    if not bare:
        if len(found) > 1:
            raise MalformedTemplate(f"`{whole}` has two parameters with nothing between them")
        return Segment(rank=_ONE, text=part, names=names)
    pattern, end = "", 0
    for match in found:
        pattern += re.escape(part[end : match.start()]) + "(.+?)"
        end = match.end()
    return Segment(rank=_MIXED, text=part, names=names, pattern=re.compile(pattern + re.escape(part[end:])))


def _loose(segment: Segment) -> Segment:
    """The segment as `folded_segment` would have it."""
    if segment.rank in (_ONE, _REST):
        return segment
    text = _SUFFIX.sub("", _PARAMETER.sub(lambda match: match[0].upper(), segment.text.casefold()).strip(" ."))
    if segment.rank == _LITERAL:
        return Segment(rank=_LITERAL, text=text)
    return _segment(text, segment.text)


def _dominates(a: Template, b: Template) -> bool:
    """True where `a` is at least as literal as `b` in every segment, and more so in one."""
    size = max(len(a.ranks), len(b.ranks))
    pairs = [(_rank(a, index), _rank(b, index)) for index in range(size)]
    return all(x <= y for x, y in pairs) and any(x < y for x, y in pairs)


def _rank(template: Template, index: int) -> int:
    return template.ranks[index] if index < len(template.ranks) else _REST


def _meet(a: Template, b: Template) -> bool:
    """True where some path may match both."""
    for x, y in zip(a.segments, b.segments, strict=True):
        if x.rank == _LITERAL and y.rank == _LITERAL and x.text != y.text:
            return False
        for literal, mixed in ((x, y), (y, x)):
            if literal.rank == _LITERAL and mixed.pattern is not None and not mixed.pattern.fullmatch(literal.text):
                return False
    return True
