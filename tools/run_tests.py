"""Runs every test in four processes at once: one computes, the others mostly wait for boxes, servers and browsers.

What is printed is the output of each, one after the other; ends with 1 where a test failed. Arguments go to all.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
from contextlib import ExitStack
from pathlib import Path

TESTS = Path(__file__).resolve().parent.parent / "tests"
GROUPS = (
    frozenset(
        {"boundary", "core", "decode", "engine", "price", "stores"}
        | {"test_coverage.py", "test_docs.py", "test_docs_pages.py", "test_docs_services.py"}
    ),
    frozenset({"enforce", "server"}),
    frozenset({"bench", "console", "notify", "testing", "test_crash.py", "test_demo.py", "test_programs.py"}),
)
"""Folders and files of the first processes; whatever else lies in `tests` belongs to the last."""


def groups() -> list[list[str]]:
    """What each process runs: together everything in `tests`."""
    names = sorted(
        path.name
        for path in TESTS.iterdir()
        if (path.is_dir() and any(path.glob("**/test_*.py"))) or path.match("test_*.py")
    )
    rest = [name for name in names if not any(name in group for group in GROUPS)]
    chosen = [*([name for name in names if name in group] for group in GROUPS), rest]
    return [[f"tests/{name}" for name in group] for group in chosen]


def main() -> int:
    """Run all of them; what failed beside the others is tried once more alone, and said."""
    command = [sys.executable, "-m", "pytest", *sys.argv[1:]]
    with ExitStack() as stack:
        started = []
        for number, names in enumerate(groups()):
            said = stack.enter_context(tempfile.TemporaryFile())
            argv = [*command, "-o", f"cache_dir=.pytest_cache/{number}", *names]
            process = subprocess.Popen(argv, cwd=TESTS.parent, stdout=said, stderr=subprocess.STDOUT)
            started.append((process, said, argv))
        failed = []
        for process, said, argv in started:
            if process.wait():
                failed.append(argv)
            said.seek(0)
            sys.stdout.buffer.write(said.read())
            sys.stdout.flush()
    again = [subprocess.run([*argv, "--last-failed", "--last-failed-no-failures=none"], cwd=TESTS.parent, check=False)
             for argv in failed]  # fmt: skip
    if failed and not any(done.returncode for done in again):
        print("some tests failed beside the others and passed alone: they depend on time, look at them")
    return 1 if any(done.returncode for done in again) else 0


if __name__ == "__main__":
    sys.exit(main())
