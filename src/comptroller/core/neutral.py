"""Makes hostile text harmless to look at: control characters, bidi overrides, invisible and look-alike characters are
written out (`<U+202E>`), so that what a person reads is what is there. Markup is the template's business."""

from __future__ import annotations

import re
import unicodedata
from functools import lru_cache

TEXT_CHARS_MAX = 2_000
MARKS_MAX = 2
"""Combining marks in a row that a living language needs."""

_PLAIN = frozenset("…")
"""Characters that NFKC would turn into ASCII and that nevertheless deceive nobody."""
_LOOKS_LIKE_PUNCTUATION = frozenset(
    "\u2044\u2215\u2236\ua789\u201a\u066b\u066c\u05c3\u0589\u01c3\u2010\u2212\u02d0\u0384"
)
_LOOKS_LIKE_LATIN = frozenset(
    "асеорхуіјѕһԁԛԝвкмнтгбпАВСЕНІЈКМОРЅТХУҮԌԜԚ" + "αιοκνρτυχωγΑΒΕΖΗΙΚΜΝΟΡΤΥΧϲϳ" + "օսհոցզԼՏՕ" + "ᎪᏴᏟᎬᏀᎻᎥᎫᏦᏞᎷᏢᏒᏚᎢᏙᎳᏃ"
)
_EASTERN = ("CJK", "HIRAGANA", "KATAKANA", "HANGUL", "BOPOMOFO", "IDEOGRAPHIC", "KATAKANA-HIRAGANA")
_INVISIBLE = frozenset("\u034f\u115f\u1160\u17b4\u17b5\u3164\uffa0\u2800")
LINES_KEPT_MAX = 2_000
"""Pages show the same lines again and again."""
_WORD = re.compile(r"[\w.\-]+")


def written_out(character: str) -> str:
    """`<U+202E>` for one character."""
    return f"<U+{ord(character):04X}>"


def neutral(text: object, *, chars_max: int = TEXT_CHARS_MAX) -> str:
    """`text` as one line that shows exactly what it holds, at most `chars_max` characters. Idempotent, never raises."""
    raw = str(text)
    cut = raw[:chars_max]
    shown = _safe_line(cut)
    if len(shown) <= chars_max and len(raw) <= chars_max:
        return shown
    return shown[: max(0, chars_max - 1)] + "…"


def neutral_name(text: object, *, chars_max: int = TEXT_CHARS_MAX) -> str:
    """As `neutral`, for host names, paths and identifiers: every character outside printable ASCII is written out."""
    shown = "".join(c if " " <= c <= "~" else written_out(c) for c in str(text)[: chars_max + 1])
    return shown if len(shown) <= chars_max else shown[: max(0, chars_max - 1)] + "…"


@lru_cache(maxsize=LINES_KEPT_MAX)
def _safe_line(text: str) -> str:
    if text.isascii() and text.isprintable():
        return text
    suspects = {
        match.start() + offset
        for match in _WORD.finditer(text)
        for offset in _suspects(match.group())
        if not match.group().isascii()
    }
    out: list[str] = []
    marks = 0
    base = ""
    for position, character in enumerate(text):
        category = unicodedata.category(character)
        if category.startswith("M"):
            marks += 1
            allowed = category != "Me" and marks <= MARKS_MAX and base.isalpha() and character not in _INVISIBLE
            out.append(character if allowed and not _is_selector(character) else written_out(character))
            continue
        marks, base = 0, character
        deceptive = position in suspects or _hidden(character, category) or _lookalike(character, category)
        out.append(written_out(character) if deceptive else character)
        if deceptive:
            base = ""
    return "".join(out)


def _hidden(character: str, category: str) -> bool:
    return (
        category in ("Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp")
        or (category == "Zs" and character != " ")
        or character in _INVISIBLE
    )


def _is_selector(character: str) -> bool:
    return (
        "\ufe00" <= character <= "\ufe0f"
        or "\U000e0100" <= character <= "\U000e01ef"
        or "\u180b" <= character <= "\u180f"
    )


def _lookalike(character: str, category: str) -> bool:
    if character.isascii() or character in _PLAIN:
        return False
    if category == "Nd" or character in _LOOKS_LIKE_PUNCTUATION:
        return True
    if "\u0250" <= character <= "\u02af" or "\u1d00" <= character <= "\u1dbf" or character == "\u0131":
        return True
    folded = unicodedata.normalize("NFKC", character)
    return folded != character and folded.isascii()


def _suspects(word: str) -> list[int]:
    """Offsets of letters that pretend to be Latin: a foreign letter among Latin ones, or a word of look-alikes only."""
    letters = [(offset, c) for offset, c in enumerate(word) if c.isalpha()]
    scripts = {offset: unicodedata.name(c, "?").split(" ", 1)[0] for offset, c in letters}
    foreign = [(o, c) for o, c in letters if scripts[o] != "LATIN" and not scripts[o].startswith(_EASTERN)]
    if not foreign:
        return []
    if any(script == "LATIN" for script in scripts.values()):
        return [offset for offset, _ in foreign]
    if len({scripts[offset] for offset, _ in foreign}) > 1:
        return [offset for offset, _ in foreign]
    if all(c in _LOOKS_LIKE_LATIN for _, c in foreign):
        return [offset for offset, _ in foreign]
    return []
