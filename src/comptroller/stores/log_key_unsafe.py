"""The key that signs the log, at rest: made once, readable by its owner alone. No other file of the stores holds it."""

from __future__ import annotations

import contextlib
import os
import stat
from pathlib import Path

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from comptroller.core.checkpoint import verifier_key
from comptroller.core.errors import MissingError


def make_log_key(key_path: Path, public_path: Path, *, origin: str) -> None:
    """Write a new Ed25519 key, and beside it the verifier key (C2SP vkey text) of the log `origin`."""
    key = Ed25519PrivateKey.generate()
    secret = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    write_private(public_path, f"{verifier_key(origin, key.public_key())}\n".encode())
    write_private(key_path, secret)


def load_log_key(path: Path) -> Ed25519PrivateKey:
    """The log key. Raises `MissingError` where it cannot be read, or others can read it too."""
    try:
        with path.open("rb") as file:
            shared = stat.S_IMODE(os.fstat(file.fileno()).st_mode) & 0o077
            key = serialization.load_pem_private_key(file.read(), password=None)
    except (OSError, ValueError) as error:
        why = error.strerror if isinstance(error, OSError) else "it is damaged"
        raise MissingError(
            f"cannot read the log key `{path}`: {why}",
            hint="it must be yours (ls -l shows whose it is); restore it from your backup if it is lost",
        ) from error
    if shared:
        raise MissingError(f"others may read the log key `{path}`", hint=f"chmod 600 {path}")
    if not isinstance(key, Ed25519PrivateKey):
        raise MissingError(f"`{path}` is not an Ed25519 key", hint="restore it from your backup")
    return key


def write_private(path: Path, data: bytes) -> None:
    """Write `path` whole or not at all, readable by its owner alone."""
    temporary = path.with_name(path.name + ".new")
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW, 0o600)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    except BaseException:
        with contextlib.suppress(OSError):
            temporary.unlink()
        raise
