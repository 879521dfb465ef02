"""What `run --diff` shows is bounded and safe to look at."""

from __future__ import annotations

import json
import random
import time
from pathlib import Path

from comptroller.cli import changed
from comptroller.enforce.sandbox.changes import Change, Changes
from comptroller.enforce.sandbox.later import ENVIRONMENT


def shown(*changes: Change, whole: bool = True, more: int = 0) -> list[str]:
    return list(changed.lines(Changes(changes=changes, whole=whole, more=more)))


def change(path: str, before: bytes | None = None, after: bytes | None = None, later: str = "") -> Change:
    return Change(path=path, kind="changed", size=1, later=later, before=before, after=after)


def test_nothing_changed() -> None:
    assert shown() == ["nothing changed in the workspace"]
    assert "could not be looked through" in shown(whole=False)[0]


def test_names_and_lines_are_neutral() -> None:
    name = "a\nb\x1b[2J\u202e" + b"\xff".decode("utf-8", "surrogateescape")
    found = shown(change(name, b"old\n", b"new\x1b[31m\n\xff\n", later="make runs it"))
    assert found[0] == "1 changed in the workspace, 1 of them run later or lead out"
    assert found[1] == "  ~ a<U+000A>b<U+001B>[2J<U+202E>\\xff   ! make runs it"
    assert found[2:] == [f"--- {found[1][4:].partition('   !')[0]}", "  - old", "  + new<U+001B>[31m", "  + \\xff"]
    assert all(line.isprintable() for line in found)
    document = changed.document(Changes(changes=(change(name),), whole=True))
    json.dumps(document).encode("ascii")
    assert document["changes"] == [{"path": "a\nb\x1b[2J\u202e\\xff", "kind": "changed", "size": 1, "later": ""}]


def test_only_what_is_around_a_change_is_shown() -> None:
    before = [f"line {number}" for number in range(100)]
    after = [*before[:50], "new", *before[51:90], "more", *before[90:]]
    found = shown(change("f", "\n".join(before).encode(), "\n".join(after).encode()))[3:]
    assert found == [
        *("    line 48", "    line 49", "  - line 50", "  + new", "    line 51", "    line 52", "    …"),
        *("    line 88", "    line 89", "  + more", "    line 90", "    line 91"),
    ]


def test_binary_empty_and_large_files_are_only_named() -> None:
    found = shown(change("binary", b"\0", b"x"), change("large", None, None), change("empty", b"", b""))
    assert [line for line in found if line.startswith("---")] == []


def test_the_list_and_the_lines_are_bounded() -> None:
    many = [change(f"f{number}", b"", b"x\n" * 500) for number in range(changed.LISTED_MAX + 5)]
    found = shown(*many, more=7)
    assert sum(line.startswith("  ~ ") for line in found) == changed.LISTED_MAX
    assert any("12 more are not listed" in line for line in found)
    assert sum(line.startswith("---") for line in found) == changed.FILES_MAX
    assert len(found) < changed.LISTED_MAX + changed.FILES_MAX * (changed.FILE_LINES_MAX + 2) + 10
    assert max(map(len, shown(change("f", b"", b"y" * 30_000)))) <= changed.LINE_CHARACTERS_MAX


def test_an_environment_is_one_line() -> None:
    files = [change(f"web/node_modules/p{number}/index.js", later=ENVIRONMENT) for number in range(3000)]
    found = shown(*files, change("Makefile", later="make runs it"))
    assert found[1:] == [f"  ~ web/node_modules/…  3,000 files   ! {ENVIRONMENT}", "  ~ Makefile   ! make runs it"]


def test_comparing_takes_a_bounded_time() -> None:
    seeded = random.Random(20261123)
    files = []
    for number in range(40):
        before = [str(seeded.randrange(40)) for _ in range(changed.COMPARED_LINES_MAX)]
        after = seeded.sample(before, len(before))
        files.append(change(f"f{number}", "\n".join(before).encode(), "\n".join(after).encode()))
    files.append(change("long", b"a\n" * 16_000, b"b\n" * 16_000))
    began = time.process_time()
    shown(*files)
    assert time.process_time() - began < changed.COMPARE_SECONDS_MAX + 5


def test_a_path_is_shown_whole(tmp_path: Path) -> None:
    assert shown(change("a/b/c"))[1] == "  ~ a/b/c"
