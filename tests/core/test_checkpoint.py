"""Checkpoints: the exact wire text, and every note that must not pass."""

from __future__ import annotations

import base64

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given
from hypothesis import strategies as st

from comptroller.core.checkpoint import (
    NOTE_BYTES_MAX,
    Checkpoint,
    parse_verifier_key,
    sign,
    verifier_key,
    verify,
)
from comptroller.core.errors import VerificationError

ORIGIN = "comptroller/0191e2a0-0000-7000-8000-000000000001"
KEY = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
OTHER = Ed25519PrivateKey.from_private_bytes(bytes(32))
PUBLIC = parse_verifier_key(verifier_key(ORIGIN, KEY.public_key()))
HERE = Checkpoint(origin=ORIGIN, size=42, root=bytes(range(100, 132)))
NOTE = sign(HERE, KEY)


def signed(body: str, key: Ed25519PrivateKey = KEY) -> bytes:
    """Any text as a note that `key` signed, by hand."""
    blob = PUBLIC.id + key.sign(body.encode())
    return f"{body}\n\u2014 {ORIGIN} {base64.b64encode(blob).decode()}\n".encode()


def test_the_wire_text_is_c2sp() -> None:
    root = base64.b64encode(HERE.root).decode()
    assert HERE.body == f"{ORIGIN}\n42\n{root}\n"
    assert signed(HERE.body) == NOTE
    assert NOTE.decode().startswith(HERE.body + f"\n\u2014 {ORIGIN} ")
    assert verify(NOTE, PUBLIC) == HERE


def test_the_key_text_of_the_golang_note_package_is_read() -> None:
    """The example key and note of the Go package golang.org/x/mod/sumdb/note, which defined the format."""
    key = parse_verifier_key("PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW")
    note = (
        "If you think cryptography is the answer to your problem,\nthen you don't know what your problem is.\n\n"
        "\u2014 PeterNeumann x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZ"
        "SNXgKvqfqdngotpRZb6KE6RyyBwJnAM=\n"
    )
    # The signature passes; the text is no checkpoint.
    with pytest.raises(VerificationError, match="lacks a line"):
        verify(note.encode(), key)
    with pytest.raises(VerificationError, match="not valid"):
        verify(note.replace("answer", "anSwer").encode(), key)


def test_other_signers_and_extension_lines_are_allowed() -> None:
    witness = b"\xe2\x80\x94 witness.example/w1 " + base64.b64encode(b"abcd" + bytes(64)) + b"\n"
    assert verify(NOTE + witness, PUBLIC) == HERE
    assert verify(signed(HERE.body + "extension\n"), PUBLIC) == HERE


@given(st.integers(0, len(NOTE) - 1), st.integers(1, 255))
def test_no_changed_byte_passes(position: int, change: int) -> None:
    changed = bytearray(NOTE)
    changed[position] ^= change
    with pytest.raises(VerificationError):
        verify(bytes(changed), PUBLIC)


@given(st.integers(0, len(NOTE) - 1))
def test_no_shortened_note_passes(length: int) -> None:
    with pytest.raises(VerificationError):
        verify(NOTE[:length], PUBLIC)


@given(st.binary(max_size=200))
def test_garbage_is_refused(garbage: bytes) -> None:
    for note in (garbage, NOTE + garbage[:50] if garbage else b"", garbage + NOTE if garbage else b""):
        with pytest.raises(VerificationError):
            verify(note, PUBLIC)


@pytest.mark.parametrize(
    "body",
    [
        "another/log\n42\n" + HERE.body.split("\n")[2] + "\n",
        f"{ORIGIN}\n042\n" + HERE.body.split("\n")[2] + "\n",
        f"{ORIGIN}\n-1\n" + HERE.body.split("\n")[2] + "\n",
        f"{ORIGIN}\n\u0664\u0662\n" + HERE.body.split("\n")[2] + "\n",
        f"{ORIGIN}\n{'9' * 30}\n" + HERE.body.split("\n")[2] + "\n",
        f"{ORIGIN}\n42\nAAAA\n",
        f"{ORIGIN}\n42\n!!!!\n",
        f"{ORIGIN}\n42\n",
        f"{ORIGIN}\n",
    ],
)
def test_a_well_signed_text_that_is_no_checkpoint_is_refused(body: str) -> None:
    with pytest.raises(VerificationError):
        verify(signed(body), PUBLIC)


def test_the_wrong_key_is_refused() -> None:
    with pytest.raises(VerificationError, match="not signed by the key"):
        verify(sign(HERE, OTHER), PUBLIC)
    with pytest.raises(VerificationError, match="not valid"):
        verify(signed(HERE.body, OTHER), PUBLIC)
    with pytest.raises(VerificationError, match="at most"):
        verify(NOTE + b"x" * NOTE_BYTES_MAX, PUBLIC)
    with pytest.raises(VerificationError, match="at most 16 signatures"):
        verify(NOTE + NOTE.split(b"\n\n")[1] * 16, PUBLIC)


@pytest.mark.parametrize(
    "text",
    ["", "name", "name+00000000", PUBLIC.text.replace("+", " "), PUBLIC.text[:-4], PUBLIC.text.replace("comp", "Comp")],
)
def test_a_broken_public_key_is_refused_with_a_hint(text: str) -> None:
    with pytest.raises(VerificationError) as caught:
        parse_verifier_key(text)
    assert caught.value.hint


@pytest.mark.parametrize("origin", ["", "a b", "a+b", "a\nb", "x" * 300, "a\u2028b"])
def test_an_origin_no_note_can_carry_is_refused(origin: str) -> None:
    with pytest.raises(ValueError, match="name"):
        verifier_key(origin, KEY.public_key())
    with pytest.raises(ValueError, match="name"):
        sign(Checkpoint(origin=origin, size=0, root=bytes(32)), KEY)


def test_the_vkey_text_round_trips() -> None:
    assert parse_verifier_key(PUBLIC.text + "\n").text == PUBLIC.text
    assert PUBLIC.origin == ORIGIN and PUBLIC.text.startswith(f"{ORIGIN}+{PUBLIC.id.hex()}+")
