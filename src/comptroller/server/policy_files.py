"""The policy files beside `comptroller.yaml`: what they hash to, how one is exchanged, and what the log keeps of it."""

from __future__ import annotations

import difflib
import hashlib
import os
import re
import stat
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from comptroller.boundary import PolicyText
from comptroller.core.errors import ConfigError, RefusedError, UsageError

EDITED_CHARS_MAX = 24_000
"""A longer file is not edited in a browser."""
DIFF_CHARS_MAX = 12_000
"""Of a change, how much is kept beside its entry."""
FILES_TOLD_MAX = 50
MODE_NEW = 0o644

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,62}\.cedar")


@dataclass(frozen=True, slots=True, kw_only=True)
class PolicyEdit:
    """One policy file as somebody wants it to be. `expected` is `set_hash` of all files as they saw them; `by` and
    `via` are who they are and how they came."""

    name: str
    text: str
    expected: str
    by: str
    via: str
    reason: str

    def applied_to(self, texts: Sequence[PolicyText], folder: Path) -> tuple[PolicyText, ...]:
        """All files with this one exchanged, or added. Raises `UsageError`, and `RefusedError` where they are no
        longer as they were seen."""
        if not _NAME.fullmatch(self.name):
            raise UsageError("a policy file is called NAME.cedar, in letters, digits, `.`, `_` and `-`")
        if len(self.text) > EDITED_CHARS_MAX:
            raise UsageError(
                f"the file has {len(self.text):,} characters; up to {EDITED_CHARS_MAX:,} are edited here",
                hint="split it, or edit it where it lies: it is taken over by itself",
            )
        if set_hash(texts) != self.expected:
            raise RefusedError(
                "the policies were changed by somebody else since you began",
                hint="copy what you wrote, load the page again, and see what is different",
            )
        known = {Path(text.file).name: text for text in texts}
        file = str(folder / self.name)
        return tuple(sorted({**known, self.name: PolicyText(file=file, text=self.text)}.values(), key=lambda t: t.file))


def set_hash(texts: Sequence[PolicyText]) -> str:
    """SHA-256 over names and contents: another comment is another hash."""
    lines = sorted(f"{Path(text.file).name} {file_hash(text.text)}" for text in texts)
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()


def file_hash(text: str) -> str:
    """SHA-256 of a file's text."""
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


def exchange(folder: Path, name: str, text: str) -> Callable[[], None]:
    """Put `text` in the place of a file, whole or not at all, and durably; what is returned undoes it.

    Raises `ConfigError` where that cannot be done: a link, no file, or no right to write.
    """
    path = folder / name
    try:
        before = _plain(path)
        mode = stat.S_IMODE(path.stat().st_mode) if before is not None else MODE_NEW
        _replace(path, text.encode("utf-8"), mode)
    except OSError as error:
        raise ConfigError(
            f"`{path}` cannot be written: {error.strerror or error}", hint="edit the policies where they come from"
        ) from error

    def undo() -> None:
        if before is None:
            path.unlink(missing_ok=True)
        else:
            _replace(path, before, mode)

    return undo


def _plain(path: Path) -> bytes | None:
    """The content of an ordinary file; None where there is none. Raises `ConfigError` for anything else."""
    try:
        status = path.lstat()
    except FileNotFoundError:
        return None
    if not stat.S_ISREG(status.st_mode):
        raise ConfigError(f"`{path}` is no ordinary file", hint="edit what it leads to")
    return path.read_bytes()


def _replace(path: Path, content: bytes, mode: int) -> None:
    descriptor, temporary = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
            file.flush()
            os.fchmod(file.fileno(), mode)
            os.fsync(file.fileno())
        os.replace(temporary, path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise
    folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


# ---------------------------------------------------------------- what the log keeps


def changed_files(before: Sequence[PolicyText], after: Sequence[PolicyText]) -> Mapping[str, tuple[str, str]]:
    """Name -> hash before and after of every file that differs; empty for none."""
    old = {Path(text.file).name: file_hash(text.text) for text in before}
    new = {Path(text.file).name: file_hash(text.text) for text in after}
    names = sorted({*old, *new})
    return {name: (old.get(name, ""), new.get(name, "")) for name in names if old.get(name) != new.get(name)}


def diff_text(before: Sequence[PolicyText], after: Sequence[PolicyText]) -> str:
    """What changed, line by line, cut where it gets long."""
    old = {Path(text.file).name: text.text for text in before}
    new = {Path(text.file).name: text.text for text in after}
    lines: list[str] = []
    for name in changed_files(before, after):
        left, right = old.get(name, "").splitlines(), new.get(name, "").splitlines()
        lines += difflib.unified_diff(left, right, fromfile=name, tofile=name, lineterm="", n=2)
    text = "\n".join(lines)
    return text if len(text) <= DIFF_CHARS_MAX else f"{text[:DIFF_CHARS_MAX]}\n… cut: {len(text):,} characters in all"


def owner_of(folder: Path, names: Sequence[str]) -> int | None:
    """The one user who owns these files, and so may have written them; None where it is not one."""
    found = set()
    for name in names:
        try:
            found.add((folder / name).stat().st_uid)
        except OSError:
            return None
    return found.pop() if len(found) == 1 else None
