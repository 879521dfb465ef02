"""multipart/form-data (RFC 7578), read strictly and written anew: what two servers could cut differently is refused."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator, Mapping

from comptroller.core.action import Value
from comptroller.core.request import Unencodable
from comptroller.decode.shape import Undecodable

PARTS_OF_FORM_MAX = 1000
FORM_TYPE = "multipart/form-data"
CONTENT = "@content."
"""Own parameters that hold what uploaded files contain begin with this."""

_TYPE = re.compile(
    r"multipart/form-data;\s*boundary=(?:\"([A-Za-z0-9'()+_,./:=? -]{1,70})\"|([A-Za-z0-9'+_./=-]{1,70}))"
)
_DISPOSITION = re.compile(r'form-data; name="([^"\r\n\\]{1,256})"(?:; filename="([^"\r\n\\]{0,1024})")?')
_MEDIA = re.compile(r"[A-Za-z0-9!#$&^_.+-]+/[A-Za-z0-9!#$&^_.+-]+(?:; ?charset=[A-Za-z0-9_-]{1,40})?")


def parse_form(content_type: str, body: bytes) -> dict[str, Value]:
    """Fields by name in their order; a doubled name becomes a list. A file is an object with `filename`, `type` and
    `content`, which names the parameter that holds its bytes. Raises `Undecodable`."""
    match = _TYPE.fullmatch(content_type.strip())
    if match is None:
        raise Undecodable("the multipart Content-Type has no plain boundary")
    boundary = (match[1] or match[2]).encode("ascii")
    found: dict[str, list[tuple[Value, bytes]]] = {}
    for name, value, content in _parts(body, boundary):
        found.setdefault(name, []).append((value, content))
    contents: dict[str, Value] = {}
    fields: dict[str, Value] = {}
    for name, values in found.items():
        for value, content in values:
            if isinstance(value, dict):
                value["content"] = key = f"{CONTENT}{len(contents)}"
                contents[key] = content
        fields[name] = [value for value, _ in values] if len(values) > 1 else values[0][0]
    return {**fields, **contents}


def dump_form(parameters: Mapping[str, Value]) -> tuple[str, bytes]:
    """(Content-Type, body) of parsed fields. The boundary follows from the content. Raises `Unencodable`."""
    parts = [
        _written(name, value, parameters)
        for name, values in parameters.items()
        if not name.startswith("@")
        for value in (values if isinstance(values, list) else [values])
    ]
    digest = hashlib.sha256()
    for part in parts:
        digest.update(len(part).to_bytes(8, "big") + part)
    boundary = "comptroller" + digest.hexdigest()[:48]
    mark = b"--" + boundary.encode("ascii")
    if any(mark in part for part in parts):
        raise Unencodable("the form holds its own boundary")
    body = b"".join(mark + b"\r\n" + part + b"\r\n" for part in parts) + mark + b"--\r\n"
    return f"{FORM_TYPE}; boundary={boundary}", body


def _parts(body: bytes, boundary: bytes) -> Iterator[tuple[str, Value, bytes]]:
    mark = b"\r\n--" + boundary
    first, *pieces = (b"\r\n" + body).split(mark)
    if first or not pieces or pieces[-1] not in (b"--", b"--\r\n"):
        raise Undecodable("the form does not begin and end with its boundary")
    if len(pieces) - 1 > PARTS_OF_FORM_MAX:
        raise Undecodable(f"the form has more than {PARTS_OF_FORM_MAX} parts")
    for piece in pieces[:-1]:
        head, blank, content = piece.removeprefix(b"\r\n").partition(b"\r\n\r\n")
        if not piece.startswith(b"\r\n") or not blank or b"--" + boundary in piece:
            raise Undecodable("a part of the form has no head, or holds the boundary")
        name, filename, media = _head(head)
        if filename is not None or media is not None:
            value: dict[str, Value] = {} if filename is None else {"filename": filename}
            yield name, value if media is None else {**value, "type": media}, content
            continue
        try:
            yield name, content.decode("utf-8"), b""
        except UnicodeDecodeError as error:
            raise Undecodable("a field of the form is not UTF-8") from error


def _head(head: bytes) -> tuple[str, str | None, str | None]:
    try:
        lines = head.decode("utf-8").split("\r\n")
    except UnicodeDecodeError as error:
        raise Undecodable("the head of a form's part is not UTF-8") from error
    fields: dict[str, str] = {}
    for line in lines:
        name, colon, value = line.partition(":")
        name = name.lower()
        if not colon or name not in ("content-disposition", "content-type") or name in fields:
            raise Undecodable("a part of the form has a head other than one Content-Disposition and one Content-Type")
        fields[name] = value.strip(" ")
    match = _DISPOSITION.fullmatch(fields.get("content-disposition", ""))
    media = fields.get("content-type")
    if match is None or not match[0].isprintable() or match[1].startswith("@"):
        raise Undecodable("a part of the form has a Content-Disposition that is not plain")
    if media is not None and not _MEDIA.fullmatch(media):
        raise Undecodable("a part of the form has a Content-Type that is not plain")
    return match[1], match[2], media


def _written(name: str, value: Value, parameters: Mapping[str, Value]) -> bytes:
    if isinstance(value, str):
        return f'Content-Disposition: form-data; name="{name}"\r\n\r\n'.encode() + value.encode("utf-8")
    content = parameters.get(str(value.get("content"))) if isinstance(value, Mapping) else None
    if not isinstance(value, Mapping) or not isinstance(content, bytes):
        raise Unencodable("a field of the form is neither text nor a file")
    head = f'Content-Disposition: form-data; name="{name}"'
    if "filename" in value:
        head += f'; filename="{value["filename"]}"'
    if "type" in value:
        head += f"\r\nContent-Type: {value['type']}"
    return head.encode("utf-8") + b"\r\n\r\n" + content
