"""What an AWS request carries, taken apart strictly: whatever two readers could read differently is refused."""

from __future__ import annotations

import hashlib
import re
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote_to_bytes

from comptroller.core.request import Request, Stream
from comptroller.core.secrecy import scrubbed

TARGET_LENGTH_MAX = 64 << 10
PAIRS_MAX = 10_000
HEADERS_MAX = 200
INFLATED_BYTES_MAX = 4 << 20
NAME_SHOWN_MAX = 80
NAME_READ_MAX = 4096

REPEATABLE = frozenset({"accept", "accept-encoding", "connection", "via", "x-forwarded-for", "te"})
"""Headers that may stand more than once; none of them is read or passed on."""
PRESIGNED = frozenset(
    [
        "x-amz-signature",
        "x-amz-credential",
        "x-amz-algorithm",
        "x-amz-security-token",
        "x-amz-signedheaders",
        "awsaccesskeyid",
        "signature",
        "x-amz-expires",
        "x-amz-s3session-token",
    ]
)

_AUTHORIZATION = re.compile(
    r"AWS4-HMAC-SHA256 +Credential=(?P<key>[^/,\s]{1,256})/(?P<date>\d{8})/(?P<region>[A-Za-z0-9-]{1,64})/"
    r"(?P<service>[A-Za-z0-9_-]{1,64})/aws4_request, *SignedHeaders=[A-Za-z0-9;_-]{1,8192}, *Signature=[0-9a-f]{64}",
    re.ASCII,
)
_BAD_ESCAPE = re.compile(r"%(?![0-9A-Fa-f]{2})")
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")


class Undecodable(ValueError):
    """Nobody can say for certain what the request would do; the message is the reason."""


class Elsewhere(Undecodable):
    """The request is not this service's; another one behind the same host may know it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Scope:
    """The signing scope a caller claims."""

    region: str
    service: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Wire:
    """A request taken apart. `segments` are the path's raw segments, `query` its decoded pairs in order."""

    method: str
    path: str
    query: tuple[tuple[str, str], ...]
    headers: Mapping[str, str]
    media: str
    body: bytes
    stream: Stream | None
    scope: Scope | None


def shown(name: str) -> str:
    """A name from the caller, fit for a message that is told and kept: short, plain, and no key."""
    return scrubbed(name[:NAME_READ_MAX])[:NAME_SHOWN_MAX].encode("ascii", "backslashreplace").decode()


def unescape(text: str, where: str) -> str:
    """Percent-decoded UTF-8 text. Raises `Undecodable`."""
    if "%" not in text:
        return text
    if _BAD_ESCAPE.search(text):
        raise Undecodable(f"a broken percent escape in the {where}")
    try:
        return unquote_to_bytes(text).decode("utf-8")
    except UnicodeDecodeError as error:
        raise Undecodable(f"the {where} is not UTF-8") from error


def pairs(text: str, where: str) -> tuple[tuple[str, str], ...]:
    """The pairs of a query string or form, in order. Raises `Undecodable`."""
    if not text:
        return ()
    parts = text.split("&")
    if len(parts) > PAIRS_MAX:
        raise Undecodable(f"over {PAIRS_MAX} pairs in the {where}")
    found: list[tuple[str, str]] = []
    for part in parts:
        if not part:
            raise Undecodable(f"an empty pair in the {where}")
        name, _, value = part.replace("+", " ").partition("=")
        found.append((unescape(name, where), unescape(value, where)))
    return tuple(found)


def take_apart(request: Request) -> Wire:
    """Split a request into its parts. Raises `Undecodable`."""
    target = request.target
    if len(target) > TARGET_LENGTH_MAX:
        raise Undecodable("the request target is too long")
    if not target.startswith("/") or not target.isascii() or "#" in target or "\\" in target or " " in target:
        raise Undecodable("the request target is not an origin-form path")
    if _CONTROL.search(target):
        raise Undecodable("control characters in the request target")
    path, mark, query = target.partition("?")
    headers = _headers(request)
    found = pairs(query, "query string") if mark else ()
    for name, _ in found:
        if name.lower() in PRESIGNED:
            raise Undecodable("presigned URLs are not accepted: sign with the Authorization header")
    body, stream = request.body, request.stream
    if stream is not None and body:
        raise Undecodable("a body that is both whole and streamed")
    media = headers.get("content-type", "").partition(";")[0].strip().lower()
    _check_hash(headers, body, stream)
    return Wire(
        method=request.method,
        path=path,
        query=found,
        headers=headers,
        media=media,
        body=body,
        stream=stream,
        scope=_scope(headers.get("authorization")),
    )


def _headers(request: Request) -> dict[str, str]:
    if len(request.headers) > HEADERS_MAX:
        raise Undecodable("too many headers")
    found: dict[str, str] = {}
    for name, value in request.headers:
        low = name.lower()
        if low in found and low not in REPEATABLE:
            raise Undecodable(f"header `{shown(low)}` stands twice")
        if _CONTROL.search(value.replace("\t", " ")):
            raise Undecodable(f"control characters in header `{shown(low)}`")
        found[low] = value.strip(" \t")
    host = found.get("host")
    if host is not None and host.lower() not in (request.host, request.endpoint, f"{request.host}:{request.port}"):
        raise Undecodable("the Host header is not the endpoint")
    return found


def _scope(authorization: str | None) -> Scope | None:
    if authorization is None:
        return None
    match = _AUTHORIZATION.fullmatch(authorization)
    if match:
        return Scope(region=match["region"], service=match["service"])
    if authorization.startswith("AWS4-ECDSA"):
        raise Undecodable("SigV4A signatures are not accepted: use a regional endpoint and SigV4")
    scheme = authorization.partition(" ")[0]
    if scheme == "AWS":
        raise Undecodable("signature version 2 is not accepted: use SigV4")
    if scheme.lower() == "bearer":
        raise Undecodable("bearer tokens are not accepted: sign with SigV4")
    raise Undecodable("the Authorization header is not a SigV4 signature")


def _check_hash(headers: Mapping[str, str], body: bytes, stream: Stream | None) -> None:
    claimed = headers.get("x-amz-content-sha256")
    if claimed is None or claimed == "UNSIGNED-PAYLOAD" or claimed.startswith("STREAMING-"):
        return
    actual = stream.sha256 if stream else hashlib.sha256(body).hexdigest()
    if actual is not None and claimed != actual:
        raise Undecodable("x-amz-content-sha256 is not the hash of the body")


def inflate(body: bytes) -> bytes:
    """A gzip body, expanded to at most `INFLATED_BYTES_MAX`. Raises `Undecodable`."""
    reader: Any = zlib.decompressobj(wbits=31)
    try:
        out: bytes = reader.decompress(body, INFLATED_BYTES_MAX)
    except zlib.error as error:
        raise Undecodable("a broken gzip body") from error
    if not reader.eof or reader.unused_data or reader.unconsumed_tail:
        raise Undecodable(f"a gzip body that is cut, trailed or over {INFLATED_BYTES_MAX} bytes")
    return out
