"""What a person may lower of a Stripe call: its amount."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from comptroller.core.action import Action, Uncanonical
from comptroller.core.leaves import TooManyLeaves, leaves
from comptroller.core.narrow import Narrowing, NarrowKind, NotNarrower, narrowed_parameters
from comptroller.core.pattern import whole_number
from comptroller.decode.shape import Undecodable
from comptroller.decode.stripe.money import amount_member, payment_of


def narrowings(action: Action) -> tuple[Narrowing, ...]:
    """The amount, where the action pays one. Total."""
    if action.payment is None or action.parts:
        return ()
    name = amount_member(action.operation)
    path = f"{name}.value" if action.operation.startswith("stripe:v2.") else name
    try:
        value = leaves(action.parameters).get(path)
    except (TooManyLeaves, Uncanonical):
        return ()
    number = whole_number(value)
    if number is None or number < 1:
        return ()
    return (Narrowing(path=path, kind=NarrowKind.AMOUNT, value=str(number)),)


def narrow(action: Action, changes: Mapping[str, str]) -> Action:
    """The call with its amount lowered. Raises `NotNarrower`."""
    parameters = narrowed_parameters(action.parameters, narrowings(action), changes)
    form = {name: value for name, value in parameters.items() if not name.startswith("@")}
    try:
        payment = payment_of(action.operation, action.resources, form)
    except Undecodable as error:
        raise NotNarrower(str(error)) from error
    return replace(action, parameters=parameters, payment=payment)
