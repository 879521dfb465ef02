"""Actions as a decoder would make them, for tests of prices."""

from __future__ import annotations

from collections.abc import Mapping

from comptroller import price
from comptroller.core.action import Action, ActionClass, Call
from comptroller.core.estimate import Bound, Unit
from comptroller.price import SHIPPED, PriceBook

US_EAST = "us-east-1"


def action(
    operation: str,
    parameters: Mapping[str, object] | None = None,
    *classes: ActionClass,
    quantity: int = 1,
    region: str = US_EAST,
    account: str = "",
    payload_bytes: int = 0,
    parts: tuple[Action, ...] = (),
) -> Action:
    return Action(
        operation=operation,
        service=operation.rpartition(":")[0],
        classes=frozenset(classes or (ActionClass.PROVISION,)),
        endpoint="h",
        agent="a",
        run="r",
        region=region,
        account=account,
        parameters=parameters or {},
        quantity=quantity,
        call=Call(payload_bytes=payload_bytes),
        parts=parts,
    )


def machines(kind: str, count: int = 1, region: str = US_EAST, **more: object) -> Action:
    parameters = {"InstanceType": kind, "MinCount": count, "MaxCount": count, **more}
    return action("aws:ec2:RunInstances", parameters, quantity=count, region=region)


def hourly(found: Action, book: PriceBook = SHIPPED) -> tuple[float, float | None]:
    """(low, high) in dollars an hour."""
    return _dollars(price.estimate(found, book).bounds[Unit.USD_MICROS_PER_HOUR])


def once(found: Action, book: PriceBook = SHIPPED) -> tuple[float, float | None]:
    """(low, high) in dollars at once."""
    return _dollars(price.estimate(found, book).bounds[Unit.USD_MICROS])


def _dollars(bound: Bound) -> tuple[float, float | None]:
    return bound.low / 1e6, None if bound.high is None else bound.high / 1e6
