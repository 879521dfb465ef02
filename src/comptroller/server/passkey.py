"""Passkeys: enrolment, sign-in and the strong yes. A challenge is for one purpose and one browser, and for one use."""

from __future__ import annotations

import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Literal

from webauthn import verify_registration_response
from webauthn.helpers.cose import COSEAlgorithmIdentifier
from webauthn.helpers.exceptions import WebAuthnException

from comptroller.core.account import Account, Passkey
from comptroller.core.approval import Approval
from comptroller.core.errors import RefusedError, VerificationError
from comptroller.core.strong_yes import VERSION, challenge, host_of, padless, strong_yes, unpadded, verify_proof
from comptroller.ports import Clock

CEREMONY_SECONDS_MAX = 120
CEREMONIES_MAX = 512
NONCE_BYTES = 32
VISITOR = "visitor:"
"""Begins the name of a holder who is not signed in: theirs give way first."""
ALGORITHMS = (
    COSEAlgorithmIdentifier.EDDSA,
    COSEAlgorithmIdentifier.ECDSA_SHA_256,
    COSEAlgorithmIdentifier.RSASSA_PKCS1_v1_5_SHA_256,
)

Purpose = Literal["enrol", "login", "yes"]


class PasskeyError(RefusedError):
    """A passkey's answer does not prove what it has to. The reason is for the log: people are told to try again."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Ceremony:
    """What was asked of a browser. `holder` names the session (or the visitor) that began it."""

    purpose: Purpose
    holder: str
    challenge: bytes
    expires_at: datetime
    subject: str = ""
    document: Mapping[str, object] = field(default_factory=dict)
    ceiling_usd_micros: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Assertion:
    """A signature that holds, with the sign counter that came with it."""

    credential: str
    count: int


@dataclass(frozen=True, slots=True, kw_only=True)
class SignedYes:
    """A strong yes: the proof for the vote, the counter for the account, and the ceiling that was signed."""

    proof: Mapping[str, object]
    assertion: Assertion
    ceiling_usd_micros: int | None


@dataclass(slots=True, kw_only=True)
class Passkeys:
    """The ceremonies that are under way, for one RP id. `origins`: every address the console has under it."""

    clock: Clock
    origins: Sequence[str]
    _open: dict[str, _Ceremony] = field(default_factory=dict)

    @property
    def rp_id(self) -> str:
        """The host that passkeys are bound to. Raises `VerificationError` where this address can have none."""
        return host_of(self.origins[0])

    # ------------------------------------------------------------ beginning

    def begin_enrolment(self, holder: str, account: Account, *, organization: str) -> dict[str, object]:
        """Creation options for one more passkey of `account`."""
        raw = secrets.token_bytes(NONCE_BYTES)
        handle = self._begin(
            _Ceremony(purpose="enrol", holder=holder, challenge=raw, expires_at=self._until(), subject=account.name)
        )
        return {
            "ceremony": handle,
            "publicKey": {
                "challenge": padless(raw),
                "rp": {"id": self.rp_id, "name": f"Comptroller: {organization}"},
                "user": {"id": account.handle, "name": account.name, "displayName": account.name},
                "pubKeyCredParams": [{"type": "public-key", "alg": int(each)} for each in ALGORITHMS],
                "timeout": CEREMONY_SECONDS_MAX * 1000,
                "excludeCredentials": [{"type": "public-key", "id": key.id} for key in account.passkeys],
                "authenticatorSelection": {
                    "residentKey": "required",
                    "requireResidentKey": True,
                    "userVerification": "required",
                },
                "attestation": "none",
            },
        }

    def begin_login(self, holder: str, allowed: Sequence[Passkey] = ()) -> dict[str, object]:
        """Request options. Without `allowed` any passkey of this console will do, and nobody need be named."""
        raw = secrets.token_bytes(NONCE_BYTES)
        handle = self._begin(_Ceremony(purpose="login", holder=holder, challenge=raw, expires_at=self._until()))
        return {"ceremony": handle, "publicKey": self._request(raw, allowed)}

    def begin_yes(
        self, holder: str, account: Account, approval: Approval, *, ceiling_usd_micros: int | None = None
    ) -> dict[str, object]:
        """Request options whose challenge is the hash of this very question, with the document that is signed.

        Raises `RefusedError` where the person has no passkey yet.
        """
        if not account.passkeys:
            raise RefusedError(f"`{account.name}` has no passkey", hint="add one on your account page")
        nonce = padless(secrets.token_bytes(NONCE_BYTES))
        document = strong_yes(approval, nonce=nonce, ceiling_usd_micros=ceiling_usd_micros)
        raw = challenge(document)
        handle = self._begin(
            _Ceremony(
                purpose="yes",
                holder=holder,
                challenge=raw,
                expires_at=self._until(),
                subject=approval.id,
                document=document,
                ceiling_usd_micros=ceiling_usd_micros,
            )
        )
        return {"ceremony": handle, "document": document, "publicKey": self._request(raw, account.passkeys)}

    # ------------------------------------------------------------ finishing

    def finish_enrolment(self, holder: str, handle: str, answer: Mapping[str, Any], *, name: str) -> Passkey:
        """The new passkey. Raises `PasskeyError`."""
        begun = self._take(handle, "enrol", holder)
        _check_client(answer)
        try:
            verified = verify_registration_response(
                credential=_plain(answer),
                expected_challenge=begun.challenge,
                expected_rp_id=self.rp_id,
                expected_origin=list(self.origins),
                require_user_verification=True,
                supported_pub_key_algs=list(ALGORITHMS),
            )
        except WebAuthnException as error:
            raise PasskeyError(f"the passkey was not made as it has to be: {error}") from error
        except Exception as error:  # the library raises what its parsers do: it proves nothing
            raise PasskeyError("the passkey's answer cannot be read") from error
        return Passkey(
            id=padless(verified.credential_id),
            public_key=padless(verified.credential_public_key),
            count=verified.sign_count,
            name=name,
            rp_id=self.rp_id,
            synced=verified.credential_backed_up,
            added_at=self.clock.now(),
        )

    def finish_login(self, holder: str, handle: str, answer: Mapping[str, Any], passkey: Passkey) -> Assertion:
        """That `passkey` signed this sign-in. Raises `PasskeyError`."""
        begun = self._take(handle, "login", holder)
        return self._assert(answer, passkey, begun.challenge)

    def finish_yes(
        self, holder: str, handle: str, answer: Mapping[str, Any], account: Account, approval: Approval
    ) -> SignedYes:
        """That a passkey of `account` signed exactly this question as it is now. Raises `PasskeyError`."""
        begun = self._take(handle, "yes", holder)
        if begun.subject != approval.id:
            raise PasskeyError("this signature was asked for another approval")
        nonce = str(begun.document["nonce"])
        if strong_yes(approval, nonce=nonce, ceiling_usd_micros=begun.ceiling_usd_micros) != begun.document:
            raise PasskeyError("the question is no longer the one that was signed", hint="look at it again")
        passkey = account.passkey(credential_of(answer))
        if passkey is None:
            raise PasskeyError(f"this is no passkey of `{account.name}`")
        assertion = self._assert(answer, passkey, begun.challenge)
        response = answer["response"]
        proof = {
            "v": VERSION,
            "document": dict(begun.document),
            "person": account.name,
            "origin": _client_of(answer)["origin"],
            "credential": passkey.id,
            "public_key": passkey.public_key,
            "authenticator_data": response["authenticatorData"],
            "client_data": response["clientDataJSON"],
            "signature": response["signature"],
        }
        try:
            verify_proof(proof)
        except VerificationError as error:
            raise PasskeyError(error.message) from error
        return SignedYes(proof=proof, assertion=assertion, ceiling_usd_micros=begun.ceiling_usd_micros)

    # ------------------------------------------------------------ within

    def _request(self, raw: bytes, allowed: Sequence[Passkey]) -> dict[str, object]:
        return {
            "challenge": padless(raw),
            "rpId": self.rp_id,
            "timeout": CEREMONY_SECONDS_MAX * 1000,
            "userVerification": "required",
            "allowCredentials": [{"type": "public-key", "id": key.id} for key in allowed],
        }

    def _until(self) -> datetime:
        return self.clock.now() + timedelta(seconds=CEREMONY_SECONDS_MAX)

    def _begin(self, begun: _Ceremony) -> str:
        """Remember it. Its holder's older ones give way first, so that one browser cannot push out the others'."""
        now = self.clock.now()
        self._open = {key: item for key, item in self._open.items() if item.expires_at > now}
        mine = [key for key, item in self._open.items() if item.holder == begun.holder]
        for key in mine[: max(0, len(mine) - 3)]:
            del self._open[key]
        strangers = [key for key, item in self._open.items() if item.holder.startswith(VISITOR)]
        if len(self._open) >= CEREMONIES_MAX and strangers:
            del self._open[strangers[0]]
        if len(self._open) >= CEREMONIES_MAX:
            raise RefusedError("too many sign-ins are under way; try again in a moment")
        handle = secrets.token_urlsafe(16)
        self._open[handle] = begun
        return handle

    def _take(self, handle: str, purpose: Purpose, holder: str) -> _Ceremony:
        """The ceremony, which is over with this. Raises `PasskeyError`."""
        begun = self._open.pop(handle, None)
        if begun is None or begun.expires_at <= self.clock.now():
            raise PasskeyError("this was begun too long ago, or answered already", hint="try again")
        if begun.purpose != purpose or begun.holder != holder:
            raise PasskeyError("this was begun for something else, or by another browser", hint="try again")
        return begun

    def _assert(self, answer: Mapping[str, Any], passkey: Passkey, raw: bytes) -> Assertion:
        from webauthn import verify_authentication_response

        _check_client(answer)
        if credential_of(answer) != passkey.id:
            raise PasskeyError("another passkey answered than the one that is known")
        try:
            verified = verify_authentication_response(
                credential=_plain(answer),
                expected_challenge=raw,
                expected_rp_id=passkey.rp_id,
                expected_origin=list(self.origins),
                credential_public_key=unpadded(passkey.public_key),
                credential_current_sign_count=passkey.count,
                require_user_verification=True,
            )
        except WebAuthnException as error:
            raise PasskeyError(f"the passkey's answer does not hold: {error}") from error
        except Exception as error:  # the library raises what its parsers do: it proves nothing
            raise PasskeyError("the passkey's answer cannot be read") from error
        return Assertion(credential=passkey.id, count=verified.new_sign_count)


def credential_of(answer: Mapping[str, Any]) -> str:
    """The id of the passkey that answered, by its own word; empty where there is none."""
    found = answer.get("id")
    return found if isinstance(found, str) else ""


def _plain(answer: Mapping[str, Any]) -> dict[str, Any]:
    """The members that are verified, and no others."""
    response = answer.get("response")
    kept = {name: answer.get(name) for name in ("id", "rawId", "type")}
    return {**kept, "response": dict(response) if isinstance(response, Mapping) else {}}


def _client_of(answer: Mapping[str, Any]) -> Mapping[str, Any]:
    import json

    try:
        found = json.loads(unpadded(answer["response"]["clientDataJSON"]))
    except (VerificationError, ValueError, KeyError, TypeError, RecursionError) as error:
        raise PasskeyError("the passkey's client data cannot be read") from error
    if not isinstance(found, dict):
        raise PasskeyError("the passkey's client data cannot be read")
    return found


def _check_client(answer: Mapping[str, Any]) -> None:
    """What the library leaves unchecked: the page of another site that holds ours within it."""
    client = _client_of(answer)
    if client.get("crossOrigin") not in (None, False) or "topOrigin" in client:
        raise PasskeyError("the passkey was used from within another site's page")
