"""Our tags at creation, for every codec: written into the action before it is judged, and guarded from then on."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from importlib import import_module
from typing import Protocol, cast

from comptroller.core.action import Action
from comptroller.decode.made import MODULES

PREFIX = "comptroller:"
AGENT, RUN, HOLDING_OF = f"{PREFIX}agent", f"{PREFIX}run", f"{PREFIX}holding-of"
"""Keys of our tags. Where a service takes fewer characters each codec spells them in its own way."""


class Tags(Protocol):
    """What the `tags` module of a codec has. Every function is total and pure."""

    def tagged(self, action: Action, tags: Mapping[str, str]) -> Action:
        """See `tagged`."""
        ...

    def touches_our_tags(self, action: Action) -> bool:
        """See `touches_our_tags`."""
        ...


@cache
def _of(family: str) -> Tags | None:
    name = MODULES.get(family, "").replace(".holdings", ".tags")
    return cast(Tags, import_module(name)) if name else None


def tagged(action: Action, tags: Mapping[str, str]) -> Action:
    """The action with our tags on what it makes, where its API takes tags at creation; else the action itself.

    A function of both alone; what the agent itself writes stays as it is."""
    module = _of(action.operation.partition(":")[0])
    return module.tagged(action, tags) if module is not None else action


def touches_our_tags(action: Action) -> bool:
    """Whether an agent's action, before `tagged`, writes, edits or removes a tag of ours."""
    module = _of(action.operation.partition(":")[0])
    return module is not None and module.touches_our_tags(action)
