"""Ethereum JSON-RPC: signed by a real wallet library, read back, and never read as less than it is."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import Any

import pytest
from eth_account import Account
from eth_utils.address import to_checksum_address
from hypothesis import given
from hypothesis import strategies as st
from tests.decode.wire_kit import DENIED, MESSAGE, again, request
from tests.fuzz_kit import fuzz

from comptroller import price
from comptroller.core.action import ActionClass, digest
from comptroller.core.estimate import Unit
from comptroller.core.request import Request, Unencodable
from comptroller.decode.ethereum import EthereumCodec
from comptroller.decode.ethereum.methods import METHODS
from comptroller.price.book import PriceBook

CODEC = EthereumCodec()
WALLET = Account.from_key("0x" + "11" * 32)
PAYEE = "0x" + "22" * 20
USDC = to_checksum_address("0xa0b86991c6218b36c1d19d4a2e9eb0ce3606eb48")
PAY, ENTITLE, EXECUTE, READ = ActionClass.PAY, ActionClass.ENTITLE, ActionClass.EXECUTE, ActionClass.READ
PLAIN: dict[str, Any] = {"to": PAYEE, "value": 15 * 10**17, "gas": 21_000, "nonce": 3, "chainId": 1}


def word(value: int | str) -> str:
    return (hex(value)[2:] if isinstance(value, int) else value.removeprefix("0x")).rjust(64, "0")


def raw(**fields: Any) -> str:
    return "0x" + bytes(WALLET.sign_transaction({**PLAIN, **fields}).raw_transaction).hex()


def call(method: str, params: object, number: object = 1) -> dict[str, object]:
    return {"jsonrpc": "2.0", "id": number, "method": method, "params": params}


def rpc(body: object, **headers: str) -> Request:
    return request(
        "mainnet.infura.io", "POST", "/v3/0123", json.dumps(body), content_type="application/json", **headers
    )


def sent(**fields: Any) -> Request:
    return rpc(call("eth_sendRawTransaction", [raw(**fields)]))


FEES = [
    {"gasPrice": 10**9},
    {"gasPrice": 10**9, "accessList": []},
    {"maxFeePerGas": 2 * 10**9, "maxPriorityFeePerGas": 1},
]


@pytest.mark.parametrize("fees", FEES)
def test_a_transfer_of_coins_is_paid_to_whom_it_says(fees: dict[str, Any]) -> None:
    action = CODEC.decode(sent(**fees))
    assert action.classes == {PAY} and action.payment is not None
    assert (action.payment.amount_minor, action.payment.currency, action.payment.payee) == (15 * 10**17, "eth", PAYEE)
    assert action.payment.reversible is False
    assert CODEC.sentence(action).startswith(f"send 1.5 eth to {PAYEE}, gas up to 0.0000")
    assert action.parameters["@fee_max"] == 21_000 * (fees.get("gasPrice") or fees["maxFeePerGas"])


def test_the_chain_itself_knows_a_transaction_again() -> None:
    signed = WALLET.sign_transaction({**PLAIN, "gasPrice": 1})
    action = CODEC.decode(sent(gasPrice=1))
    assert action.call.idempotency == {"transaction": "0x" + bytes(signed.hash).hex()}


@pytest.mark.parametrize(
    ("data", "value", "classes", "amount"),
    [
        ("0xa9059cbb" + word(PAYEE) + word(25_000_000), 0, {PAY}, 25_000_000),
        ("0x23b872dd" + word("0x" + "33" * 20) + word(PAYEE) + word(7), 0, {PAY}, 7),
        ("0x095ea7b3" + word(PAYEE) + word(9), 0, {PAY, ENTITLE}, 9),
        ("0x39509351" + word(PAYEE) + word(9), 0, {PAY, ENTITLE}, 9),
        ("0x095ea7b3" + word(PAYEE) + "ff" * 32, 0, {PAY, ENTITLE}, None),
        ("0xa22cb465" + word(PAYEE) + word(1), 0, {PAY, ENTITLE}, None),
        ("0xa9059cbb" + word(PAYEE) + word(25_000_000), 5, {PAY}, None),
        ("0xa9059cbb" + word(PAYEE) + word(25_000_000) + "00", 0, {PAY, EXECUTE}, None),
        ("0xa9059cbb" + "01" + word(PAYEE)[2:] + word(25_000_000), 0, {PAY, EXECUTE}, None),
        ("0xdeadbeef", 0, {PAY, EXECUTE}, None),
        ("0x00", 0, {PAY, EXECUTE}, None),
    ],
)
def test_what_a_token_is_told_to_do(data: str, value: int, classes: set[ActionClass], amount: int | None) -> None:
    action = CODEC.decode(sent(to=USDC, value=value, gas=90_000, gasPrice=1, data=data))
    assert action.classes == classes
    paid = action.payment
    assert (paid.amount_minor if paid else None) == amount
    if paid is not None:
        assert paid.currency == "usdc" and paid.payee == PAYEE


def test_a_token_nobody_knows_may_be_worth_anything() -> None:
    data = "0xa9059cbb" + word(PAYEE) + word(1)
    assert CODEC.decode(sent(to="0x" + "44" * 20, value=0, gasPrice=1, data=data)).payment is None
    assert CODEC.decode(sent(to=USDC, value=0, gasPrice=1, data=data, chainId=8453)).payment is None, "another chain"
    assert CODEC.decode(sent(chainId=999_999, gasPrice=1)).payment is None, "a coin nobody knows"


def test_a_contract_and_an_account_handed_over_are_more_than_a_payment() -> None:
    deployed = CODEC.decode(sent(to="", value=0, gas=10**6, gasPrice=1, data="0x6001"))
    assert deployed.classes == {PAY, EXECUTE} and deployed.payment is None
    allowed = WALLET.sign_authorization({"chainId": 1, "address": "0x" + "55" * 20, "nonce": 4})
    handed = CODEC.decode(sent(maxFeePerGas=1, maxPriorityFeePerGas=1, authorizationList=[allowed]))
    assert ENTITLE in handed.classes and handed.payment is None


def test_what_it_may_cost() -> None:
    book = PriceBook(coins={"eth": 4_000_000_000})
    action = CODEC.decode(sent(gasPrice=10**9))
    assert price.estimate(action).unknown(Unit.USD_MICROS), "no rate, no price"
    assert price.estimate(action, book).high(Unit.USD_MICROS) == 6_000_000_000 + 84_000
    tokens = CODEC.decode(sent(to=USDC, value=0, gasPrice=10**9, data="0xa9059cbb" + word(PAYEE) + word(25_000_000)))
    assert price.estimate(tokens).unknown(Unit.USD_MICROS), "the gas has no price"
    assert price.estimate(tokens, book).high(Unit.USD_MICROS) == 26_250_000 + 84_000


def test_reads_are_reads_and_signatures_are_power() -> None:
    assert CODEC.decode(rpc(call("eth_getBalance", [PAYEE, "latest"]))).classes == {READ}
    for method in ("eth_signTypedData_v4", "personal_unlockAccount", "eth_sign"):
        action = CODEC.decode(rpc(call(method, [PAYEE, {}])))
        assert action.classes == {PAY, ENTITLE} and price.estimate(action).unknown(Unit.USD_MICROS)
    assert price.estimate(CODEC.decode(rpc(call("eth_sendTransaction", [{}])))).unknown(Unit.USD_MICROS)


def test_a_batch_is_the_sum_of_its_calls() -> None:
    body = [call("eth_chainId", []), call("eth_sendRawTransaction", [raw(gasPrice=1)], "b"), call("eth_sign", [])]
    action = CODEC.decode(rpc(body))
    assert action.classes == {READ, PAY, ENTITLE} and len(action.parts) == 3 and action.quantity == 3
    assert action.payment is None and price.estimate(action).unknown(Unit.USD_MICROS)
    assert "send 1.5 eth" in CODEC.sentence(action)
    out = json.loads(CODEC.encode(action, rpc(body)).body)
    assert [item["id"] for item in out] == [1, "b", 1] and out == body
    one = CODEC.decode(rpc([call("eth_chainId", []), call("eth_sendRawTransaction", [raw(gasPrice=1)])]))
    assert one.payment is not None and one.payment.amount_minor == 15 * 10**17


@pytest.mark.parametrize(
    "body",
    [
        [], {}, 7, "eth_chainId", None, [[]], call("eth_chainId", []) | {"extra": 1},
        call("eth_chainId", "latest"), call("ETH_CHAINID", []), call("admin_addPeer", []), call("eth_chainId", [], [1]),
        {"id": 1, "method": "eth_chainId", "params": []}, call("eth_sendRawTransaction", []),
        call("eth_sendRawTransaction", ["0x"]), call("eth_sendRawTransaction", ["0x02f8"]),
        call("eth_sendRawTransaction", {"raw": "0x00"}), call("eth_sendRawTransaction", [raw(gasPrice=1) + "00"]),
        call("eth_sendRawTransaction", [raw(gasPrice=1)[:-2]]),
    ],
)  # fmt: skip
def test_what_cannot_be_read_is_unknown(body: object) -> None:
    action = CODEC.decode(rpc(body))
    assert action.undecodable and action.reason
    with pytest.raises(Unencodable):
        CODEC.encode(action, rpc(body))


@pytest.mark.parametrize("changes", [{"method": "GET"}, {"content_type": "text/plain"}, {"upgrade": "websocket"}])
def test_another_carrier_is_unknown(changes: dict[str, str]) -> None:
    method = changes.pop("method", "POST")
    headers = {"content_type": "application/json", **changes}
    asked = request("mainnet.infura.io", method, "/v3/1", json.dumps(call("eth_chainId", [])), **headers)
    assert CODEC.decode(asked).undecodable


def test_what_was_judged_is_what_is_sent_whatever_the_id() -> None:
    first = CODEC.decode(sent(gasPrice=1))
    other = rpc(call("eth_sendRawTransaction", [raw(gasPrice=1)], "another id"))
    assert digest(CODEC.decode(other)) == digest(first), "the id is the caller's own counter"
    outgoing = CODEC.encode(first, sent(gasPrice=1))
    assert CODEC.decode(again(outgoing, sent(gasPrice=1))) == first
    assert json.loads(outgoing.body) == json.loads(sent(gasPrice=1).body)


def test_a_refusal_reaches_the_caller_with_its_id() -> None:
    asked = rpc([call("eth_chainId", [], 5), call("eth_sendRawTransaction", [raw(gasPrice=1)], "x")])
    answer = CODEC.refuse(CODEC.decode(asked), asked, DENIED, MESSAGE)
    body = json.loads(answer.body)
    assert answer.status == 403 and [item["id"] for item in body] == [5, "x"]
    assert all(item["error"]["code"] == 4100 and item["error"]["message"] == MESSAGE for item in body)


@pytest.mark.parametrize(
    ("answer", "ok", "charged"),
    [
        ({"result": "0x" + "aa" * 32}, True, None),
        ({"error": {"code": -32000, "message": "insufficient funds for gas * price + value"}}, False, False),
        ({"error": {"code": -32000, "message": "already known"}}, False, None),
        ("not json", True, None),
    ],
)
def test_only_a_refusal_that_says_why_proves_that_nothing_moved(answer: object, ok: bool, charged: bool | None) -> None:
    meter = CODEC.meter(CODEC.decode(sent(gasPrice=1)))
    meter.head(200, [])
    meter.feed(json.dumps(answer).encode() if isinstance(answer, dict) else str(answer).encode())
    outcome = meter.finish(complete=True)
    assert (outcome.ok, outcome.charged) == (ok, charged)


def test_every_method_has_classes() -> None:
    assert all(classes and ActionClass.UNKNOWN not in classes for classes in METHODS.values())
    assert all(PAY in METHODS[name] for name in METHODS if "_send" in name or "_sign" in name)


@fuzz(60)
@given(st.binary(max_size=300) | st.text(max_size=80).map(lambda text: json.dumps(call(text, [text])).encode()))
def test_total(body: bytes) -> None:
    asked = rpc("")
    garbled = Request(
        scheme="https", method="POST", host=asked.host, port=443, target="/v3/1",
        headers=asked.headers, body=body, agent="a", run="r",
    )  # fmt: skip
    assert CODEC.decode(garbled) == CODEC.decode(garbled)


@fuzz(60)
@given(st.binary(min_size=1, max_size=40), st.integers(0, 200))
def test_a_damaged_transaction_is_unknown_or_still_a_payment(noise: bytes, at: int) -> None:
    whole = bytes.fromhex(raw(gasPrice=1)[2:])
    damaged = whole[:at] + noise + whole[at + len(noise) :]
    action = CODEC.decode(rpc(call("eth_sendRawTransaction", ["0x" + damaged.hex()])))
    assert action.undecodable or PAY in action.classes


def test_reading_a_transaction_leaves_the_interpreter_as_it_was() -> None:
    """Its library raises the recursion limit so far that deeply nested JSON would end the server."""
    program = (
        "import sys, json\n"
        "before = sys.getrecursionlimit()\n"
        "from comptroller.decode.wallet import wallet\n"
        "wallet().keccak(b'')\n"
        "assert sys.getrecursionlimit() == before, sys.getrecursionlimit()\n"
        "try:\n    json.loads('[' * 100_000)\nexcept RecursionError:\n    print('lives')\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60)
    assert done.stdout == "lives\n", done.stderr


def test_a_transaction_of_too_many_pieces_is_not_read() -> None:
    pieces = bytes.fromhex("fa061a80") + b"\xc0" * 400_000
    for text in ("0x" + pieces.hex(), "0x02" + pieces.hex(), "0x" + "c1" * 60_000 + "c0"):
        action = CODEC.decode(rpc(call("eth_sendRawTransaction", [text])))
        assert action.undecodable and "members" in action.reason
