"""The shape every bench prints, and that a bench runs as it is told to."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
SCRIPT = """
import sys
from bench.report import Result, emit
emit([Result(name="a", value=2.5, unit="us", peer="other", peer_value=10.0), Result(name="b", value=1, unit="count")],
     sys.argv[1] == "json")
"""


def printed(script: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run Python in the repository's root, where `bench` lies."""
    return subprocess.run([sys.executable, "-c", script, *arguments], cwd=ROOT, capture_output=True, text=True)


def test_json_has_the_stable_members() -> None:
    document = json.loads(printed(SCRIPT, "json").stdout)
    assert document["results"] == [
        {"name": "a", "value": 2.5, "unit": "us", "peer": "other", "peer_value": 10.0, "ratio": 0.25},
        {"name": "b", "value": 1, "unit": "count", "peer": None, "peer_value": None, "ratio": None},
    ]
    assert {"cpus", "python", "system", "comptroller"} <= set(document["machine"])


def test_the_table_names_value_peer_and_ratio() -> None:
    lines = printed(SCRIPT, "table").stdout.splitlines()
    assert lines[0].split() == ["a", "2.5", "us", "0.25x", "of", "other", "(10.0", "us)"]
    assert lines[1].split() == ["b", "1", "count"]


def test_a_name_may_not_appear_twice() -> None:
    script = 'from bench.report import Result, emit\nemit([Result(name="a", value=1, unit="x")] * 2, True)'
    result = printed(script)
    assert result.returncode != 0
    assert "appears twice" in result.stderr


def test_the_decide_benchs_own_policies_are_sound_and_cut_to_31() -> None:
    script = (
        "from bench.decide import *\n"
        "loaded = load(100)\n"
        "boundary = CedarBoundary(loaded, {AGENT.name: AGENT}, classes_of=classes_of)\n"
        "for action, outcome in actions():\n"
        "    assert case_of(action, boundary)() is outcome\n"
        "assert len(boundary.slice_for(action).rules) == 31\n"
    )
    result = printed(script)
    assert (result.returncode, result.stderr) == (0, "")
