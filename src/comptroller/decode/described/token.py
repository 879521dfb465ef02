"""Idempotency tokens: taken out of what a yes is bound to, and put back where they were when the request is sent."""

from __future__ import annotations

from collections.abc import Mapping

from comptroller.core.action import Value
from comptroller.core.request import Request, Unencodable
from comptroller.decode.described.body import BODY, HEADERS, JSON, TYPE
from comptroller.decode.described.place import Place
from comptroller.decode.shape import FORM_TYPE, Undecodable, only_header

TOKEN_CHARACTERS_MAX = 255


def take_tokens(places: tuple[Place, ...], parameters: dict[str, Value], request: Request) -> dict[str, str]:
    """Idempotency tokens, by place, taken out of `parameters`: a retry is the same action."""
    found: dict[str, str] = {}
    for place in places:
        if place.kind == "header":
            headers = parameters[HEADERS]
            value = only_header(request, place.name)
            if value and len(value) <= TOKEN_CHARACTERS_MAX:
                found[f"header:{place.name}"] = value
                if isinstance(headers, dict):
                    headers.pop(place.name, None)
            elif value:
                raise Undecodable(f"the header `{place.name}` is too long for a token")
            continue
        is_form = parameters.get(TYPE) == FORM_TYPE
        if (place.kind == "form") is not is_form or BODY in parameters or JSON in parameters or TYPE not in parameters:
            continue
        token = _take_out(parameters, place.steps)
        if token is not None:
            found[f"form:{place.name}" if is_form else _pointer(place)] = token
    return found


def _take_out(parameters: dict[str, Value], steps: tuple[str, ...]) -> str | None:
    """Remove the token at `steps` from a copy of what holds it; None where no plain text is there."""
    node: dict[str, Value] = parameters
    first = f"@{steps[0]}" if steps[0].startswith("@") else steps[0]
    path = (first, *steps[1:])
    for step in path[:-1]:
        child = node.get(step)
        if not isinstance(child, Mapping):
            return None
        copy = dict(child)
        node[step] = copy
        node = copy
    value = node.get(path[-1])
    if not isinstance(value, str) or not 0 < len(value) <= TOKEN_CHARACTERS_MAX or not value.isprintable():
        return None
    del node[path[-1]]
    return value


def put_back(parameters: dict[str, Value], place: Place, value: str) -> None:
    """Write a token back to where it stood. Raises `Unencodable`."""
    steps = place.steps
    first = f"@{steps[0]}" if steps[0].startswith("@") else steps[0]
    path = (first, *steps[1:])
    node = parameters
    for step in path[:-1]:
        child = node.get(step)
        if not isinstance(child, Mapping):
            raise Unencodable("the action has no place for its idempotency token")
        copy = dict(child)
        node[step] = copy
        node = copy
    node[path[-1]] = value


def _pointer(place: Place) -> str:
    return "/" + "/".join(step.replace("~", "~0").replace("/", "~1") for step in place.steps)
