"""Signed checkpoints of the log: C2SP tlog-checkpoint in a C2SP signed note, with Ed25519 (https://c2sp.org).

A checkpoint says: the log called `origin` had `size` leaves and this root. Whoever keeps one can later prove that
nothing before it was changed.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
from dataclasses import dataclass, replace

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from comptroller.core.epoch import same_installation
from comptroller.core.errors import VerificationError
from comptroller.core.merkle import HASH_BYTES

NOTE_BYTES_MAX = 64 << 10
SIGNATURES_MAX = 16
SIZE_DIGITS_MAX = 19
NAME_CHARACTERS_MAX = 256
_ED25519 = b"\x01"
_KEY_ID_BYTES = 4
_SIGNATURE_PREFIX = "\u2014 "


@dataclass(frozen=True, slots=True, kw_only=True)
class Checkpoint:
    """What the log was at one moment. `origin` is the installation id, `root` the RFC 6962 root of `size` leaves."""

    origin: str
    size: int
    root: bytes

    @property
    def body(self) -> str:
        """The signed text: `origin`, `size`, base64 `root`, one a line."""
        return f"{self.origin}\n{self.size}\n{base64.b64encode(self.root).decode()}\n"


@dataclass(frozen=True, slots=True, kw_only=True)
class VerifierKey:
    """A public key and the origin of the log it signs for."""

    origin: str
    key: Ed25519PublicKey

    @property
    def id(self) -> bytes:
        """The first 4 bytes of SHA-256(origin || 0x0A || 0x01 || public key)."""
        return hashlib.sha256(self.origin.encode() + b"\n" + _ED25519 + self._raw).digest()[:_KEY_ID_BYTES]

    @property
    def text(self) -> str:
        """The vkey form `origin+hex id+base64(0x01 || public key)`."""
        return f"{self.origin}+{self.id.hex()}+{base64.b64encode(_ED25519 + self._raw).decode()}"

    @property
    def _raw(self) -> bytes:
        return self.key.public_bytes(Encoding.Raw, PublicFormat.Raw)


def verifier_key(origin: str, public_key: Ed25519PublicKey) -> str:
    """The vkey text of the log key's public half. Raises `ValueError` for an origin no note can carry."""
    _check_name(origin)
    return VerifierKey(origin=origin, key=public_key).text


def parse_verifier_key(text: str) -> VerifierKey:
    """Read the vkey text. Raises `VerificationError`."""
    hint = "a public key reads NAME+HASH+BASE64, as in the installation's log.pub"
    name, _, rest = text.strip().partition("+")
    key_id, _, encoded = rest.partition("+")
    try:
        _check_name(name)
        raw = base64.b64decode(encoded, validate=True)
        if raw[:1] != _ED25519:
            raise ValueError("not an Ed25519 key")
        key = VerifierKey(origin=name, key=Ed25519PublicKey.from_public_bytes(raw[1:]))
    except ValueError as error:
        raise VerificationError("the public key cannot be read", hint=hint) from error
    if key.id.hex() != key_id:
        raise VerificationError("the public key does not match its own hash", hint=hint)
    return key


def sign(checkpoint: Checkpoint, private_key: Ed25519PrivateKey) -> bytes:
    """The checkpoint as a signed note. Raises `ValueError` for an origin no note can carry."""
    return sign_text(checkpoint.body, name=checkpoint.origin, private_key=private_key)


def sign_text(text: str, *, name: str, private_key: Ed25519PrivateKey) -> bytes:
    """Lines of text as a note signed under `name`. Raises `ValueError` for a name no note can carry."""
    _check_name(name)
    key = VerifierKey(origin=name, key=private_key.public_key())
    signature = base64.b64encode(key.id + private_key.sign(text.encode())).decode()
    return f"{text}\n{_SIGNATURE_PREFIX}{key.origin} {signature}\n".encode()


def verify(note: bytes, key: VerifierKey) -> Checkpoint:
    """The checkpoint of a note that `key` signed. Signatures by others are ignored. Raises `VerificationError`."""
    checkpoint = _parse_body(verify_text(note, key))
    if checkpoint.origin != key.origin:
        raise VerificationError(f"the checkpoint is of another log, not of `{key.origin}`")
    return checkpoint


def verify_any_epoch(note: bytes, key: VerifierKey) -> Checkpoint:
    """As `verify`; the checkpoint may be of another epoch of the same installation's log, signed by the same key."""
    text, _ = _split(note)
    origin = text.partition("\n")[0]
    return verify(note, replace(key, origin=origin) if same_installation(origin, key.origin) else key)


def verify_text(note: bytes, key: VerifierKey) -> str:
    """The lines of a note that `key` signed. Raises `VerificationError`."""
    text, signatures = _split(note)
    body = text.encode()
    signed = False
    for name, blob in signatures:
        if name != key.origin or blob[:_KEY_ID_BYTES] != key.id:
            continue
        try:
            key.key.verify(blob[_KEY_ID_BYTES:], body)
        except InvalidSignature as error:
            raise VerificationError(f"the checkpoint's signature by `{key.origin}` is not valid") from error
        signed = True
    if not signed:
        raise VerificationError(f"the checkpoint is not signed by the key of `{key.origin}`")
    return text


def _split(note: bytes) -> tuple[str, list[tuple[str, bytes]]]:
    """The signed text and its (name, key id || signature) pairs."""
    if len(note) > NOTE_BYTES_MAX:
        raise VerificationError(f"a checkpoint is at most {NOTE_BYTES_MAX} bytes")
    try:
        whole = note.decode("utf-8")
    except UnicodeDecodeError as error:
        raise VerificationError("the checkpoint is not text") from error
    if any(ord(character) < 0x20 and character != "\n" for character in whole):
        raise VerificationError("the checkpoint holds control characters")
    head, separator, tail = whole.rpartition("\n\n")
    if not separator or not tail.endswith("\n"):
        raise VerificationError("the checkpoint is not a signed note")
    lines = tail[:-1].split("\n")
    if len(lines) > SIGNATURES_MAX:
        raise VerificationError(f"a checkpoint has at most {SIGNATURES_MAX} signatures")
    return head + "\n", [_signature(line) for line in lines]


def _signature(line: str) -> tuple[str, bytes]:
    name, separator, encoded = line.removeprefix(_SIGNATURE_PREFIX).partition(" ")
    try:
        if not line.startswith(_SIGNATURE_PREFIX) or not separator:
            raise ValueError("not a signature line")
        _check_name(name)
        blob = base64.b64decode(encoded, validate=True)
    except ValueError as error:
        raise VerificationError("the checkpoint has a malformed signature line") from error
    if len(blob) <= _KEY_ID_BYTES or base64.b64encode(blob).decode() != encoded:
        raise VerificationError("the checkpoint has a malformed signature line")
    return name, blob


def _parse_body(text: str) -> Checkpoint:
    lines = text.split("\n")
    if len(lines) < 4 or not all(lines[:-1]):
        raise VerificationError("the checkpoint lacks a line: origin, size, root")
    origin, size, encoded = lines[:3]
    if not size.isascii() or not size.isdigit() or len(size) > SIZE_DIGITS_MAX or str(int(size)) != size:
        raise VerificationError("the checkpoint's size is not a plain number")
    try:
        root = base64.b64decode(encoded, validate=True)
    except (binascii.Error, ValueError) as error:
        raise VerificationError("the checkpoint's root is not base64") from error
    if len(root) != HASH_BYTES or base64.b64encode(root).decode() != encoded:
        raise VerificationError(f"the checkpoint's root is not {HASH_BYTES} bytes")
    return Checkpoint(origin=origin, size=int(size), root=root)


def _check_name(name: str) -> None:
    bad = not name or len(name) > NAME_CHARACTERS_MAX or "+" in name
    if bad or any(character.isspace() or not character.isprintable() for character in name):
        raise ValueError("a log's name is 1 to 256 printable characters without spaces and `+`")
