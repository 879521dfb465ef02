"""What is like an action that people are asked about: the pattern that its question carries along."""

from __future__ import annotations

from collections.abc import Mapping

from comptroller.core.action import Action
from comptroller.core.estimate import Estimate
from comptroller.core.pattern import pattern_json, proposed
from comptroller.decode.codec import Codec, Narrowable


def like_told(codec: Codec, action: Action, estimate: Estimate) -> Mapping[str, object] | None:
    """The pattern as JSON values; None where nothing can be called like it."""
    counts = frozenset[str]()
    if isinstance(codec, Narrowable):
        counts = frozenset(each.path for each in codec.narrowings(action) if each.counted)
    pattern = proposed(action, estimate, counts)
    return None if pattern is None else pattern_json(pattern)
