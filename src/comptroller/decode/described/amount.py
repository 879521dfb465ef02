"""Amounts as services write them (`"10.00"`, `1000`, `12.5`), read strictly: what is not exactly one is refused."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Literal

from comptroller.core.action import Payment, Value
from comptroller.core.currency import decimals_of
from comptroller.decode.described.place import Fields, Place
from comptroller.decode.shape import Undecodable

AMOUNT_DIGITS_MAX = 18
PAYEES_SHOWN_MAX = 3
PAYEE_CHARACTERS_MAX = 255

_PLAIN = re.compile(r"(0|[1-9][0-9]{0,17})(?:\.([0-9]{1,18}))?")


@dataclass(frozen=True, slots=True, kw_only=True)
class Money:
    """Where the money of one operation stands. `decimals` are the service's own where they are not ISO 4217's."""

    amount: Place | None
    unit: Literal["minor", "major"]
    written: Literal["number", "text"] | None
    currency: Place | None
    payees: tuple[Place, ...]
    direction: Literal["out", "in", "reserve"]
    reversible: bool | None
    decimals: Mapping[str, int]

    @property
    def places(self) -> tuple[Place, ...]:
        """Every place that is read."""
        return tuple(place for place in (self.amount, self.currency, *self.payees) if place is not None)


def payment_of(money: Money, fields: Fields) -> Payment | None:
    """The payment of a request; None where it does not say how much. Raises `Undecodable` for an amount or a currency
    that is not written as described."""
    payee = _payee(money, fields)
    if money.amount is None or money.currency is None:
        return None
    written = _complete(money.amount, fields)
    if not written:
        return None
    codes = {_currency(value) for value in _complete(money.currency, fields)}
    if len(codes) > 1:
        return None
    currency = codes.pop() if codes else ""
    total = sum(minor_units(value, money, currency) for value in written)
    if total >= 10**AMOUNT_DIGITS_MAX:
        raise Undecodable(f"the amount has more than {AMOUNT_DIGITS_MAX} digits")
    if not currency and money.unit == "major":
        return None
    return Payment(
        amount_minor=total,
        currency=currency,
        payee=payee,
        direction=money.direction,
        reversible=money.reversible,
    )


def minor_units(value: Value, money: Money, currency: str) -> int:
    """An amount in ISO minor units. Raises `Undecodable`."""
    text = _text(value, money)
    match = _PLAIN.fullmatch(text)
    if match is None:
        raise Undecodable("the amount is not a plain, positive decimal number")
    number = Decimal(text)
    iso = decimals_of(currency)
    own = money.decimals.get(currency, iso)
    if money.unit == "minor":
        if match[2] is not None:
            raise Undecodable("the amount is not a whole number of minor units")
        scaled = number.scaleb(iso - own) if currency else number
    else:
        if number != number.quantize(Decimal(1).scaleb(-own)):
            raise Undecodable(f"the amount has more decimals than its currency `{currency.upper()}`")
        scaled = number.scaleb(iso)
    if scaled != scaled.to_integral_value() or scaled >= 10**AMOUNT_DIGITS_MAX:
        raise Undecodable("the amount is not a whole number of its currency's minor unit")
    return int(scaled)


def money_text(payment: Payment) -> str:
    """`400.00 USD`, `500 JPY`, `1.500 KWD`."""
    if not payment.currency:
        return f"{payment.amount_minor:,} minor units of a currency that is not stated"
    decimals = decimals_of(payment.currency)
    whole, part = divmod(payment.amount_minor, 10**decimals)
    return f"{whole:,}{f'.{part:0{decimals}d}' if decimals else ''} {payment.currency.upper()}"


def _text(value: Value, money: Money) -> str:
    assert money.amount is not None
    if isinstance(value, bool):
        raise Undecodable("the amount is true or false")
    if isinstance(value, int | Decimal):
        if money.written == "text":
            raise Undecodable("the amount is a number where text is expected")
        if isinstance(value, int):
            return str(value)
        exponent = value.as_tuple().exponent
        return format(value, "f") if isinstance(exponent, int) and exponent < 0 else "written with an exponent"
    if isinstance(value, str):
        wants_number = money.written == "number" or (money.written is None and money.unit == "minor")
        if wants_number and money.amount.kind == "json":
            raise Undecodable("the amount is text where a number is expected")
        return value
    raise Undecodable("the amount is neither a number nor text")


def _currency(value: Value) -> str:
    if not isinstance(value, str) or not re.fullmatch(r"[A-Za-z]{3}", value):
        raise Undecodable("the currency is not a code of three letters")
    return value.lower()


def _payee(money: Money, fields: Fields) -> str:
    """Everybody who is named: which one of several a service heeds is not for us to guess."""
    names: dict[str, None] = {}
    for place in money.payees:
        for value in fields.all(place):
            if value is None or value == "":
                continue
            if not isinstance(value, str | int) or isinstance(value, bool):
                raise Undecodable(f"the payee `{place.name}` is neither text nor a number")
            names[str(value)[:PAYEE_CHARACTERS_MAX]] = None
    shown = list(names)[:PAYEES_SHOWN_MAX]
    more = f" and {len(names) - PAYEES_SHOWN_MAX} others" if len(names) > PAYEES_SHOWN_MAX else ""
    return ", ".join(shown) + more


def _complete(place: Place, fields: Fields) -> tuple[Value, ...]:
    """Every value at `place`. Raises `Undecodable` where a member of a list lacks its own."""
    found = fields.all(place)
    if place.many:
        last = len(place.steps) - place.steps[::-1].index("*")
        members = fields.all(Place(kind="json", steps=place.steps[:last]))
        if len(found) != len(members) or any(value is None for value in found):
            raise Undecodable(f"not every member of the list has its `{place.name}`")
    return tuple(value for value in found if value is not None)
