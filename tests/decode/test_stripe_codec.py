"""Stripe: real SDK traffic decodes right, forms have one reading, money and classes are what they are."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
import stripe
from bench.stripe_wire import measure
from hypothesis import given, settings
from wire_kit import DENIED, MESSAGE, again, from_http, request

from comptroller import price
from comptroller.core.action import Action, ActionClass, digest
from comptroller.core.estimate import Unit
from comptroller.core.request import Request
from comptroller.decode.stripe import StripeCodec
from comptroller.decode.stripe.form import MalformedForm, dump_form, parse_form
from comptroller.decode.stripe.money import money_text
from comptroller.decode.stripe.operations import operations
from comptroller.testing.strategies import forms

CODEC = StripeCodec()
HOST = "api.stripe.com"
PAYMENTS = "/v2/money_management/outbound_payments"


class Wire(stripe.HTTPClient):
    """Carries what the real SDK sends through the codec, and answers what it is told."""

    name = "wire"

    def __init__(self, status: int = 200, answer: dict[str, object] | None = None) -> None:
        super().__init__()
        self.seen: list[tuple[Request, Action]] = []
        self.status, self.answer = status, answer or {"id": "tr_1", "object": "transfer"}
        self.refuse = False

    def request(self, method: str, url: str, headers: object, post_data: object = None, **_: object) -> object:
        body = post_data.encode() if isinstance(post_data, str) else post_data or b""
        asked = from_http(method, url, headers, body, host=HOST)  # type: ignore[arg-type]
        action = CODEC.decode(asked)
        self.seen.append((asked, action))
        if self.refuse:
            answer = CODEC.refuse(action, asked, DENIED, MESSAGE)
            return answer.body.decode(), answer.status, {h.name: h.value for h in answer.headers}
        return json.dumps(self.answer), self.status, {}

    def close(self) -> None:
        """Nothing is open."""


def sdk(wire: Wire) -> stripe.StripeClient:
    return stripe.StripeClient("sk_test_placeholder", http_client=wire, max_network_retries=2)


def test_a_real_transfer() -> None:
    wire = Wire()
    sdk(wire).v1.transfers.create(
        {"amount": 40000, "currency": "usd", "destination": "acct_123", "metadata": {"for": "café & co"}}
    )
    [(asked, action)] = wire.seen
    assert action.operation == "stripe:transfers:create"
    assert action.classes == {ActionClass.PAY}
    assert action.parameters["amount"] == "40000" and action.parameters["metadata"] == {"for": "café & co"}
    assert action.payment is not None
    assert (action.payment.amount_minor, action.payment.currency, action.payment.payee) == (40000, "usd", "acct_123")
    assert CODEC.sentence(action) == "transfer 400.00 USD to acct_123"
    assert action.call.idempotency["Idempotency-Key"] == action.call.retry_token.removeprefix("Idempotency-Key=")
    sent = CODEC.encode(action, asked)
    assert parse_form(sent.body) == parse_form(asked.body) and sent.family == "stripe"
    assert "authorization" not in {h.name for h in sent.headers}
    assert digest(CODEC.decode(again(sent, asked))) == digest(action)
    assert price.estimate(action).high(Unit.USD_MICROS) == 400_000_000


def test_a_yes_for_400_does_not_fit_401_cents_more_and_ignores_the_key() -> None:
    wire = Wire()
    client = sdk(wire)
    for amount in (40000, 40001, 40000):
        client.v1.transfers.create({"amount": amount, "currency": "usd", "destination": "acct_123"})
    first, other, same = (digest(action) for _, action in wire.seen)
    assert first != other and first == same
    assert len({action.call.retry_token for _, action in wire.seen}) == 3


def test_real_reads_connect_and_nested_members() -> None:
    wire = Wire(answer={"object": "list", "data": [], "url": "/v1/transfers", "has_more": False})
    client = sdk(wire)
    client.v1.transfers.list({"limit": 3, "created": {"gt": 5}})
    client.v1.balance.retrieve()
    client.v1.customers.retrieve("cus_1")
    client.v1.checkout.sessions.create(
        {"line_items": [{"price": "p", "quantity": 1}], "expand": ["a", "b"]}, {"stripe_account": "acct_9"}
    )
    client.v1.refunds.create({"payment_intent": "pi_1", "amount": 100})
    client.v1.payment_intents.confirm("pi_1")
    client.v1.transfers.reversals.create("tr_9", {"amount": 7})
    client.v1.subscriptions.cancel("sub_1")
    got = [(a.operation, sorted(a.classes), a.reason) for _, a in wire.seen]
    assert got == [
        ("stripe:transfers:list", ["read"], ""),
        ("stripe:balance:retrieve", ["read"], ""),
        ("stripe:customers:retrieve", ["read"], ""),
        ("stripe:checkout.sessions:create", ["write"], ""),
        ("stripe:refunds:create", ["pay"], ""),
        ("stripe:payment_intents:confirm", ["pay"], ""),
        ("stripe:transfers.reversals:create", ["pay"], ""),
        ("stripe:subscriptions:cancel", ["destroy"], ""),
    ]
    for asked, action in wire.seen:
        assert digest(CODEC.decode(again(CODEC.encode(action, asked), asked))) == digest(action)
    assert wire.seen[3][1].account == "acct_9"
    assert price.estimate(wire.seen[4][1]).unknown(Unit.USD_MICROS), "the currency of a refund is not in the request"
    assert price.estimate(wire.seen[5][1]).unknown(Unit.USD_MICROS)


def test_the_sdk_raises_permission_error_and_does_not_retry() -> None:
    wire = Wire()
    wire.refuse = True
    with pytest.raises(stripe.PermissionError, match="no rule permits this") as caught:
        sdk(wire).v1.transfers.create({"amount": 1, "currency": "usd", "destination": "acct_1"})
    assert caught.value.error.code == "comptroller_denied"
    assert len(wire.seen) == 1


@pytest.mark.parametrize(
    ("asked", "why"),
    [
        (request(HOST, "POST", "/v1/transfers", "amount=1&amount=2&currency=usd"), "twice"),
        (request(HOST, "POST", "/v1/transfers?amount=9", "amount=1"), "two carriers"),
        (request(HOST, "POST", "/v1/transfers", b"amount=1"), "Content-Type"),
        (request(HOST, "POST", "/v1/transfers", {"amount": 1}), "Content-Type"),
        (request(HOST, "POST", "/v1/transfers", "amount=1e3&currency=usd"), "whole number"),
        (request(HOST, "POST", "/v1/transfers", "amount=-5&currency=usd"), "negative"),
        (request(HOST, "POST", "/v1/transfers", "amount=\u0665&currency=usd"), "whole number"),
        (request(HOST, "POST", "/v1/transfers", "amount[x]=5&currency=usd"), "whole number"),
        (request(HOST, "POST", "/v1/transfers", "amount=5&currency=dollars"), "three letters"),
        (request(HOST, "POST", "/v1/transfers", "amount"), "without `=`"),
        (request(HOST, "POST", "/v1/transfers", "amount=%zz"), "broken percent"),
        (request(HOST, "POST", "/v1/transfers/"), "unexpected characters"),
        (request(HOST, "POST", "/v1//transfers"), "no known Stripe operation"),
        (request(HOST, "POST", "/v1/charges/ch_1/refunds", "amount=1"), "no known Stripe operation"),
        (request(HOST, "PUT", "/v1/transfers"), "no known Stripe operation"),
        (request(HOST, "POST", "/v2/core/accounts", "a=1"), "not declared as JSON"),
        (request(HOST, "POST", "/v2/core/accounts?a=1", {"a": 1}), "no query"),
        (request(HOST, "POST", "/v2/core/accounts", {"@path": 1}), "begins with `@`"),
        (request(HOST, "POST", "/v2/core/accounts", b'{"a":1,"a":2}', content_type="application/json"), "duplicate"),
        (request(HOST, "POST", PAYMENTS, {"amount": 5}), "value and a currency"),
        (request(HOST, "POST", PAYMENTS, {"amount": {"value": "5", "currency": "usd"}}), "whole number"),
        (request(HOST, "POST", PAYMENTS, {"amount": {"value": True, "currency": "usd"}}), "whole number"),
        (request(HOST, "POST", PAYMENTS, {"amount": {"value": -5, "currency": "usd"}}), "negative"),
        (request(HOST, "POST", PAYMENTS, {"amount": {"value": 5, "currency": "usd", "x": 1}}), "value and a currency"),
        (request("connect.stripe.com", "POST", "/v1/transfers", "amount=1"), "does not belong"),
        (request(HOST, "POST", "/oauth/token", "grant_type=authorization_code&code=c"), "does not belong"),
        (request(HOST, "GET", "/v1/transfers", b"limit=1"), "GET request with a body"),
        (request(HOST, "GET", "/v1/customers/a%20b"), "unexpected characters"),
        (request(HOST, "POST", "/v1/transfers", "amount=1", content_encoding="gzip"), "compressed"),
        (request(HOST, "POST", "/v1/transfers", "amount=1", stripe_account="a b"), "not an account"),
        (request("files.stripe.com", "POST", "/v1/transfers", "amount=1"), "does not belong"),
    ],
)
def test_doubt_is_unknown(asked: Request, why: str) -> None:
    action = CODEC.decode(asked)
    assert action.undecodable and why in action.reason
    assert price.estimate(action).unknown(Unit.USD_MICROS)


def test_a_doubled_account_header_is_unknown() -> None:
    asked = request(HOST, "POST", "/v1/transfers", "amount=1", stripe_account="acct_1")
    assert CODEC.decode(replace(asked, headers=asked.headers * 2)).undecodable


def test_files_are_bound_whole() -> None:
    asked = request(
        "files.stripe.com", "POST", "/v1/files", b"--x\r\n\r\n--x--", content_type="multipart/form-data; boundary=x"
    )
    action = CODEC.decode(asked)
    sent = CODEC.encode(action, asked)
    assert action.operation == "stripe:files:create" and sent.body == asked.body
    assert "@body" in action.sensitive
    assert digest(CODEC.decode(again(sent, asked))) == digest(action)


def test_card_numbers_are_revealed_only_by_name() -> None:
    plain = CODEC.decode(request(HOST, "GET", "/v1/issuing/cards/ic_1"))
    shown = CODEC.decode(request(HOST, "GET", "/v1/issuing/cards/ic_1?expand[]=number"))
    assert plain.classes == {ActionClass.READ}
    assert ActionClass.REVEAL in shown.classes


@pytest.mark.parametrize(
    ("amount", "currency", "text"),
    [
        (40000, "usd", "400.00 USD"),
        (500, "jpy", "500 JPY"),
        (1500, "kwd", "1.500 KWD"),
        (5, "eur", "0.05 EUR"),
        (123456789, "usd", "1,234,567.89 USD"),
        (7, "", "7 minor units"),
    ],
)
def test_money_text(amount: int, currency: str, text: str) -> None:
    assert money_text(amount, currency) == text


@pytest.mark.parametrize(
    ("status", "answer", "charged", "paid"),
    [
        (200, {"id": "tr_1", "object": "transfer", "amount": 40000, "currency": "usd"}, True, 400_000_000),
        (200, {"id": "tr_1", "object": "transfer", "amount": 40000, "currency": "eur"}, True, None),
        (
            200,
            {"id": "pi_1", "object": "payment_intent", "amount": 9, "amount_received": 5, "currency": "usd"},
            True,
            50_000,
        ),
        (402, {"error": {"type": "card_error"}}, False, 0),
        (400, {"error": {"type": "invalid_request_error"}}, False, 0),
        (500, {"error": {"type": "api_error"}}, None, None),
    ],
)
def test_what_was_really_paid(status: int, answer: dict[str, object], charged: bool | None, paid: int | None) -> None:
    action = CODEC.decode(request(HOST, "POST", "/v1/transfers", "amount=40000&currency=usd&destination=acct_1"))
    meter = CODEC.meter(action)
    meter.head(status, [("content-type", "application/json")])
    for byte in json.dumps(answer).encode():
        meter.feed(bytes([byte]))
    outcome = meter.finish(complete=True)
    assert outcome.charged is charged and outcome.ok is (status == 200)
    assert price.actual(action, outcome).get(Unit.USD_MICROS) == paid
    assert outcome.made == ((str(answer["id"]),) if status == 200 else ())


@pytest.mark.parametrize(
    "text",
    [
        "a=1&a[b]=2",
        "a[b]=1&a=2",
        "a[]=1&a=2",
        "a=1&a[]=2",
        "a[]=1&a[0]=2",
        "a[0]=1&a[]=2",
        "a[][b]=1",
        "[a]=1",
        "=1",
        "a[b=1",
        "a]b=1",
        "a[01]=1",
        "a[b]c=1",
        "a=1&",
        "a=1&&b=2",
        "a=%00",
        "a=%ff",
        "@path=/x",
        "a" + "[b]" * 40 + "=1",
    ],
)
def test_forms_with_two_readings_are_refused(text: str) -> None:
    with pytest.raises(MalformedForm):
        parse_form(text.encode())


@settings(max_examples=200, deadline=None)
@given(forms)
def test_a_form_written_again_reads_the_same(raw: bytes) -> None:
    try:
        tree = parse_form(raw)
    except MalformedForm:
        return
    assert parse_form(dump_form(tree).encode()) == tree


def test_every_class_line_names_a_real_operation() -> None:
    from comptroller.decode.stripe import operations as module

    known = set(operations())
    named = {f"stripe:{name}" for _, names in module._ADDED for name in names.split()}
    assert named <= known, sorted(named - known)
    assert all(op.classes for op in operations().values())
    movers = {name for name, op in operations().items() if ActionClass.PAY in op.classes}
    for word in ("transfers:create", "payouts:create", "refunds:create", "charges:create", "payment_intents:confirm"):
        assert f"stripe:{word}" in movers
    assert operations()["stripe:webhook_endpoints:create"].classes >= {ActionClass.ENTITLE}
    assert operations()["stripe:customers:delete"].classes == {ActionClass.DESTROY}


def test_v2_is_json_and_its_money_is_a_value_and_a_currency() -> None:
    wire = Wire(answer={"id": "obp_1", "object": "v2.money_management.outbound_payment"})
    client = sdk(wire)
    amount = {"value": 40000, "currency": "usd"}
    paid = {"from": {"financial_account": "fa_1", "currency": "usd"}, "to": {"recipient": "acct_7"}, "amount": amount}
    client.v2.money_management.outbound_payments.create(paid)
    client.v2.core.accounts.update("acct_1", {"contact_email": "a@example.com"})
    client.v2.core.accounts.retrieve("acct_1", {"include": ["identity"]})
    client.v2.core.event_destinations.disable("ed_1")
    client.v2.money_management.financial_addresses.list({"include": ["credentials.us_bank_account.account_number"]})
    got = [(a.operation.removeprefix("stripe:v2."), sorted(a.classes), a.reason) for _, a in wire.seen]
    assert got == [
        ("money_management.outbound_payments:create", ["pay"], ""),
        ("core.accounts:update", ["entitle"], ""),
        ("core.accounts:retrieve", ["read"], ""),
        ("core.event_destinations:disable", ["blind", "write"], ""),
        ("money_management.financial_addresses:list", ["read", "reveal"], ""),
    ]
    action = wire.seen[0][1]
    assert action.payment is not None and action.payment.reversible is False
    assert CODEC.sentence(action) == "pay out 400.00 USD to acct_7"
    assert price.estimate(action).high(Unit.USD_MICROS) == 400_000_000
    for asked, action in wire.seen:
        sent = CODEC.encode(action, asked)
        assert digest(CODEC.decode(again(sent, asked))) == digest(action)
        assert (json.loads(sent.body) if sent.body else None) == (json.loads(asked.body) if asked.body else None)


def test_connect_names_the_account_and_its_tokens_are_power() -> None:
    token = request("connect.stripe.com", "POST", "/oauth/token", "grant_type=authorization_code&code=ac_1")
    assert CODEC.decode(token).classes == {ActionClass.ENTITLE, ActionClass.REVEAL}
    off = request("connect.stripe.com", "POST", "/oauth/deauthorize", "client_id=ca_1&stripe_user_id=acct_1")
    assert CODEC.decode(off).classes == {ActionClass.DESTROY}


@pytest.mark.parametrize(
    ("currency", "amount", "text"),
    [("usd", 1234, "12.34 USD"), ("jpy", 1234, "1,234 JPY"), ("kwd", 1234, "1.234 KWD"), ("isk", 1200, "12.00 ISK")],
)
def test_minor_units_are_those_of_the_currency(currency: str, amount: int, text: str) -> None:
    asked = request(HOST, "POST", "/v1/payouts", f"amount={amount}&currency={currency}")
    assert CODEC.sentence(CODEC.decode(asked)) == f"pay out {text} to the default account in acct_main"


def test_a_credit_is_money_given_away() -> None:
    asked = request(HOST, "POST", "/v1/customers/cus_1/balance_transactions", "amount=-500&currency=usd")
    payment = CODEC.decode(asked).payment
    assert payment is not None and (payment.amount_minor, payment.direction) == (500, "out")


def test_every_method_of_the_sdk_is_the_operation_it_calls() -> None:
    right, total, wrong = measure()
    assert total > 640 and right == total, wrong[:10]
