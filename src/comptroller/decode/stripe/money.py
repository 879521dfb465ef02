"""What a Stripe operation moves: amount in the currency's minor unit, currency, to whom, which way."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Literal

from comptroller.core.action import Payment, Value
from comptroller.core.currency import decimals_of
from comptroller.decode.shape import Undecodable

AMOUNT_DIGITS_MAX = 18

_INWARD = frozenset(
    {"charges", "payment_intents", "topups", "invoices", "transfers.reversals", "subscriptions", "terminal.readers"}
    | {"treasury.inbound_transfers", "treasury.debit_reversals", "payouts:reverse"}
    | {"v2.money_management.inbound_transfers"}
)
_SIGNED = frozenset({"stripe:customers.balance_transactions:create", "stripe:invoiceitems:create"})
"""Operations whose amount may be negative: a credit, which is money given away all the same."""
_REVERSIBLE = frozenset({"transfers", "charges", "payment_intents", "terminal.readers"})
_FINAL = frozenset(
    {"payouts", "refunds", "treasury.outbound_payments", "treasury.outbound_transfers"}
    | {"v2.money_management.outbound_payments", "v2.money_management.payout_intents"}
)
"""What Stripe can take back (a reversal, a refund), and what has left when it has left."""
_NUMBER = re.compile(r"-?[0-9]{1,18}")
_AMOUNTS = {
    "stripe:payment_intents:capture": "amount_to_capture",
    "stripe:terminal.readers:refund_payment": "amount",
}
_PAYEES = (
    "destination",
    "destination_payment_method",
    "customer",
    "charge",
    "payment_intent",
    "payment_method",
    "source",
)


def amount_member(operation: str) -> str:
    """The member that says how much."""
    return _AMOUNTS.get(operation, "amount")


def payment_of(operation: str, ids: tuple[str, ...], form: Mapping[str, Value]) -> Payment | None:
    """The payment of an operation of class `pay`; None where the request does not say how much. The currency is empty
    where it is that of an object the request only names. Raises `Undecodable` for an amount that is not a whole number.
    """
    written = form.get(amount_member(operation))
    currency: Value = form.get("currency", "")
    if written is None:
        return None
    if operation.startswith("stripe:v2."):
        if not isinstance(written, Mapping) or written.keys() != {"value", "currency"}:
            raise Undecodable("the amount is not a value and a currency")
        written, currency = written["value"], written["currency"]
        written = str(written) if type(written) is int else None
    if not isinstance(written, str) or not written.isascii() or not written.removeprefix("-").isdigit():
        raise Undecodable("the amount is not a whole number of minor units")
    if not _NUMBER.fullmatch(written):
        raise Undecodable(f"the amount has more than {AMOUNT_DIGITS_MAX} digits")
    if written.startswith("-") and operation not in _SIGNED:
        raise Undecodable("the amount is negative")
    if not isinstance(currency, str) or (
        currency and not (len(currency) == 3 and currency.isascii() and currency.isalpha())
    ):
        raise Undecodable("the currency is not a code of three letters")
    return Payment(
        amount_minor=abs(int(written)),
        currency=currency.lower(),
        payee=_payee(operation, ids, form),
        direction="out" if written.startswith("-") else _direction(operation, form),
        reversible=_reversible(operation),
    )


def money_text(amount_minor: int, currency: str) -> str:
    """(40000, `usd`) -> `400.00 USD`; (500, `jpy`) -> `500 JPY`; (1500, `kwd`) -> `1.500 KWD`."""
    if not currency:
        return f"{amount_minor} minor units"
    decimals = decimals_of(currency, "stripe")
    if decimals == 0:
        return f"{amount_minor:,} {currency.upper()}"
    whole, part = divmod(amount_minor, 10**decimals)
    return f"{whole:,}.{part:0{decimals}d} {currency.upper()}"


def _payee(operation: str, ids: tuple[str, ...], form: Mapping[str, Value]) -> str:
    to = form.get("to")
    if isinstance(to, Mapping):
        named = [to.get(name) for name in ("recipient", "payout_method", "financial_account")]
        return " ".join(text for text in named if isinstance(text, str))
    data = form.get("transfer_data")
    if isinstance(data, Mapping) and isinstance(destination := data.get("destination"), str):
        return destination
    for name in _PAYEES:
        value = form.get(name)
        if isinstance(value, str) and value:
            return value
    return ids[0] if ids else "the default account" if operation.startswith(("stripe:payouts", "stripe:topups")) else ""


def _reversible(operation: str) -> bool | None:
    resource = operation.removeprefix("stripe:").partition(":")[0]
    return True if resource in _REVERSIBLE else False if resource in _FINAL else None


def _direction(operation: str, form: Mapping[str, Value]) -> Literal["out", "in", "reserve"]:
    resource, _, verb = operation.removeprefix("stripe:").partition(":")
    if resource not in _INWARD and f"{resource}:{verb}" not in _INWARD:
        return "out"
    if operation == "stripe:terminal.readers:refund_payment":
        return "out"
    return "reserve" if form.get("capture_method") == "manual" or form.get("capture") == "false" else "in"
