"""Programs are seen with what they need, and with nothing that lies beside it."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from comptroller.enforce.sandbox import toolchain


def program(path: Path, text: str = "#!/bin/sh\n") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    path.chmod(0o755)
    return path


def test_a_virtual_environment_brings_its_base(tmp_path: Path) -> None:
    base = program(tmp_path / "base" / "bin" / "python3")
    (tmp_path / "base" / "lib").mkdir()
    (tmp_path / "venv" / "bin").mkdir(parents=True)
    (tmp_path / "venv" / "pyvenv.cfg").write_text(f"home = {base.parent}\nversion = 3\n")
    (tmp_path / "venv" / "bin" / "python").symlink_to(base)
    tool = program(tmp_path / "venv" / "bin" / "tool", f"#!{tmp_path}/venv/bin/python\n")
    assert {tmp_path / "venv", tmp_path / "base"} <= set(toolchain.needed_by(tmp_path / "venv" / "bin" / "python"))
    assert {tmp_path / "venv", tmp_path / "base"} <= set(toolchain.needed_by(tool))


def test_links_are_followed_to_the_end(tmp_path: Path) -> None:
    real = program(tmp_path / "apps" / "aws" / "bin" / "aws")
    (tmp_path / "apps" / "aws" / "pyvenv.cfg").write_text("home = /usr/bin\n")
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "aws").symlink_to(real)
    found = toolchain.needed_by(tmp_path / "bin" / "aws")
    assert tmp_path / "bin" / "aws" in found and tmp_path / "apps" / "aws" in found
    assert tmp_path / "bin" not in found and tmp_path not in found


def test_a_circle_of_links_ends(tmp_path: Path) -> None:
    (tmp_path / "a").symlink_to(tmp_path / "b")
    (tmp_path / "b").symlink_to(tmp_path / "a")
    assert toolchain.needed_by(tmp_path / "a")


def test_version_managers_are_shown_whole(tmp_path: Path) -> None:
    shim = program(tmp_path / "pyenv" / "shims" / "python")
    (tmp_path / "pyenv" / "versions").mkdir()
    assert tmp_path / "pyenv" in toolchain.needed_by(shim)


def test_a_prefix_that_holds_something_private_is_shown_in_parts(tmp_path: Path) -> None:
    for name in ("bin", "lib", "share/state"):
        (tmp_path / "local" / name).mkdir(parents=True)
    shown = toolchain.narrow([tmp_path / "local"], private=[tmp_path / "local" / "share" / "state"])
    assert shown == (tmp_path / "local" / "bin", tmp_path / "local" / "lib")
    assert toolchain.narrow([tmp_path / "local" / "share" / "state" / "x"], private=[tmp_path / "local"]) == ()


def test_a_home_is_never_shown_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / "bin").mkdir()
    (tmp_path / ".ssh").mkdir()
    assert toolchain.narrow([tmp_path], private=[tmp_path]) == (tmp_path / "bin",)
    assert toolchain.narrow([tmp_path / "bin"], private=[tmp_path]) == (tmp_path / "bin",)


def test_system_folders_need_no_mention(tmp_path: Path) -> None:
    assert toolchain.narrow([Path("/usr/bin/env"), Path("/bin"), Path("/")], private=[]) == ()


def test_path_keeps_what_is_in_view(tmp_path: Path) -> None:
    inherited = {"PATH": f"/root/secret:{tmp_path}/bin:relative:/usr/bin:{tmp_path}/../x"}
    kept = toolchain.reachable_path(inherited, [tmp_path])
    assert kept == (f"{tmp_path}/bin", "/usr/bin", str(Path(sys.prefix) / "bin"))


def test_find(tmp_path: Path) -> None:
    tool = program(tmp_path / "tool")
    assert toolchain.find("./tool", directory=tmp_path, path="") == tool
    assert toolchain.find("tool", directory=tmp_path, path=str(tmp_path)) == tool
    assert toolchain.find("tool", directory=tmp_path, path="/usr/bin") is None
    assert toolchain.find("./none", directory=tmp_path, path="") is None


def test_own_folders_hold_the_running_code() -> None:
    assert any(Path(toolchain.__file__).is_relative_to(place) for place in toolchain.own())
    assert toolchain.interpreter().is_file() and not toolchain.interpreter().is_symlink()
