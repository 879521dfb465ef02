"""An action's parameters as flat leaves, each with a path that names exactly one place in them."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterator, Mapping, Sequence

from comptroller.core.action import DEPTH_MAX, Action, Uncanonical, Value, canonical, canonical_bytes

LEAVES_MAX = 200
"""An action of more is answered one by one: nobody can read such a pattern."""
LEAF_DOMAIN = b"comptroller/leaf/1\n"

_PLAIN = re.compile(r"[A-Za-z0-9_@:$/-]{1,80}")


class TooManyLeaves(ValueError):
    """More than `LEAVES_MAX`."""


def leaves(parameters: Mapping[str, Value], *, leaves_max: int = LEAVES_MAX) -> dict[str, Value]:
    """Every leaf by its path (`Tags[0].Key`). Injective: two different structures never have the same leaves, and an
    empty list or object is a leaf of its own. Raises `TooManyLeaves` and `Uncanonical`."""
    found: dict[str, Value] = {}
    for path, value in _walk("", parameters, 0):
        found[path] = value
        if len(found) > leaves_max:
            raise TooManyLeaves(f"more than {leaves_max} parameters")
    return found


def _walk(path: str, value: Value, depth: int) -> Iterator[tuple[str, Value]]:
    if depth > DEPTH_MAX:
        raise Uncanonical(f"nested deeper than {DEPTH_MAX}")
    if isinstance(value, Mapping) and value:
        for name, member in value.items():
            if not isinstance(name, str):
                raise Uncanonical("a key that is not text")
            yield from _walk(_step(path, name), member, depth + 1)
    elif isinstance(value, Sequence) and not isinstance(value, str | bytes | bytearray) and value:
        for position, member in enumerate(value):
            yield from _walk(f"{path}[{position}]", member, depth + 1)
    elif path:
        yield path, value


def commitment(path: str, value: Value, run: str) -> str:
    """What stands for one leaf's value: hex SHA-256. The id of the action's own run counts as the same in every run.

    Raises `Uncanonical`."""
    told: Value = {"run": True} if value == run and run else {"value": canonical(value)}
    return hashlib.sha256(LEAF_DOMAIN + canonical_bytes([path, told])).hexdigest()


def same_but(action: Action, paths: frozenset[str]) -> str:
    """The identity of an action with the values at `paths` left out, whichever run of its agent it belongs to."""
    kept = {
        path: commitment(path, value, action.run)
        for path, value in leaves(action.parameters).items()
        if path not in paths
    }
    whole = [action.operation, action.account, action.region, action.endpoint, action.agent, sorted(paths), kept]
    return hashlib.sha256(LEAF_DOMAIN + canonical_bytes(whole)).hexdigest()


def with_leaves(parameters: Mapping[str, Value], new: Mapping[str, Value]) -> dict[str, Value]:
    """A copy of `parameters` with other values at the paths of `new`; paths that are not there are ignored."""
    return {name: _replaced(_step("", name), member, new) for name, member in parameters.items()}


def _replaced(path: str, value: Value, new: Mapping[str, Value]) -> Value:
    if isinstance(value, Mapping) and value:
        return {name: _replaced(_step(path, name), member, new) for name, member in value.items()}
    if isinstance(value, Sequence) and not isinstance(value, str | bytes | bytearray) and value:
        return [_replaced(f"{path}[{position}]", member, new) for position, member in enumerate(value)]
    return new.get(path, value)


def _step(path: str, name: str) -> str:
    if _PLAIN.fullmatch(name) is None:
        return f"{path}[{json.dumps(name)}]"
    return f"{path}.{name}" if path else name
