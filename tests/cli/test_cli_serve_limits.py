"""`serve` takes the descriptors it may have: the connections of one box must not use up everybody's."""

from __future__ import annotations

import subprocess
import sys

import pytest

PROGRAM = """
import resource
from comptroller.cli.serve import allow_open_files
resource.setrlimit(resource.RLIMIT_NOFILE, ({soft}, {hard}))
allow_open_files()
print(*resource.getrlimit(resource.RLIMIT_NOFILE))
"""


@pytest.mark.parametrize(("soft", "hard", "after"), [(256, 2048, "2048 2048"), (512, 512, "512 512")])
def test_the_soft_limit_is_raised_to_the_hard_one(soft: int, hard: int, after: str) -> None:
    program = PROGRAM.format(soft=soft, hard=hard)
    done = subprocess.run([sys.executable, "-c", program], check=True, capture_output=True, text=True)
    assert done.stdout.strip() == after
