"""Placeholders for masked files: the same name and, where that is safe, the same keys; never a value.

A file that is not plainly a list of settings shows nothing of itself: half understood, a value could pass for a key.
"""

from __future__ import annotations

import json
import os
import re
import stat
from pathlib import Path

PLACEHOLDER = "comptroller-placeholder"
FILE_BYTES_MAX = 64 << 10
NESTING_MAX = 16
KEYS_MAX = 1_000
_NAME = r"[A-Z][A-Z0-9_]{0,47}|[a-z][a-z0-9_.-]{0,47}|[a-z]+(?:[A-Z][a-z0-9]+){1,6}"
_SETTING = re.compile(rf"^\s*(?:export\s+)?({_NAME})(?:\s*=\s*|:\s+)(.*)$")
_KEY = re.compile(rf"(?:{_NAME})")
DIGITS_MAX = 4
"""A name with more digits may be a key of the other sort."""
_SECTION = re.compile(r"^\s*\[[A-Za-z][A-Za-z0-9 _.:-]{0,63}\]\s*$")
_OPAQUE = f"# {PLACEHOLDER}: this file is masked by comptroller; its content is not in this box\n"


def placeholder(path: Path) -> bytes:
    """What stands in the box for the file at `path`. Never raises; what cannot be read or understood is opaque."""
    text = _text(path)
    if text is None:
        return _OPAQUE.encode()
    found = _json(text) if text.lstrip().startswith("{") else _settings(text)
    return (_OPAQUE if found is None else found).encode()


def _text(path: Path) -> str | None:
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError:
        return None
    with open(descriptor, "rb") as file:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            return None
        data = file.read(FILE_BYTES_MAX + 1)
    try:
        return None if len(data) > FILE_BYTES_MAX else data.decode("utf-8")
    except UnicodeDecodeError:
        return None


def _settings(text: str) -> str | None:
    """`KEY=value` lines and `[sections]` with every value replaced; comments, which may hold old values, are left out.
    None where any line is something else."""
    shown: list[str] = [_OPAQUE.rstrip("\n")]
    for line in text.splitlines():
        if not line.strip() or line.lstrip().startswith(("#", ";")):
            continue
        if _SECTION.match(line):
            shown.append(line.strip())
            continue
        setting = _SETTING.match(line)
        if setting is None or not (_is_name(setting[1]) and _one_line(setting[2])) or len(shown) > KEYS_MAX:
            return None
        # `c2VjcmV0=` is a secret that looks like a key: only what has a value is one.
        if setting[2].strip(" =\"'"):
            shown.append(line[: setting.start(2)] + PLACEHOLDER)
    return "\n".join(shown) + "\n" if len(shown) > 1 else None


def _is_name(key: str) -> bool:
    return _KEY.fullmatch(key) is not None and sum(map(str.isdigit, key)) <= DIGITS_MAX


def _one_line(value: str) -> bool:
    """False where the value goes on in the next line."""
    quote = value[:1]
    if quote in ("'", '"', "`"):
        return value.count(quote) - value.count("\\" + quote) >= 2
    return not value.rstrip().endswith("\\") and not value.startswith(("-----", "|", ">", "<<"))


def _json(text: str) -> str | None:
    try:
        document = json.loads(text)
        return json.dumps(_masked(document, 0), indent=2, ensure_ascii=True) + "\n"
    except (ValueError, RecursionError):
        return None


def _masked(value: object, depth: int) -> object:
    if isinstance(value, dict) and depth < NESTING_MAX and len(value) <= KEYS_MAX:
        if not all(map(_is_name, value)):
            raise ValueError("a key that may be a secret")
        return {key: _masked(inner, depth + 1) for key, inner in value.items()}
    return [] if isinstance(value, list) else PLACEHOLDER
