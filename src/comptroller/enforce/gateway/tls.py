"""TLS towards the box: the installation's own authority, a leaf certificate per server name, HTTP/1.1 only."""

from __future__ import annotations

import re
import ssl
from collections import OrderedDict
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from comptroller.core.errors import ConfigError
from comptroller.enforce.gateway.keys_unsafe import in_memory, key_pem, new_key, read_key, write_private

AUTHORITY_DAYS = 825
AUTHORITY_RENEW_DAYS = 60
LEAF_DAYS = 30
LEAF_RENEW_DAYS = 7
COMMON_NAME_CHARACTERS_MAX = 64
NAME_CHARACTERS_MAX = 253
SERVER_NAME = re.compile(r"(?!-)[a-z0-9_-]{1,63}(\.(?!-)[a-z0-9_-]{1,63})*\Z")


class LeafContext(ssl.SSLContext):
    """A server-side context that holds the certificate of exactly one `host`."""

    host: str
    renew_at: datetime


class Authority:
    """Signs the certificates that a box sees. Only boxes trust it; its key never enters one."""

    def __init__(
        self, key: ec.EllipticCurvePrivateKey, certificate: x509.Certificate, *, leaf_contexts_max: int
    ) -> None:
        self._key = key
        self._certificate = certificate
        self._leaf_key = new_key()
        self._leaf_key_pem = key_pem(self._leaf_key)
        self._leaves: OrderedDict[str, LeafContext] = OrderedDict()
        self._leaf_contexts_max = leaf_contexts_max
        self.pem = certificate.public_bytes(serialization.Encoding.PEM)
        self._issuer = x509.AuthorityKeyIdentifier.from_issuer_public_key(key.public_key())
        self.context = self._base()

    @classmethod
    def load_or_create(cls, key_path: Path, cert_path: Path, *, leaf_contexts_max: int = 512) -> Authority:
        """The authority kept at these paths; made where there is none, its certificate renewed before it expires.

        Raises `ConfigError` where the files cannot be used.
        """
        now = datetime.now(UTC)
        key = read_key(key_path)
        if key is None:
            key = new_key()
            write_private(key_path, key_pem(key), mode=0o600)
        certificate = _read_certificate(cert_path)
        if (
            certificate is None
            or certificate.not_valid_after_utc < now + timedelta(days=AUTHORITY_RENEW_DAYS)
            or _spki(certificate.public_key()) != _spki(key.public_key())
        ):
            certificate = _self_signed(key, now)
            write_private(cert_path, certificate.public_bytes(serialization.Encoding.PEM), mode=0o644)
        return cls(key, certificate, leaf_contexts_max=leaf_contexts_max)

    def leaf(self, host: str) -> LeafContext:
        """The context for `host`, cached. Costs about a millisecond when new."""
        now = datetime.now(UTC)
        known = self._leaves.get(host)
        if known is not None and now < known.renew_at:
            self._leaves.move_to_end(host)
            return known
        context = _server_context(LeafContext(ssl.PROTOCOL_TLS_SERVER))
        assert isinstance(context, LeafContext)
        context.host, context.renew_at = host, now + timedelta(days=LEAF_RENEW_DAYS)
        pem = self._sign(host, now).public_bytes(serialization.Encoding.PEM)
        with in_memory(self._leaf_key_pem + pem + self.pem) as path:
            context.load_cert_chain(path)
        self._leaves[host] = context
        self._leaves.move_to_end(host)
        while len(self._leaves) > self._leaf_contexts_max:
            self._leaves.popitem(last=False)
        return context

    def _base(self) -> ssl.SSLContext:
        """The context every connection begins with; the server name picks the leaf, no name ends the handshake."""
        context = _server_context(ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER))

        def pick(tls: ssl.SSLObject | ssl.SSLSocket, name: str | None, _: ssl.SSLContext) -> int | None:
            host = (name or "").lower()
            if not server_name_valid(host):
                return ssl.AlertDescription.ALERT_DESCRIPTION_UNRECOGNIZED_NAME
            tls.context = self.leaf(host)
            return None

        context.sni_callback = pick
        return context

    def _sign(self, host: str, now: datetime) -> x509.Certificate:
        subject = [x509.NameAttribute(NameOID.COMMON_NAME, host)] if len(host) <= COMMON_NAME_CHARACTERS_MAX else []
        builder = (
            x509.CertificateBuilder()
            .subject_name(x509.Name(subject))
            .issuer_name(self._certificate.subject)
            .public_key(self._leaf_key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - timedelta(days=1))
            .not_valid_after(min(now + timedelta(days=LEAF_DAYS), self._certificate.not_valid_after_utc))
            .add_extension(x509.SubjectAlternativeName([x509.DNSName(host)]), critical=not subject)
            .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
            .add_extension(self._issuer, critical=False)
            .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        )
        return builder.sign(self._key, hashes.SHA256())


def server_name_valid(host: str) -> bool:
    """True for a plain lower-case DNS name; addresses, empty and over-long names are none."""
    if len(host) > NAME_CHARACTERS_MAX or not SERVER_NAME.match(host):
        return False
    return not host.rpartition(".")[2].isdigit()


def host_of(tls: ssl.SSLObject) -> str:
    """The server name a finished server-side handshake was made for."""
    context = tls.context
    assert isinstance(context, LeafContext)
    return context.host


def client_context(extra_ca_file: str | None) -> ssl.SSLContext:
    """What upstreams are verified with: the system's trust, TLS 1.2 or newer, and one further file if given."""
    context = ssl.create_default_context()
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_alpn_protocols(["http/1.1"])
    if extra_ca_file is not None:
        try:
            context.load_verify_locations(cafile=extra_ca_file)
        except (OSError, ssl.SSLError) as error:
            raise ConfigError(f"`{extra_ca_file}` holds no certificates that can be used") from error
    return context


def _server_context(context: ssl.SSLContext) -> ssl.SSLContext:
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_alpn_protocols(["http/1.1"])
    context.num_tickets = 0
    context.options |= ssl.OP_NO_RENEGOTIATION | ssl.OP_NO_COMPRESSION
    return context


def _self_signed(key: ec.EllipticCurvePrivateKey, now: datetime) -> x509.Certificate:
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Comptroller box authority")])
    usage = x509.KeyUsage(
        digital_signature=False,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=True,
        crl_sign=True,
        encipher_only=False,
        decipher_only=False,
    )
    return (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=AUTHORITY_DAYS))
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(usage, critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .sign(key, hashes.SHA256())
    )


def _read_certificate(path: Path) -> x509.Certificate | None:
    try:
        return x509.load_pem_x509_certificate(path.read_bytes())
    except FileNotFoundError:
        return None
    except (OSError, ValueError) as error:
        raise ConfigError(f"`{path}` is not a certificate", hint="move it away; a new one is made") from error


def _spki(key: object) -> bytes:
    assert isinstance(key, ec.EllipticCurvePublicKey)
    return key.public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
