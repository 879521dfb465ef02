"""Cancels, looks at and lists subscriptions, and reads the answers. One that is only paused would still be owed."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from comptroller.core.action import Action
from comptroller.core.made import Ended, Liveness, Made, Seen, Way
from comptroller.core.request import Header
from comptroller.decode.asked import ask
from comptroller.decode.jsontext import MalformedJson, parse_object
from comptroller.decode.stripe.codec import StripeCodec
from comptroller.decode.stripe.lasting import split, subscription

PAGE = 100
PATH = "/v1/subscriptions"
ENDED = frozenset({"canceled", "incomplete_expired"})

_CODEC = StripeCodec()
_METHODS = {Way.LOOK: "GET", Way.DELETE: "DELETE"}


def order(made: Made, way: Way, *, agent: str, run: str) -> Action | None:
    """Look, or cancel at once. Nothing stops a subscription so that it can be started again for free."""
    names, method = split(made), _METHODS.get(way)
    if names is None or method is None:
        return None
    connected = (("stripe-account", names[0]),) if names[0] else ()
    return ask(_CODEC.decode, made, method, f"{PATH}/{names[1]}", agent=agent, run=run, headers=connected)


def headers(action: Action) -> tuple[Header, ...]:
    """None: the action carries them."""
    return ()


def liveness(made: Made, status: int, body: bytes, headers: Mapping[str, str]) -> Liveness:
    """What the answer to a look says. Never raises."""
    names = split(made)
    try:
        answer = parse_object(body)
    except MalformedJson:
        return Liveness.UNKNOWN
    if names is None:
        return Liveness.UNKNOWN
    if status == 404:
        error = answer.get("error")
        missing = isinstance(error, Mapping) and error.get("code") == "resource_missing"
        return Liveness.GONE if missing else Liveness.UNKNOWN
    if status != 200 or answer.get("id") != names[1] or not isinstance(answer.get("status"), str):
        return Liveness.UNKNOWN
    return Liveness.GONE if answer["status"] in ENDED else Liveness.LIVE


def closes(action: Action) -> tuple[Ended, ...]:
    """A cancellation. What ends with its period (`cancel_at_period_end`) costs until then."""
    if action.operation != "stripe:subscriptions:cancel" or not action.resources:
        return ()
    made = subscription(action, action.resources[0])
    return (Ended(made=made, way=Way.DELETE),) if made is not None else ()


def listing(place: Made, tags: Mapping[str, str], *, agent: str, run: str) -> tuple[Action, ...]:
    """Every subscription that is not over: Stripe's search lags behind, its list does not. The caller picks by tag."""
    account = place.resource.partition("/")[0] if place.resource.startswith("acct_") else ""
    connected = (("stripe-account", account),) if account else ()
    action = ask(_CODEC.decode, place, "GET", f"{PATH}?limit={PAGE}", agent=agent, run=run, headers=connected)
    return (action,) if action is not None else ()


def listed(
    action: Action, status: int, body: bytes, headers: Mapping[str, str]
) -> tuple[tuple[Seen, ...], Action | None] | None:
    """The subscriptions of a page, and the action that asks for the next."""
    try:
        answer = parse_object(body)
    except MalformedJson:
        return None
    rows = answer.get("data")
    if status != 200 or action.operation != "stripe:subscriptions:list" or not isinstance(rows, list):
        return None
    seen = tuple(_seen(action, rows))
    if answer.get("has_more") is not True:
        return seen, None
    last = subscription(action, str(rows[-1].get("id", ""))) if rows and isinstance(rows[-1], Mapping) else None
    if last is None:
        return None
    account, identity = last.resource.rpartition("/")[::2]
    connected = (("stripe-account", account),) if account else ()
    target = f"{PATH}?limit={PAGE}&starting_after={identity}"
    return seen, ask(_CODEC.decode, last, "GET", target, agent=action.agent, run=action.run, headers=connected)


def _seen(action: Action, rows: list[object]) -> Iterator[Seen]:
    for row in rows:
        if not isinstance(row, Mapping):
            continue
        made = subscription(action, str(row.get("id", "")))
        tags = row.get("metadata")
        if made is not None and row.get("status") not in ENDED:
            told = tags if isinstance(tags, Mapping) else {}
            yield Seen(made=made, tags={str(key): str(value) for key, value in told.items()})
