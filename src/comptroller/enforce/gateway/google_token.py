"""Short-lived access tokens for a Google service account, made outside every box (RFC 7523: a signed assertion)."""

from __future__ import annotations

import json
import time
from base64 import urlsafe_b64encode
from dataclasses import dataclass, field

import httpx
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa

TOKEN_URL = "https://oauth2.googleapis.com/token"  # noqa: S105 - an address
SCOPE = "https://www.googleapis.com/auth/cloud-platform"
GRANT = "urn:ietf:params:oauth:grant-type:jwt-bearer"
ASSERTION_SECONDS = 3600
FETCH_SECONDS = 10.0
ANSWER_BYTES_MAX = 64 << 10
RENEW_SECONDS = 1800
"""A token with less time than this is replaced before a call that may be held."""


class NoTokenError(Exception):
    """Why there is no token; never holds a secret."""


@dataclass(frozen=True, slots=True)
class AccessToken:
    """A token and when it ends, in seconds of the machine's clock."""

    text: str = field(repr=False)
    ends: float

    @property
    def fresh(self) -> bool:
        """True where it outlives a held call."""
        return self.ends - time.time() > RENEW_SECONDS

    @property
    def valid(self) -> bool:
        """True where it can still be used."""
        return self.ends - time.time() > 0


def mint(key_file: str, *, url: str = TOKEN_URL) -> AccessToken:
    """Exchange the text of a key file for a token; blocks on the network. Raises `NoTokenError`.

    The address is Google's own, whatever the file says: a changed file must not send assertions elsewhere.
    """
    assertion = _assertion(key_file, int(time.time()))
    try:
        answer = httpx.post(url, data={"grant_type": GRANT, "assertion": assertion}, timeout=FETCH_SECONDS)
    except httpx.HTTPError as error:
        raise NoTokenError(f"Google's token service cannot be reached ({type(error).__name__})") from error
    if answer.status_code != httpx.codes.OK or len(answer.content) > ANSWER_BYTES_MAX:
        raise NoTokenError(f"Google's token service answers with status {answer.status_code}")
    try:
        document = answer.json()
        text, lasts = document["access_token"], document["expires_in"]
        if not isinstance(text, str) or not text or not isinstance(lasts, int) or isinstance(lasts, bool):
            raise NoTokenError("Google's token service sent no token")
    except (ValueError, KeyError, TypeError) as error:
        raise NoTokenError("Google's token service sent no token") from error
    return AccessToken(text, time.time() + lasts)


def _assertion(key_file: str, now: int) -> str:
    try:
        document = json.loads(key_file)
        email, pem, identity = document["client_email"], document["private_key"], document.get("private_key_id", "")
        key = serialization.load_pem_private_key(str(pem).encode("ascii"), password=None)
    except (ValueError, KeyError, TypeError, UnsupportedAlgorithm) as error:
        raise NoTokenError("it is not the key file of a service account") from error
    if not isinstance(key, rsa.RSAPrivateKey):
        raise NoTokenError("it holds no RSA key")
    claims = {"iss": email, "scope": SCOPE, "aud": TOKEN_URL, "iat": now, "exp": now + ASSERTION_SECONDS}
    head = {"alg": "RS256", "typ": "JWT", "kid": identity}
    signed = f"{_part(head)}.{_part(claims)}"
    signature = key.sign(signed.encode("ascii"), padding.PKCS1v15(), hashes.SHA256())
    return f"{signed}.{_base64(signature)}"


def _part(value: object) -> str:
    return _base64(json.dumps(value, separators=(",", ":")).encode("utf-8"))


def _base64(raw: bytes) -> str:
    return urlsafe_b64encode(raw).rstrip(b"=").decode("ascii")
