"""Which objects of Stripe cost while they live: subscriptions, by their id and the connected account they are in."""

from __future__ import annotations

import re
from collections.abc import Mapping

from comptroller.core.action import Action, Value
from comptroller.core.made import Made

SUBSCRIPTION = "stripe:subscription"
MAKERS = frozenset({"stripe:subscriptions:create"})
CONNECTED = ("stripe-account", "stripe-context")

_ID = re.compile(r"sub_[A-Za-z0-9_]{1,200}")
_ACCOUNT = re.compile(r"acct_[A-Za-z0-9]{1,64}")


def lasting(action: Action, answer: Mapping[str, Value]) -> tuple[Made, ...]:
    """The subscription that was made."""
    identity = answer.get("id")
    if action.operation not in MAKERS or answer.get("object") != "subscription" or not isinstance(identity, str):
        return ()
    found = subscription(action, identity)
    return (found,) if found is not None else ()


def subscription(action: Action, identity: str) -> Made | None:
    """A subscription where an action went: `acct_1/sub_1` in a connected account, else `sub_1`."""
    if not _ID.fullmatch(identity):
        return None
    headers = action.parameters.get("@headers")
    told = headers if isinstance(headers, Mapping) else {}
    connected = next((str(told[name]) for name in CONNECTED if told.get(name)), "")
    if connected and not _ACCOUNT.fullmatch(connected):
        return None  # a context of organizations: which account it is, nobody can say
    return Made(
        kind=SUBSCRIPTION,
        resource=f"{connected}/{identity}" if connected else identity,
        account=action.account,
        region="",
        endpoint=action.endpoint,
    )


def split(made: Made) -> tuple[str, str] | None:
    """(connected account or empty, id) of a subscription; None where it is none."""
    account, _, identity = made.resource.rpartition("/")
    plain = _ID.fullmatch(identity) and (not account or _ACCOUNT.fullmatch(account))
    return (account, identity) if made.kind == SUBSCRIPTION and plain else None
