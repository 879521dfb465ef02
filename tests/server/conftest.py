"""Fixtures of the server's tests."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
from server_kit import Place, configured, make_place, open_place


@pytest.fixture
def short_folder() -> Iterator[Path]:
    """A folder whose path leaves room for a socket's name."""
    folder = Path(tempfile.mkdtemp(prefix="cs-"))
    yield folder
    shutil.rmtree(folder)


@pytest.fixture
async def place(short_folder: Path) -> AsyncIterator[Place]:
    """A running installation with one agent, 100 dollars and 10,000 calls."""
    made = make_place(short_folder, configured())
    await open_place(made)
    yield made
    await made.house.close()
