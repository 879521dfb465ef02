"""A signed transaction, read: who pays whom how much in what, and what else it calls."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from comptroller.core.action import ActionClass, Payment, Value
from comptroller.decode.chains import COINS, TOKENS
from comptroller.decode.shape import Undecodable
from comptroller.decode.wallet import wallet

RAW_BYTES_MAX = 512 << 10
"""Blob transactions carry up to nine blobs of 128 KiB beside them; they are refused above this."""
UNLIMITED_MIN = 1 << 128
"""An allowance from here on is meant as one without limit: no supply is as large."""
LEGACY_FIELDS = 9
ITEMS_MAX = 512
"""Texts and lists in one transaction: most have a dozen, those with long access lists a few hundred."""

_HEX = re.compile(r"0x(?:[0-9a-fA-F]{2})*")
_WORD = 32

TRANSFER, TRANSFER_FROM, APPROVE = "a9059cbb", "23b872dd", "095ea7b3"
INCREASE_ALLOWANCE, APPROVE_ALL = "39509351", "a22cb465"
_SELECTORS: Mapping[str, tuple[str, int]] = {
    TRANSFER: ("transfer", 2),
    TRANSFER_FROM: ("transferFrom", 3),
    APPROVE: ("approve", 2),
    INCREASE_ALLOWANCE: ("increaseAllowance", 2),
    APPROVE_ALL: ("setApprovalForAll", 2),
}
"""Selector -> (function, words of arguments)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Moved:
    """What a transaction does. `payment` is None where the amount, or what it is counted in, is not known; `fee` is
    the most its gas may cost, in the chain's smallest unit. `shown` is what people are shown of it."""

    classes: frozenset[ActionClass]
    payment: Payment | None
    fee: int
    coin: str
    chain: int | None
    to: str
    hash: str
    does: str
    shown: Mapping[str, Value]


def read_transaction(text: Value) -> Moved:
    """Reads the hexadecimal text of a signed transaction. Raises `Undecodable`."""
    if not isinstance(text, str) or not _HEX.fullmatch(text) or len(text) < 4:
        raise Undecodable("the signed transaction is not hexadecimal text")
    if len(text) > 2 * RAW_BYTES_MAX:
        raise Undecodable(f"the signed transaction is over {RAW_BYTES_MAX} bytes")
    raw = bytes.fromhex(text[2:])
    fields = _fields(raw)
    to = bytes(fields.get("to") or b"")
    data = bytes(fields.get("data") or b"")
    value, gas = int(fields.get("value") or 0), int(fields.get("gas") or 0)
    price = int(fields.get("maxFeePerGas") or fields.get("gasPrice") or 0)
    blob_fee = int(fields.get("maxFeePerBlobGas") or 0) * 131072 * len(fields.get("blobVersionedHashes") or ())
    chain = fields.get("chainId")
    classes, payment, does, arguments = _meaning(chain, to, value, data)
    if fields.get("authorizationList"):
        classes, payment = classes | {ActionClass.ENTITLE}, None
        does += ", and hands accounts over to code (EIP-7702)"
    recipient = "0x" + to.hex() if to else ""
    return Moved(
        classes=classes,
        payment=payment,
        fee=gas * price + blob_fee,
        coin=COINS.get(chain or 0, ""),
        chain=chain,
        to=recipient,
        hash="0x" + wallet().keccak(raw).hex(),
        does=does,
        shown={
            "chain_id": chain,
            "to": recipient or None,
            "value": value,
            "gas": gas,
            "fee_per_gas_max": price,
            "nonce": int(fields.get("nonce") or 0),
            "call": does,
            **arguments,
        },
    )


def _fields(raw: bytes) -> Mapping[str, Any]:
    """The fields of a transaction. Raises `Undecodable`."""
    library = wallet()
    _check_items(raw if raw[0] >= 0xC0 else raw[1:])
    try:
        if raw[0] >= 0xC0:
            parts = library.rlp(raw)
            if len(parts) != LEGACY_FIELDS or not all(isinstance(part, bytes) for part in parts):
                raise ValueError("not nine fields")
            names = ("nonce", "gasPrice", "gas", "to", "value", "data", "v", "r", "s")
            fields: dict[str, Any] = dict(zip(names, parts, strict=True))
            for name in ("nonce", "gasPrice", "gas", "value", "v", "r", "s"):
                fields[name] = int.from_bytes(fields[name], "big")
            fields["chainId"] = (fields["v"] - 35) // 2 if fields["v"] >= 35 else None
        else:
            fields = library.transaction(raw)
        if len(bytes(fields.get("to") or b"")) not in (0, 20):
            raise ValueError("an address of another length")
        return fields
    except Exception as error:
        raise Undecodable("the signed transaction cannot be read") from error


def _check_items(raw: bytes) -> None:
    """Raises `Undecodable` for a transaction of too many pieces: reading half a million of them takes seconds."""
    at, items = 0, 0
    while at < len(raw):
        items += 1
        if items > ITEMS_MAX:
            raise Undecodable(f"the signed transaction has more than {ITEMS_MAX} members")
        first = raw[at]
        is_list = first >= 0xC0
        short = first - (0xC0 if is_list else 0x80)
        # How many bytes say how long it is, and how long it is.
        wide = max(0, short - 55)
        length = int.from_bytes(raw[at + 1 : at + 1 + wide], "big") if wide else max(0, short)
        at += 1 + wide + (0 if is_list else length)


def _meaning(
    chain: int | None, to: bytes, value: int, data: bytes
) -> tuple[frozenset[ActionClass], Payment | None, str, Mapping[str, Value]]:
    pays = frozenset({ActionClass.PAY})
    if not to:
        return pays | {ActionClass.EXECUTE}, None, "deploy a contract", {"code_bytes": len(data)}
    coin = COINS.get(chain or 0)
    recipient = "0x" + to.hex()
    if not data:
        paid = None
        if coin is not None:
            paid = Payment(amount_minor=value, currency=coin, payee=recipient, reversible=False)
        return pays, paid, "transfer", {}
    selector = data[:4].hex()
    known = _SELECTORS.get(selector)
    if known is None or len(data) != 4 + known[1] * _WORD:
        return pays | {ActionClass.EXECUTE}, None, "call a function nobody here knows", {"selector": "0x" + selector}
    words = [data[4 + n * _WORD : 4 + (n + 1) * _WORD] for n in range(known[1])]
    spender = words[-2]
    if any(spender[:12]) or (selector == TRANSFER_FROM and any(words[0][:12])):
        return pays | {ActionClass.EXECUTE}, None, "call with a malformed address", {"selector": "0x" + selector}
    payee, amount = "0x" + spender[12:].hex(), int.from_bytes(words[-1], "big")
    arguments: dict[str, Value] = {"token": recipient, "payee": payee, "amount": amount}
    token = TOKENS.get((chain or 0, recipient))
    # Coins sent along with a token's own call are money of another kind: the sum has no currency.
    counted = token is not None and value == 0 and amount < UNLIMITED_MIN and selector != APPROVE_ALL
    payment = None
    if counted and token is not None:
        payment = Payment(amount_minor=amount, currency=token.currency, payee=payee, reversible=False)
    if selector in (APPROVE, INCREASE_ALLOWANCE, APPROVE_ALL):
        return pays | {ActionClass.ENTITLE}, payment, known[0], arguments
    return pays, payment, known[0], arguments
