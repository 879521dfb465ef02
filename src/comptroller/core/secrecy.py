"""Which values no log may keep, and how an action's parameters are shown to the person who is asked about it."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache

from comptroller.core.action import DEPTH_MAX, Value

REDACTED: Mapping[str, bool] = {"$redacted": True}
SHOWN_MAX = 40
SHOWN_CHARACTERS_MAX = 200
NAMES_REMEMBERED_MAX = 4096
SEARCHED_CHARACTERS_MIN = 8
SHORT_CHARACTERS = 256
SEARCHED_CHARACTERS_MAX = 16 << 10
TEXTS_KEPT_MAX = 1024
HIDDEN = "…hidden…"
NO_VALUE = "(no value)"

_SECRET_NAME = re.compile(
    r"(?i)pass(?:w|phrase|code)|^pass$|pwd|secret(?!_?-?(?:id|arn|name|list)s?$)|token|api[-_]?key"
    r"|access[-_]?key(?![-_]?id)|(?:private|signing|encryption|session|customer)[-_]?key(?![-_]?(?:id|md5|algorithm))"
    r"|authorization|^auth$|auth[-_]?(?:key|code)|credential|cookie|signature|(?:^|[-_])sig$|jwt|bearer|^(?:otp|pin|cvc|cvv)$"
)
_PLAIN: tuple[tuple[tuple[str, ...], str], ...] = (
    (("k_live_", "k_test_", "whsec_"), r"(?:[srp]k|whsec)_(?:live|test)_[A-Za-z0-9]{8,}|whsec_[A-Za-z0-9+/=]{16,}"),
    (("sk-",), r"sk-[A-Za-z0-9_-]{16,}"),
    (("gh", "glpat-"), r"gh[pousr]_[A-Za-z0-9]{16,}|github_pat_[A-Za-z0-9_]{16,}|glpat-[A-Za-z0-9_-]{16,}"),
    (("xox",), r"xox[a-z]-[A-Za-z0-9-]{10,}"),
    (("aiza", "ya29."), r"AIza[A-Za-z0-9_-]{30,}|ya29\.[A-Za-z0-9_-]{16,}"),
    (("hf_", "npm_", "pypi-"), r"hf_[A-Za-z0-9]{16,}|npm_[A-Za-z0-9]{20,}|pypi-[A-Za-z0-9_-]{20,}"),
    (("cmp_",), r"cmp_[0-9A-Za-z]{49}"),
    (("akia", "asia"), r"(?:AKIA|ASIA)[A-Z0-9]{16}\b"),
    (("eyj",), r"eyJ[A-Za-z0-9_-]{8,4096}\.[A-Za-z0-9_-]{8,4096}(?:\.[A-Za-z0-9_-]{0,4096})?"),
    (
        ("-----begin",),
        r"-----BEGIN [A-Z ]{0,32}PRIVATE KEY-----[^-]{0,16384}(?:-----END [A-Z ]{0,32}PRIVATE KEY-----)?",
    ),
    (("bearer", "basic"), r"(?i:(?:bearer|basic)\s{1,8})[A-Za-z0-9+/=._~-]{12,}"),
    (("@",), r"(?<=//)[^/\s:@?#]{0,64}:[^/\s@?#]{1,256}(?=@)"),
    (
        ("=",),
        r"(?i:(?<=[?&;])[a-z0-9_.-]{0,32}(?:token|secret|signature|password|passwd|apikey|api_key|access_key|credential"
        r"|sig|key|code)=)[^&;#\s\"'<>]{4,}",
    ),
)
"""Marks, lower-case, without one of which a pattern cannot match, and the pattern: most texts are never searched."""
_SECRET_TEXTS = tuple((marks, re.compile(pattern)) for marks, pattern in _PLAIN)
_ANY_MARK = re.compile("|".join(re.escape(mark) for marks, _ in _PLAIN for mark in marks))
_RUN = re.compile(r"[A-Za-z0-9_+=~-]{20,}")
_UUID = re.compile(r"(?i)[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_NAMING = frozenset({"name", "key", "parameterkey", "option", "header", "field"})
_VALUED = frozenset({"value", "parametervalue", "values", "content"})


@lru_cache(maxsize=NAMES_REMEMBERED_MAX)
def names_secret(name: str) -> bool:
    """True for the name of a parameter that holds a secret (`MasterUserPassword`, `api_key`)."""
    return _SECRET_NAME.search(name) is not None


def scrubbed(text: str) -> str:
    """`text` without keys of known forms, tokens, passwords in addresses and signatures of presigned ones. A text that
    has something like it and is too long to be searched is hidden as a whole."""
    if len(text) < SEARCHED_CHARACTERS_MIN:
        return text
    lowered = text.lower()
    if len(text) <= SHORT_CHARACTERS and not _ANY_MARK.search(lowered):
        return text
    for marks, pattern in _SECRET_TEXTS:
        if any(mark in lowered for mark in marks):
            if len(text) > SEARCHED_CHARACTERS_MAX:
                return f"{HIDDEN} ({len(text):,} characters)"
            text = pattern.sub(HIDDEN, text)
    return text


def random_looking(text: str) -> bool:
    """True for a text with a long run of mixed letters and digits that is no hash and no UUID: a key, most likely."""
    for run in _RUN.findall(text):
        if _UUID.fullmatch(run):
            continue
        words = re.split(r"[-_]", run)
        letters = [word for word in words if len(word) >= 12] or ([run] if len(run) >= 32 and len(words) <= 4 else [])
        for word in letters:
            mixed = any(c.islower() for c in word) and any(c.isupper() for c in word) and any(c.isdigit() for c in word)
            if mixed or (len(word) >= 20 and any(c.isdigit() for c in word) and re.search(r"[g-zG-Z]", word)):
                return True
    return False


def redacted(parameters: Mapping[str, Value], sensitive: frozenset[str]) -> dict[str, Value]:
    """Parameters as a log may keep them: `sensitive` members, members with a secret's name and texts like keys out."""
    left = [TEXTS_KEPT_MAX]
    return {
        name: REDACTED if name in sensitive else _redacted(name, value, 0, left) for name, value in parameters.items()
    }


def _redacted(name: str, value: Value, depth: int, left: list[int]) -> Value:
    """`left` counts down the texts that may still be kept: an action of very many is not worth the time."""
    if depth > DEPTH_MAX:
        return REDACTED
    if isinstance(value, str):
        left[0] -= 1
        return REDACTED if left[0] < 0 or (value and names_secret(name)) else scrubbed(value)
    if isinstance(value, bytes | bytearray):
        return REDACTED if names_secret(name) else value
    if isinstance(value, Mapping):
        told = _told_name(value)
        return {
            scrubbed(key): REDACTED if told and key.lower() in _VALUED else _redacted(key, member, depth + 1, left)
            for key, member in value.items()
        }
    if isinstance(value, Sequence):
        if _is_pair(value):
            return [value[0], _redacted(str(value[0]), value[1], depth + 1, left)]
        return [_redacted(name, member, depth + 1, left) for member in value]
    return value


def _told_name(value: Mapping[str, Value]) -> bool:
    """True for `{"name": "DB_PASSWORD", "value": …}`."""
    return any(isinstance(text, str) and key.lower() in _NAMING and names_secret(text) for key, text in value.items())


def _is_pair(value: Sequence[Value]) -> bool:
    return len(value) == 2 and isinstance(value[0], str) and names_secret(value[0]) and isinstance(value[1], str)


def shown(parameters: Mapping[str, Value], sensitive: frozenset[str]) -> list[list[str]]:
    """What a person who is asked sees of the parameters: `[name, text]`, secrets as size and hash, at most
    `SHOWN_MAX` and a line that says how many more there are."""
    found: list[list[str]] = []
    more = 0
    for name in sorted(parameters):
        value = parameters[name]
        pairs: Iterator[tuple[str, Value]] = iter([(name, value)])
        if name not in sensitive:
            pairs = _flat(name, redacted({name: value}, frozenset())[name])
        for path, leaf in pairs:
            if leaf is None or leaf == "" or leaf == b"":
                continue
            if len(found) >= SHOWN_MAX:
                more += 1
                continue
            text = _hidden(leaf) if name in sensitive else _text(leaf)
            found.append([path, text])
    if more:
        found.append(["…", f"{more} more"])
    return found


def _flat(path: str, value: Value) -> Iterator[tuple[str, Value]]:
    if isinstance(value, Mapping) and value != REDACTED and not {"$sha256", "$number"} & value.keys():
        for name, member in value.items():
            yield from _flat(f"{path}.{name}", member)
    elif isinstance(value, Sequence) and not isinstance(value, str | bytes | bytearray):
        if len(value) == 2 and isinstance(value[0], str) and path == "query":
            yield f"{path}.{value[0]}", value[1] or NO_VALUE
            return
        for member in value:
            yield from _flat(path, member)
    else:
        yield path, value


def _text(value: Value) -> str:
    if value == REDACTED:
        return HIDDEN
    if isinstance(value, bytes | bytearray):
        return _hidden(value)
    text = "true" if value is True else "false" if value is False else str(value)
    return text if len(text) <= SHOWN_CHARACTERS_MAX else text[: SHOWN_CHARACTERS_MAX - 1] + "…"


def _hidden(value: Value) -> str:
    if isinstance(value, str):
        value = value.encode("utf-8", "replace")
    if isinstance(value, bytes | bytearray):
        return f"not shown: {len(value):,} bytes, SHA-256 {hashlib.sha256(value).hexdigest()[:16]}…"
    return "not shown"
