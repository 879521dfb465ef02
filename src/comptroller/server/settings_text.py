"""The configuration in force as rows of text: no secret in any of them, each with its line in the file."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import urlsplit

from comptroller.core.config import Config
from comptroller.core.config_text import CONFIG_BYTES_MAX, parse_yaml
from comptroller.core.errors import ConfigError
from comptroller.core.secrecy import HIDDEN, names_secret, scrubbed
from comptroller.server.place import CONFIG_NAME, POLICIES_FOLDER, SERVICES_FOLDER

VALUE_CHARS_MAX = 300
FILES_SHOWN_MAX = 60
FILE_BYTES_MAX = 4 << 20
_HIDDEN_BELOW = ("environment",)
"""Mappings whose values may be anything at all: names are shown, values are not."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Setting:
    """One setting: its dotted path, its value as text, its line in the file (None: nobody wrote it, it is the
    default)."""

    path: str
    value: str
    line: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class SettingsFile:
    """A file that says what is in force. `sha256` is empty where it cannot be read."""

    name: str
    sha256: str
    changed_at: str


def settings_of(config: Config, lines: Mapping[str, int]) -> list[Setting]:
    """Every setting that is written, and every default of a section that applies to all. In the order of the file."""
    written = config.model_dump(mode="json", by_alias=True, exclude_unset=True)
    whole = config.model_dump(mode="json", by_alias=True)
    each = {"teams", "people", "agents", "budgets", "services", "credentials"}
    rows = dict(_rows("", {name: whole[name] for name in whole if name not in each}))
    rows |= dict(_rows("", written))
    found = [Setting(path=path, value=value, line=_line(path, lines)) for path, value in rows.items()]
    return sorted(found, key=lambda row: (row.line is None, row.line or 0, row.path))


def lines_in_force(config_path: Path) -> Mapping[str, int]:
    """Dotted path -> line, as the file is now; nothing where it cannot be read."""
    try:
        return parse_yaml(config_path.read_bytes(), origin=CONFIG_NAME, bytes_max=CONFIG_BYTES_MAX)[1]
    except (OSError, ConfigError):
        return {}


def files_of(config_path: Path) -> Sequence[SettingsFile]:
    """The configuration, the policies and the descriptions of services, as they lie on the disk."""
    folder = config_path.parent
    places = [
        config_path,
        *sorted((folder / POLICIES_FOLDER).glob("*.cedar")),
        *sorted((folder / SERVICES_FOLDER).glob("*.yaml")),
    ]
    return [_file(path, folder) for path in places[:FILES_SHOWN_MAX]]


def _file(path: Path, folder: Path) -> SettingsFile:
    name = str(path.relative_to(folder))
    try:
        status = path.stat()
        if status.st_size > FILE_BYTES_MAX:
            raise OSError
        digest = hashlib.sha256(path.read_bytes()).hexdigest()
    except OSError:
        return SettingsFile(name=name, sha256="", changed_at="")
    at = datetime.fromtimestamp(status.st_mtime, UTC)
    return SettingsFile(name=name, sha256=digest, changed_at=f"{at:%Y-%m-%d %H:%M:%S}")


def _rows(path: str, value: object) -> Iterator[tuple[str, str]]:
    match value:
        case Mapping() if value:
            for name, inner in value.items():
                below = f"{path}.{name}" if path else str(name)
                hidden = names_secret(str(name)) and not isinstance(inner, Mapping | list) and not _named(path)
                if hidden or path.rpartition(".")[2] in _HIDDEN_BELOW:
                    yield below, HIDDEN
                else:
                    yield from _rows(below, inner)
        case list() if any(isinstance(inner, Mapping) for inner in value):
            for number, inner in enumerate(value):
                yield from _rows(f"{path}.{number}", inner)
        case list():
            yield path, ", ".join(_text(inner) for inner in value) or "none"
        case Mapping():
            yield path, "none"
        case _:
            yield path, _text(value)


def _named(path: str) -> bool:
    """Whether the keys at `path` are names of units and limits (`tokens`), not of members."""
    return path.rpartition(".")[2] in ("per_run", "limits")


def _text(value: object) -> str:
    """A value without what it might hide: of an address its scheme and host alone."""
    if value is None:
        return "not set"
    if isinstance(value, bool):
        return "true" if value else "false"
    text = str(value)
    if "://" in text:
        try:
            found = urlsplit(text)
            host, port = found.hostname or "", f":{found.port}" if found.port else ""
        except ValueError:
            return HIDDEN
        more = f"/{HIDDEN}" if found.path.strip("/") or found.query or found.username else ""
        return f"{found.scheme}://{host}{port}{more}"
    return scrubbed(text[:VALUE_CHARS_MAX])


def _line(path: str, lines: Mapping[str, int]) -> int | None:
    return lines.get(path)
