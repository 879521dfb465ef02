"""Runs programs in real boxes for the tests: as whoever runs them, and, where that is root, as an ordinary user."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import textwrap
from dataclasses import dataclass
from pathlib import Path

RUNNER = Path(__file__).with_name("box_runner.py")
SOURCE = Path(__file__).resolve().parents[3] / "src"
ORDINARY_UID = 64321
PEOPLE = ("root", "ordinary") if os.getuid() == 0 else ("ordinary",)


@dataclass(frozen=True)
class Boxes:
    """`root` is a folder of the person's own; `workspace` lies in it."""

    person: str
    root: Path

    @property
    def workspace(self) -> Path:
        return self.root / "work"

    @property
    def python(self) -> str:
        return sys.executable if self.person == "root" or os.getuid() else "/usr/bin/python3"

    def start(self, argv: list[str], *, environment: dict[str, str] | None = None, **asked: object) -> subprocess.Popen:
        document = {"argv": argv, "workspace": str(self.workspace), **asked}
        other = os.getuid() == 0 and self.person == "ordinary"
        base = {
            "PATH": f"{Path(self.python).parent}:/usr/bin:/bin",
            "HOME": str(self.root / "home"),
            "PYTHONPATH": str(self.root / "src") if other else str(SOURCE),
            "PYTHONDONTWRITEBYTECODE": "1",
            "AWS_SECRET_ACCESS_KEY": "REAL-SECRET",
            "GITHUB_TOKEN": "REAL-SECRET",
        }
        runner = self.root / "box_runner.py" if other else RUNNER
        return subprocess.Popen(
            [self.python, str(runner), json.dumps(document)],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env={**base, **(environment or {})},
            cwd=self.root,
            **({"user": ORDINARY_UID, "group": ORDINARY_UID, "extra_groups": []} if other else {}),
        )

    def run(self, argv: list[str], **asked: object) -> subprocess.CompletedProcess[str]:
        with self.start(argv, **asked) as process:
            out, err = process.communicate(timeout=90)
        return subprocess.CompletedProcess(argv, process.returncode, out, err)

    def script(self, code: str, **asked: object) -> subprocess.CompletedProcess[str]:
        """Run Python code in a box."""
        return self.run([self.python, "-c", textwrap.dedent(code)], **asked)

    def shell(self, code: str, **asked: object) -> subprocess.CompletedProcess[str]:
        """Run bash code in a box."""
        return self.run(["bash", "-c", code], **asked)

    def give(self) -> None:
        """Make everything below `root` the person's."""
        if os.getuid() == 0 and self.person == "ordinary":
            for path in (self.root, *self.root.rglob("*")):
                os.chown(path, ORDINARY_UID, ORDINARY_UID, follow_symlinks=False)


def make(person: str, root: Path) -> Boxes:
    """A person with an empty workspace. `root` must be reachable for them."""
    boxes = Boxes(person, root)
    for name in ("work", "home"):
        (root / name).mkdir()
    if os.getuid() == 0 and person == "ordinary":
        ignored = shutil.ignore_patterns("__pycache__", "*.json.gz", "static", "decode", "price")
        shutil.copytree(SOURCE / "comptroller", root / "src" / "comptroller", ignore=ignored)
        shutil.copy(RUNNER, root)
    boxes.give()
    return boxes
