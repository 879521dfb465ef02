"""What lives on after a call, for every codec: how to stop, delete and look at it, what ended it, what carries our tag.

Pure: it writes actions that a codec then encodes (`request_for` gives the request they stand in for) and reads answers.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cache
from importlib import import_module
from typing import Protocol, cast

from comptroller.core.action import Action
from comptroller.core.estimate import Outcome
from comptroller.core.made import Ended, Liveness, Made, Seen, Way
from comptroller.core.request import Header, Request
from comptroller.decode.answer import ANSWER_BYTES_MAX
from comptroller.decode.asked import request_at

FAMILIES: tuple[str, ...] = ("aws", "kubernetes", "gcp", "azure", "stripe")
MODULES: Mapping[str, str] = {family: f"comptroller.decode.{family}.holdings" for family in FAMILIES}
"""Family -> the module that knows its things; imported with the first one."""


class Holdings(Protocol):
    """What such a module has. Every function is total and pure."""

    def order(self, made: Made, way: Way, *, agent: str, run: str) -> Action | None:
        """See `order`."""
        ...

    def headers(self, action: Action) -> tuple[Header, ...]:
        """Headers a client of the service would send with this action, for `request_for`."""
        ...

    def liveness(self, made: Made, status: int, body: bytes, headers: Mapping[str, str]) -> Liveness:
        """See `liveness`."""
        ...

    def closes(self, action: Action) -> tuple[Ended, ...]:
        """What the action, done, stops or deletes."""
        ...

    def listing(self, place: Made, tags: Mapping[str, str], *, agent: str, run: str) -> tuple[Action, ...]:
        """See `listing`."""
        ...

    def listed(
        self, action: Action, status: int, body: bytes, headers: Mapping[str, str]
    ) -> tuple[tuple[Seen, ...], Action | None] | None:
        """See `listed`."""
        ...


@cache
def _of(family: str) -> Holdings | None:
    name = MODULES.get(family)
    return cast(Holdings, import_module(name)) if name is not None else None


def order(made: Made, way: Way, *, agent: str, run: str) -> Action | None:
    """The action that stops, deletes or looks at a thing; None where its kind has no such way.

    Where `STOP` is None and `DELETE` is not, deleting is the only way to end the cost."""
    module = _of(made.family)
    return module.order(made, way, agent=agent, run=run) if module is not None else None


def request_for(action: Action) -> Request:
    """The request that an action of our own stands in for: what `codec_for` and `encode` are given with it."""
    module = _of(action.operation.partition(":")[0])
    return request_at(
        action.endpoint,
        agent=action.agent,
        run=action.run,
        headers=module.headers(action) if module is not None else (),
    )


def liveness(made: Made, status: int, body: bytes, headers: Sequence[tuple[str, str]] = ()) -> Liveness:
    """What the answer to a `LOOK` says; `UNKNOWN` for whatever cannot be read for certain. Never raises.

    Some services name an error in a header alone: without `headers` their "no such thing" stays unknown."""
    module = _of(made.family)
    if module is None or len(body) > ANSWER_BYTES_MAX:
        return Liveness.UNKNOWN
    return module.liveness(made, status, body, _lower(headers))


def closes(action: Action, outcome: Outcome) -> tuple[Ended, ...]:
    """What an agent's own action was accepted to stop or delete; empty where the service refused it."""
    module = _of(action.operation.partition(":")[0])
    return module.closes(action) if module is not None and outcome.ok else ()


def listing(place: Made, tags: Mapping[str, str], *, agent: str, run: str) -> tuple[Action, ...]:
    """Actions that list what carries these tags (an empty value: any) where `place` is: its family, account, region
    and endpoint count, its resource does not. Empty where the service cannot be asked."""
    module = _of(place.family)
    return module.listing(place, tags, agent=agent, run=run) if module is not None else ()


def listed(
    action: Action, status: int, body: bytes, headers: Sequence[tuple[str, str]] = ()
) -> tuple[tuple[Seen, ...], Action | None] | None:
    """What the answer to a `listing` shows and, where there is more, the action that asks for it.

    None where the answer cannot be read: nobody may then conclude that something is missing."""
    module = _of(action.operation.partition(":")[0])
    if module is None or len(body) > ANSWER_BYTES_MAX:
        return None
    return module.listed(action, status, body, _lower(headers))


def _lower(headers: Sequence[tuple[str, str]]) -> dict[str, str]:
    return {name.lower(): value for name, value in headers}
