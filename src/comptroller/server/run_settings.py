"""What `comptroller run` needs of the configuration, kept once it was checked.

Reading and checking all of it is a third of a run's start; the same bytes, read by the same program, mean the same.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import stat
import tempfile
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from comptroller import __version__, core
from comptroller.server.place import SERVICES_FOLDER, Paths, load_config, read_config

if TYPE_CHECKING:
    from comptroller.core.config import Config

KEPT_BYTES_MAX = 4 << 20


@dataclass(frozen=True, slots=True, kw_only=True)
class AgentSettings:
    """Of one agent, what makes its box."""

    workspace: str
    environment: Mapping[str, str]
    limits: Mapping[str, int]
    read_only: tuple[str, ...]
    masked: tuple[str, ...]
    inherit: tuple[str, ...]
    devices: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class RunSettings:
    """Agents by name, and the files that hold credentials, as the configuration names them."""

    agents: Mapping[str, AgentSettings]
    credential_files: tuple[str, ...]


def run_settings_of(config: Config) -> RunSettings:
    """What of a checked configuration makes boxes."""
    return RunSettings(
        agents={
            name: AgentSettings(
                workspace=agent.workspace,
                environment=dict(agent.environment),
                limits=dict(agent.limits),
                read_only=agent.files.read_only,
                masked=agent.files.masked,
                inherit=agent.inherit,
                devices=agent.devices,
            )
            for name, agent in config.agents.items()
        },
        credential_files=tuple(
            each.path for each in config.credentials.values() if each.source == "file" and each.path
        ),
    )


def load_run_settings(path: Path) -> RunSettings:
    """The settings of the configuration at `path`, checked now or, unchanged, before. Raises `ConfigError`."""
    file = Paths.of(path).run_settings
    key = _key(path)
    kept = _kept(file, key)
    if kept is not None:
        return kept
    found = run_settings_of(load_config(path))
    # Read again: what was checked may be newer than what the first key was made of.
    if _key(path) == key:
        _keep(file, key, found)
    return found


def _key(path: Path) -> str:
    """Changes with the configuration, with the names of the services beside it, and with the program that reads it."""
    programs = sorted(Path(core.__file__).parent.glob("config*.py"))
    parts = [
        __version__,
        *(f"{file} {file.stat().st_mtime_ns}" for file in programs),
        *sorted(file.name for file in (path.parent / SERVICES_FOLDER).glob("*.yaml")),
    ]
    return hashlib.sha256(json.dumps(parts).encode() + b"\n" + read_config(path)).hexdigest()


def _kept(file: Path, key: str) -> RunSettings | None:
    """What was kept under `key`, where the file is ours alone and whole; None else."""
    try:
        descriptor = os.open(file, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
        with open(descriptor, "rb") as opened:
            status = os.fstat(descriptor)
            if status.st_uid != os.geteuid() or status.st_mode & (stat.S_IWGRP | stat.S_IWOTH):
                return None
            document = json.loads(opened.read(KEPT_BYTES_MAX))
        if document["key"] != key:
            return None
        made = {name: _agent(each) for name, each in document["agents"].items()}
        return RunSettings(agents=made, credential_files=tuple(document["credential_files"]))
    except (OSError, ValueError, TypeError, KeyError, AttributeError):
        return None


def _agent(kept: Mapping[str, Any]) -> AgentSettings:
    return AgentSettings(
        workspace=kept["workspace"],
        environment=dict(kept["environment"]),
        limits=dict(kept["limits"]),
        read_only=tuple(kept["read_only"]),
        masked=tuple(kept["masked"]),
        inherit=tuple(kept["inherit"]),
        devices=tuple(kept["devices"]),
    )


def _keep(file: Path, key: str, settings: RunSettings) -> None:
    """Write it whole or not at all; before the first run there is no folder, and nothing is kept."""
    with contextlib.suppress(OSError):
        descriptor, name = tempfile.mkstemp(dir=file.parent, prefix=file.name)  # 0600, as the environment in it wants
        try:
            with open(descriptor, "w", encoding="utf-8") as opened:
                json.dump({"key": key, **asdict(settings)}, opened)
            os.replace(name, file)
        except BaseException:
            os.unlink(name)
            raise
