"""x402: a payment signed into a request's header. Priced is what the signature proves, never what stands beside it."""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Mapping
from dataclasses import dataclass

from comptroller.core.action import Payment, Value
from comptroller.core.request import Request
from comptroller.decode.chains import TOKENS, Token, chain_of
from comptroller.decode.jsontext import MalformedJson, parse_object
from comptroller.decode.shape import Undecodable, only_header
from comptroller.decode.wallet import wallet

HEADERS = ("x-payment", "payment-signature")
"""Where version 1 and version 2 carry the payment."""
UINT256_DIGITS_MAX = 78

_AMOUNT = re.compile(rf"0|[1-9][0-9]{{0,{UINT256_DIGITS_MAX - 1}}}")
_ADDRESS = re.compile(r"0x[0-9a-fA-F]{40}")
_NONCE = re.compile(r"0x[0-9a-fA-F]{64}")
_SIGNATURE = re.compile(r"0x[0-9a-fA-F]{130}")
_TRANSFER = {
    "TransferWithAuthorization": [
        {"name": "from", "type": "address"},
        {"name": "to", "type": "address"},
        {"name": "value", "type": "uint256"},
        {"name": "validAfter", "type": "uint256"},
        {"name": "validBefore", "type": "uint256"},
        {"name": "nonce", "type": "bytes32"},
    ]
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Signed:
    """A payment in a header. `payment` is None, and `why` says so, where nobody can say how much it moves."""

    header: str
    value: str
    payment: Payment | None
    shown: Mapping[str, Value]
    why: str = ""


def signed_payment(request: Request) -> Signed | None:
    """The payment a request carries; None where it carries none. Raises `Undecodable` for one that contradicts itself.

    Both headers at once, an accepted amount or payee other than the signed one, or a signature by somebody else are
    refused. A scheme, network or token that nobody here knows is a payment of unknown amount.
    """
    found = [(name, value) for name in HEADERS if (value := only_header(request, name)) is not None]
    if not found:
        return None
    if len(found) > 1:
        raise Undecodable("the request carries two x402 payments")
    header, value = found[0]
    document = _document(value)
    version = document.get("x402Version")
    accepted: Mapping[str, Value] = document
    if header == "payment-signature":
        inner = document.get("accepted")
        if not isinstance(inner, Mapping):
            raise Undecodable("the x402 payment does not say what it accepts")
        accepted = inner
    if version != (2 if header == "payment-signature" else 1):
        raise Undecodable(f"the x402 payment in `{header}` is of another version")
    scheme, network = accepted.get("scheme"), accepted.get("network")
    payload = document.get("payload")
    if not isinstance(scheme, str) or not isinstance(network, str) or not isinstance(payload, Mapping):
        raise Undecodable("the x402 payment names no scheme, network or payload")
    shown: dict[str, Value] = {"scheme": scheme[:64], "network": network[:64]}
    if scheme != "exact" or chain_of(network) is None or set(payload) != {"signature", "authorization"}:
        return Signed(header=header, value=value, payment=None, shown=shown, why="its scheme or network is not known")
    return _exact(header, value, accepted, payload, chain_of(network) or 0, shown)


def _exact(
    header: str,
    value: str,
    accepted: Mapping[str, Value],
    payload: Mapping[str, Value],
    chain: int,
    shown: dict[str, Value],
) -> Signed:
    """An EIP-3009 authorization: signed are payer, payee, amount, time and, in its domain, the token."""
    inner, signature = payload["authorization"], payload["signature"]
    if not isinstance(inner, Mapping) or set(inner) != {"from", "to", "value", "validAfter", "validBefore", "nonce"}:
        raise Undecodable("the x402 authorization has other members than EIP-3009 names")
    payer, payee, amount = inner["from"], inner["to"], inner["value"]
    times = (inner["validAfter"], inner["validBefore"])
    if not (_is(_ADDRESS, payer) and _is(_ADDRESS, payee) and _is(_NONCE, inner["nonce"]) and _is(_AMOUNT, amount)):
        raise Undecodable("the x402 authorization is malformed")
    if not all(_is(_AMOUNT, time) for time in times):
        raise Undecodable("the x402 authorization is malformed")
    claimed = accepted.get("asset")
    if header == "payment-signature":
        pays, most = accepted.get("payTo"), accepted.get("amount")
        if most != amount:
            raise Undecodable("the x402 payment signs another amount than it accepts")
        if not isinstance(pays, str) or pays.lower() != str(payee).lower():
            raise Undecodable("the x402 payment signs another payee than it accepts")
        if not _is(_ADDRESS, claimed):
            raise Undecodable("the x402 payment names no token")
    shown |= {"payer": payer, "payee": payee, "amount": amount}
    wanted = str(claimed).lower() if header == "payment-signature" else None
    tokens = [t for (where, at), t in TOKENS.items() if where == chain and t.name and wanted in (None, at)]
    if not tokens or not _is(_SIGNATURE, signature):
        return Signed(header=header, value=value, payment=None, shown=shown, why="its token or signer is not known")
    for token in tokens:
        if _signer(token, inner, str(signature)) == str(payer).lower():
            paid = Payment(amount_minor=int(str(amount)), currency=token.currency, payee=str(payee), reversible=False)
            return Signed(header=header, value=value, payment=paid, shown={**shown, "currency": token.currency})
    return Signed(header=header, value=value, payment=None, shown=shown, why="the signature is not the payer's")


def _signer(token: Token, authorization: Mapping[str, Value], signature: str) -> str:
    """Who signed this authorization for this token, lower case; empty where nobody did."""
    library = wallet()
    domain = {
        "name": token.name,
        "version": token.version,
        "chainId": token.chain,
        "verifyingContract": token.address,
    }
    message = {
        **authorization,
        **{name: int(str(authorization[name])) for name in ("value", "validAfter", "validBefore")},
        "nonce": bytes.fromhex(str(authorization["nonce"])[2:]),
    }
    try:
        return library.signer(domain, _TRANSFER, message, signature)
    except Exception:  # noqa: BLE001  a signature that cannot be checked is nobody's
        return ""


def _document(value: str) -> Mapping[str, Value]:
    try:
        return parse_object(base64.b64decode(value, validate=True))
    except (binascii.Error, ValueError, MalformedJson) as error:
        raise Undecodable("the x402 payment is not base64 of a JSON object") from error


def _is(pattern: re.Pattern[str], value: Value) -> bool:
    return isinstance(value, str) and pattern.fullmatch(value) is not None
