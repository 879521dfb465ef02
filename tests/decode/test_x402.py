"""x402: the price is what the payer signed; a header that says something else beside it is refused."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest
from eth_account import Account
from eth_account.messages import encode_typed_data
from hypothesis import given
from hypothesis import strategies as st
from tests.decode.wire_kit import again, request
from tests.fuzz_kit import fuzz
from x402.http.constants import PAYMENT_SIGNATURE_HEADER, X_PAYMENT_HEADER
from x402.schemas.payments import PaymentPayload
from x402.schemas.v1 import PaymentPayloadV1

from comptroller import price
from comptroller.core.action import Action, ActionClass
from comptroller.core.estimate import Unit
from comptroller.core.request import Request
from comptroller.decode.http import HttpCodec
from comptroller.decode.x402 import HEADERS

CODEC = HttpCodec()
WALLET, STRANGER = Account.from_key("0x" + "11" * 32), Account.from_key("0x" + "12" * 32)
PAYEE, OTHER = "0x" + "22" * 20, "0x" + "33" * 20
USDC_BASE = "0x833589fCD6eDb6E08f4c7C32D4f71b54bdA02913"
TYPES = {
    "TransferWithAuthorization": [
        {"name": name, "type": kind}
        for name, kind in (
            ("from", "address"), ("to", "address"), ("value", "uint256"), ("validAfter", "uint256"),
            ("validBefore", "uint256"), ("nonce", "bytes32"),
        )
    ]
}  # fmt: skip


def signed(
    value: int = 2_500_000, *, wallet: Any = WALLET, token: str = USDC_BASE, chain: int = 8453
) -> dict[str, Any]:
    authorization = {
        "from": WALLET.address, "to": PAYEE, "value": str(value), "validAfter": "0", "validBefore": "1999999999",
        "nonce": "0x" + "ab" * 32,
    }  # fmt: skip
    domain = {"name": "USD Coin", "version": "2", "chainId": chain, "verifyingContract": token}
    message = {
        **authorization, "value": value, "validAfter": 0, "validBefore": 1999999999, "nonce": bytes.fromhex("ab" * 32),
    }  # fmt: skip
    text = encode_typed_data(domain_data=domain, message_types=TYPES, message_data=message)
    return {"signature": "0x" + bytes(wallet.sign_message(text).signature).hex(), "authorization": authorization}


def accepted(**changes: Any) -> dict[str, Any]:
    base = {
        "scheme": "exact", "network": "eip155:8453", "asset": USDC_BASE, "amount": "2500000", "payTo": PAYEE,
        "maxTimeoutSeconds": 60, "extra": {},
    }  # fmt: skip
    return {**base, **changes}


def carry(header: str, document: object) -> Request:
    text = document if isinstance(document, str) else base64.b64encode(json.dumps(document).encode()).decode()
    return request("api.shop.example", "GET", "/data", **{header.replace("-", "_"): text})


def second(payload: object, **changes: Any) -> Request:
    return carry("payment-signature", {"x402Version": 2, "payload": payload, "accepted": accepted(**changes)})


def first(payload: object, **changes: Any) -> Request:
    body = {"x402Version": 1, "scheme": "exact", "network": "base", "payload": payload, **changes}
    return carry("x-payment", body)


def paid(request: Request) -> Action:
    action = CODEC.decode(request)
    assert action.classes == {ActionClass.READ, ActionClass.PAY}
    return action


def test_the_documents_are_those_of_the_protocols_own_library() -> None:
    assert {PAYMENT_SIGNATURE_HEADER.lower(), X_PAYMENT_HEADER.lower()} == set(HEADERS)
    body = {"x402Version": 2, "payload": signed(), "accepted": accepted()}
    assert PaymentPayload.model_validate(body).accepted.amount == "2500000"
    old = {"x402Version": 1, "scheme": "exact", "network": "base", "payload": signed()}
    assert PaymentPayloadV1.model_validate(old).network == "base"


@pytest.mark.parametrize("asked", [second(signed()), first(signed()), first(signed(), network="eip155:8453")])
def test_what_was_signed_is_what_it_costs(asked: Request) -> None:
    action = paid(asked)
    assert action.payment is not None and action.payment.currency == "usdc"
    assert (action.payment.amount_minor, action.payment.payee) == (2_500_000, PAYEE)
    assert price.estimate(action).high(Unit.USD_MICROS) == 2_625_000, "a dollar token, with room to stray"
    assert "paying 2.500000 usdc" in CODEC.sentence(action)
    outgoing = CODEC.encode(action, asked)
    assert CODEC.decode(again(outgoing, asked)) == action
    assert "@payment" in action.sensitive


@pytest.mark.parametrize(
    "asked",
    [
        second(signed(), amount="1"),
        second(signed(), amount="02500000"),
        second(signed(), payTo=OTHER),
        second(signed(), asset=None),
        second({**signed(), "authorization": {**signed()["authorization"], "value": 2500000}}),
        second({**signed(), "authorization": {**signed()["authorization"], "extra": 1}}),
        carry("payment-signature", {"x402Version": 1, "payload": signed(), "accepted": accepted()}),
        carry("x-payment", {"x402Version": 2, "scheme": "exact", "network": "base", "payload": signed()}),
        carry("x-payment", "not base64 !"),
        carry("x-payment", ""),
        carry("payment-signature", base64.b64encode(b'{"x402Version":2,"x402Version":2}').decode()),
    ],
)
def test_a_payment_that_contradicts_itself_is_refused(asked: Request) -> None:
    action = CODEC.decode(asked)
    assert action.undecodable and "x402" in action.reason


def test_two_payments_in_one_request_are_refused() -> None:
    both = second(signed())
    headers = (*both.headers, *first(signed()).headers)
    asked = Request(
        scheme="https", method="GET", host=both.host, port=443, target="/data", headers=headers, body=b"",
        agent="a", run="r",
    )  # fmt: skip
    assert "two x402 payments" in CODEC.decode(asked).reason


@pytest.mark.parametrize(
    "asked",
    [
        second(signed(wallet=STRANGER)),
        second(signed(token=OTHER)),
        second(signed(), asset=OTHER),
        second(signed(chain=1)),
        second(signed(), network="eip155:1"),
        second(signed(), network="solana:5eykt4UsFv8P8NJdTREpY1vzqKqZKvdp"),
        second(signed(), scheme="upto"),
        second({"transaction": "AQID"}),
        first(signed(wallet=STRANGER)),
        first({**signed(), "signature": "0x" + "00" * 65}),
        first({**signed(), "signature": "0x" + "00" * 200}),
    ],
)
def test_what_the_signature_does_not_prove_has_no_known_amount(asked: Request) -> None:
    """The token lies in the signed domain: a cheap one named beside a signature for dollars must not set the price."""
    action = paid(asked)
    assert action.payment is None and price.estimate(action).unknown(Unit.USD_MICROS)
    assert "an amount that is not known" in CODEC.sentence(action)


@fuzz(60)
@given(st.sampled_from(HEADERS), st.dictionaries(st.text(max_size=8), st.text(max_size=8) | st.integers(), max_size=5))
def test_total_and_never_free(header: str, document: dict[str, Any]) -> None:
    action = CODEC.decode(carry(header, document))
    assert action.undecodable or ActionClass.PAY in action.classes
