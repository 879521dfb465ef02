"""The boxes' authority: made once, renewed, refused where others could read it; a leaf per name and no more."""

from __future__ import annotations

import os
import ssl
import stat
from pathlib import Path

import pytest
from cryptography import x509

from comptroller.core.errors import ConfigError
from comptroller.enforce.gateway.tls import Authority, client_context, server_name_valid


def paths(folder: Path) -> tuple[Path, Path]:
    return folder / "ca.key", folder / "ca.pem"


def shake(authority: Authority, name: str | None, trust: bytes | None = None) -> ssl.SSLObject:
    context = ssl.create_default_context(cadata=(trust or authority.pem).decode())
    if name is None:
        context.check_hostname = False
    context.set_alpn_protocols(["h2", "http/1.1"])
    a, b, c, d = (ssl.MemoryBIO() for _ in range(4))
    client = context.wrap_bio(a, b, server_hostname=name)
    server = authority.context.wrap_bio(c, d, server_side=True)
    done = 0
    for _ in range(10):
        for side, out, into in ((client, b, c), (server, d, a)):
            try:
                side.do_handshake()
                done += 1
            except ssl.SSLWantReadError:
                pass
            into.write(out.read())
    assert done >= 2
    return client


def test_it_is_made_once_and_its_key_is_private(tmp_path: Path) -> None:
    key, certificate = paths(tmp_path / "state")
    first = Authority.load_or_create(key, certificate)
    assert stat.S_IMODE(key.stat().st_mode) == 0o600
    assert Authority.load_or_create(key, certificate).pem == first.pem == certificate.read_bytes()
    key.chmod(0o644)
    with pytest.raises(ConfigError, match="others may read"):
        Authority.load_or_create(key, certificate)
    key.chmod(0o600)
    key.write_bytes(b"nonsense")
    with pytest.raises(ConfigError, match="not a private key"):
        Authority.load_or_create(key, certificate)
    key.unlink()
    assert Authority.load_or_create(key, certificate).pem != first.pem
    certificate.write_bytes(b"nonsense")
    with pytest.raises(ConfigError, match="not a certificate"):
        Authority.load_or_create(key, certificate)


def test_a_leaf_names_its_host_and_speaks_http1_only(tmp_path: Path) -> None:
    authority = Authority.load_or_create(*paths(tmp_path))
    for name in ("api.openai.com", "my_bucket.s3.amazonaws.com", "x" * 60 + ".example." + "y" * 60 + ".com"):
        client = shake(authority, name)
        der = client.getpeercert(binary_form=True)
        names = x509.load_der_x509_certificate(der).extensions.get_extension_for_class(x509.SubjectAlternativeName)
        assert names.value.get_values_for_type(x509.DNSName) == [name]
        assert client.selected_alpn_protocol() == "http/1.1"


@pytest.mark.parametrize("name", [None, "127.0.0.1", "8.8.8.8"])
def test_no_server_name_ends_the_handshake(tmp_path: Path, name: str | None) -> None:
    authority = Authority.load_or_create(*paths(tmp_path))
    with pytest.raises(ssl.SSLError):
        shake(authority, name)


def test_leaves_are_bounded_and_their_key_is_never_on_disk(tmp_path: Path) -> None:
    authority = Authority.load_or_create(*paths(tmp_path), leaf_contexts_max=3)
    first = authority.leaf("a.test")
    assert authority.leaf("a.test") is first
    for n in range(5):
        authority.leaf(f"n{n}.test")
    assert len(authority._leaves) == 3 and authority.leaf("a.test") is not first
    assert sorted(os.listdir(tmp_path)) == ["ca.key", "ca.pem"]


@pytest.mark.parametrize(
    ("name", "valid"),
    [
        ("a.b", True),
        ("localhost", True),
        ("", False),
        ("a..b", False),
        ("a.b.", False),
        ("-a.b", False),
        ("*.b", False),
        ("a b", False),
        ("1.2.3.4", False),
        ("a/b", False),
        ("x" * 64 + ".com", False),
        ("a." * 130 + "com", False),
    ],
)
def test_server_names(name: str, valid: bool) -> None:
    assert server_name_valid(name) is valid


def test_a_bad_trust_file_is_a_configuration_error(tmp_path: Path) -> None:
    with pytest.raises(ConfigError):
        client_context(str(tmp_path / "absent.pem"))
