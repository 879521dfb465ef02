"""Described services: routes, places, amounts, bodies and GraphQL read in one way or not at all."""

# ruff: noqa: E501  tables of requests, one a line
from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace

import pytest
from graphql import GraphQLError
from graphql.language import FieldNode, OperationDefinitionNode, parse
from hypothesis import HealthCheck, given
from hypothesis import strategies as st
from tests.fuzz_kit import fuzz
from wire_kit import DENIED, MESSAGE, again, request

from comptroller import price
from comptroller.core.action import Action, ActionClass, Payment, digest
from comptroller.core.errors import ConfigError
from comptroller.core.estimate import Estimate, Unit
from comptroller.core.request import Header, Request, Stream, Unencodable
from comptroller.decode.described import DescribedCodec, Service
from comptroller.decode.described.check import doubts
from comptroller.decode.described.graphql import MalformedGraphQL, asked_of
from comptroller.decode.described.load import parse_service
from comptroller.decode.described.place import MalformedPlace, Place
from comptroller.decode.described.route import MalformedTemplate, Template
from comptroller.testing.strategies import requests

HOST = "api.bank.example"
BANK = """
version: 1
title: Bank
hosts: [api.bank.example, "*.branch.example"]
credential: {header: x-bank-key, prefix: ""}
headers: [bank-version]
idempotency: ["header:idempotency-key"]
sensitive: [note]
retry: x-attempt
body: [json, form]
operations:
  GET /v1/transfers: transfers.list
  POST /v1/transfers:
    name: transfers.create
    classes: [pay]
    payment: {amount: /amount/value, unit: minor, currency: /amount/currency, payee: [/to, /iban], reversible: false}
    when:
      - {at: /urgent, unless: [false], classes: [communicate]}
      - {at: /kind, is: [standing], classes: [provision]}
      - {at: /file, begins: [hooks/], classes: [execute]}
    idempotency: [/meta/token]
    sentence: "send {amount} to {payee} for {/purpose}"
    made: /id
  POST /v1/payouts:
    name: payouts.create
    classes: [pay]
    payment:
      {amount: "/items/*/amount", unit: major, written: text, currency: "/items/*/currency", payee: "/items/*/to"}
    quantity: /items
  POST /v1/charges:
    name: charges.create
    classes: [pay]
    payment: {amount: "form:amount", unit: minor, currency: "form:currency", payee: "form:customer", direction: in}
    body: [form]
  POST /v1/wires:
    {name: wires.create, classes: [pay], payment: {amount: /amount, unit: major, currency: /currency, payee: "path:none"}}
  GET /v1/{thing}: things.get
  POST /v1/{thing}: things.create
  DELETE /v1/accounts/{id}: accounts.delete
  POST /v1/accounts/{id}:close: accounts.close destroy
  PUT /v1/files/{path...}: {name: files.put, classes: [write], body: [raw, multipart]}
  PUT /v1/files/hooks/{path...}: {name: files.put-hook, classes: [write, execute], body: [raw]}
  POST /v1/lookups: {name: lookups.create, classes: [read], cost: {usd: "0.01", per: /numbers}}
  POST /graphql:
    name: graphql
    classes: [write]
    graphql:
      queries: {secrets: reveal}
      mutations: {pay: pay, drop: destroy}
""".replace(', payee: "path:none"', "")


def service(text: str = BANK, **files: bytes) -> Service:
    """A description, compiled."""
    return parse_service(text.encode(), name="bank", origin="services/bank.yaml", read=lambda name: files[name])


CODEC = DescribedCodec.of(service())


def decode(method: str, target: str, body: bytes | str | dict[str, object] = b"", **headers: str) -> Action:
    """The action of a request to the bank; what is decoded is also sent and read back."""
    asked = request(HOST, method, target, body, **headers)
    return checked(CODEC, asked)


def checked(codec: DescribedCodec, asked: Request) -> Action:
    """Decode, and hold encode and decode to each other."""
    action = codec.decode(asked)
    assert digest(action) == digest(codec.decode(asked)) and codec.sentence(action)
    if action.undecodable:
        with pytest.raises(Unencodable):
            codec.encode(action, asked)
        return action
    sent = codec.encode(action, asked)
    second = again(sent, asked)
    assert digest(codec.decode(second)) == digest(action)
    assert codec.decode(second).call == action.call or asked.body
    assert not {"authorization", "x-bank-key", "cookie"} & {header.name for header in sent.headers}
    return action


def pay(**more: object) -> dict[str, object]:
    """A transfer of 12.50 USD to bob."""
    return {"amount": {"value": 1250, "currency": "USD"}, "to": "bob", **more}


def test_a_transfer_is_bound_priced_and_said_in_words() -> None:
    action = decode("POST", "/v1/transfers", pay(purpose="rent", note="private"), bank_version="7", x_attempt="a1")
    assert (action.operation, action.service, action.classes) == ("bank:transfers.create", "bank", {ActionClass.PAY})
    assert action.payment == Payment(amount_minor=1250, currency="usd", payee="bob", reversible=False)
    assert CODEC.sentence(action) == "Bank: send 12.50 USD to bob for rent"
    assert action.parameters["to"] == "bob" and action.parameters["@headers"] == {"bank-version": "7"}
    assert action.sensitive == {"note"} and action.call.attempt == "a1"
    assert price.estimate(action).high(Unit.USD_MICROS) == 12_500_000
    changed = [pay(purpose="rent", note="other"), pay(purpose="Rent", note="private"), {**pay(), "to": "eve"}]
    digests = {digest(decode("POST", "/v1/transfers", each, bank_version="7")) for each in changed} | {digest(action)}
    digests.add(digest(decode("POST", "/v1/transfers", pay(purpose="rent", note="private"), bank_version="8")))
    digests.add(digest(decode("POST", "/v1/transfers?x=1", pay(purpose="rent", note="private"), bank_version="7")))
    assert len(digests) == 6


def test_what_is_not_described_is_unknown() -> None:
    for method, target in (("POST", "/v2/x/y"), ("DELETE", "/v1/transfers"), ("PATCH", "/v1/transfers"), ("POST", "/")):
        assert decode(method, target).operation == "bank:unknown"
    reason = decode("POST", "/v2/x/y").reason
    assert reason == "no described operation has this method and path", "the agent reads it: no path, no advice"


@pytest.mark.parametrize(
    ("path", "operation"),
    [
        ("/v1/transfers", "bank:transfers.create"),
        ("/v1/%74ransfers", "bank:transfers.create"),
        ("/v1/x/../transfers", "bank:transfers.create"),
        ("/v1/other", "bank:things.create"),
        *((path, "bank:unknown") for path in ("/v1/Transfers", "/V1/transfers", "/v1/transfers/", "/v1//transfers")),
        *(
            (path, "bank:unknown")
            for path in ("/v1/transfers.json", "/v1/transfers;a=b", "/v1/other%3bx", "/v1/other;")
        ),
        *(
            (path, "bank:unknown")
            for path in ("/v1/transfers%20", "/v1/%20transfers", "/v1/transfers.", "/v1/transfers%2f")
        ),
        *((path, "bank:unknown") for path in ("/v1/%EF%BD%94ransfers", "/v1/transfers%252f", "/v1/trans%66er%73.JSON")),
        *((path, "bank:unknown") for path in ("//v1/transfers", "/v1\\transfers", "/v1/%2e%2e/transfers", "/v1/a%00")),
        ("/v1/accounts/7:close", "bank:accounts.close"),
        ("/v1/accounts/7:CLOSE", "bank:unknown"),
        ("/v1/accounts/7:open", "bank:unknown"),
        ("/v1/a%3Aclose", "bank:unknown"),
    ],
)
def test_no_spelling_of_a_path_reaches_a_weaker_operation(path: str, operation: str) -> None:
    assert decode("POST", path, pay()).operation == operation


def test_literals_win_over_parameters_and_those_over_the_rest() -> None:
    put = {"content_type": "text/plain"}
    assert decode("GET", "/v1/transfers").operation == "bank:transfers.list"
    assert decode("GET", "/v1/users").operation == "bank:things.get"
    assert decode("HEAD", "/v1/users").classes == {ActionClass.READ}
    assert decode("PUT", "/v1/files/a/b/c", b"x", **put).operation == "bank:files.put"
    assert decode("PUT", "/v1/files/hooks/c", b"x", **put).classes == {ActionClass.WRITE, ActionClass.EXECUTE}
    assert decode("PUT", "/v1/files/HOOKS/c", b"x", **put).undecodable
    assert decode("PUT", "/v1/files/", b"x", **put).undecodable


@pytest.mark.parametrize(
    ("amount", "minor"),
    [
        ({"value": 0, "currency": "usd"}, 0),
        ({"value": 1250, "currency": "JPY"}, 1250),
        ({"value": 1250, "currency": "KWD"}, 1250),
        ({"value": 12.5, "currency": "USD"}, None),
        ({"value": 1250.0, "currency": "USD"}, None),
        ({"value": "1250", "currency": "USD"}, None),
        ({"value": -1, "currency": "USD"}, None),
        ({"value": True, "currency": "USD"}, None),
        ({"value": 10**18, "currency": "USD"}, None),
        ({"value": [1], "currency": "USD"}, None),
        ({"value": 1, "currency": "US"}, None),
        ({"value": 1, "currency": "ＵＳＤ"}, None),
        ({"value": 1, "currency": 840}, None),
        ({"value": 1, "Value": 9, "currency": "USD"}, None),
        ({"Value": 9, "currency": "USD"}, None),
        ({"value": 1, "currency": "USD", "CURRENCY": "JPY"}, None),
        (7, None),
        ([{"value": 1}], None),
    ],
)
def test_amounts_in_minor_units_are_read_strictly(amount: object, minor: int | None) -> None:
    action = decode("POST", "/v1/transfers", {"amount": amount, "to": "bob"})
    assert action.undecodable is (minor is None)
    assert (action.payment.amount_minor if action.payment else None) == minor


@pytest.mark.parametrize(
    ("written", "currency", "minor"),
    [
        ("10", "USD", 1000),
        ("10.5", "USD", 1050),
        ("10.50", "USD", 1050),
        ("10.500", "USD", 1050),
        ("1000", "JPY", 1000),
        ("1000.00", "JPY", 1000),
        ("1.234", "KWD", 1234),
        ("1e3", "USD", None),
        ("1E3", "USD", None),
        ("1.5e1", "USD", None),
        ("10.505", "USD", None),
        ("0.5", "JPY", None),
        ("-1", "USD", None),
        ("0.30000000000000004", "USD", None),
        ('"10.50"', "USD", 1050),
        ('" 10"', "USD", None),
        ('"+10"', "USD", None),
        ('"010"', "USD", None),
        ('"1,000"', "USD", None),
        ('"1e3"', "USD", None),
        ('"１０"', "USD", None),
        ('""', "USD", None),
        ("NaN", "USD", None),
    ],
)
def test_amounts_in_major_units_are_read_strictly(written: str, currency: str, minor: int | None) -> None:
    body = f'{{"amount": {written}, "currency": "{currency}"}}'.encode()
    action = decode("POST", "/v1/wires", body, content_type="application/json")
    assert (action.payment.amount_minor if action.payment else None) == minor
    assert action.undecodable is (minor is None)


def test_an_amount_that_is_not_there_is_not_known() -> None:
    for body in ({}, {"amount": None}, {"amount": {"value": None}}):
        action = decode("POST", "/v1/transfers", body)
        assert action.payment is None and not action.undecodable
        assert price.estimate(action).unknown(Unit.USD_MICROS)
    without = decode("POST", "/v1/transfers", {"amount": {"value": 5}})
    assert without.payment is not None and price.estimate(without).unknown(Unit.USD_MICROS)


def test_a_batch_is_the_sum_of_its_items() -> None:
    items = [{"amount": "10.00", "currency": "USD", "to": "a"}, {"amount": "2.50", "currency": "USD", "to": "b"}]
    action = decode("POST", "/v1/payouts", {"items": items})
    assert action.payment == Payment(amount_minor=1250, currency="usd", payee="a, b") and action.quantity == 2
    mixed = decode("POST", "/v1/payouts", {"items": [*items, {"amount": "1", "currency": "EUR", "to": "c"}]})
    assert mixed.payment is None and price.estimate(mixed).unknown(Unit.USD_MICROS)
    for wrong in (
        {"currency": "USD", "to": "c"},
        {"amount": "1", "to": "c"},
        {"amount": 1, "currency": "USD"},
        7,
        None,
    ):
        assert decode("POST", "/v1/payouts", {"items": [*items, wrong]}).undecodable
    assert decode("POST", "/v1/payouts", {"items": {"a": items[0]}}).undecodable


def test_everybody_who_is_named_is_the_payee() -> None:
    action = decode("POST", "/v1/transfers", pay(iban="DE1"))
    assert action.payment is not None and action.payment.payee == "bob, DE1"
    assert decode("POST", "/v1/transfers", {**pay(), "to": ["bob"]}).undecodable
    assert decode("POST", "/v1/transfers", pay(TO="eve")).undecodable


def test_two_carriers_of_an_amount_are_refused() -> None:
    assert decode("POST", "/v1/transfers?amount=5", pay()).undecodable
    assert decode("POST", "/v1/transfers?Amount[value]=5", pay()).undecodable
    assert decode("POST", "/v1/transfers?value=5", pay()).undecodable
    good = "amount=1250&currency=usd&customer=c1"
    action = decode("POST", "/v1/charges", good)
    assert action.payment == Payment(amount_minor=1250, currency="usd", payee="c1", direction="in")
    for more in ("&amount=1", "&AMOUNT=1", "&amount[]=1", "&amount.x=1", "&currency=jpy"):
        assert decode("POST", "/v1/charges", good + more).undecodable
    assert decode("POST", "/v1/charges?amount=1250", good).undecodable


@pytest.mark.parametrize(
    ("body", "headers"),
    [
        (b'{"to":"a","to":"b"}', {"content_type": "application/json"}),
        (b'{"to":"a"}', {}),
        (b'{"to":"a"}', {"content_type": "text/plain"}),
        (b'{"to":"a"}', {"content_type": "application/json; charset=utf-16"}),
        (b'{"to":"a"}', {"content_type": "application/json; charset=utf-8; x"}),
        (b"to=a", {"content_type": "multipart/form-data; boundary=x"}),
        (b"to=%zz", {"content_type": "application/x-www-form-urlencoded"}),
        (b"to", {"content_type": "application/x-www-form-urlencoded"}),
        (b"[" * 100 + b"]" * 100, {"content_type": "application/json"}),
        (b'{"to":"\\ud800"}', {"content_type": "application/json"}),
        (b'{"_method":"GET"}', {"content_type": "application/json"}),
        (b"{}", {"content_type": "application/json", "x_http_method_override": "GET"}),
        (b"{}", {"content_type": "application/json", "content_encoding": "gzip"}),
        (b"{}", {"content_type": "application/json", "upgrade": "websocket"}),
    ],
)
def test_bodies_with_more_than_one_reading_are_refused(body: bytes, headers: dict[str, str]) -> None:
    assert decode("POST", "/v1/things", body, **headers).undecodable


def test_method_overrides_in_a_query_and_semicolons_are_refused() -> None:
    assert decode("POST", "/v1/things?_method=DELETE").undecodable
    assert decode("POST", "/v1/things?a=1;b=2").undecodable
    twice = request(HOST, "POST", "/v1/things", pay())
    assert CODEC.decode(replace(twice, headers=(*twice.headers, *twice.headers))).undecodable


def test_conditions_add_classes_and_never_take_one_away() -> None:
    both = {ActionClass.PAY, ActionClass.COMMUNICATE}
    assert decode("POST", "/v1/transfers", pay(urgent=False)).classes == {ActionClass.PAY}
    for urgent in (True, "yes", 0, None, {"a": 1}, [True]):
        assert decode("POST", "/v1/transfers", pay(urgent=urgent)).classes == both
    assert ActionClass.PROVISION in decode("POST", "/v1/transfers", pay(kind="Standing")).classes
    assert ActionClass.PROVISION in decode("POST", "/v1/transfers", pay(kind={"x": 1})).classes
    assert ActionClass.PROVISION not in decode("POST", "/v1/transfers", pay(kind="once")).classes
    for file in ("hooks/a", "./hooks/a", "HOOKS/a", "/hooks/a"):
        assert ActionClass.EXECUTE in decode("POST", "/v1/transfers", pay(file=file)).classes
    assert decode("POST", "/v1/transfers", pay(Urgent=True)).undecodable


def test_tokens_are_left_out_of_the_digest_and_sent_again() -> None:
    one = request(HOST, "POST", "/v1/transfers", pay(meta={"token": "t1", "x": 1}), idempotency_key="k1")
    other = request(HOST, "POST", "/v1/transfers", pay(meta={"token": "t2", "x": 1}), idempotency_key="k2")
    first, second = checked(CODEC, one), checked(CODEC, other)
    assert digest(first) == digest(second) and first.call.retry_token != second.call.retry_token
    assert first.call.idempotency == {"header:idempotency-key": "k1", "/meta/token": "t1"}
    sent = CODEC.encode(first, one)
    assert json.loads(sent.body)["meta"] == {"x": 1, "token": "t1"}
    assert Header("idempotency-key", "k1") in sent.headers
    bound = [decode("POST", "/v1/transfers", pay(meta={"token": token})) for token in (1, ["a"], {"a": 1}, "")]
    assert all(not action.call.idempotency for action in bound) and len({digest(each) for each in bound}) == 4


def test_members_of_the_caller_never_pass_for_ours() -> None:
    names = ("@method", "@path", "@query", "@headers", "@type", "@body", "@json", "@@x")
    body = dict.fromkeys(names, "x")
    action = decode("POST", "/v1/things", body)
    assert action.parameters["@method"] == "POST" and action.parameters["@@method"] == "x"
    sent = CODEC.encode(action, request(HOST, "POST", "/v1/things", body))
    assert json.loads(sent.body) == body and sent.method == "POST"


def test_bytes_and_streams_are_bound_as_they_are() -> None:
    asked = request(HOST, "PUT", "/v1/files/a", b"\x00\xff", content_type="application/octet-stream", content_md5="x")
    action = checked(CODEC, asked)
    assert action.sensitive == {"@body"} and CODEC.encode(action, asked).body == b"\x00\xff"
    stream = replace(asked, body=b"", stream=Stream(length_bytes=9 << 20, sha256=None))
    assert checked(CODEC, stream).unbound
    with pytest.raises(Unencodable):
        CODEC.encode(action, replace(asked, body=b"other"))
    json_stream = request(HOST, "POST", "/v1/transfers", content_type="application/json")
    assert CODEC.decode(replace(json_stream, stream=Stream(length_bytes=None))).undecodable


def test_a_stated_price_is_per_call_or_per_unit() -> None:
    def high(body: dict[str, object]) -> int | None:
        return price.estimate(decode("POST", "/v1/lookups", body)).high(Unit.USD_MICROS)

    assert high({}) == 10_000 and high({"numbers": ["a", "b", "c"]}) == 30_000 and high({"numbers": 7}) == 70_000
    assert decode("POST", "/v1/lookups", {"numbers": -1}).undecodable
    assert decode("POST", "/v1/lookups", {"numbers": "many"}).undecodable


def test_the_price_of_a_call_is_none_for_what_it_brings_about() -> None:
    text = HEAD + '  POST /x: {name: x, classes: [provision], cost: {usd: "0.01"}}\n'
    estimate = price.estimate(DescribedCodec.of(service(text)).decode(request("a.example", "POST", "/x")))
    assert estimate.unknown(Unit.USD_MICROS_PER_HOUR) and estimate.unknown(Unit.USD_MICROS)


# ---------------------------------------------------------------- GraphQL


def graphql(query: object, **more: object) -> Action:
    """A GraphQL call."""
    return decode("POST", "/graphql", {"query": query, **more})


@pytest.mark.parametrize(
    ("query", "operation", "classes"),
    [
        ("{ me { id } }", "bank:query.me", "read"),
        ("query Q($a: Int = 1) @x(y: {z: [1]}) { me(a: $a) { id } }", "bank:query.me", "read"),
        ("{ a: secrets(x: \"}\") { id } }", "bank:query.secrets", "reveal"),
        ("mutation { me: pay(to: \"{\") { id } }", "bank:mutation.pay", "pay"),
        ("mutation { note { drop } }", "bank:mutation.note", "write"),
        ("mutation { a: note { id } b: note { id } }", "bank:mutation.note", "write"),
        ("mutation { note { id } pay { id } }", "bank:mutation.several", "pay write"),
        ("mutation { ...F } fragment F on Mutation { drop }", "bank:mutation.drop", "destroy"),
        ("mutation { ... on Mutation { ... @include(if: false) { drop } } }", "bank:mutation.drop", "destroy"),
        ("# mutation\nmutation{,pay\ufeff,}", "bank:mutation.pay", "pay"),
        ('mutation { note(a: """ } drop \\""" """) }', "bank:mutation.note", "write"),
    ],
)  # fmt: skip
def test_graphql_is_known_by_its_top_level_fields(query: str, operation: str, classes: str) -> None:
    action = graphql(query)
    assert (action.operation, " ".join(sorted(action.classes))) == (operation, classes)


@pytest.mark.parametrize(
    "query",
    [
        *("", "{", "{}", "mutation", "mutation { pay", "mutation { pay } }", "mutation { pay ] }", "subscription { x }"),
        *("query A { a } mutation B { pay }", "query A { a } query A { b }", "{ a } { b }", "type X { a: Int }"),
        *("mutation { ...F }", "mutation { ...F } fragment F on M { ...F }", "{ a(b: \"\n\") }", "{ a \x00 }", "{ a ; b }"),
        *("{ " + "a" * 300_000 + " }", "{ " + "a { " * 100 + "b" + " }" * 101, "{ " + "a " * 101 + "}", 7, None),
        "mutation { ...A0 } " + " ".join(f"fragment A{i} on M {{ ...A{i + 1} ...A{i + 1} }}" for i in range(40)),
    ],
)  # fmt: skip
def test_graphql_that_cannot_be_followed_is_unknown(query: object) -> None:
    assert graphql(query).undecodable


def test_graphql_fields_that_come_together_are_parts() -> None:
    action = graphql("mutation { note { id } a: pay { id } b: pay { id } }")
    assert [(part.operation, part.classes) for part in action.parts] == [
        ("bank:mutation.note", {ActionClass.WRITE}),
        ("bank:mutation.pay", {ActionClass.PAY}),
    ]
    assert action.quantity == 3 and price.estimate(action).unknown(Unit.USD_MICROS)
    assert graphql("mutation { a: note { id } b: note { id } }").parts == ()


def test_graphql_follows_the_name_of_the_operation_and_refuses_other_carriers() -> None:
    both = "query A { me } mutation B { pay }"
    assert graphql(both, operationName="A").operation == "bank:query.me"
    assert graphql(both, operationName="B").classes == {ActionClass.PAY}
    assert graphql(both, operationName="C").undecodable and graphql("{ me }", extra=1).undecodable
    assert graphql("{ me }", Query="mutation { pay }").undecodable
    batch = [{"query": "{ me }"}, {"query": "mutation { pay }"}]
    assert decode("POST", "/graphql", json.dumps(batch).encode(), content_type="application/json").undecodable
    assert decode("POST", "/graphql?query=mutation{pay}", {"query": "{ me }"}).undecodable
    assert decode("GET", "/graphql?query={me}").undecodable


NAMES = st.sampled_from(["pay", "me", "on", "fragment", "query", "a"])
PIECES = st.one_of(
    NAMES,
    st.sampled_from(
        [
            "{",
            "}",
            "(",
            ")",
            ":",
            "...",
            "@",
            "$",
            "!",
            '"',
            '"""',
            "[",
            "]",
            "#x\n",
            " ",
            "mutation",
            '"a}b"',
            "1",
            "=",
            ",",
        ]
    ),
)


@fuzz(400)
@given(text=st.one_of(st.text(max_size=40), st.lists(PIECES, max_size=25).map(" ".join)))
def test_graphql_reads_what_the_reference_reads(text: str) -> None:
    try:
        ours = asked_of(text, None)
    except MalformedGraphQL:
        return
    try:
        document = parse(text)
    except GraphQLError:
        pytest.fail(f"the reference refuses {text!r}")
    (operation,) = [each for each in document.definitions if isinstance(each, OperationDefinitionNode)]
    assert operation.operation.value == ours.kind
    plain = [each.name.value for each in operation.selection_set.selections if isinstance(each, FieldNode)]
    assert set(plain) <= set(ours.fields)


# ---------------------------------------------------------------- totality


MEMBERS = st.dictionaries(
    st.sampled_from(["amount", "Amount", "to", "meta", "urgent", "items", "numbers", "query", "_method", "@path", "é"]),
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
        max_leaves=8,
    ),
    max_size=5,
)
PATHS = st.sampled_from(
    [
        "/v1/transfers",
        "/v1/payouts",
        "/v1/wires",
        "/v1/charges",
        "/v1/lookups",
        "/graphql",
        "/v1/files/a",
        "/v1/accounts/1:close",
    ]
)


@fuzz(150, suppress_health_check=[HealthCheck.too_slow])
@given(data=st.data())
def test_total_and_deterministic_over_hostile_requests(data: st.DataObject) -> None:
    if data.draw(st.booleans()):
        asked = data.draw(requests(host=HOST))
    else:
        body = json.dumps(data.draw(MEMBERS)).encode()
        kind = data.draw(st.sampled_from(["application/json", "application/x-www-form-urlencoded", "a/b"]))
        asked = request(HOST, "POST", data.draw(PATHS), body, content_type=kind)
    action = checked(CODEC, asked)
    estimate = price.estimate(action)
    assert isinstance(estimate, Estimate) and (not action.undecodable or estimate.unknown(Unit.USD_MICROS))
    answer = CODEC.refuse(action, asked, DENIED, MESSAGE)
    assert 400 <= answer.status < 500 and b"no rule permits this" in answer.body
    known = CODEC.known().get(action.operation)
    assert known is None or known <= action.classes


@fuzz(300)
@given(
    path=st.lists(
        st.sampled_from(["v1", "transfers", "V1", "payouts", "", ".", "..", "x", "transfers.json", "%74"]), max_size=4
    )
)
def test_a_path_that_resembles_a_payment_is_a_payment_or_unknown(path: list[str]) -> None:
    action = CODEC.decode(request(HOST, "POST", "/" + "/".join(path), pay()))
    careless = [part.lower().removesuffix(".json") for part in path if part not in ("", ".")]
    if careless == ["v1", "transfers"] and ".." not in path:
        assert action.undecodable or ActionClass.PAY in action.classes


# ---------------------------------------------------------------- answers


def test_a_refusal_is_the_services_own() -> None:
    own = service(
        BANK.replace(
            "body: [json, form]\n",
            'body: [json, form]\nrefusal: {status: 401, headers: {x-should-retry: "false"}, body: {errors: [{m: "{message}", c: "{code}"}]}}\n',
            1,
        )
    )
    codec = DescribedCodec.of(own)
    asked = request(HOST, "POST", "/v1/transfers", pay())
    answer = codec.refuse(codec.decode(asked), asked, DENIED, 'say "no" {code}')
    assert answer.status == 401 and Header("x-should-retry", "false") in answer.headers
    assert json.loads(answer.body) == {"errors": [{"m": 'say "no" {code}', "c": "comptroller_denied"}]}


def test_the_meter_reads_what_was_made() -> None:
    action = decode("POST", "/v1/transfers", pay())

    def outcome(status: int, body: bytes, **headers: str) -> Mapping[str, object]:
        meter = CODEC.meter(action)
        meter.head(status, list(headers.items()))
        meter.feed(body)
        found = meter.finish(complete=True)
        return {"ok": found.ok, "charged": found.charged, "made": found.made}

    assert outcome(201, b'{"id": "tr_1"}') == {"ok": True, "charged": True, "made": ("tr_1",)}
    assert outcome(200, b'{"id": {"x": 1}}')["made"] == () and outcome(200, b"nonsense")["made"] == ()
    assert outcome(422, b"{}")["charged"] is False and outcome(409, b"{}")["charged"] is False
    assert outcome(503, b"")["charged"] is None


def test_the_key_goes_to_the_services_own_hosts_only() -> None:
    def family(host: str) -> str:
        asked = request(host, "GET", "/v1/users")
        return CODEC.encode(CODEC.decode(asked), asked).family

    assert family(HOST) == "bank" and family("a.branch.example") == "bank"
    assert family("other.example") == "other.example"


# ---------------------------------------------------------------- the file


def wrong(text: str, **files: bytes) -> str:
    """The message of a description that cannot be used."""
    with pytest.raises(ConfigError) as caught:
        service(text, **files)
    return str(caught.value.message)


HEAD = "version: 1\nhosts: [a.example]\noperations:\n"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (HEAD + "  POST /x: {name: x, classes: [pya]}\n", "bank.yaml:4: operations.POST /x.classes: there is no class `pya`; did you mean `pay`?"),
        (HEAD + "  POST x: x\n", "bank.yaml:4: `POST x` is not `METHOD /path`"),
        (HEAD + "  FETCH /x: x\n", "there is no method `FETCH`"),
        (HEAD + "  POST /x: x\n  POST /y: {name: y, clases: [read]}\n", "bank.yaml:5: operations.POST /y.clases: there is no such setting; did you mean `classes`?"),
        (HEAD + "  POST /x/{a}/{a}: x\n", "uses a parameter's name twice"),
        (HEAD + "  POST /x/{a...}/b: x\n", "only the last segment"),
        (HEAD + "  POST /x: x\n  GET|POST /x: y write\n", "`POST /x` is described twice"),
        (HEAD + "  GET|POST /x: y\n", "have different classes by themselves"),
        (HEAD + "  POST /x: x write\n  POST /y: x pay\n", "which has other classes"),
        (HEAD + "  POST /x:\n    name: x\n    classes: [pay]\n    payment: {amount: /a, unit: minor}\n", "an amount needs its `currency`"),
        (HEAD + "  POST /x:\n    name: x\n    classes: [pay]\n    payment: {amount: /a, currency: =usd}\n", "belong together"),
        (HEAD + "  POST /x:\n    name: x\n    classes: [pay]\n    payment: {payee: 'path:id'}\n", "the path has no parameter `id`"),
        (HEAD + "  POST /x:\n    name: x\n    payment: {payee: to}\n", "belongs to an operation of class `pay`"),
        (HEAD + "  POST /x: {name: x, sentence: 'a {b c}'}\n", "neither `{amount}`, `{payee}` nor a place"),
        (HEAD + "  POST /x: {name: x, idempotency: ['query:a']}\n", "an idempotency token is in a header"),
        ("version: 1\nhosts: [a.example]\nmethods: {POST: [read]}\noperations: {POST /x: x}\n", "would count as less than `write`"),
        ("version: 1\nhosts: [a.example]\nheaders: [authorization]\noperations: {POST /x: x}\n", "not a header that can be passed on"),
        ("version: 1\nhosts: ['*.com']\noperations: {POST /x: x}\n", "names more hosts than anybody knows"),
        ("version: 1\nhosts: [a.example]\n", "nothing is described"),
        ("version: 2\nhosts: [a.example]\noperations: {POST /x: x}\n", "version"),
        ("version: 1\nhosts: [a.example]\nopenapi: api.json\n", "no OpenAPI document"),
        ("hosts: [a", "not YAML"),
    ],
)  # fmt: skip
def test_mistakes_have_their_place_and_a_hint(text: str, message: str) -> None:
    assert message in wrong(text, **{"api.json": b"{}"})


API = {
    "openapi": "3.1.0",
    "info": {"title": "Bank", "version": "1"},
    "servers": [{"url": "https://api.bank.example/v1"}],
    "paths": {
        "/users": {"get": {"operationId": "listUsers"}, "post": {"operationId": "addUser", "requestBody": {"content": {"application/x-www-form-urlencoded": {}}}}},
        "/users/{id}": {"delete": {"operationId": "dropUser"}},
    },
}  # fmt: skip


def test_an_openapi_document_names_operations_and_the_file_classes_them() -> None:
    text = "version: 1\nhosts: [api.bank.example]\nopenapi: api.json\noperations:\n  listUsers: users.list\n  addUser: users.add entitle\n"
    read = service(text, **{"api.json": json.dumps(API).encode()})
    codec = DescribedCodec.of(read)
    assert codec.decode(request(HOST, "GET", "/v1/users")).operation == "bank:users.list"
    assert codec.decode(request(HOST, "POST", "/v1/users", "a=b")).classes == {ActionClass.ENTITLE}
    assert codec.decode(request(HOST, "POST", "/v1/users", {"a": "b"})).undecodable, "the document says form"
    left = codec.decode(request(HOST, "DELETE", "/v1/users/7"))
    assert left.undecodable and "nobody has said" in left.reason
    (problem,) = [each for each in doubts(read) if each.failure]
    assert "`DELETE /v1/users/{id}` (dropUser)" in problem.message and problem.line == 3
    wider = service(
        text.replace("operations:", "otherwise: method\noperations:"), **{"api.json": json.dumps(API).encode()}
    )
    action = DescribedCodec.of(wider).decode(request(HOST, "DELETE", "/v1/users/7"))
    assert (action.operation, action.classes) == ("bank:other:DELETE", {ActionClass.DESTROY})
    near = DescribedCodec.of(wider).decode(request(HOST, "POST", "/v1/users/"))
    assert near.undecodable, "nearly a known path is no other one"


def test_otherwise_is_never_weaker_than_the_method() -> None:
    text = "version: 1\nhosts: [a.example]\notherwise: [read]\noperations: {POST /x: x}\n"
    codec = DescribedCodec.of(service(text))
    assert codec.decode(request("a.example", "DELETE", "/y")).classes == {ActionClass.DESTROY, ActionClass.READ}
    assert codec.known()["bank:other:POST"] == {ActionClass.WRITE, ActionClass.READ}


def test_nothing_passes_before_it_is_reviewed() -> None:
    codec = DescribedCodec.of(service(BANK.replace("version: 1\n", "version: 1\nreviewed: false\n")))
    action = codec.decode(request(HOST, "GET", "/v1/users"))
    assert action.undecodable and "reviewed: true" in action.reason


def test_unreachable_and_indistinguishable_paths_are_found() -> None:
    found = doubts(service(HEAD + "  GET /a/{x}: one\n  GET /a/{y}: two read\n"))
    assert [each.failure for each in found] == [True, True, True]
    mixed = doubts(service(HEAD + "  GET /a/{x}/c: one\n  GET /a/b/{y}: two read\n"))
    assert [each.failure for each in mixed] == [False] and "may match the same path" in mixed[0].message


def test_places_and_templates_are_read_strictly() -> None:
    for text in ("", "/", "/a//b", "form:", "header:a b", "a b", "x" * 300):
        with pytest.raises(MalformedPlace):
            Place.parse(text)
    for text in ("a", "//a", "/{a}{b}", "/a/{b...}c", "/{a b}", "/a?b", "/é"):
        with pytest.raises(MalformedTemplate):
            Template.parse(text)
    assert Place.parse("/a~1b/~0c").steps == ("a/b", "~c")


def test_a_sentence_never_shows_what_no_log_may_keep() -> None:
    text = HEAD.replace("operations:", "sensitive: [iban]\noperations:")
    assert "`iban` is sensitive" in wrong(text + "  POST /x: {name: x, sentence: 'to {/iban/code}'}\n")
