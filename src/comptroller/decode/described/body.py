"""Request bodies by kind: JSON and forms become members of the action, written anew; others are bound as bytes."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from urllib.parse import quote, unquote_to_bytes

from comptroller.core.action import Value
from comptroller.core.request import Request, Unencodable
from comptroller.decode.http import content_type_of
from comptroller.decode.jsontext import MalformedJson, dump_json, parse_json
from comptroller.decode.shape import FORM_TYPE, JSON_TYPE, Undecodable, only_header

FORM_PAIRS_MAX = 2048
TYPE = "@type"
BODY = "@body"
JSON = "@json"
HEADERS = "@headers"

_PARAMETER = re.compile(r';\s*([A-Za-z0-9!#$%&\'*+.^_`|~-]+)\s*=\s*("[^"\\]*"|[^\s;"]*)\s*')
_MULTIPART = re.compile(
    r"multipart/form-data;\s*boundary=(?:\"[A-Za-z0-9'()+_,./:=? -]{1,70}\"|[A-Za-z0-9'()+_.-]{1,70})", re.IGNORECASE
)
_MEDIA = re.compile(r"[A-Za-z0-9][A-Za-z0-9!#$&^_.+-]{0,126}/[A-Za-z0-9][A-Za-z0-9!#$&^_.+-]{0,126}")
_BROKEN_ESCAPE = re.compile(rb"%(?![0-9A-Fa-f]{2})")


@dataclass(frozen=True, slots=True, kw_only=True)
class Body:
    """A body as read. `members` and `type` are how it stands in the action; `readable` is False where it is bytes."""

    kind: str
    type: str = ""
    members: Mapping[str, Value] = field(default_factory=dict)
    readable: bool = True


def read_body(request: Request, kinds: frozenset[str]) -> Body:
    """The body of a request, where it is one of `kinds`. Raises `Undecodable`."""
    if request.stream is None and not request.body:
        kind = content_type_of(request)
        if kind and not _MEDIA.fullmatch(kind):
            raise Undecodable("the Content-Type is not a media type")
        return Body(kind="none")
    if kinds <= {"none"}:
        raise Undecodable("this operation takes no body")
    media = content_type_of(request)
    written = (only_header(request, "content-type") or "").strip()
    if not media:
        raise Undecodable("a body without a Content-Type")
    if "json" in kinds and (media == JSON_TYPE or (media.startswith("application/") and media.endswith("+json"))):
        return _json(request, media, written)
    if "form" in kinds and media == FORM_TYPE:
        return _form(request, written)
    if "multipart" in kinds and media == "multipart/form-data":
        if not _MULTIPART.fullmatch(written):
            raise Undecodable("the multipart Content-Type has no plain boundary")
        return Body(kind="multipart", type=written, members={BODY: bound(request)}, readable=False)
    if "raw" in kinds:
        if not _MEDIA.fullmatch(media):
            raise Undecodable("the Content-Type is not a media type")
        return Body(kind="raw", type=written, members={BODY: bound(request)}, readable=False)
    known = " or ".join(sorted(kinds - {"none"}))
    raise Undecodable(f"the Content-Type is not one this operation takes ({known})")


def bound(request: Request) -> Value:
    """A body as bytes, or what is known of a stream."""
    if request.stream is None:
        return request.body
    return {"stream": True, "length": request.stream.length_bytes, "sha256": request.stream.sha256}


def write_body(parameters: Mapping[str, Value], request: Request) -> bytes:
    """The body of an action, written anew. Raises `Unencodable`."""
    media = parameters.get(TYPE)
    if media is None:
        return b""
    if BODY in parameters:
        if parameters[BODY] != bound(request):
            raise Unencodable("the body is not the one that was judged")
        return request.body
    try:
        if str(media) == FORM_TYPE:
            return _dump_form(own_members(parameters))
        return dump_json(parameters[JSON] if JSON in parameters else own_members(parameters))
    except (TypeError, ValueError) as error:
        raise Unencodable("the members cannot be written as a body") from error


def own_members(parameters: Mapping[str, Value]) -> dict[str, Value]:
    """The members of the body among an action's parameters, by their own names."""
    return {
        name[1:] if name.startswith("@") else name: value
        for name, value in parameters.items()
        if not name.startswith("@") or name.startswith("@@")
    }


def _escaped(members: Mapping[str, Value]) -> dict[str, Value]:
    """A body's own names that begin with `@` get a second one: with one they are ours."""
    return {f"@{name}" if name.startswith("@") else name: value for name, value in members.items()}


def _json(request: Request, media: str, written: str) -> Body:
    if request.stream is not None:
        raise Undecodable("the body is larger than what is read whole")
    _check_parameters(written)
    try:
        value = parse_json(request.body)
    except MalformedJson as error:
        raise Undecodable(str(error)) from error
    if isinstance(value, Mapping):
        return Body(kind="json", type=media, members=_escaped(value))
    return Body(kind="json", type=media, members={JSON: value})


def _form(request: Request, written: str) -> Body:
    if request.stream is not None:
        raise Undecodable("the body is larger than what is read whole")
    _check_parameters(written)
    pairs = request.body.split(b"&")
    if len(pairs) > FORM_PAIRS_MAX:
        raise Undecodable(f"the form has more than {FORM_PAIRS_MAX} pairs")
    found: dict[str, list[str]] = {}
    for pair in pairs:
        name, mark, value = pair.partition(b"=")
        if not mark or not name:
            raise Undecodable("the form has a pair without a name or without `=`")
        found.setdefault(form_text(name), []).append(form_text(value))
    members: dict[str, Value] = {name: values[0] if len(values) == 1 else values for name, values in found.items()}
    return Body(kind="form", type=FORM_TYPE, members=_escaped(members))


def _check_parameters(written: str) -> None:
    """A JSON or form body is UTF-8, and its Content-Type says nothing else."""
    _, mark, rest = written.partition(";")
    at = 0
    text = mark + rest
    while at < len(text):
        match = _PARAMETER.match(text, at)
        if match is None:
            raise Undecodable("the Content-Type has parameters that cannot be read")
        at = match.end()
        if match[1].lower() != "charset" or match[2].strip('"').lower() not in ("utf-8", "utf8"):
            raise Undecodable("the Content-Type asks for something other than UTF-8")


def form_text(raw: bytes) -> str:
    """A name or a value of a form or a query as text. Raises `Undecodable`."""
    if _BROKEN_ESCAPE.search(raw):
        raise Undecodable("the form has a broken percent escape")
    try:
        text = unquote_to_bytes(raw.replace(b"+", b" ")).decode("utf-8")
    except UnicodeDecodeError as error:
        raise Undecodable("the form is not UTF-8") from error
    if "\x00" in text:
        raise Undecodable("the form holds a NUL")
    return text


def _dump_form(members: Mapping[str, Value]) -> bytes:
    pairs: list[str] = []
    for name, value in members.items():
        values = value if isinstance(value, Sequence) and not isinstance(value, str) else [value]
        pairs += [f"{quote(name, safe='')}={quote(str(each), safe='')}" for each in values]
    return "&".join(pairs).encode("ascii")
