"""Placeholders keep keys where they are plainly keys, and never a value."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from comptroller.enforce.sandbox.masks import FILE_BYTES_MAX, PLACEHOLDER, placeholder


def masked(tmp_path: Path, text: str | bytes) -> str:
    path = tmp_path / "file"
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    return placeholder(path).decode()


def test_settings_keep_their_keys(tmp_path: Path) -> None:
    first = "# old: hunter2\nKEY=v1\nexport OTHER_KEY = 'v2 v3'\n\n"
    shown = masked(tmp_path, f"{first}[default]\naws_secret_access_key = v4\nport: 80\nEMPTY=\n").splitlines()
    assert shown[1:] == [
        f"KEY={PLACEHOLDER}",
        f"export OTHER_KEY = {PLACEHOLDER}",
        "[default]",
        f"aws_secret_access_key = {PLACEHOLDER}",
        f"port: {PLACEHOLDER}",
    ]


def test_documents_keep_their_keys(tmp_path: Path) -> None:
    shown = json.loads(masked(tmp_path, '{"a": {"privateKey": "s3cret", "list": ["s3cret"]}, "n": 5, "t": true}'))
    assert shown == {"a": {"privateKey": PLACEHOLDER, "list": []}, "n": PLACEHOLDER, "t": PLACEHOLDER}


@pytest.mark.parametrize(
    "text",
    [
        "ghp_s3cret0123",
        "c2VjcmV0c2VjcmV0=",
        "JBSWY3DPEHPK3PXP=",
        "K=-----BEGIN RSA PRIVATE KEY-----\nQUJD=\n-----END RSA PRIVATE KEY-----\n",
        "-----BEGIN RSA PRIVATE KEY-----\nABCD\n",
        'KEY="first\nS3CRET=second"\n',
        "KEY=first\\\nsecret=second\n",
        "machine example.com login me password s3cret",
        "key: |\n  secret\n",
        "- s3cret\n",
        "deadbeef0123456789: x",
        '{"s3cret 1": "x"}',
        '{"sk0123456789": "x"}',
        '{"a": ',
        "[" * 100_000,
        b"\xff\xfe\x00",
        "",
        "A=b\n" * FILE_BYTES_MAX,
    ],
)
def test_what_is_not_plainly_settings_shows_nothing_of_itself(tmp_path: Path, text: str | bytes) -> None:
    shown = masked(tmp_path, text)
    assert shown.startswith(f"# {PLACEHOLDER}") and shown.count("\n") == 1


def test_what_is_no_regular_file_is_opaque_and_never_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "fifo")
    (tmp_path / "link").symlink_to("/etc/hostname")
    for name in ("fifo", "link", "missing"):
        assert placeholder(tmp_path / name).startswith(b"# comptroller-placeholder")


@given(values=st.lists(st.text(st.characters(exclude_characters="\n\r", exclude_categories=["Cs"]), min_size=1)))
def test_no_value_is_ever_shown(tmp_path_factory: pytest.TempPathFactory, values: list[str]) -> None:
    secrets = [f"zq{index}Z{value}" for index, value in enumerate(values)]
    path = tmp_path_factory.getbasetemp() / "fuzzed"
    path.write_text("".join(f"KEY_{'A' * (index % 5)}={secret}\n" for index, secret in enumerate(secrets)), "utf-8")
    shown = placeholder(path).decode()
    assert not any(secret in shown for secret in secrets)
