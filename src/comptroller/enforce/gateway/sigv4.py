"""AWS Signature Version 4 over what the codec encoded; scope and host come from there, never from the box.

Written out because botocore's signer was the costliest stage of the line; botocore is the oracle of its tests.
Source: docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html
"""

from __future__ import annotations

import hashlib
import hmac
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from functools import lru_cache
from urllib.parse import quote

from botocore.utils import normalize_url_path

from comptroller.core.request import Header, Outgoing, Signing

UNSIGNED_PAYLOAD = "UNSIGNED-PAYLOAD"
S3_SCOPES = frozenset({"s3", "s3-outposts", "s3-object-lambda", "s3express"})
"""Scopes that sign the path as it is and want the payload's hash in a header."""
SIGNING_KEYS_MAX = 256
"""Derived keys that are remembered; each is good for one day, region and service."""

_PAYLOAD_HEADER = "x-amz-content-sha256"
_UNSIGNED = frozenset(
    {"content-length", "user-agent", "accept", "accept-encoding", "expect", "transfer-encoding", "x-amzn-trace-id"}
)
_REPLACED = frozenset({"host", "authorization", "date", "x-amz-date", "x-amz-security-token", _PAYLOAD_HEADER})


@dataclass(frozen=True, slots=True)
class AwsKeys:
    """An access key; its secret is in no `repr`."""

    access_key: str
    secret_key: str = field(repr=False)
    token: str = field(default="", repr=False)


def authority(outgoing: Outgoing) -> str:
    """What the Host header says: the port only where it is not the scheme's own."""
    default = 443 if outgoing.scheme == "https" else 80
    return outgoing.host if outgoing.port == default else f"{outgoing.host}:{outgoing.port}"


def signed(outgoing: Outgoing, signing: Signing, keys: AwsKeys, *, payload_sha256: str | None) -> Outgoing:
    """`outgoing` with `authorization`, `x-amz-date` and, with a session, its token. The body is covered unless it
    is a stream of unknown hash."""
    if outgoing.stream is None:
        payload = hashlib.sha256(outgoing.body).hexdigest()
    else:
        payload = payload_sha256 or outgoing.stream.sha256 or UNSIGNED_PAYLOAD
    stamp = _now().strftime("%Y%m%dT%H%M%SZ")
    kept = [header for header in outgoing.headers if header.name not in _REPLACED]
    fresh = [Header("x-amz-date", stamp)]
    if keys.token:
        fresh.append(Header("x-amz-security-token", keys.token))
    s3 = signing.service in S3_SCOPES
    if s3 or payload == UNSIGNED_PAYLOAD:
        fresh.append(Header(_PAYLOAD_HEADER, payload))
    covered: dict[str, str] = {"host": authority(outgoing)}
    for name, value in (*kept, *fresh):
        if name not in _UNSIGNED:
            line = " ".join(value.split())
            covered[name] = f"{covered[name]},{line}" if name in covered else line
    names = sorted(covered)
    listed = ";".join(names)
    path, _, query = outgoing.target.partition("?")
    canonical = "\n".join(
        (
            outgoing.method,
            path if s3 or path == "/" else quote(normalize_url_path(path), safe="/~"),
            _canonical_query(query),
            *(f"{name}:{covered[name]}" for name in names),
            "",
            listed,
            payload,
        )
    )
    scope = f"{stamp[:8]}/{signing.region}/{signing.service}/aws4_request"
    text = f"AWS4-HMAC-SHA256\n{stamp}\n{scope}\n{hashlib.sha256(canonical.encode()).hexdigest()}"
    key = _signing_key(keys.secret_key, stamp[:8], signing.region, signing.service)
    signature = hmac.digest(key, text.encode(), "sha256").hex()
    value = f"AWS4-HMAC-SHA256 Credential={keys.access_key}/{scope}, SignedHeaders={listed}, Signature={signature}"
    return replace(outgoing, headers=(*kept, *fresh, Header("authorization", value)))


def _canonical_query(query: str) -> str:
    if not query:
        return ""
    pairs = sorted(pair.partition("=")[::2] for pair in query.split("&"))
    return "&".join(f"{name}={value}" for name, value in pairs)


@lru_cache(maxsize=SIGNING_KEYS_MAX)
def _signing_key(secret: str, date: str, region: str, service: str) -> bytes:
    key = b"AWS4" + secret.encode()
    for part in (date, region, service, "aws4_request"):
        key = hmac.digest(key, part.encode(), "sha256")
    return key


def _now() -> datetime:
    return datetime.now(UTC)
