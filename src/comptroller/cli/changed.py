"""Shows what a run changed in its workspace: a list that is safe to look at, what runs later first, and the lines."""

from __future__ import annotations

import os
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from difflib import SequenceMatcher

from comptroller.enforce.sandbox.changes import Change, Changes
from comptroller.enforce.sandbox.later import ENVIRONMENT, environment_of
from comptroller.server.neutral import neutral

LISTED_MAX = 200
FILES_MAX = 20
FILE_LINES_MAX = 60
COMPARED_LINES_MAX = 400
LINE_CHARACTERS_MAX = 160
COMPARE_SECONDS_MAX = 3.0
"""No further file is compared after this; the list above is complete all the same."""
_CONTEXT = 2
_SIGNS = {"added": "+", "changed": "~", "removed": "-"}


def lines(found: Changes) -> Iterator[str]:
    """What a person reads, each line neutral and bounded."""
    if not found.whole:
        yield "the workspace could not be looked through as a whole: there may be more changes than these"
    if not found.changes:
        yield "nothing changed in the workspace"
        return
    marked = sum(bool(each.later) for each in found.changes)
    count = len(found.changes) + found.more
    yield f"{count:,} changed in the workspace" + (f", {marked:,} of them run later or lead out" if marked else "")
    single = [each for each in found.changes if each.later != ENVIRONMENT]
    environments = Counter(environment_of(each.path) for each in found.changes if each.later == ENVIRONMENT)
    for path, files in environments.most_common(LISTED_MAX // 10):
        yield f"  ~ {_name(path)}/…  {files:,} files   ! {ENVIRONMENT}"
    for each in single[:LISTED_MAX]:
        yield f"  {_SIGNS[each.kind]} {_name(each.path)}" + (f"   ! {each.later}" if each.later else "")
    if more := len(single[LISTED_MAX:]) + found.more:
        yield f"  {more:,} more are not listed: --json-summary FILE has up to {len(found.changes):,}"
    yield from _compared(single)


def document(found: Changes) -> dict[str, object]:
    """For `--json-summary`: the list without contents. A name that is no text has its bytes written out."""
    return {
        "whole": found.whole,
        "more": found.more,
        "changes": [
            {"path": _text(each.path), "kind": each.kind, "size": each.size, "later": each.later}
            for each in found.changes
        ],
    }


def _compared(changes: Sequence[Change]) -> Iterator[str]:
    until = time.monotonic() + COMPARE_SECONDS_MAX
    shown = 0
    for each in changes:
        if not each.before and not each.after:
            continue
        if each.before is None or each.after is None or b"\0" in each.before + each.after:
            continue
        if shown == FILES_MAX or time.monotonic() > until:
            yield "the lines of further files are not shown"
            return
        shown += 1
        yield f"--- {_name(each.path)}"
        for number, line in enumerate(_difference(_split(each.before), _split(each.after))):
            if number == FILE_LINES_MAX:
                yield "  … and more"
                break
            yield neutral(line, chars_max=LINE_CHARACTERS_MAX)


def _difference(before: list[str], after: list[str]) -> Iterator[str]:
    """Changed lines with a little around them. What is equal at both ends is left out first, so that comparing takes a
    bounded time whatever the files hold."""
    head = _common(before, after)
    tail = _common(before[head:][::-1], after[head:][::-1])
    old, new = before[head : len(before) - tail], after[head : len(after) - tail]
    yield from (f"    {line}" for line in before[max(0, head - _CONTEXT) : head])
    if len(old) > COMPARED_LINES_MAX or len(new) > COMPARED_LINES_MAX:
        operations = [("replace", 0, len(old), 0, len(new))]
    else:
        operations = list(SequenceMatcher(None, old, new).get_opcodes())
    for kind, old_from, old_to, new_from, new_to in operations:
        if kind == "equal":
            yield from _around([f"    {line}" for line in old[old_from:old_to]])
            continue
        yield from (f"  - {line}" for line in old[old_from:old_to])
        yield from (f"  + {line}" for line in new[new_from:new_to])
    yield from (f"    {line}" for line in before[len(before) - tail :][:_CONTEXT])


def _around(equal: list[str]) -> list[str]:
    if len(equal) <= 2 * _CONTEXT + 1:
        return equal
    return [*equal[:_CONTEXT], "    …", *equal[-_CONTEXT:]]


def _common(left: list[str], right: list[str]) -> int:
    count = 0
    for one, other in zip(left, right, strict=False):
        if one != other:
            break
        count += 1
    return count


def _split(data: bytes) -> list[str]:
    return data.decode("utf-8", "backslashreplace").removesuffix("\n").split("\n") if data else []


def _text(path: str) -> str:
    return os.fsencode(path).decode("utf-8", "backslashreplace")


def _name(path: str) -> str:
    return neutral(_text(path))
