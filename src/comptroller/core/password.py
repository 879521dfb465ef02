"""Which passwords are refused: short ones, and those that guessers try first. There are no rules of composition."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable
from itertools import pairwise

LENGTH_MIN = 12
LENGTH_MAX = 128
DISTINCT_MIN = 5
LEFT_MIN = 6
"""Characters that must be left once what everybody tries is taken out."""

_WORDS = frozenset(
    re.findall(
        r"\S+",
        """
        password passwort passphrase passw0rd motdepasse contrasena qwerty qwertz azerty asdfgh zxcvbn letmein welcome
        willkommen iloveyou sunshine princess football baseball superman batman dragon monkey shadow master admin
        administrator root login secret changeme default summer winter spring autumn monday friday january december
        hello access computer internet google michael jennifer whatever trustno test user guest company office starwars
        pokemon chocolate cookie pepper flower freedom mustang killer ninja hunter soccer hockey cheese banana
        comptroller approver agent gateway budget
        """,
    )
)
_ROWS = ("abcdefghijklmnopqrstuvwxyz", "01234567890", "qwertyuiop", "asdfghjkl", "zxcvbnm", "qwertzuiop", "yxcvbnm")
_LEET = str.maketrans("0134578@$!", "oieastbasi")
_YEAR = re.compile(r"(?:19|20)\d\d")


def normal(password: str) -> str:
    """The form that is hashed: NFC, as the same keys give other code points on other machines."""
    return unicodedata.normalize("NFC", password)


def weakness(password: str, names: Iterable[str] = ()) -> str:
    """Why this password is refused; empty where it is not. `names` are those of the person and the organization."""
    text = normal(password)
    if len(text) < LENGTH_MIN:
        return f"it has {len(text)} characters: at least {LENGTH_MIN} are needed, any you like"
    if len(text) > LENGTH_MAX:
        return f"it has {len(text)} characters: at most {LENGTH_MAX} are kept"
    if any(unicodedata.category(character) in ("Cc", "Cs") for character in text):
        return "it has a character nobody types in it"
    folded = text.casefold()
    if len(set(folded)) < DISTINCT_MIN:
        return "it is made of very few different characters"
    if _repeats(folded):
        return "it is one piece repeated"
    words = {name.casefold() for name in names if len(name) > 2} | _WORDS
    if min(_left(folded, words), _left(folded.translate(_LEET), words)) < LEFT_MIN:
        return "it is made of what guessers try first: common words, names, years and rows of keys"
    return ""


def _repeats(text: str) -> bool:
    return any(text == (text[:size] * (len(text) // size + 1))[: len(text)] for size in range(1, len(text) // 2 + 1))


def _left(text: str, words: Iterable[str]) -> int:
    """How many characters, at the most in order, no guesser's piece explains."""
    left = text
    for word in sorted(words, key=len, reverse=True):
        left = left.replace(word, "\0")
    left = _YEAR.sub("\0", left)
    return sum(not _in_row(part) for part in _runs(left)) if left else 0


def _runs(text: str) -> list[str]:
    """Every character with the one before it, without what was taken out."""
    kept = text.strip("\0")
    pairs = [a + b for a, b in pairwise(f"\0{kept}")] if kept else []
    return [pair for pair in pairs if pair[1] != "\0"]


def _in_row(pair: str) -> bool:
    """Whether the second key repeats the first or follows it in a row, either way."""
    return pair[0] == pair[1] or any(pair in row or pair[::-1] in row for row in _ROWS)
