"""A caller's words within a sentence of ours: printable, short, and quoted where they could pass for ours."""

from __future__ import annotations

import re

from comptroller.core.action import Value

WORD_CHARACTERS_MAX = 120

_PLAIN = re.compile(r"[A-Za-z0-9*][A-Za-z0-9._:/@+=#*$-]*", re.ASCII)


def word(value: Value) -> str:
    """A value fit for a sentence: printable, short, on one line."""
    text = "".join(letter if letter.isprintable() else "?" for letter in str(value)[: WORD_CHARACTERS_MAX + 1])
    return text if len(text) <= WORD_CHARACTERS_MAX else text[: WORD_CHARACTERS_MAX - 1] + "…"


def quoted(value: Value) -> str:
    """A value in backticks, without any of its own."""
    return "`" + word(value).replace("`", "'") + "`"


def named(value: Value) -> str:
    """A value as it is where it reads like a name, else quoted."""
    text = word(value)
    return text if _PLAIN.fullmatch(text) else quoted(value)
