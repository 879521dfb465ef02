"""Seals what has to be read again: AES-256-GCM under a key of this installation, bound to whom it belongs to."""

from __future__ import annotations

import base64
import binascii
import secrets
from dataclasses import dataclass

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from comptroller.core.errors import RefusedError

KEY_BYTES = 32
_NONCE_BYTES = 12
_MARK = "s1:"


def sealing_key(root: bytes) -> bytes:
    """The key that follows from a secret of the installation (the private log key's 32 bytes)."""
    return HKDF(algorithm=SHA256(), length=KEY_BYTES, salt=None, info=b"comptroller/people/seal/1").derive(root)


@dataclass(frozen=True, slots=True, repr=False)
class Seal:
    """Closes and opens texts."""

    key: bytes

    def close(self, text: str, about: str) -> str:
        """`text` sealed for `about`."""
        nonce = secrets.token_bytes(_NONCE_BYTES)
        sealed = AESGCM(self.key).encrypt(nonce, text.encode("utf-8"), about.encode("utf-8"))
        return _MARK + base64.b64encode(nonce + sealed).decode("ascii")

    def open(self, sealed: str, about: str) -> str:
        """The text. Raises `RefusedError` where it was sealed under another key, or for somebody else."""
        try:
            raw = base64.b64decode(sealed.removeprefix(_MARK), validate=True)
            return AESGCM(self.key).decrypt(raw[:_NONCE_BYTES], raw[_NONCE_BYTES:], about.encode("utf-8")).decode()
        except (InvalidTag, binascii.Error, ValueError) as error:
            raise RefusedError(
                "a second factor was sealed under another key: this installation cannot read it",
                hint=f"comptroller people reset {about}",
            ) from error
