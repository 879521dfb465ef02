"""JSON and CBOR bodies into the model's structures; unknown members, duplicates and wrong types are refused."""

from __future__ import annotations

import struct
from collections.abc import Mapping
from datetime import datetime
from functools import cache

from comptroller.core.action import Value
from comptroller.decode.aws import scalars
from comptroller.decode.aws.model_source import Shape
from comptroller.decode.aws.scalars import DEPTH_MAX
from comptroller.decode.aws.wire import Undecodable, shown

CBOR_ITEMS_MAX = 1 << 20


@cache
def _members(shape: Shape) -> Mapping[str, tuple[str, Shape]]:
    return {
        member.serialization.get("name", name): (name, member)
        for name, member in shape.members.items()
        if not member.serialization.get("location")
    }


def json_body(body: bytes) -> object:
    """A JSON body. Raises `Undecodable`."""
    try:
        return scalars.json_text(body.decode("utf-8"))
    except UnicodeDecodeError as error:
        raise Undecodable("a JSON body that is not UTF-8") from error


def structure(shape: Shape, value: object, depth: int = 0) -> dict[str, Value]:
    """Members of a structure; a null member counts as absent. Raises `Undecodable`."""
    if not isinstance(value, dict):
        raise Undecodable("no object where one is due")
    table = _members(shape)
    out: dict[str, Value] = {}
    for key, child in value.items():
        known = table.get(key) if isinstance(key, str) else None
        if known is None:
            raise Undecodable(f"`{shown(str(key))}` is no parameter of this operation")
        if child is not None:
            out[known[0]] = read(known[1], child, depth + 1)
    return out


def read(shape: Shape, value: object, depth: int) -> Value:
    """One value as its shape says. Raises `Undecodable`."""
    if depth > DEPTH_MAX:
        raise Undecodable(f"nested deeper than {DEPTH_MAX}")
    match shape.type_name:
        case "structure":
            return scalars.document(value, depth) if shape.is_document_type else structure(shape, value, depth)
        case "list":
            if not isinstance(value, list):
                raise Undecodable("no list where one is due")
            return [read(shape.member, child, depth + 1) for child in value]
        case "map":
            if not isinstance(value, dict):
                raise Undecodable("no object where a map is due")
            return {_key(key): read(shape.value, child, depth + 1) for key, child in value.items()}
        case "string" | "character":
            if not isinstance(value, str):
                raise Undecodable("no text where it is due")
            return scalars.text(value)
        case "blob":
            return value if isinstance(value, bytes) else scalars.blob(value)
        case "timestamp":
            return value if isinstance(value, datetime) else scalars.moment(value)
        case "boolean":
            if type(value) is not bool:
                raise Undecodable("no boolean where one is due")
            return value
        case "integer" | "long":
            if type(value) is not int:
                raise Undecodable("no integer where one is due")
            return scalars.integer(value)
        case "float" | "double":
            if isinstance(value, str):
                raise Undecodable("no number where one is due")
            return scalars.number(value)
        case other:
            raise Undecodable(f"a {other} cannot be read from a body")


def _key(key: object) -> str:
    if not isinstance(key, str):
        raise Undecodable("a map key that is no text")
    return scalars.text(key)


class _Cbor:
    """RFC 8949, as far as smithy's rpc-v2-cbor uses it; anything else is refused."""

    def __init__(self, data: bytes) -> None:
        self.data = data
        self.at = 0
        self.items = 0

    def take(self, count: int) -> bytes:
        piece = self.data[self.at : self.at + count]
        if len(piece) != count:
            raise Undecodable("a CBOR body that ends early")
        self.at += count
        return piece

    def length(self, info: int) -> int:
        if info < 24:
            return info
        if info > 27:
            raise Undecodable("a CBOR length that is not one")
        return int.from_bytes(self.take(1 << (info - 24)), "big")

    def item(self, depth: int) -> object:
        self.items += 1
        if depth > DEPTH_MAX or self.items > CBOR_ITEMS_MAX:
            raise Undecodable("CBOR nested too deep or too large")
        first = self.take(1)[0]
        major, info = first >> 5, first & 31
        match major:
            case 0:
                return self.length(info)
            case 1:
                return -1 - self.length(info)
            case 2:
                return self.string(2, info)
            case 3:
                return self.decoded(self.string(3, info))
            case 4:
                return self.array(info, depth)
            case 5:
                return self.mapping(info, depth)
            case 6:
                if self.length(info) != 1:
                    raise Undecodable("a CBOR tag other than 1")
                return scalars.moment(self.item(depth + 1))
            case _:
                return self.simple(info)

    def string(self, major: int, info: int) -> bytes:
        if info != 31:
            return self.take(self.length(info))
        parts: list[bytes] = []
        while (first := self.take(1)[0]) != 0xFF:
            if first >> 5 != major or first & 31 == 31:
                raise Undecodable("a CBOR string of other parts")
            parts.append(self.take(self.length(first & 31)))
        return b"".join(parts)

    def decoded(self, raw: bytes) -> str:
        try:
            return raw.decode("utf-8")
        except UnicodeDecodeError as error:
            raise Undecodable("CBOR text that is not UTF-8") from error

    def ended(self) -> bool:
        if self.data[self.at : self.at + 1] == b"\xff":
            self.at += 1
            return True
        return False

    def array(self, info: int, depth: int) -> list[object]:
        out: list[object] = []
        if info == 31:
            while not self.ended():
                out.append(self.item(depth + 1))
            return out
        for _ in range(self.length(info)):
            out.append(self.item(depth + 1))
        return out

    def mapping(self, info: int, depth: int) -> dict[str, object]:
        out: dict[str, object] = {}
        count = None if info == 31 else self.length(info)
        while not self.ended() if count is None else len(out) < count:
            key = self.item(depth + 1)
            if not isinstance(key, str) or key in out:
                raise Undecodable("a CBOR map key that is no text or stands twice")
            out[key] = self.item(depth + 1)
        return out

    def simple(self, info: int) -> object:
        match info:
            case 20 | 21:
                return info == 21
            case 22 | 23:
                return None
            case 25:
                return float(struct.unpack(">e", self.take(2))[0])
            case 26:
                return float(struct.unpack(">f", self.take(4))[0])
            case 27:
                return float(struct.unpack(">d", self.take(8))[0])
            case _:
                raise Undecodable("a CBOR simple value that is not one")


def cbor_body(body: bytes) -> object:
    """A CBOR body. Raises `Undecodable`."""
    reader = _Cbor(body)
    value = reader.item(0)
    if reader.at != len(body):
        raise Undecodable("bytes after the CBOR body")
    return value
