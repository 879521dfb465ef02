"""Reads the secrets of channels, outside the configuration. What is wrong is named by its place, never by its value."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

from comptroller.core.config_notify import SecretConfig
from comptroller.notify.message import DeliveryError

SECRET_BYTES_MAX = 8 << 10


class Secrets:
    """Looks them up; relative files begin at `folder`."""

    def __init__(self, folder: Path, environment: Mapping[str, str] | None = None) -> None:
        self._folder = folder
        self._environment = os.environ if environment is None else environment

    def read(self, where: SecretConfig) -> str:
        """The secret, without surrounding space. Raises `DeliveryError`."""
        if where.variable is not None:
            text = self._environment.get(where.variable, "").strip()
            if not text:
                raise DeliveryError(
                    f"the variable {where.variable} is not set where `serve` runs",
                    hint="set it and start serve anew, or use source `file`",
                )
            return text
        path = self._folder / (where.path or "")
        try:
            with path.open("rb") as file:
                raw = file.read(SECRET_BYTES_MAX + 1)
            text = raw.decode("utf-8").strip()
        except OSError as error:
            raise DeliveryError(f"`{path}` cannot be read: {error.strerror}") from None
        except UnicodeDecodeError:
            raise DeliveryError(f"`{path}` is not text") from None
        if not text or len(raw) > SECRET_BYTES_MAX:
            raise DeliveryError(f"`{path}` is {'empty' if not text else 'too long for a secret'}")
        return text
