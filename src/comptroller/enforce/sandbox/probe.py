"""Tries a real box, without a command, to know whether this machine can hold one."""

from __future__ import annotations

import tempfile
from pathlib import Path

from comptroller.enforce.sandbox.box import Box
from comptroller.enforce.sandbox.view import BoxSpec


def preflight() -> None:
    """Return where a box comes up and goes down again. Raises `MissingError` with the one command that helps."""
    with tempfile.TemporaryDirectory(prefix="comptroller-") as folder:
        spec = BoxSpec(argv=("true",), workspace=Path(folder), authority_pem="")
        Box.launch(spec).close()
