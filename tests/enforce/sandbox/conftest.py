"""A person with a workspace, once as whoever runs the tests and once as an ordinary user."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from boxes import PEOPLE, Boxes, make


@pytest.fixture(params=PEOPLE)
def boxes(request: pytest.FixtureRequest) -> Iterator[Boxes]:
    # Not `tmp_path`: its parents are closed to everyone but the owner.
    root = Path(tempfile.mkdtemp(prefix="box-"))
    root.chmod(0o755)
    yield make(request.param, root)
    shutil.rmtree(root)


@pytest.fixture
def ordinary() -> Iterator[Boxes]:
    """Only the ordinary user."""
    root = Path(tempfile.mkdtemp(prefix="box-"))
    root.chmod(0o755)
    yield make("ordinary", root)
    shutil.rmtree(root)
