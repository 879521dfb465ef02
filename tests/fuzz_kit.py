"""How often a fuzz test tries: a few times in `make test`, 100,000 times in `make nightly`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import settings


def fuzz(few: int, **others: Any) -> Callable[[Any], Any]:
    """Marks a test for `make nightly` and sets its number of examples: `few`, or the profile's where that is more."""

    def decorate(test: Any) -> Any:
        tries = settings(max_examples=max(few, settings.default.max_examples), deadline=None, **others)
        return pytest.mark.fuzz(tries(test))

    return decorate
