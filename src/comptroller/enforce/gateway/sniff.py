"""What the first bytes of a connection look like. Only HTTP goes on; everything else is named, recorded and closed."""

from __future__ import annotations

import re
from enum import StrEnum

SNIFF_BYTES_MAX = 2048
"""How much of something that may be JSON is read before it is named."""

METHOD_BYTES_MAX = 24
_METHOD = re.compile(rb"[A-Z][A-Z-]{0,22}\Z")
_MINING_METHOD = re.compile(
    rb'"method"\s*:\s*"(mining\.[A-Za-z_.]{1,40}|eth_submitLogin|eth_getWork|eth_submitWork|eth_submitHashrate|'
    rb"login|getjob|submit|keepalived)\""
)
_POOL_LOGIN = re.compile(rb'"(login|pass|agent|rigid|job_id|nonce)"\s*:')
_WHITESPACE = b" \t\r\n"


class Look(StrEnum):
    """What a connection looks like; all but `http` and `tls` are refused."""

    HTTP = "http"
    TLS = "tls"
    SSH = "ssh"
    STRATUM = "stratum"
    TLS_UNKNOWN = "tls-unknown"
    HTTP2 = "http2"
    RAW = "raw"
    SILENT = "silent"
    DNS = "dns"


def look_at(first: bytes, *, ended: bool = False) -> Look | None:
    """Name the beginning of a connection; None while more bytes are needed to tell (never once it has `ended`)."""
    if not first:
        return Look.SILENT if ended else None
    if first[0] == 0x16:
        if len(first) >= 2 or ended:
            return Look.TLS if first[1:2] == b"\x03" else Look.RAW
        return None
    if first.startswith(b"SSH-"):
        return Look.SSH
    if b"SSH-".startswith(first[:4]) and not ended:
        return None
    if first.lstrip(_WHITESPACE)[:1] in (b"{", b"[") or not first.strip(_WHITESPACE):
        return _json(first, ended)
    if first.startswith(b"PRI * "):
        return Look.HTTP2
    method, space, _ = first[:METHOD_BYTES_MAX].partition(b" ")
    if space:
        undecided = b"PRI * ".startswith(first[:6]) and not ended
        return None if undecided else Look.HTTP if _METHOD.match(method) else Look.RAW
    if len(method) >= METHOD_BYTES_MAX or ended or not _METHOD.match(method):
        return Look.RAW
    return None


def _json(first: bytes, ended: bool) -> Look | None:
    text = first.strip(_WHITESPACE)
    match = _MINING_METHOD.search(text)
    if match:
        plain = match[1] in (b"login", b"getjob", b"submit", b"keepalived")
        if not plain or _POOL_LOGIN.search(text):
            return Look.STRATUM
    if ended or b"\n" in first.lstrip(_WHITESPACE) or len(first) >= SNIFF_BYTES_MAX:
        return Look.RAW
    return None
