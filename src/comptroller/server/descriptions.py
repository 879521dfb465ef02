"""Reads `services/NAME.yaml` beside the configuration, and the OpenAPI documents that lie in the same folder."""

from __future__ import annotations

from pathlib import Path

from comptroller.core.errors import ConfigError
from comptroller.decode.described import Service
from comptroller.decode.described.load import API_BYTES_MAX, SERVICE_BYTES_MAX, parse_service
from comptroller.server.place import service_files


def described_services(config_path: Path) -> tuple[Service, ...]:
    """Every service described beside the configuration. Raises `ConfigError` naming file and line of every mistake."""
    found: list[Service] = []
    mistakes: list[ConfigError] = []
    for file in service_files(config_path):
        try:
            found.append(load_service(file))
        except ConfigError as error:
            mistakes.append(error)
    if mistakes:
        raise ConfigError("\n".join(error.message for error in mistakes), hint=mistakes[0].hint)
    return tuple(found)


def load_service(file: Path) -> Service:
    """One description with the document it names. Raises `ConfigError` naming file and line of every mistake."""
    try:
        raw = _bytes(file, SERVICE_BYTES_MAX)
    except OSError as error:
        raise ConfigError(f"cannot read `{file}`: {error.strerror}", hint="comptroller service list") from error

    def read(name: str) -> bytes:
        path = Path(name)
        # INVARIANT: what decides lies in the folder that no box may write.
        if path.is_absolute() or ".." in path.parts or (file.parent / path).is_symlink():
            raise ConfigError(
                f"{file}: `{name}` is not in the folder of the description",
                hint=f"put the document itself into `{file.parent}`",
            )
        return _bytes(file.parent / path, API_BYTES_MAX)

    return parse_service(raw, name=file.stem, origin=str(file), read=read)


def services_stamp(config_path: Path) -> tuple[tuple[str, int, int], ...]:
    """Changes when a description, or a document beside it, does."""
    found: list[tuple[str, int, int]] = []
    for file in sorted((config_path.parent / "services").glob("*")):
        try:
            status = file.stat()
        except OSError:
            continue
        found.append((file.name, status.st_mtime_ns, status.st_size))
    return tuple(found)


def _bytes(file: Path, bytes_max: int) -> bytes:
    with file.open("rb") as stream:
        raw = stream.read(bytes_max + 1)
    if len(raw) > bytes_max:
        raise ConfigError(f"{file}: larger than {bytes_max >> 20} MiB")
    return raw
