"""`comptroller demo`, from end to end: two agents in two boxes, and nothing gets through but what a person approved."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

DEMO = [sys.executable, "-P", "-m", "comptroller", "demo"]
SECONDS_MAX = 120


@pytest.fixture(scope="module")
def played(tmp_path_factory: pytest.TempPathFactory) -> tuple[Mapping[str, Any], str]:
    """(the JSON result, what a watcher saw)."""
    folder = tmp_path_factory.mktemp("elsewhere")
    done = subprocess.run([*DEMO, "--json"], cwd=folder, capture_output=True, text=True, timeout=SECONDS_MAX)
    assert done.returncode == 0, done.stderr[-4000:]
    assert list(folder.iterdir()) == []
    return json.loads(done.stdout), done.stderr


def test_only_the_approved_machine_and_transfer_get_through(played: tuple[Mapping[str, Any], str]) -> None:
    result, _ = played
    assert result["leaks"] == []
    assert result["let_through_usd"] == result["expected_let_through_usd"]
    machine = result["incidents"][0]["let_through_usd"]
    assert 0 < machine < 1
    assert result["incidents"][1]["let_through_usd"] == 400
    assert result["let_through_usd"] == pytest.approx(400 + machine)


def test_far_more_was_tried(played: tuple[Mapping[str, Any], str]) -> None:
    result, _ = played
    by_name = {incident["name"]: incident for incident in result["incidents"]}
    assert list(by_name) == ["dn42", "rome"]
    # five machines at more than two dollars an hour, beside the small one
    assert by_name["dn42"]["attempted_usd"] > 10
    # 400.00 and 400.01 and eight large machines
    assert by_name["rome"]["attempted_usd"] > 800 + 100
    assert result["attempted_usd"] == pytest.approx(sum(i["attempted_usd"] for i in by_name.values()))
    dn42, rome = by_name["dn42"]["verdicts"], by_name["rome"]["verdicts"]
    # held: the small machine, the large one (once: its no stands for the four that follow), five load balancers
    assert dn42["require_approval"] == 7
    assert dn42["deny"] == 10
    # held: 400.00 and 400.01; denied: eight machines over budget; refused: ssh, stratum in plain and in TLS
    assert (rome["require_approval"], rome["deny"], rome["allow"]) == (2, 1, 1)
    assert rome["refused"] >= 3


def test_no_byte_reached_the_pool_or_the_tunnel_and_the_log_proves_it(played: tuple[Mapping[str, Any], str]) -> None:
    result, _ = played
    assert (result["pool_bytes"], result["ssh_bytes"], result["audit_verified"]) == (0, 0, True)
    assert result["seconds"] < 60


def test_a_watcher_sees_what_was_held_refused_and_answered(played: tuple[Mapping[str, Any], str]) -> None:
    _, seen = played
    for words in (
        "one small machine is fine",
        "400.00 was agreed",
        "only 400.00 was agreed",
        "held for approval",
        "p4d.24xlarge",
        "placeholder",
        "no pool: ",
        "sent 400.00",
    ):
        assert words in seen, words
    assert "sent 400.01" not in seen
    assert "is approved" in seen


def test_the_table_is_readable(tmp_path: Path) -> None:
    done = subprocess.run(DEMO, cwd=tmp_path, capture_output=True, text=True, timeout=SECONDS_MAX)
    assert done.returncode == 0, done.stdout[-4000:] + done.stderr
    for words in (
        "tried",
        "would have cost",
        "let through",
        "in all",
        "over budget",
        "a person said yes",
        "verified: ",
    ):
        assert words in done.stdout, words
    assert max(map(len, done.stdout.splitlines())) <= 140
    assert done.stderr == ""
