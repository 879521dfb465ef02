"""What every codec shares: the undecodable action, which headers are bound to an action, and native JSON answers."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Final

from comptroller.core.action import Action, ActionClass, Call, Value
from comptroller.core.request import Header, NativeResponse, Request, Unencodable

REASON_HEADER = "x-comptroller-reason"
HEADER_VALUE_CHARACTERS_MAX = 8 << 10
REASON_CHARACTERS_MAX = 512
METHOD_PATTERN: Final = re.compile(r"[A-Z]{1,32}(?:-[A-Z]{1,32})?")
FORM_TYPE = "application/x-www-form-urlencoded"
JSON_TYPE = "application/json"

_HEADER_VALUE = re.compile(r"[\t\x20-\x7e\x80-\xff]*")


class Undecodable(ValueError):
    """Raised inside a codec; `decode` turns it into an `unknown` action with this reason."""


def undecodable(request: Request, *, service: str, operation: str, family: str, reason: str) -> Action:
    """The action of a request that nobody can read: class `unknown`, bound to the exact bytes that arrived."""
    parameters: dict[str, Value] = {
        "@method": printable(request.method),
        "@target": request.target.encode("utf-8", "surrogatepass"),
        "@body": request.body,
    }
    return Action(
        operation=operation,
        service=service,
        classes=frozenset({ActionClass.UNKNOWN}),
        endpoint=printable(request.endpoint),
        agent=request.agent,
        run=request.run,
        account=request.accounts.get(family, ""),
        parameters=parameters,
        sensitive=frozenset({"@target", "@body"}),
        reason=reason,
        call=Call(attempt=request.attempt, payload_bytes=payload_bytes(request)),
    )


def printable(text: str) -> str:
    """Text that any log and any digest takes: what is not printable ASCII becomes an escape."""
    return "".join(c if " " <= c <= "~" else c.encode("unicode_escape").decode("ascii") for c in text)


def payload_bytes(request: Request) -> int:
    """Bytes the request carries out, as far as they are known."""
    if request.stream is not None:
        return request.stream.length_bytes or 0
    return len(request.body)


def only_header(request: Request, name: str) -> str | None:
    """The value of a header that may appear once. Raises `Undecodable` where it appears twice or is not plain text."""
    values = request.all(name)
    if len(values) > 1:
        raise Undecodable(f"the header `{name}` appears {len(values)} times")
    if values and (len(values[0]) > HEADER_VALUE_CHARACTERS_MAX or not _HEADER_VALUE.fullmatch(values[0])):
        raise Undecodable(f"the header `{name}` is too long or holds a control byte")
    return values[0] if values else None


def bound_headers(request: Request, names: Iterable[str], *, lists: Iterable[str] = ()) -> dict[str, Value]:
    """The headers of `names` that are present, as they become part of the action.

    Those of `lists` may appear more than once: RFC 9110 makes one comma-separated value of them. Raises `Undecodable`.
    """
    joined = {name: ", ".join(request.all(name)) for name in lists if len(request.all(name)) > 1}
    for name, value in joined.items():
        if len(value) > HEADER_VALUE_CHARACTERS_MAX or not _HEADER_VALUE.fullmatch(value):
            raise Undecodable(f"the header `{name}` is too long or holds a control byte")
    found = ((name, joined.get(name) or only_header(request, name)) for name in names)
    return {name: value for name, value in found if value is not None}


def outgoing_headers(bound: object, *extra: tuple[str, str | None]) -> tuple[Header, ...]:
    """Bound headers and those of `extra` that have a value. Never a credential, `host` or framing: the gateway's."""
    if not isinstance(bound, Mapping):
        raise Unencodable("the action has no headers")
    headers = [Header(str(name), str(value)) for name, value in bound.items()]
    return tuple(headers + [Header(name, value) for name, value in extra if value is not None])


def plain_header(request: Request, name: str) -> str | None:
    """A header that is passed on without being judged (`user-agent`); None where it is absent or not plain."""
    value = request.one(name)
    if value is None or len(value) > HEADER_VALUE_CHARACTERS_MAX or not _HEADER_VALUE.fullmatch(value):
        return None
    return value


def media_type(value: str | None) -> str:
    """`Application/JSON; charset=utf-8` -> `application/json`; empty where absent."""
    return (value or "").split(";", 1)[0].strip().lower()


def same_endpoint(action: Action, request: Request) -> None:
    """Raises `Unencodable` unless the action was decoded from a request to this very endpoint and can be sent."""
    if action.undecodable:
        raise Unencodable(f"an action nobody can read is never sent: {action.reason}")
    if action.endpoint != request.endpoint:
        raise Unencodable("the action belongs to another endpoint")


def native_json(body: Mapping[str, object], message: str, *, content_type: str = JSON_TYPE) -> NativeResponse:
    """A 403 with a JSON body, and the reason in a header for those who never read bodies."""
    payload = json.dumps(body, separators=(",", ":")).encode("ascii")
    return NativeResponse(status=403, headers=native_headers(content_type, payload, message), body=payload)


def no_retry(answer: NativeResponse, header: str) -> NativeResponse:
    """The answer with the header by which the service's own SDKs are told not to try again."""
    return NativeResponse(status=answer.status, headers=(*answer.headers, Header(header, "false")), body=answer.body)


def native_headers(content_type: str, payload: bytes, message: str) -> tuple[Header, ...]:
    """Headers of an answer of ours."""
    reason = printable(" ".join(message.split()))[:REASON_CHARACTERS_MAX]
    return (
        Header("content-type", content_type),
        Header("content-length", str(len(payload))),
        Header("cache-control", "no-store"),
        Header(REASON_HEADER, reason),
    )


def text_pairs(value: object) -> Sequence[tuple[str, str | None]]:
    """Query pairs out of an action's parameters. Raises `Unencodable`."""
    if not isinstance(value, Sequence) or isinstance(value, str | bytes):
        raise Unencodable("the action has no query pairs")
    pairs: list[tuple[str, str | None]] = []
    for pair in value:
        if not isinstance(pair, Sequence) or len(pair) != 2:
            raise Unencodable("the action has a malformed query pair")
        pairs.append((str(pair[0]), None if pair[1] is None else str(pair[1])))
    return pairs
