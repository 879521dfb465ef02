"""XML bodies into the model's structures: no DTD, no entities, no leftovers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from xml.parsers import expat

from comptroller.core.action import Value
from comptroller.decode.aws.model_source import Shape
from comptroller.decode.aws.scalars import DEPTH_MAX, from_text
from comptroller.decode.aws.wire import Undecodable, shown

NODES_MAX = 200_000
_XSI = "http://www.w3.org/2001/XMLSchema-instance "


@dataclass(slots=True)
class Node:
    """One element: local name, attributes, children, text."""

    name: str
    attributes: dict[str, str]
    children: list[Node] = field(default_factory=list)
    text: str = ""


class _Builder:
    """Collects elements from expat; anything that could mean more than its text is refused."""

    def __init__(self) -> None:
        self.root: Node | None = None
        self.open: list[Node] = []
        self.count = 0

    def start(self, name: str, attributes: dict[str, str]) -> None:
        self.count += 1
        if self.count > NODES_MAX or len(self.open) > DEPTH_MAX:
            raise Undecodable("XML nested too deep or too large")
        node = Node(name.rpartition(" ")[2], {k.replace(_XSI, "xsi:"): v for k, v in attributes.items()})
        if self.open:
            self.open[-1].children.append(node)
        else:
            self.root = node
        self.open.append(node)

    def end(self, _: str) -> None:
        self.open.pop()

    def characters(self, data: str) -> None:
        self.open[-1].text += data

    def forbidden(self, *_: object) -> None:
        raise Undecodable("XML with a DTD, an entity or a processing instruction")


def parse(body: bytes) -> Node:
    """The root element. Raises `Undecodable`."""
    builder = _Builder()
    parser = expat.ParserCreate("utf-8", " ")
    parser.buffer_text = True
    parser.StartElementHandler = builder.start
    parser.EndElementHandler = builder.end
    parser.CharacterDataHandler = builder.characters
    parser.StartDoctypeDeclHandler = builder.forbidden
    parser.EntityDeclHandler = builder.forbidden
    parser.ProcessingInstructionHandler = builder.forbidden
    try:
        parser.Parse(body, True)
    except expat.ExpatError as error:
        raise Undecodable(f"broken XML: {expat.errors.messages.get(error.code, 'error')}") from error
    except ValueError as error:
        if isinstance(error, Undecodable):
            raise
        raise Undecodable("broken XML") from error
    if builder.root is None:
        raise Undecodable("XML without an element")
    return builder.root


@cache
def _members(shape: Shape) -> tuple[Mapping[str, tuple[str, Shape]], Mapping[str, tuple[str, Shape]]]:
    """Child elements and attributes of a structure, by their name on the wire."""
    elements: dict[str, tuple[str, Shape]] = {}
    attributes: dict[str, tuple[str, Shape]] = {}
    for name, member in shape.members.items():
        if member.serialization.get("location"):
            continue
        wire = member.serialization.get("name", name)
        (attributes if member.serialization.get("xmlAttribute") else elements)[wire] = (name, member)
    return elements, attributes


def structure(shape: Shape, node: Node, depth: int = 0) -> dict[str, Value]:
    """Members of a structure. Raises `Undecodable`."""
    elements, attributes = _members(shape)
    out: dict[str, Value] = {}
    if node.text.strip():
        raise Undecodable(f"text beside the elements of `{shown(node.name)}`")
    for key, value in node.attributes.items():
        known = attributes.get(key)
        if known is None:
            raise Undecodable(f"attribute `{shown(key)}` is no parameter of this operation")
        out[known[0]] = from_text(known[1], value)
    for child in node.children:
        known = elements.get(child.name)
        if known is None:
            raise Undecodable(f"`{shown(child.name)}` is no parameter of this operation")
        name, member = known
        if member.serialization.get("flattened") and member.type_name in ("list", "map"):
            _flattened(member, child, name, out, depth + 1)
        elif name in out:
            raise Undecodable(f"`{shown(name)}` stands twice")
        else:
            out[name] = _value(member, child, depth + 1)
    return out


def _flattened(shape: Shape, child: Node, name: str, out: dict[str, Value], depth: int) -> None:
    if shape.type_name == "list":
        gathered = out.setdefault(name, [])
        assert isinstance(gathered, list)
        gathered.append(_value(shape.member, child, depth))
        return
    table = out.setdefault(name, {})
    assert isinstance(table, dict)
    _entry(shape, child, table, depth)


def _entry(shape: Shape, node: Node, table: dict[str, Value], depth: int) -> None:
    parts = {child.name: child for child in node.children}
    key_name = shape.key.serialization.get("name", "key")
    value_name = shape.value.serialization.get("name", "value")
    if len(node.children) != 2 or parts.keys() != {key_name, value_name}:
        raise Undecodable("a map entry that is not one key and one value")
    key = _scalar_text(parts[key_name])
    if key in table:
        raise Undecodable("a map key that stands twice")
    table[key] = _value(shape.value, parts[value_name], depth + 1)


def _scalar_text(node: Node) -> str:
    if node.children or node.attributes:
        raise Undecodable(f"elements inside `{shown(node.name)}`")
    return node.text


def _value(shape: Shape, node: Node, depth: int) -> Value:
    if depth > DEPTH_MAX:
        raise Undecodable(f"nested deeper than {DEPTH_MAX}")
    match shape.type_name:
        case "structure":
            return structure(shape, node, depth)
        case "list":
            wanted = shape.member.serialization.get("name", "member")
            _only(node, wanted)
            return [_value(shape.member, child, depth + 1) for child in node.children]
        case "map":
            _only(node, "entry")
            table: dict[str, Value] = {}
            for child in node.children:
                _entry(shape, child, table, depth)
            return table
        case _:
            return from_text(shape, _scalar_text(node))


def _only(node: Node, wanted: str) -> None:
    if node.text.strip() or node.attributes or any(child.name != wanted for child in node.children):
        raise Undecodable(f"something other than `{wanted}` inside `{shown(node.name)}`")
