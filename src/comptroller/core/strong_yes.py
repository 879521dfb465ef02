"""The strong yes: what a passkey signs is the SHA-256 of the very question, so the signature itself proves what was
approved. Whoever holds the entry of the vote checks it without a server."""

from __future__ import annotations

import base64
import binascii
import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

from comptroller.core.approval import Approval
from comptroller.core.currency import decimals_of
from comptroller.core.errors import RefusedError, VerificationError
from comptroller.core.jcs import NotJson, jcs

VERSION = 1
MEMBERS = (
    *("v", "approval", "digest", "operation", "sentence", "amount", "currency", "payee", "run", "agent"),
    *("expires_at", "nonce"),
)
"""What is signed: exactly these. All but `v` are text; what does not apply is empty."""
PROOF_MEMBERS = (
    *("v", "document", "person", "origin", "credential", "public_key"),
    *("authenticator_data", "client_data", "signature"),
)
"""A proof: the signed document, who gave it and where, and what the authenticator answered (base64url)."""
NONCE_CHARS_MIN = 22
"""128 bits as base64url."""
PART_CHARS_MAX = 16 << 10
COIN_FAMILIES = frozenset({"ethereum", "http"})
"""Where a currency of three letters may be a coin, whose decimals ISO 4217 does not say."""

Document = Mapping[str, object]


def strong_yes(approval: Approval, *, nonce: str, ceiling_usd_micros: int | None = None) -> dict[str, object]:
    """The document whose hash is the challenge. `ceiling_usd_micros` is the most it may cost, where that is not known.

    Raises `RefusedError` for a ceiling beside a known price: nothing signed would say it.
    """
    if ceiling_usd_micros is not None and not approval.price_unknown:
        raise RefusedError("the cost is known: a signed yes names no other", hint="leave the ceiling out")
    amount, currency, payee = _money(approval, ceiling_usd_micros)
    return {
        "v": VERSION,
        "approval": approval.id,
        "digest": approval.digest,
        "operation": approval.operation,
        "sentence": approval.sentence,
        "amount": amount,
        "currency": currency,
        "payee": payee,
        "run": approval.run,
        "agent": approval.agent,
        "expires_at": approval.expires_at.astimezone(UTC).isoformat(),
        "nonce": nonce,
    }


def challenge(document: Document) -> bytes:
    """The 32 bytes that the passkey signs. Raises `VerificationError` for what is no document of ours."""
    members_wrong = set(document) != set(MEMBERS) or document["v"] != VERSION or type(document["v"]) is not int
    if members_wrong or any(not isinstance(document[name], str) for name in MEMBERS if name != "v"):
        raise VerificationError("what was signed is no document of a strong yes of this version")
    if len(str(document["nonce"])) < NONCE_CHARS_MIN:
        raise VerificationError("the nonce is too short to be one")
    try:
        return hashlib.sha256(jcs(document)).digest()
    except NotJson as error:
        raise VerificationError("what was signed has no canonical form") from error


def _money(approval: Approval, ceiling: int | None) -> tuple[str, str, str]:
    """Amount in the currency's own unit, currency, payee. Of what is no state's money, the smallest unit is counted."""
    payment = approval.facts.get("payment")
    payment = payment if isinstance(payment, Mapping) else {}
    payee = str(payment.get("payee") or "")
    minor, currency = payment.get("amount_minor"), str(payment.get("currency") or "").upper()
    if isinstance(minor, int) and currency and not approval.price_unknown:
        family = approval.operation.partition(":")[0]
        if len(currency) != 3 or family in COIN_FAMILIES:
            return str(minor), f"{currency}/minor", payee
        return _decimal(minor, decimals_of(currency, family)), currency, payee
    known = approval.facts.get("usd_micros_high")
    micros = ceiling if approval.price_unknown else known
    return (_decimal(micros, 6), "USD", payee) if isinstance(micros, int) else ("", "", payee)


def _decimal(amount: int, decimals: int) -> str:
    """`1999` with two decimals as `19.99`; at least two are kept where there are any."""
    sign, digits = "-" * (amount < 0), str(abs(amount)).rjust(decimals + 1, "0")
    if not decimals:
        return sign + digits
    whole, part = digits[:-decimals], digits[-decimals:]
    return f"{sign}{whole}.{part.rstrip('0').ljust(min(2, decimals), '0')}"


# ---------------------------------------------------------------- proofs


@dataclass(frozen=True, slots=True, kw_only=True)
class Signed:
    """A proof that holds: who signed which document, with which key. `credential` and `public_key` are base64url."""

    document: Document
    person: str
    origin: str
    credential: str
    public_key: str
    challenge: str


def verify_proof(proof: Mapping[str, object]) -> Signed:
    """Check signature, challenge, origin and user verification of a proof by itself. Raises `VerificationError`.

    Whether the key is the person's is said by the entry of its enrolment, whether the facts are those of the vote by
    `verify_vote`.
    """
    if set(proof) != set(PROOF_MEMBERS) or proof["v"] != VERSION or not isinstance(proof["document"], Mapping):
        raise VerificationError("this is no proof of a strong yes of this version")
    texts = {name: proof[name] for name in PROOF_MEMBERS if name not in ("v", "document")}
    if any(not isinstance(text, str) or not text or len(text) > PART_CHARS_MAX for text in texts.values()):
        raise VerificationError("a part of the proof is missing or too long")
    part = {name: str(text) for name, text in texts.items()}
    expected = challenge(proof["document"])
    client = _json(unpadded(part["client_data"]))
    if client.get("crossOrigin") not in (None, False) or "topOrigin" in client:
        raise VerificationError("the passkey was used from within another site's page")
    host = host_of(part["origin"])
    _check_signature(part, expected=expected, rp_id=host)
    return Signed(
        document=dict(proof["document"]),
        person=part["person"],
        origin=part["origin"],
        credential=part["credential"],
        public_key=part["public_key"],
        challenge=expected.hex(),
    )


def _check_signature(part: Mapping[str, str], *, expected: bytes, rp_id: str) -> None:
    from webauthn import verify_authentication_response  # a quarter of a second, and most processes verify nothing
    from webauthn.helpers.exceptions import WebAuthnException

    counter = unpadded(part["authenticator_data"])[33:37]
    credential = {
        "id": part["credential"],
        "rawId": part["credential"],
        "type": "public-key",
        "response": {
            "clientDataJSON": part["client_data"],
            "authenticatorData": part["authenticator_data"],
            "signature": part["signature"],
        },
    }
    try:
        verify_authentication_response(
            credential=credential,
            expected_challenge=expected,
            expected_rp_id=rp_id,
            expected_origin=part["origin"],
            credential_public_key=unpadded(part["public_key"]),
            credential_current_sign_count=max(0, int.from_bytes(counter, "big") - 1),
            require_user_verification=True,
        )
    except WebAuthnException as error:
        raise VerificationError(f"the passkey's signature does not hold: {error}") from error
    except Exception as error:  # the library raises what its parsers do: whatever it is, nothing is proven
        raise VerificationError("the passkey's answer cannot be read") from error


def verify_vote(leaf: Mapping[str, object], beside: Mapping[str, object]) -> Signed:
    """Check that the entry of a yes carries a proof over exactly what it records. `leaf` is the entry's document,
    `beside` the private values by name. Raises `VerificationError`."""
    body = leaf.get("body")
    proof = beside.get("proof")
    if not isinstance(body, Mapping) or leaf.get("kind") not in ("approval.voted", "approval.approved"):
        raise VerificationError("this entry is no yes to an approval")
    if not isinstance(proof, Mapping):
        raise VerificationError("this yes has no proof beside it: it was not signed by a passkey, or it was erased")
    signed = verify_proof(proof)
    document = signed.document
    told = {
        "approval": body.get("approval"),
        "digest": body.get("digest"),
        "operation": body.get("operation"),
        "run": leaf.get("run"),
        "agent": leaf.get("agent"),
    }
    for name, value in told.items():
        if document[name] != value:
            raise VerificationError(f"the entry says another {name} than was signed")
    if body.get("by") != signed.person:
        raise VerificationError("the entry names another person than the proof")
    if body.get("challenge") not in (None, signed.challenge):
        raise VerificationError("the entry names another challenge than was signed")
    _check_ceiling(body.get("ceiling_usd_micros"), document)
    if not _moment(leaf.get("at")) < _moment(document["expires_at"]):
        raise VerificationError("the yes came after the question had expired")
    return signed


def _check_ceiling(ceiling: object, document: Document) -> None:
    """A ceiling is the smallest that anybody named: never above what this person signed."""
    if not isinstance(ceiling, int) or isinstance(ceiling, bool):
        return
    if document["currency"] != "USD" or not document["amount"]:
        raise VerificationError("the entry names a ceiling that was not signed")
    whole, _, part = str(document["amount"]).partition(".")
    if ceiling > int(whole) * 1_000_000 + int(part[:6].ljust(6, "0") or "0"):
        raise VerificationError("the entry names a higher ceiling than was signed")


def _moment(text: object) -> datetime:
    try:
        moment = datetime.fromisoformat(str(text))
        if moment.tzinfo is None:
            raise ValueError
        return moment
    except ValueError as error:
        raise VerificationError("a time in the entry or in what was signed cannot be read") from error


def host_of(origin: str) -> str:
    """The host of `https://host` or `http://localhost:8000`: what passkeys are for. Raises `VerificationError`."""
    scheme, _, rest = origin.partition("://")
    host, _, port = rest.partition(":")
    secure = scheme == "https" or (scheme == "http" and host == "localhost")
    if not secure or not host or set(host) & set("/@?#[]") or (port and not port.isdigit()):
        raise VerificationError("passkeys work at https origins and at http://localhost alone")
    return host


def padless(raw: bytes) -> str:
    """base64url without padding, as WebAuthn writes it."""
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode("ascii")


def unpadded(text: str) -> bytes:
    """The bytes of base64url without padding, one spelling each. Raises `VerificationError`."""
    try:
        raw = base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
    except (binascii.Error, ValueError) as error:
        raise VerificationError("a part of the passkey's answer is no base64url") from error
    if padless(raw) != text:
        raise VerificationError("a part of the passkey's answer is not spelt as it has to be")
    return raw


def _json(raw: bytes) -> Mapping[str, object]:
    try:
        found = json.loads(raw)
    except (ValueError, RecursionError) as error:
        raise VerificationError("the passkey's client data cannot be read") from error
    if not isinstance(found, dict):
        raise VerificationError("the passkey's client data is no object")
    return found
