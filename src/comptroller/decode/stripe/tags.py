"""Our tags as metadata of a subscription."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from comptroller.core.action import Action, ActionClass
from comptroller.decode.stripe.lasting import MAKERS

PREFIX = "comptroller:"
KEYS_MAX, KEY_CHARACTERS_MAX, VALUE_CHARACTERS_MAX = 50, 40, 500
"""Source: Stripe's documentation of metadata."""


def tagged(action: Action, tags: Mapping[str, str]) -> Action:
    """The action with our tags, where it makes a subscription and they fit."""
    if action.operation not in MAKERS:
        return action
    given = action.parameters.get("metadata")
    if given is not None and not isinstance(given, Mapping):
        return action
    before = dict(given or {})
    merged = {**before, **{key: value for key, value in sorted(tags.items()) if key not in before}}
    fits = all(len(key) <= KEY_CHARACTERS_MAX and len(value) <= VALUE_CHARACTERS_MAX for key, value in tags.items())
    if not fits or len(merged) > KEYS_MAX:
        return action
    return replace(action, parameters={**action.parameters, "metadata": merged})


def touches_our_tags(action: Action) -> bool:
    """Whether the action sets or clears metadata of ours; an empty `metadata` clears it all."""
    if action.classes <= {ActionClass.READ, ActionClass.REVEAL}:
        return False
    given = action.parameters.get("metadata")
    if isinstance(given, Mapping):
        return any(str(key).lower().startswith(PREFIX) for key in given)
    return given is not None
