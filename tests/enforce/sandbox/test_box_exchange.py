"""Mounts are made by name: what another box puts there in that moment must never be what this box gets."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from comptroller.core.errors import ComptrollerError
from comptroller.enforce.sandbox import Box, BoxSpec, view
from comptroller.enforce.sandbox.bwrap import Bind

AUTHORITY = "-----BEGIN CERTIFICATE-----\nours\n-----END CERTIFICATE-----\n"


@pytest.fixture
def root() -> Iterator[Path]:
    folder = Path(tempfile.mkdtemp(prefix="exchange-"))
    for name in ("work/sub/.git/hooks", "private/.git/hooks"):
        (folder / name).mkdir(parents=True)
    for name in ("work/sub/.git", "private/.git"):
        (folder / name / "HEAD").write_text("ref: refs/heads/main\n")
        for file in ("config", "commondir"):
            (folder / name / file).write_text(".\n")
    yield folder
    shutil.rmtree(folder)


@pytest.mark.parametrize("name", ["sub", "sub/.git/hooks", "sub/.git/config"])
def test_a_mount_of_something_else_ends_the_box_before_its_command(
    root: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    plan = view.plan
    target = root / "work" / name
    other = root / "private" / Path(name).relative_to("sub")

    def exchanged(spec: BoxSpec) -> view.View:
        # What bubblewrap sees where `target` is a link to `other` for as long as it looks.
        made = plan(spec)
        steps = tuple(
            replace(step, source=str(other)) if isinstance(step, Bind) and step.source == str(target) else step
            for step in made.steps
        )
        assert steps != made.steps
        return replace(made, steps=steps)

    command = ("/bin/sh", "-c", "echo ran > ran; echo evil > sub/evil")
    spec = BoxSpec(argv=command, workspace=root / "work", authority_pem=AUTHORITY)
    with Box.launch(spec) as box:
        box.release()
        assert box.wait() == 0
    (root / "work" / "ran").unlink()
    monkeypatch.setattr(view, "plan", exchanged)
    with Box.launch(spec) as box, pytest.raises(ComptrollerError, match="was exchanged while the box was made"):
        box.release()
    assert not (root / "work" / "ran").exists() and not (root / "private" / "evil").exists()
