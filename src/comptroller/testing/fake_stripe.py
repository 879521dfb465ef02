"""A stateful fake of Stripe's v1 money movers, form-encoded, with idempotency keys; it counts the money that moved."""

from __future__ import annotations

import base64
import itertools
import json
import re
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Self
from urllib.parse import parse_qsl

from comptroller.testing.loopback import HttpAnswer, HttpRequest, HttpServer

OPENING_BALANCE_MINOR = 1_000_000_00
LIST_LIMIT_DEFAULT = 10
LIST_LIMIT_MAX = 100
CREATED_AT = 1_790_000_000

Record = dict[str, object]
Form = Mapping[str, str]


class _Failure(Exception):
    """An error as Stripe words it."""

    def __init__(self, status: int, message: str, **more: str) -> None:
        super().__init__(message)
        self.status = status
        self.error = {"type": "invalid_request_error", "message": message, **more}


@dataclass(slots=True)
class Ledger:
    """What really happened, in minor units by currency. `out` left the account: transfers, payouts and refunds."""

    into: dict[str, int] = field(default_factory=dict)
    out: dict[str, int] = field(default_factory=dict)
    balance: dict[str, int] = field(default_factory=dict)

    def receive(self, currency: str, amount: int) -> None:
        """Money in."""
        self.into[currency] = self.into.get(currency, 0) + amount
        self.balance[currency] = self.balance.get(currency, 0) + amount

    def send(self, currency: str, amount: int) -> None:
        """Money out; fails like Stripe where the balance does not cover it."""
        if self.balance.get(currency, 0) < amount:
            raise _Failure(400, "You have insufficient funds in your Stripe account.", code="balance_insufficient")
        self.balance[currency] -= amount
        self.out[currency] = self.out.get(currency, 0) + amount

    def take_back(self, currency: str, amount: int) -> None:
        """Undo money out."""
        self.balance[currency] = self.balance.get(currency, 0) + amount
        self.out[currency] -= amount


class FakeStripe:
    """Payment intents, charges, refunds, transfers, payouts, subscriptions and the balance at `url`, for `api_key`.

    `requests` counts every request that reached it, refused ones included.
    """

    def __init__(self, *, api_key: str, port: int = 0, balance_usd_minor: int = OPENING_BALANCE_MINOR) -> None:
        self._api_key = api_key
        self._lock = threading.Lock()
        self._counter = itertools.count(1)
        self._records: dict[str, dict[str, Record]] = {kind: {} for kind in _CREATE}
        self._answers: dict[str, tuple[tuple[str, str, bytes], HttpAnswer]] = {}
        self.ledger = Ledger(balance={"usd": balance_usd_minor})
        self.requests = 0
        self._http = HttpServer(self._answer, port=port)
        self.url = self._http.url

    def records(self, kind: str) -> tuple[Record, ...]:
        """Every object of one kind (`transfers`, `payment_intents`, …), oldest first."""
        with self._lock:
            return tuple(dict(record) for record in self._records[kind].values())

    def moved_out_minor(self, currency: str = "usd") -> int:
        """What left the account, in minor units."""
        with self._lock:
            return self.ledger.out.get(currency, 0)

    def close(self) -> None:
        """Stop serving."""
        self._http.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    # ------------------------------------------------------------ one request

    def _answer(self, request: HttpRequest) -> HttpAnswer:
        with self._lock:
            self.requests += 1
            try:
                self._authenticate(request)
                return self._once(request)
            except _Failure as failure:
                return _json(failure.status, {"error": failure.error})

    def _authenticate(self, request: HttpRequest) -> None:
        scheme, _, value = request.headers.get("authorization", "").partition(" ")
        if scheme.lower() == "basic":
            value = base64.b64decode(value).decode().removesuffix(":")
        if value != self._api_key:
            raise _Failure(401, "Invalid API Key provided.")

    def _once(self, request: HttpRequest) -> HttpAnswer:
        """Answer; a POST with a known idempotency key is answered from memory, as Stripe does."""
        key = request.headers.get("idempotency-key", "") if request.method == "POST" else ""
        identity = (request.method, request.path, request.body)
        if key in self._answers:
            seen, answer = self._answers[key]
            if seen != identity:
                raise _Failure(
                    400,
                    "Keys for idempotent requests can only be used with the same parameters they were first used with.",
                    type="idempotency_error",
                )
            return HttpAnswer(status=answer.status, headers={"idempotent-replayed": "true"}, body=answer.body)
        try:
            answer = _json(200, self._route(request))
        except _Failure as failure:
            answer = _json(failure.status, {"error": failure.error})
        if key:
            self._answers[key] = (identity, answer)
        return answer

    def _route(self, request: HttpRequest) -> Record:
        form = dict(parse_qsl(request.body.decode(), keep_blank_values=True))
        if request.path == "/v1/balance" and request.method == "GET":
            return self._balance()
        match = re.fullmatch(r"/v1/([a-z_]+)(?:/([A-Za-z0-9_]+)(?:/([a-z]+))?)?", request.path)
        kind, identifier, verb = match.groups() if match else ("", None, None)
        if kind in _CREATE:
            if request.method == "GET" and identifier is None:
                return self._list(kind, request.query)
            if request.method == "GET" and kind == "subscriptions" and identifier == "search":
                return self._search(kind, request.query)
            if request.method == "GET" and verb is None:
                return self._find(kind, str(identifier))
            if request.method == "POST" and identifier is None:
                return _CREATE[kind](self, form)
            if request.method == "DELETE" and kind == "subscriptions" and verb is None:
                return self._cancel_subscription(self._find(kind, str(identifier)))
            if request.method == "POST" and (kind, verb) in _CHANGE:
                return _CHANGE[kind, str(verb)](self, self._find(kind, str(identifier)), form)
        raise _Failure(404, f"Unrecognized request URL ({request.method}: {request.path}).")

    # ------------------------------------------------------------ reading

    def _balance(self) -> Record:
        amounts = [{"amount": amount, "currency": currency} for currency, amount in self.ledger.balance.items()]
        return {"object": "balance", "available": amounts, "pending": [], "livemode": False}

    def _list(self, kind: str, query: Form) -> Record:
        limit = min(int(query.get("limit", LIST_LIMIT_DEFAULT)), LIST_LIMIT_MAX)
        newest = list(reversed(self._records[kind].values()))
        after = query.get("starting_after")
        start = next((n + 1 for n, record in enumerate(newest) if record["id"] == after), 0) if after else 0
        page = newest[start : start + limit]
        return {"object": "list", "url": f"/v1/{kind}", "has_more": start + limit < len(newest), "data": page}

    def _search(self, kind: str, query: Form) -> Record:
        """By metadata alone: `metadata['key']:'value'`, joined by AND."""
        wanted = re.findall(r"metadata\['([^']+)'\]:'([^']*)'", query.get("query", ""))
        if not wanted:
            raise _Failure(400, "We were unable to parse your search query.", param="query")
        rows = [row for row in self._records[kind].values() if dict(wanted).items() <= _metadata(row).items()]
        return {"object": "search_result", "url": f"/v1/{kind}/search", "has_more": False, "data": rows}

    def _find(self, kind: str, identifier: str) -> Record:
        record = self._records[kind].get(identifier)
        if record is None:
            raise _Failure(404, f"No such {kind.removesuffix('s')}: '{identifier}'", code="resource_missing")
        return record

    def _make(self, kind: str, prefix: str, form: Form, **fields: object) -> Record:
        identifier = f"{prefix}_fake{next(self._counter):08d}"
        record: Record = {
            "id": identifier,
            "object": kind.removesuffix("s"),
            "created": CREATED_AT,
            "livemode": False,
            "metadata": {name[9:-1]: value for name, value in form.items() if name.startswith("metadata[")},
            "description": form.get("description"),
            **fields,
        }
        self._records[kind][identifier] = record
        return record

    # ------------------------------------------------------------ money in

    def _create_payment_intent(self, form: Form) -> Record:
        intent = self._make(
            "payment_intents",
            "pi",
            form,
            amount=_amount(form),
            currency=_needed(form, "currency"),
            capture_method=form.get("capture_method", "automatic"),
            payment_method=form.get("payment_method"),
            status="requires_confirmation" if form.get("payment_method") else "requires_payment_method",
            latest_charge=None,
            amount_received=0,
        )
        return self._confirm(intent, form) if form.get("confirm") == "true" else intent

    def _confirm(self, intent: Record, form: Form) -> Record:
        intent["payment_method"] = form.get("payment_method", intent["payment_method"])
        _expect(intent, "requires_confirmation", "requires_payment_method")
        if not intent["payment_method"]:
            raise _Failure(400, "You must provide a payment method to confirm.", param="payment_method")
        if intent["capture_method"] == "manual":
            intent["status"] = "requires_capture"
            return intent
        return self._capture(intent, form)

    def _capture(self, intent: Record, form: Form) -> Record:
        if intent["status"] not in ("requires_capture", "requires_confirmation", "requires_payment_method"):
            raise _Failure(400, f"This PaymentIntent has status {intent['status']}.", code="unexpected_state")
        amount = int(form.get("amount_to_capture", str(intent["amount"])))
        charge = self._charge(form, amount=amount, currency=str(intent["currency"]), intent=str(intent["id"]))
        intent.update(status="succeeded", latest_charge=charge["id"], amount_received=amount)
        return intent

    def _cancel_intent(self, intent: Record, form: Form) -> Record:
        _expect(intent, "requires_payment_method", "requires_confirmation", "requires_capture")
        intent["status"] = "canceled"
        return intent

    def _create_charge(self, form: Form) -> Record:
        if not form.get("source") and not form.get("customer"):
            raise _Failure(400, "Must provide source or customer.")
        return self._charge(form, amount=_amount(form), currency=_needed(form, "currency"), intent=None)

    def _charge(self, form: Form, *, amount: int, currency: str, intent: str | None) -> Record:
        self.ledger.receive(currency, amount)
        return self._make(
            "charges",
            "ch",
            form,
            amount=amount,
            currency=currency,
            payment_intent=intent,
            amount_refunded=0,
            refunded=False,
            captured=True,
            paid=True,
            status="succeeded",
        )

    def _create_subscription(self, form: Form) -> Record:
        return self._make(
            "subscriptions", "sub", form, customer=_needed(form, "customer"), status="active", canceled_at=None
        )

    def _cancel_subscription(self, subscription: Record) -> Record:
        if subscription["status"] == "canceled":
            raise _Failure(404, f"No such subscription: '{subscription['id']}'", code="resource_missing")
        subscription.update(status="canceled", canceled_at=CREATED_AT)
        return subscription

    # ------------------------------------------------------------ money out

    def _create_refund(self, form: Form) -> Record:
        charge_id = form.get("charge")
        if charge_id is None:
            charge_id = str(self._find("payment_intents", _needed(form, "payment_intent"))["latest_charge"])
        charge = self._find("charges", charge_id)
        whole, refunded = _int(charge["amount"]), _int(charge["amount_refunded"])
        amount = _amount(form) if "amount" in form else whole - refunded
        if amount <= 0 or amount > whole - refunded:
            raise _Failure(
                400, f"Refund amount ({amount}) is greater than unrefunded amount on charge.", param="amount"
            )
        currency = str(charge["currency"])
        self.ledger.send(currency, amount)
        charge.update(amount_refunded=refunded + amount, refunded=refunded + amount == whole)
        return self._make("refunds", "re", form, amount=amount, currency=currency, charge=charge_id, status="succeeded")

    def _create_transfer(self, form: Form) -> Record:
        amount, currency = _amount(form), _needed(form, "currency")
        destination = _needed(form, "destination")
        self.ledger.send(currency, amount)
        return self._make(
            "transfers",
            "tr",
            form,
            amount=amount,
            currency=currency,
            destination=destination,
            amount_reversed=0,
            reversed=False,
        )

    def _reverse(self, transfer: Record, form: Form) -> Record:
        whole, back = _int(transfer["amount"]), _int(transfer["amount_reversed"])
        amount = _amount(form) if "amount" in form else whole - back
        if amount <= 0 or amount > whole - back:
            raise _Failure(400, f"Reversal amount ({amount}) is greater than the unreversed amount.", param="amount")
        self.ledger.take_back(str(transfer["currency"]), amount)
        transfer.update(amount_reversed=back + amount, reversed=back + amount == whole)
        return {
            "id": f"trr_fake{next(self._counter):08d}",
            "object": "transfer_reversal",
            "amount": amount,
            "currency": transfer["currency"],
            "transfer": transfer["id"],
        }

    def _create_payout(self, form: Form) -> Record:
        amount, currency = _amount(form), _needed(form, "currency")
        self.ledger.send(currency, amount)
        return self._make(
            "payouts",
            "po",
            form,
            amount=amount,
            currency=currency,
            method=form.get("method", "standard"),
            destination=form.get("destination", "ba_fake"),
            status="pending",
        )

    def _cancel_payout(self, payout: Record, form: Form) -> Record:
        _expect(payout, "pending")
        self.ledger.take_back(str(payout["currency"]), _int(payout["amount"]))
        payout["status"] = "canceled"
        return payout


_CREATE: Mapping[str, Callable[[FakeStripe, Form], Record]] = {
    "payment_intents": FakeStripe._create_payment_intent,
    "charges": FakeStripe._create_charge,
    "refunds": FakeStripe._create_refund,
    "transfers": FakeStripe._create_transfer,
    "payouts": FakeStripe._create_payout,
    "subscriptions": FakeStripe._create_subscription,
}
_CHANGE: Mapping[tuple[str, str], Callable[[FakeStripe, Record, Form], Record]] = {
    ("payment_intents", "confirm"): FakeStripe._confirm,
    ("payment_intents", "capture"): FakeStripe._capture,
    ("payment_intents", "cancel"): FakeStripe._cancel_intent,
    ("transfers", "reversals"): FakeStripe._reverse,
    ("payouts", "cancel"): FakeStripe._cancel_payout,
}


def _json(status: int, document: Record) -> HttpAnswer:
    body = json.dumps(document).encode()
    return HttpAnswer(status=status, headers={"request-id": "req_fake", "stripe-version": "fake"}, body=body)


def _metadata(record: Record) -> Record:
    metadata = record["metadata"]
    assert isinstance(metadata, dict)
    return metadata


def _needed(form: Form, name: str) -> str:
    if not form.get(name):
        raise _Failure(400, f"Missing required param: {name}.", code="parameter_missing", param=name)
    return form[name]


def _amount(form: Form) -> int:
    text = _needed(form, "amount")
    if not re.fullmatch(r"[0-9]{1,8}", text) or int(text) == 0:
        raise _Failure(400, f"Invalid integer: {text}", code="parameter_invalid_integer", param="amount")
    return int(text)


def _expect(record: Record, *states: str) -> None:
    if record["status"] not in states:
        raise _Failure(400, f"This {record['object']} has status {record['status']}.", code="unexpected_state")


def _int(value: object) -> int:
    assert isinstance(value, int)
    return value
