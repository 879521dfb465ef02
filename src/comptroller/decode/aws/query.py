"""Form-encoded protocols (`query`, `ec2`): flat keys back into the model's structures."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cache

from comptroller.core.action import Value
from comptroller.decode.aws.model_source import Shape
from comptroller.decode.aws.scalars import DEPTH_MAX, from_text
from comptroller.decode.aws.wire import Undecodable, shown

Tree = dict[str, "str | Tree"]


@cache
def _members(shape: Shape, ec2: bool) -> Mapping[str, tuple[str, Shape]]:
    """Key on the wire -> (member, its shape). A flattened list has two: an empty one stands under its own name."""
    table: dict[str, tuple[str, Shape]] = {}
    for name, member in shape.members.items():
        given = member.serialization.get("name")
        if ec2:
            capital = given[0].upper() + given[1:] if given else name
            table.setdefault(member.serialization.get("queryName") or capital, (name, member))
            continue
        table.setdefault(given or name, (name, member))
        if member.type_name == "list" and member.serialization.get("flattened"):
            inner = member.member.serialization.get("name")
            if inner:
                table.setdefault(inner, (name, member))
    return table


def tree_of(found: Sequence[tuple[str, str]]) -> Tree:
    """Nest dotted keys. Raises `Undecodable` where a key stands twice or is both a value and a parent."""
    tree: Tree = {}
    for key, value in found:
        parts = key.split(".")
        if len(parts) > 2 * DEPTH_MAX:
            raise Undecodable(f"nested deeper than {DEPTH_MAX}")
        node = tree
        for part in parts[:-1]:
            child = node.setdefault(part, {})
            if isinstance(child, str):
                raise Undecodable(f"`{shown(key)}` is both a value and a parent")
            node = child
        if parts[-1] in node:
            raise Undecodable(f"`{shown(key)}` stands twice")
        node[parts[-1]] = value
    return tree


def read(shape: Shape | None, found: Sequence[tuple[str, str]], *, ec2: bool) -> dict[str, Value]:
    """The parameters of a form, without `Action` and `Version`. Raises `Undecodable` for whatever is left over."""
    tree = tree_of(found)
    if shape is None:
        if tree:
            raise Undecodable(f"`{shown(next(iter(tree)))}` is no parameter of this operation")
        return {}
    return _structure(shape, tree, ec2, 0)


def _structure(shape: Shape, node: Tree, ec2: bool, depth: int) -> dict[str, Value]:
    table = _members(shape, ec2)
    out: dict[str, Value] = {}
    for key, child in node.items():
        known = table.get(key)
        if known is None:
            raise Undecodable(f"`{shown(key)}` is no parameter of this operation")
        name, member = known
        if name in out:
            raise Undecodable(f"`{shown(name)}` stands twice under two names")
        out[name] = _value(member, child, ec2, depth + 1)
    return out


def _value(shape: Shape, node: str | Tree, ec2: bool, depth: int) -> Value:
    if depth > DEPTH_MAX:
        raise Undecodable(f"nested deeper than {DEPTH_MAX}")
    kind = shape.type_name
    if kind == "list":
        return _list(shape, node, ec2, depth)
    if kind == "map":
        return _map(shape, node, ec2, depth)
    if kind == "structure":
        if isinstance(node, str):
            raise Undecodable("a value where a structure is due")
        return _structure(shape, node, ec2, depth)
    if not isinstance(node, str):
        raise Undecodable("a structure where a value is due")
    return from_text(shape, node)


def _numbered(node: Tree) -> list[str | Tree]:
    try:
        return [node[str(position)] for position in range(1, len(node) + 1)]
    except KeyError as error:
        raise Undecodable("list members are not numbered 1, 2, 3 …") from error


def _only(node: Tree, name: str) -> Tree:
    child = node.get(name)
    if len(node) != 1 or not isinstance(child, dict):
        raise Undecodable(f"a list or map without its `{name}` part")
    return child


def _list(shape: Shape, node: str | Tree, ec2: bool, depth: int) -> Value:
    if isinstance(node, str):
        if node:
            raise Undecodable("a value where a list is due")
        return []
    if not ec2 and not shape.serialization.get("flattened"):
        node = _only(node, shape.member.serialization.get("name", "member"))
    return [_value(shape.member, child, ec2, depth + 1) for child in _numbered(node)]


def _map(shape: Shape, node: str | Tree, ec2: bool, depth: int) -> Value:
    if isinstance(node, str):
        raise Undecodable("a value where a map is due")
    if not shape.serialization.get("flattened"):
        node = _only(node, "entry")
    key_name = shape.key.serialization.get("name", "key")
    value_name = shape.value.serialization.get("name", "value")
    out: dict[str, Value] = {}
    for entry in _numbered(node):
        if isinstance(entry, str) or entry.keys() - {key_name, value_name} or key_name not in entry:
            raise Undecodable("a map entry that is not one key and one value")
        key = entry[key_name]
        if not isinstance(key, str) or key in out:
            raise Undecodable("a map key that is no text or stands twice")
        out[key] = _value(shape.value, entry.get(value_name, ""), ec2, depth + 1)
    return out
