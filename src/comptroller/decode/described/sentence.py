"""What people read of an action: `send {amount} to {payee}`, one line, filled in from what was decoded."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal

from comptroller.core.action import Payment, Value
from comptroller.decode.described.amount import money_text
from comptroller.decode.described.place import Fields, MalformedPlace, Place
from comptroller.decode.shape import Undecodable, printable

SHOWN_CHARACTERS_MAX = 80

_HOLE = re.compile(r"\{([^{}]*)\}")


class MalformedSentence(ValueError):
    """A sentence with a hole that nothing can fill."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sentence:
    """Text and holes by turns; a hole is `amount`, `payee` or a place."""

    parts: tuple[str | Place, ...]

    @classmethod
    def parse(cls, text: str) -> Sentence:
        """Raises `MalformedSentence`."""
        if not text.isprintable():
            raise MalformedSentence("a sentence is one line of plain text")
        parts: list[str | Place] = []
        end = 0
        for hole in _HOLE.finditer(text):
            parts.append(text[end : hole.start()])
            end = hole.end()
            if hole[1] in ("amount", "payee"):
                parts.append(Place(kind="text", steps=(hole[1],)))
                continue
            try:
                place = Place.parse(hole[1])
            except MalformedPlace as error:
                raise MalformedSentence(f"`{{{hole[1]}}}` is neither `{{amount}}`, `{{payee}}` nor a place") from error
            if place.kind == "text":
                raise MalformedSentence(f"`{{{hole[1]}}}` needs no braces")
            parts.append(place)
        parts.append(text[end:])
        if any(isinstance(part, str) and ("{" in part or "}" in part) for part in parts):
            raise MalformedSentence("a brace is left open")
        return cls(parts=tuple(part for part in parts if part != ""))

    @property
    def places(self) -> tuple[Place, ...]:
        """Every place that is read."""
        return tuple(part for part in self.parts if isinstance(part, Place) and part.kind != "text")

    @property
    def says_amount(self) -> bool:
        """True where it says how much."""
        return any(isinstance(part, Place) and part == Place(kind="text", steps=("amount",)) for part in self.parts)

    def text(self, fields: Fields, payment: Payment | None) -> str:
        """The sentence of one action. What the request does not hold is `(not stated)`."""
        return "".join(part if isinstance(part, str) else self._filled(part, fields, payment) for part in self.parts)

    @staticmethod
    def _filled(place: Place, fields: Fields, payment: Payment | None) -> str:
        if place.kind == "text":
            if payment is None:
                return "an amount that is not stated" if place.name == "amount" else "a payee that is not stated"
            return money_text(payment) if place.name == "amount" else short(payment.payee) or "(not stated)"
        try:
            found = fields.all(place)
        except Undecodable:
            found = ()
        return ", ".join(short(value) for value in found[:3]) + (", …" if len(found) > 3 else "") or "(not stated)"


def short(value: Value) -> str:
    """A value as one piece of plain text."""
    match value:
        case bool():
            text = "true" if value else "false"
        case str():
            text = " ".join(value.split())
        case int() | Decimal():
            text = str(value)
        case Mapping():
            text = f"({len(value)} members)"
        case Sequence():
            text = f"({len(value)} entries)"
        case _:
            text = "(not stated)"
    text = printable(text[: SHOWN_CHARACTERS_MAX + 1])
    return text if len(text) <= SHOWN_CHARACTERS_MAX else text[: SHOWN_CHARACTERS_MAX - 1] + "…"
