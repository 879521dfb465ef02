"""Runs every test in two processes at once: those that compute, and those that mostly wait for boxes and servers.

What is printed is the output of each, one after the other; ends with 1 where a test failed. Arguments go to both.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
from pathlib import Path

TESTS = Path(__file__).resolve().parent.parent / "tests"
COMPUTING = frozenset(
    {"boundary", "core", "decode", "engine", "price", "stores"}
    | {"test_coverage.py", "test_docs.py", "test_docs_pages.py", "test_docs_services.py"}
)
"""Folders and files of the first process; whatever else lies in `tests` belongs to the second."""


def halves() -> tuple[list[str], list[str]]:
    """What the two processes run: together everything in `tests`."""
    names = sorted(
        path.name
        for path in TESTS.iterdir()
        if (path.is_dir() and any(path.glob("**/test_*.py"))) or path.match("test_*.py")
    )
    computing = [f"tests/{name}" for name in names if name in COMPUTING]
    return computing, [f"tests/{name}" for name in names if name not in COMPUTING]


def main() -> int:
    """Run both halves."""
    computing, waiting = halves()
    command = [sys.executable, "-m", "pytest", *sys.argv[1:]]
    with tempfile.TemporaryFile() as said:
        other = subprocess.Popen([*command, *computing], cwd=TESTS.parent, stdout=said, stderr=subprocess.STDOUT)
        first = subprocess.run([*command, *waiting], cwd=TESTS.parent, check=False).returncode
        second = other.wait()
        said.seek(0)
        sys.stdout.flush()
        sys.stdout.buffer.write(said.read())
        sys.stdout.flush()
    return 1 if first or second else 0


if __name__ == "__main__":
    sys.exit(main())
