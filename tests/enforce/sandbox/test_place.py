"""Machines made of files: each is recognised, and each refusal leads to the step that helps there."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from comptroller.core.errors import UsageError
from comptroller.enforce.sandbox import diagnosis, machine_unsafe, place, remedies
from comptroller.enforce.sandbox.machine_unsafe import RepairError
from comptroller.enforce.sandbox.remedies import Repair

WSL2 = "Linux version 5.15.153.1-microsoft-standard-WSL2 (root@x) (gcc) #1 SMP"
WSL1 = "Linux version 4.4.0-19041-Microsoft (Microsoft@Microsoft.com)"
UBUNTU = 'NAME="Ubuntu"\nID=ubuntu\nVERSION_ID="24.04"\n'
APPARMOR = "proc/sys/kernel/apparmor_restrict_unprivileged_userns"
CLONE = "proc/sys/kernel/unprivileged_userns_clone"
COUNT = "proc/sys/user/max_user_namespaces"


def machine(root: Path, files: dict[str, str]) -> Path:
    for name, text in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)
    return root


@pytest.mark.parametrize(
    ("files", "environment", "system", "kind"),
    [
        ({"proc/cpuinfo": "flags\t\t: fpu vme sse\n"}, {}, "linux", "machine"),
        ({"proc/cpuinfo": "flags\t\t: fpu hypervisor sse\n"}, {}, "linux", "virtual machine"),
        ({".dockerenv": ""}, {}, "linux", "docker"),
        ({"run/.containerenv": ""}, {}, "linux", "podman"),
        ({}, {"container": "lxc"}, "linux", "container"),
        ({".dockerenv": ""}, {"KUBERNETES_SERVICE_HOST": "10.0.0.1"}, "linux", "kubernetes"),
        ({".dockerenv": ""}, {"REMOTE_CONTAINERS": "true"}, "linux", "devcontainer"),
        ({".dockerenv": ""}, {"CODESPACES": "true"}, "linux", "devcontainer"),
        ({}, {"GITHUB_ACTIONS": "true"}, "linux", "github-actions"),
        ({"proc/version": WSL2}, {}, "linux", "wsl2"),
        ({"proc/version": WSL1}, {}, "linux", "wsl1"),
        ({}, {}, "darwin", "macos"),
        ({}, {}, "win32", "windows"),
    ],
)
def test_places_are_recognised(
    tmp_path: Path, files: dict[str, str], environment: dict[str, str], system: str, kind: str
) -> None:
    found = place.look(machine(tmp_path, files), system=system, environment=environment, landlock=0)
    assert found.kind == kind == place.kind(tmp_path, system=system, environment=environment)


def test_everything_a_machine_tells(tmp_path: Path) -> None:
    files = {
        "etc/os-release": UBUNTU,
        APPARMOR: "1\n",
        CLONE: "1\n",
        COUNT: "63000\n",
        "proc/modules": "xfs 1 0 -\nnf_tables 1 0 -\n",
        "proc/sys/kernel/osrelease": "6.8.0-45-generic\n",
        "sys/fs/cgroup/cgroup.controllers": "cpu memory\n",
        "proc/self/cgroup": "0::/user.slice/mine\n",
        "sys/fs/cgroup/user.slice/mine/cgroup.subtree_control": "memory\n",
    }
    found = place.look(machine(tmp_path, files), system="linux", environment={}, landlock=4, bwrap="0.9.0 at /x")
    assert dict(found.lines()) == {
        "place": "machine, ubuntu 24.04",
        "kernel": "6.8.0-45-generic",
        "user namespaces": "refused by AppArmor to programs without a profile",
        "bubblewrap": "0.9.0 at /x",
        "nf_tables": "present",
        "Landlock": "ABI 4",
        "cgroup": "version 2, writable here",
    }


def test_a_machine_that_tells_nothing(tmp_path: Path) -> None:
    found = dict(place.look(tmp_path, system="linux", environment={}, landlock=0).lines())
    assert found["user namespaces"] == "not refused by any setting"
    assert (found["bubblewrap"], found["Landlock"], found["cgroup"]) == ("not installed", "not in this kernel", "none")
    assert "not seen" in found["nf_tables"]


@pytest.mark.parametrize(
    ("kind", "reason", "step"),
    [
        ("machine", "sysctl", "sudo sysctl -w kernel.unprivileged_userns_clone=1"),
        ("virtual machine", "count", "sudo sysctl -w user.max_user_namespaces=15000"),
        ("machine", "apparmor", "profile comptroller-bwrap /usr/bin/bwrap flags=(unconfined) {"),
        ("docker", "", "docker run --security-opt seccomp=unconfined"),
        ("podman", "count", "docker run --security-opt seccomp=unconfined"),
        ("devcontainer", "apparmor", '"runArgs": ["--security-opt", "seccomp=unconfined"'),
        ("github-actions", "apparmor", "    sudo sysctl -w kernel.apparmor_restrict_unprivileged_userns=0"),
        ("kubernetes", "", "  hostUsers: false"),
        ("wsl2", "count", "sudo sysctl -w user.max_user_namespaces=15000"),
        ("wsl1", "", "wsl --set-version DISTRIBUTION 2"),
        ("macos", "", "brew install lima && limactl start"),
        ("windows", "", "wsl --install -d Ubuntu-24.04"),
        ("machine", "", "sudo sysctl -w user.max_user_namespaces=15000"),
    ],
)
def test_each_place_has_its_step(kind: str, reason: str, step: str) -> None:
    found = remedies.for_namespaces(kind, reason)
    assert any(line.startswith(step) for line in found.steps), found.steps
    assert found.hint and "\n" not in found.hint
    changes_from_inside = kind in ("machine", "virtual machine", "wsl2")
    assert (found.repair is not None) is changes_from_inside


def test_only_another_system_is_elsewhere() -> None:
    assert remedies.elsewhere("linux") is None
    assert {remedies.elsewhere(name) for name in ("darwin", "freebsd14")} == {remedies.for_namespaces("macos", "")}
    assert remedies.elsewhere("win32") == remedies.for_namespaces("windows", "")


def test_the_profile_is_for_the_program_that_is_used() -> None:
    found = remedies.apparmor("/opt/x/bwrap")
    assert found.repair is not None
    ((path, text),) = found.repair.files
    assert path == "/etc/apparmor.d/comptroller-bwrap" and "/opt/x/bwrap flags=(unconfined)" in text
    assert text.count("{") == text.count("}") == 1
    assert found.repair.commands == (("apparmor_parser", "-r", path),)


def test_a_repair_says_what_it_did(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    wanted = Repair(hint="by hand", files=(("/etc/x.d/y", "z\n"),), commands=(("true", "-x"),))
    assert machine_unsafe.apply(wanted, root=tmp_path) == [f"wrote {tmp_path}/etc/x.d/y", "ran true -x"]
    assert (tmp_path / "etc/x.d/y").read_text() == "z\n"
    for command in ("false", "no-such-program-at-all"):
        with pytest.raises(RepairError) as caught:
            machine_unsafe.apply(Repair(hint="by hand", commands=((command,),)), root=tmp_path)
        assert caught.value.hint == "by hand" and command in caught.value.message
    (tmp_path / "file").write_text("")
    with pytest.raises(RepairError, match="cannot be written"):
        machine_unsafe.apply(Repair(hint="by hand", files=(("/file/below", ""),)), root=tmp_path)


def test_only_root_repairs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    with pytest.raises(UsageError, match="only root") as caught:
        machine_unsafe.apply(Repair(hint="sysctl -w x=1", files=(("/x", ""),)), root=tmp_path)
    assert caught.value.hint == "as root: sysctl -w x=1"
    assert list(tmp_path.iterdir()) == []


def test_this_machine_is_examined() -> None:
    found = diagnosis.examine()
    assert found.error is None and found.remedy is None
    assert found.place.system == "linux" and found.place.bwrap and found.place.kernel
