"""A passkey authenticator in software: ES256, user verification, a sign counter; and every way to be a bad one."""

from __future__ import annotations

import hashlib
import json
import secrets
import struct
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import cbor2
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256

from comptroller.core.strong_yes import padless

USER_PRESENT, USER_VERIFIED, ATTESTED = 0x01, 0x04, 0x40


@dataclass
class Passkey:
    """One credential: its key never leaves the authenticator."""

    id: bytes
    rp_id: str
    user: bytes
    key: ec.EllipticCurvePrivateKey
    count: int = 0


@dataclass
class Authenticator:
    """Answers `navigator.credentials.create` and `.get` as a browser at `origin` would.

    The other members say what it does wrong: another origin or RP id than asked for, no user verification, a counter
    that stands still or goes back by `counter_step`, within a page of another site.
    """

    origin: str
    rp_id: str = ""
    verifies_user: bool = True
    counter_step: int = 1
    cross_origin: bool = False
    passkeys: list[Passkey] = field(default_factory=list)

    def create(self, options: Mapping[str, Any]) -> dict[str, Any]:
        """A new passkey for `publicKey` creation options, as the JSON that a page posts."""
        rp_id = self.rp_id or str(options["rp"]["id"])
        passkey = Passkey(
            id=secrets.token_bytes(32),
            rp_id=rp_id,
            user=str(options["user"]["id"]).encode(),
            key=ec.generate_private_key(ec.SECP256R1()),
        )
        self.passkeys.append(passkey)
        attested = bytes(16) + struct.pack(">H", len(passkey.id)) + passkey.id + _cose(passkey.key)
        data = self._data(passkey, flags=ATTESTED) + attested
        client = self._client("webauthn.create", options)
        return {
            "id": padless(passkey.id),
            "rawId": padless(passkey.id),
            "type": "public-key",
            "response": {
                "clientDataJSON": padless(client),
                "attestationObject": padless(cbor2.dumps({"fmt": "none", "attStmt": {}, "authData": data})),
                "transports": ["internal"],
            },
            "clientExtensionResults": {},
        }

    def get(self, options: Mapping[str, Any], *, passkey: Passkey | None = None) -> dict[str, Any]:
        """An assertion for `publicKey` request options, with the passkey they allow or `passkey`."""
        chosen = passkey or self._allowed(options)
        chosen.count += self.counter_step
        data = self._data(chosen)
        client = self._client("webauthn.get", options)
        signed = data + hashlib.sha256(client).digest()
        return {
            "id": padless(chosen.id),
            "rawId": padless(chosen.id),
            "type": "public-key",
            "response": {
                "clientDataJSON": padless(client),
                "authenticatorData": padless(data),
                "signature": padless(chosen.key.sign(signed, ec.ECDSA(SHA256()))),
                "userHandle": chosen.user.decode(),
            },
            "clientExtensionResults": {},
        }

    def _allowed(self, options: Mapping[str, Any]) -> Passkey:
        allowed = {item["id"] for item in options.get("allowCredentials") or ()}
        fitting = [p for p in self.passkeys if p.rp_id == options["rpId"] and (not allowed or padless(p.id) in allowed)]
        if not fitting:
            raise LookupError("no passkey of this authenticator is asked for")
        return fitting[-1]

    def _data(self, passkey: Passkey, *, flags: int = 0) -> bytes:
        flags |= USER_PRESENT | (USER_VERIFIED if self.verifies_user else 0)
        rp_id = self.rp_id or passkey.rp_id
        return hashlib.sha256(rp_id.encode()).digest() + struct.pack(">BI", flags, max(0, passkey.count))

    def _client(self, kind: str, options: Mapping[str, Any]) -> bytes:
        document = {
            "type": kind,
            "challenge": options["challenge"],
            "origin": self.origin,
            "crossOrigin": self.cross_origin,
        }
        return json.dumps(document, separators=(",", ":")).encode()


def _cose(key: ec.EllipticCurvePrivateKey) -> bytes:
    numbers = key.public_key().public_numbers()
    return cbor2.dumps({1: 2, 3: -7, -1: 1, -2: numbers.x.to_bytes(32, "big"), -3: numbers.y.to_bytes(32, "big")})
