"""The API against schemathesis: real requests over TCP, right and wrong ones, to everything the document describes."""

from __future__ import annotations

import subprocess
import sys
import tempfile
from pathlib import Path

import pytest
from api_kit import API, served
from tools.build_api import ROOT

from comptroller.core.role import Role

CHECKS = (
    "not_a_server_error",
    "status_code_conformance",
    "content_type_conformance",
    "response_headers_conformance",
    "response_schema_conformance",
    "unsupported_method",
    "ignored_auth",
)
SLOW = ("list_entries",)
"""It waits for what comes next, when asked to: its own test asks it."""


def attack(origin: str, token: str, *, examples: int, checks: tuple[str, ...], phases: str) -> None:
    command = [
        *(sys.executable, "-m", "schemathesis.cli", "run", str(ROOT / "docs" / "openapi.json")),
        *("--url", origin + API, "--checks", ",".join(checks), "--phases", phases),
        *("--max-examples", str(examples), "--seed", "7", "--generation-deterministic", "--no-color"),
        *("--max-failures", "5", "--workers", "2", "--request-timeout", "40"),
        *(part for name in SLOW for part in ("--exclude-operation-id", name)),
        *(("--header", f"Authorization: Bearer {token}") if token else ()),
    ]
    with tempfile.TemporaryDirectory() as folder:  # it keeps notes where it stands
        done = subprocess.run(command, capture_output=True, text=True, timeout=900, cwd=folder)
    assert done.returncode == 0, done.stdout[-6000:] + done.stderr[-2000:]


def test_nothing_breaks_and_everything_is_as_described(short_folder: Path) -> None:
    with served(short_folder) as (origin, tokens, place):
        place.house._api.rate.burst = 10**9  # type: ignore[union-attr]
        attack(origin, tokens[None], examples=2, checks=CHECKS, phases="coverage")


@pytest.mark.nightly
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("role", [*Role, None])
def test_nothing_breaks_for_long(short_folder: Path, role: Role | None) -> None:
    with served(short_folder) as (origin, tokens, place):
        place.house._api.rate.burst = 10**9  # type: ignore[union-attr]
        attack(origin, tokens[role], examples=50, checks=CHECKS, phases="examples,coverage,fuzzing,stateful")
