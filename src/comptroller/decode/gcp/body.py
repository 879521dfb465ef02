"""Bodies: JSON members, uploads with their description, or bytes that are bound as they came."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from comptroller.core.action import Value
from comptroller.core.request import Request
from comptroller.decode.gcp.reading import Members, spelled_twice
from comptroller.decode.http import content_type_of
from comptroller.decode.jsontext import dump_json, parse_json, parse_object
from comptroller.decode.shape import FORM_TYPE, JSON_TYPE, Undecodable, media_type, only_header

RELATED = "multipart/related"
CARRIED_ON = "carried on"
"""The kind of an upload that goes on."""
PARTS_MAX = 1000
PART_HEADERS_MAX = 32
CONTENT_TYPE_MAX = 256

BYTES_TYPE = "application/octet-stream"

_TOKEN = re.compile(r"[a-z0-9-]{1,64}")
_VALUE = re.compile(r"[\t\x20-\x7e]{0,4096}")
_BOUNDARY = re.compile(r";\s*boundary=(?:\"([^\"\r\n]{1,200})\"|([A-Za-z0-9'()+_,./:=?-]{1,200}))", re.IGNORECASE)
_JSON = re.compile(r"application/(?:[a-z0-9.-]+\+)?json")


@dataclass(frozen=True, slots=True, kw_only=True)
class Body:
    """`members` is what effects look at, `parameters` what the digest binds and what is sent again."""

    members: Members = field(default_factory=dict)
    parameters: Mapping[str, Value] = field(default_factory=dict)
    unread: bool = False
    """True where the description of an upload lies in a stream that nobody has read."""
    carries_on: bool = False
    """True for a further piece of an upload that was begun before: its description was judged then."""


def read_body(request: Request, *, upload: str | None, form: bool) -> Body:
    """The body of a request. `upload` is its `uploadType` on an upload path; `form` allows a form. Raises."""
    if upload is not None:
        return _upload(request, upload)
    if request.stream is not None:
        raise Undecodable("the body is larger than what is read whole")
    kind = content_type_of(request)
    if not request.body:
        return Body(parameters={"@empty": True} if request.method in ("POST", "PUT", "PATCH") else {})
    if request.method in ("GET", "HEAD"):
        raise Undecodable(f"a {request.method} request with a body")
    if form and kind == FORM_TYPE:
        return Body(parameters={"@body": request.body, "@content_type": FORM_TYPE})
    if not _JSON.fullmatch(kind):
        raise Undecodable("the Content-Type is not JSON")
    value = parse_json(request.body)
    if spelled_twice(value):
        raise Undecodable("a member is there in two spellings")
    typed: dict[str, Value] = {} if kind == JSON_TYPE else {"@content_type": kind}
    if not isinstance(value, Mapping):
        return Body(parameters={"@json": value, **typed})
    if any(name.startswith("@") for name in value):
        raise Undecodable("the body has a member that begins with `@`")
    return Body(members=value, parameters={**value, **typed})


def _upload(request: Request, upload: str) -> Body:
    """Media: the description is read where it comes along, the rest is bound."""
    encoding = only_header(request, "content-encoding")
    written = (only_header(request, "content-type") or "").strip()
    kind = media_type(written)
    if len(written) > CONTENT_TYPE_MAX:
        raise Undecodable("the Content-Type is too long")
    typed: dict[str, Value] = {"@content_type": written} if written else {}
    if encoding is not None:
        typed["@content_encoding"] = encoding
    if request.stream is not None:
        stream = {"stream": True, "length": request.stream.length_bytes, "sha256": request.stream.sha256}
        unread = upload == "multipart" or (kind == RELATED and upload != CARRIED_ON)
        return Body(parameters={"@body": stream, **typed}, unread=unread, carries_on=upload == CARRIED_ON)
    if upload == CARRIED_ON:
        return Body(parameters={"@body": request.body, **typed}, carries_on=True)
    described: Members = {}
    sent: dict[str, Value] = {"@body": request.body, **typed}
    if upload == "multipart" or kind == RELATED:
        found = list(parts_of(request.body, boundary_of(written)))
        if kind != RELATED or len(found) != 2 or not _JSON.fullmatch(media_type(found[0][0].get("content-type"))):
            raise Undecodable("the upload is not a description in JSON and its content")
        described = parse_object(found[0][1])
        (headers, media), given = found[1], {"content-type", "content-transfer-encoding", "mime-version"}
        if headers.keys() - given or headers.get("content-transfer-encoding", "binary").lower() != "binary":
            raise Undecodable("the content of the upload has headers of its own")
        sent = {"@metadata": described, "@media": media, "@media_type": headers.get("content-type", BYTES_TYPE)}
    elif upload == "resumable" and request.method == "POST" and request.body:
        if not _JSON.fullmatch(kind):
            raise Undecodable("the description of the upload is not JSON")
        described = parse_object(request.body)
        sent = {"@metadata": described}
    if spelled_twice(described):
        raise Undecodable("a member is there in two spellings")
    if encoding is not None:
        sent["@content_encoding"] = encoding
    return Body(members=described, parameters=sent)


def write_related(described: Value, media: bytes, media_type_of_it: str) -> tuple[str, bytes]:
    """(Content-Type, body) of an upload with its description, framed anew; the same for the same content."""
    text = dump_json(described)
    boundary = hashlib.sha256(text + b"\0" + media).hexdigest()[:32]
    mark = b"--" + boundary.encode("ascii")
    head = b"\r\ncontent-type: application/json; charset=UTF-8\r\n\r\n"
    middle = b"\r\n" + mark + b"\r\ncontent-type: " + media_type_of_it.encode("ascii") + b"\r\n\r\n"
    return f'{RELATED}; boundary="{boundary}"', mark + head + text + middle + media + b"\r\n" + mark + b"--\r\n"


def boundary_of(content_type: str) -> bytes:
    """The boundary of a multipart body. Raises `Undecodable`."""
    found = _BOUNDARY.findall(content_type)
    if len(found) != 1:
        raise Undecodable("the multipart Content-Type has no plain boundary")
    text: str = found[0][0] or found[0][1]
    return text.encode("latin-1", "replace")


def parts_of(body: bytes, boundary: bytes) -> Iterator[tuple[dict[str, str], bytes]]:
    """(headers, content) of every part. Raises `Undecodable` for anything that two readers could cut differently.

    How the first line ends says how every line ends: CRLF, or LF alone as some clients write.
    """
    mark = b"--" + boundary
    body = body.removeprefix(b"\r\n").removeprefix(b"\n")
    if not body.startswith(mark):
        raise Undecodable("the multipart body does not begin with its boundary")
    line = b"\r\n" if body[len(mark) :].lstrip(b" \t").startswith(b"\r\n") else b"\n"
    pieces = (line + body).split(line + mark)
    if len(pieces) < 3 or not pieces[-1].startswith(b"--") or pieces[-1][2:].strip():
        raise Undecodable("the multipart body is not framed plainly")
    if len(pieces) - 2 > PARTS_MAX:
        raise Undecodable(f"the multipart body has more than {PARTS_MAX} parts")
    if body.count(mark) != len(pieces) - 1:
        raise Undecodable("the boundary is also inside a part")
    for piece in pieces[1:-1]:
        rest = piece.lstrip(b" \t")
        if not rest.startswith(line):
            raise Undecodable("the multipart body is not framed plainly")
        yield split_head(rest[len(line) :], line)


def split_head(text: bytes, line: bytes = b"\n") -> tuple[dict[str, str], bytes]:
    """Header fields (lower-case names) and what follows the empty line. Raises `Undecodable`."""
    head, _, content = text.partition(line + line) if not text.startswith(line) else (b"", b"", text[len(line) :])
    headers: dict[str, str] = {}
    fields = head.split(line) if head else []
    if len(fields) > PART_HEADERS_MAX:
        raise Undecodable("a part has too many headers")
    for written in fields:
        name, mark, value = written.partition(b":")
        key = name.decode("latin-1").lower()
        if not mark or not _TOKEN.fullmatch(key) or key in headers or not _VALUE.fullmatch(value.decode("latin-1")):
            raise Undecodable("a part has a malformed or doubled header")
        headers[key] = value.decode("ascii").strip()
    return headers, content
