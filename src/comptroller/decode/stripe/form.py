"""Stripe's form encoding, read strictly: bracketed names as a tree, every name once, nothing left over."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from urllib.parse import quote, unquote_to_bytes

from comptroller.core.action import Value

PAIRS_MAX = 2048
NESTING_MAX = 16
KEY_CHARACTERS_MAX = 512

_KEY = re.compile(r"([A-Za-z0-9_]+)((?:\[[^\[\]]*\])*)")
_PART = re.compile(r"\[([^\[\]]*)\]")
_BROKEN_ESCAPE = re.compile(rb"%(?![0-9A-Fa-f]{2})")


class MalformedForm(ValueError):
    """A form with more than one meaning; the message says why, without quoting values."""


def parse_form(raw: bytes) -> dict[str, Value]:
    """A form as a tree: text, mappings for `a[b]`, lists for `a[]`. Raises `MalformedForm`.

    >>> parse_form(b"amount=5&metadata[note]=x+y&expand[]=a")
    {'amount': '5', 'metadata': {'note': 'x y'}, 'expand': ['a']}
    """
    tree: dict[str, Value] = {}
    if not raw:
        return tree
    pairs = raw.split(b"&")
    if len(pairs) > PAIRS_MAX:
        raise MalformedForm(f"the form has more than {PAIRS_MAX} pairs")
    for pair in pairs:
        name, mark, value = pair.partition(b"=")
        if not mark:
            raise MalformedForm("the form has a pair without `=`")
        _put(tree, _key(_text(name)), _text(value))
    return tree


def dump_form(tree: Mapping[str, Value]) -> str:
    """The form of a tree that `parse_form` made; brackets in names stay bare, as Stripe's own clients write them."""
    return "&".join(f"{quote(name, safe='[]')}={quote(value, safe='')}" for name, value in flatten(tree))


def flatten(tree: Mapping[str, Value], prefix: str = "") -> Iterator[tuple[str, str]]:
    """(bracketed name, text) of every leaf, in order."""
    for name, value in tree.items():
        path = f"{prefix}[{name}]" if prefix else name
        if isinstance(value, Mapping):
            yield from flatten(value, path)
        elif isinstance(value, list):
            yield from ((f"{path}[]", str(member)) for member in value)
        else:
            yield path, str(value)


def _text(raw: bytes) -> str:
    if _BROKEN_ESCAPE.search(raw):
        raise MalformedForm("the form has a broken percent escape")
    try:
        text = unquote_to_bytes(raw.replace(b"+", b" ")).decode("utf-8")
    except UnicodeDecodeError as error:
        raise MalformedForm("the form is not UTF-8") from error
    if "\x00" in text:
        raise MalformedForm("the form holds a NUL")
    return text


def _key(text: str) -> list[str]:
    match = _KEY.fullmatch(text) if len(text) <= KEY_CHARACTERS_MAX else None
    if match is None:
        raise MalformedForm("the form has a name that is not `name`, `name[part]` or `name[]`")
    parts = [match[1], *_PART.findall(match[2])]
    if len(parts) > NESTING_MAX:
        raise MalformedForm(f"the form has a name with more than {NESTING_MAX} parts")
    if "" in parts[:-1]:
        raise MalformedForm("the form has a list of objects without indices, which servers read differently")
    if any(part.isdigit() and part != str(int(part)) for part in parts[1:] if part.isascii()):
        raise MalformedForm("the form has an index with leading zeros")
    return parts


def _put(tree: dict[str, Value], parts: list[str], value: str) -> None:
    node = tree
    appends = parts[-1] == "" and len(parts) > 1
    *path, leaf = parts[:-1] if appends else parts
    for part in path:
        child = node.setdefault(part, {})
        if not isinstance(child, dict):
            raise MalformedForm("the form uses one name both as a value and as a group")
        node = child
    if appends:
        members = node.setdefault(leaf, [])
        if not isinstance(members, list):
            raise MalformedForm("the form uses one name both as a list and as something else")
        members.append(value)
    elif leaf in node:
        raise MalformedForm("the form has a name twice")
    else:
        node[leaf] = value
