"""The page of attacks names exactly those that are tried, once each; every kind that was promised is among them."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from comptroller.testing.escape.attacks import program
from comptroller.testing.escape.bait import ANCESTORS, PROTECTED

PAGE = Path(__file__).resolve().parents[2] / "docs" / "attacks.md"


def listed() -> dict[str, list[str]]:
    groups = re.split(r"^## ", PAGE.read_text("utf-8"), flags=re.MULTILINE)[1:]
    return {text.partition("\n")[0]: re.findall(r"^- (.+)$", text, re.MULTILINE) for text in groups}


def test_the_page_names_every_attack() -> None:
    page = listed()
    assert len(page.pop("outside")) == 5
    told: dict[str, list[str]] = {}
    for group, name, _ in program.ATTACKS:
        told.setdefault(group, []).append(name)
    assert page == told
    assert list(page) == list(program.ORDER)


def test_no_two_attacks_share_a_name() -> None:
    names = [name for _, name, _ in program.ATTACKS]
    assert len(set(names)) == len(names) >= 240


@pytest.mark.parametrize(
    "kind",
    [
        *("raw", "packet", "vsock", "alg", "netlink", "abstract unix", "unix sockets", "docker|container", "loopback"),
        *("IPv6", "mapped", "datagram", "QUIC", "ping", "TXT", "long labels", "many names", "reverse ssh"),
        *("an address", "without any variable", "169.254.169.254", "fd00:ec2", "google", "Azure", "environ", "root"),
        *("mem$", "fd$", "list of mounts", "tracing", "process_vm", "user namespace", "mount", "setns", "pivot_root"),
        *("clone3", "io_uring", "bpf", "userfaultfd", "keyctl", "open_by_handle_at", "x32", "int 0x80", "set-user-id"),
        *("inherited descriptors", "GPU", "outside the workspace", "renam", "removing", "symbolic link", "hard link"),
        *("above a protected path", "copying it back", "/etc", "scheduled", "start-up files", "git hooks"),
        *("interpreter", "signals to the server", "flood of connections", "descriptors handed", "memory and processor"),
        *("core dumps", "TIOCSTI", "credentials", "environment", "agents and keyrings", "another box", "memfd"),
    ],
)
def test_every_kind_is_tried(kind: str) -> None:
    assert any(re.search(kind, name) for _, name, _ in program.ATTACKS), kind


def test_every_folder_above_a_protected_path_is_attacked() -> None:
    assert {".git", "policies", "services", ".vscode", "below", "below/part", "below/part/.git"} == set(ANCESTORS)
    assert not set(ANCESTORS) & {"."} and len(set(PROTECTED)) == len(PROTECTED)
