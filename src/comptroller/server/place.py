"""Where an installation lies on this machine: its configuration file, its state folder, its sockets."""

from __future__ import annotations

import hashlib
import os
import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from comptroller.core.errors import ConfigError

if TYPE_CHECKING:
    from comptroller.core.config import Config

CONFIG_NAME = "comptroller.yaml"
POLICIES_FOLDER = "policies"
SERVICES_FOLDER = "services"
SERVICES_MAX = 200


@dataclass(frozen=True, slots=True)
class Paths:
    """Where one installation keeps its state, outside every workspace."""

    folder: Path

    @classmethod
    def of(cls, config_path: Path) -> Paths:
        """`$XDG_STATE_HOME/comptroller/<16 hex of SHA-256 of the configuration's folder>`."""
        base = Path(os.environ.get("XDG_STATE_HOME") or Path.home() / ".local" / "state")
        name = hashlib.sha256(os.fsencode(config_path.parent.resolve())).hexdigest()[:16]
        return cls(base / "comptroller" / name)

    @property
    def lock(self) -> Path:
        """Held by the one `serve`."""
        return self.folder / "lock"

    @property
    def log_key(self) -> Path:
        """Ed25519 private key that signs checkpoints."""
        return self.folder / "log.key"

    @property
    def log_public(self) -> Path:
        """The verifier key (C2SP vkey text)."""
        return self.folder / "log.pub"

    @property
    def checkpoint(self) -> Path:
        """The newest signed checkpoint."""
        return self.folder / "checkpoint"

    @property
    def ca_key(self) -> Path:
        """Private key of the boxes' certificate authority."""
        return self.folder / "ca.key"

    @property
    def ca_pem(self) -> Path:
        """Certificate that boxes trust."""
        return self.folder / "ca.pem"

    @property
    def store(self) -> Path:
        """The SQLite store."""
        return self.folder / "store.sqlite"

    @property
    def journal(self) -> Path:
        """What was let through while the store was lost."""
        return self.folder / "outage.journal"

    @property
    def store_url(self) -> Path:
        """Where the store is, when it is not in this folder: the setting `store` of the last `serve`."""
        return self.folder / "store.url"

    @property
    def control_socket(self) -> Path:
        """HTTP and JSON for the command line."""
        return self.folder / "control.sock"

    @property
    def attach_socket(self) -> Path:
        """Where `run` hands over a box's listening sockets."""
        return self.folder / "attach.sock"

    @property
    def serve_log(self) -> Path:
        """What a detached `serve` prints."""
        return self.folder / "serve.log"

    @property
    def run_settings(self) -> Path:
        """What `run` needs of the configuration, once it was checked."""
        return self.folder / "run.settings"

    @property
    def prices(self) -> Path:
        """The newer price list, laid over the shipped prices."""
        return self.folder / "prices.csv"

    @property
    def applied_prices(self) -> Path:
        """Hash of the price list last taken over."""
        return self.folder / "prices.applied"

    @property
    def applied_budgets(self) -> Path:
        """Hash of the budgets last taken over from the configuration."""
        return self.folder / "budgets.applied"

    @property
    def backups(self) -> Path:
        """Where backups go that were not given another place."""
        return self.folder / "backups"


def find_config(start: Path | None = None) -> Path:
    """The `comptroller.yaml` in `start` or the nearest folder above. Raises `ConfigError`."""
    folder = (start or Path.cwd()).resolve()
    if folder.is_file():
        return folder
    for candidate in (folder, *folder.parents):
        if (candidate / CONFIG_NAME).is_file():
            return candidate / CONFIG_NAME
    raise ConfigError(f"no {CONFIG_NAME} in `{folder}` or above it", hint="comptroller init writes one")


def read_config(path: Path) -> bytes:
    """The bytes of `comptroller.yaml`. Raises `ConfigError` where they cannot be read."""
    try:
        return path.read_bytes()
    except OSError as error:
        raise ConfigError(f"cannot read `{path}`: {error.strerror}", hint="comptroller init writes one") from error


def load_config(path: Path) -> Config:
    """Read and check `comptroller.yaml`. Raises `ConfigError` naming file and line of every mistake."""
    from comptroller.core.config_text import parse_config_text  # half the start of a command that only asks `serve`

    raw = read_config(path)
    return parse_config_text(raw, origin=str(path), services=[file.stem for file in service_files(path)])


def service_files(config_path: Path) -> tuple[Path, ...]:
    """Every `services/NAME.yaml` beside the configuration, by name. Raises `ConfigError`."""
    from comptroller.core.config import NAME_PATTERN

    folder = config_path.parent / SERVICES_FOLDER
    files = sorted(folder.glob("*.yaml")) if folder.is_dir() else []
    if len(files) > SERVICES_MAX:
        raise ConfigError(f"more than {SERVICES_MAX} files in `{folder}`")
    for file in files:
        if not re.fullmatch(NAME_PATTERN, file.stem):
            raise ConfigError(
                f"{file}: `{file.stem}` cannot be the name of a service", hint="lower-case letters, digits and hyphens"
            )
    return tuple(files)
