"""Stubs are made, shared, and removed unless somebody filled them."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from comptroller.core.errors import UsageError
from comptroller.enforce.sandbox.protect import Stub
from comptroller.enforce.sandbox.stubs import Stubs


def wanted(folder: Path) -> list[Stub]:
    return [
        Stub(path=folder / "a", folder=True),
        Stub(path=folder / "a" / "b", folder=True),
        Stub(path=folder / "c", folder=False, content=b".\n"),
    ]


def test_made_and_removed(tmp_path: Path) -> None:
    stubs = Stubs(tmp_path)
    stubs.make(wanted(tmp_path))
    assert (tmp_path / "a" / "b").is_dir() and (tmp_path / "c").read_bytes() == b".\n"
    stubs.close()
    assert list(tmp_path.iterdir()) == []


def test_what_somebody_filled_or_had_before_stays(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    stubs = Stubs(tmp_path)
    stubs.make(wanted(tmp_path))
    (tmp_path / "c").write_text("changed")
    stubs.close()
    assert sorted(os.listdir(tmp_path)) == ["a", "c"] and os.listdir(tmp_path / "a") == []


def test_the_last_one_removes(tmp_path: Path) -> None:
    first, second = Stubs(tmp_path), Stubs(tmp_path)
    first.make(wanted(tmp_path))
    second.make(wanted(tmp_path))
    second.left(wanted(tmp_path))
    first.close()
    assert (tmp_path / "a" / "b").is_dir()
    second.close()
    assert list(tmp_path.iterdir()) == []


def test_an_unwritable_workspace_is_named(tmp_path: Path) -> None:
    stubs = Stubs(tmp_path)
    with pytest.raises(UsageError, match="cannot be protected"):
        stubs.make([Stub(path=tmp_path / "none" / "x", folder=False)])
    stubs.close()


def test_no_link_is_followed_to_make_or_remove_one(tmp_path: Path) -> None:
    work, other = tmp_path / "work", tmp_path / "other"
    (work / "sub").mkdir(parents=True)
    other.mkdir()
    stub = Stub(path=work / "sub" / "hooks", folder=True)
    stubs = Stubs(work)
    stubs.make([stub])
    (work / "sub").rename(work / "moved")
    (work / "sub").symlink_to("../other")
    (other / "hooks").mkdir()
    stubs.close()
    assert (other / "hooks").is_dir() and (work / "moved" / "hooks").is_dir()
    stubs = Stubs(work)
    with pytest.raises(UsageError, match="cannot be protected"):
        stubs.make([Stub(path=work / "sub" / "config", folder=False, content=b"x")])
    stubs.close()
    assert not (other / "config").exists()
