"""Every store passes the public conformance suite, and none is left out of it."""

from __future__ import annotations

import pkgutil
from importlib import import_module
from pathlib import Path

import pytest

import comptroller.stores
from comptroller.testing.store_conformance import CHECKS, STORES, Check


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__)
@pytest.mark.parametrize("name", STORES)
async def test_store_passes(name: str, check: Check, tmp_path: Path) -> None:
    await check(STORES[name](tmp_path))


def test_every_store_is_in_the_registry() -> None:
    found = set()
    for module in pkgutil.iter_modules(comptroller.stores.__path__):
        loaded = import_module(f"comptroller.stores.{module.name}")
        if any(
            isinstance(value, type) and value.__module__ == loaded.__name__ and hasattr(value, "commit")
            for value in vars(loaded).values()
        ):
            found.add(module.name)
    assert found == set(STORES)
