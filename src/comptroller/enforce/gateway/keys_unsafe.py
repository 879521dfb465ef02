"""The private keys of the boxes' certificate authority: the one file of the gateway that touches keys at rest."""

from __future__ import annotations

import contextlib
import os
import stat
from collections.abc import Iterator
from pathlib import Path

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

from comptroller.core.errors import ConfigError

KEY_BYTES_MAX = 16 << 10


def new_key() -> ec.EllipticCurvePrivateKey:
    """A P-256 key."""
    return ec.generate_private_key(ec.SECP256R1())


def key_pem(key: ec.EllipticCurvePrivateKey) -> bytes:
    """The key as unencrypted PKCS #8 PEM."""
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )


def read_key(path: Path) -> ec.EllipticCurvePrivateKey | None:
    """The key in `path`, None where there is none. Raises `ConfigError` where it is not ours alone or not a key."""
    try:
        with path.open("rb") as file:
            facts = os.fstat(file.fileno())
            data = file.read(KEY_BYTES_MAX)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise ConfigError(
            f"cannot read the key `{path}`: {error.strerror}", hint="it must belong to the user who runs comptroller"
        ) from error
    if stat.S_IMODE(facts.st_mode) & 0o077:
        raise ConfigError(f"others may read the key `{path}`", hint=f"chmod 600 {path}")
    try:
        key = serialization.load_pem_private_key(data, password=None)
    except ValueError as error:
        raise ConfigError(f"`{path}` is not a private key", hint="move it away; a new one is made") from error
    if not isinstance(key, ec.EllipticCurvePrivateKey):
        raise ConfigError(f"`{path}` is not a P-256 key", hint="move it away; a new one is made")
    return key


def write_private(path: Path, data: bytes, *, mode: int) -> None:
    """Write a file whole or not at all, with `mode` from its first byte on."""
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    part = path.with_name(path.name + ".part")
    with contextlib.suppress(FileNotFoundError):
        part.unlink()
    handle = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
    with os.fdopen(handle, "wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
    part.replace(path)


@contextlib.contextmanager
def in_memory(data: bytes) -> Iterator[str]:
    """A path that names `data` for as long as the block runs, and was never on a disk."""
    handle = os.memfd_create("leaf", os.MFD_CLOEXEC)
    try:
        os.write(handle, data)
        yield f"/proc/self/fd/{handle}"
    finally:
        os.close(handle)
