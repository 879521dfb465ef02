"""Cancels, looks at and lists subscriptions, and reads the answers. One that is only paused would still be owed."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from urllib.parse import quote

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
    """Stripe's search by metadata; what was made within the last minute may not be in it yet."""
    account = place.resource.partition("/")[0] if place.resource.startswith("acct_") else ""
    named = [(f"metadata['{_quoted(key)}']", value) for key, value in sorted(tags.items())]
    wanted = [f"{one}:'{_quoted(value)}'" if value else f"-{one}:null" for one, value in named]
    query = quote(" AND ".join(wanted), safe="")
    action = _search(place, f"?query={query}&limit={PAGE}", account, agent, run) if wanted else None
    return (action,) if action is not None else ()


def _search(place: Made, query: str, account: str, agent: str, run: str) -> Action | None:
    connected = (("stripe-account", account),) if account else ()
    return ask(_CODEC.decode, place, "GET", f"{PATH}/search{query}", agent=agent, run=run, headers=connected)


def _quoted(text: str) -> str:
    return text.replace("\\", "\\\\").replace("'", "\\'")


def listed(
    action: Action, status: int, body: bytes, headers: Mapping[str, str]
) -> tuple[tuple[Seen, ...], Action | None] | None:
    """The subscriptions of a page that are not over, and the action that asks for the next."""
    try:
        answer = parse_object(body)
    except MalformedJson:
        return None
    rows = answer.get("data")
    if status != 200 or action.operation != "stripe:subscriptions:search" or not isinstance(rows, list):
        return None
    seen = tuple(_seen(action, rows))
    if answer.get("has_more") is not True:
        return seen, None
    token, place = answer.get("next_page"), subscription(action, "sub_0")
    if not isinstance(token, str) or not token or place is None:
        return None
    given = quote(str(action.parameters.get("query", "")), safe="")
    query = f"?query={given}&limit={PAGE}&page={quote(token, safe='')}"
    more = _search(place, query, place.resource.rpartition("/")[0], action.agent, action.run)
    return (seen, more) if more is not None else None


def _seen(action: Action, rows: list[object]) -> Iterator[Seen]:
    for row in rows:
        if not isinstance(row, Mapping):
            continue
        made = subscription(action, str(row.get("id", "")))
        tags = row.get("metadata")
        if made is not None and row.get("status") not in ENDED:
            told = tags if isinstance(tags, Mapping) else {}
            yield Seen(made=made, tags={str(key): str(value) for key, value in told.items()})
