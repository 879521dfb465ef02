"""Which certificates the box trusts: the machine's roots and this installation's authority, wherever a client looks."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Mapping
from pathlib import Path

from comptroller.core.errors import MissingError
from comptroller.enforce.sandbox.bwrap import Content

BUNDLE = "/etc/comptroller/bundle.pem"
AUTHORITY = "/etc/comptroller/authority.pem"
SYSTEM_BUNDLES = (
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem",
    "/etc/pki/tls/certs/ca-bundle.crt",
    "/etc/ssl/ca-bundle.pem",
    "/etc/ssl/cert.pem",
    "/usr/share/ca-certificates/trust-source/ca-bundle.pem",
)
"""Where Debian, Fedora, SUSE, Alpine and Arch keep their roots."""
BROWSER_POLICIES = (
    "/etc/chromium/policies/managed/comptroller.json",
    "/etc/opt/chrome/policies/managed/comptroller.json",
    "/etc/opt/edge/policies/managed/comptroller.json",
)
"""Where Chromium, Playwright's builds of it, Chrome and Edge look: they take roots from no file and no variable."""
_IN_ANY_PACKAGE = ("cacert.pem", "_vendor/certifi/cacert.pem", "botocore/cacert.pem")
_IN_NAMED_PACKAGE = (
    "stripe/data/ca-certificates.crt",
    "httplib2/cacerts.txt",
    "grpc/_cython/_credentials/roots.pem",
)
_IN_PREFIX = ("ssl/cacert.pem", "ssl/cert.pem", "etc/ssl/cert.pem", "lib/ssl/cert.pem")
ENVIRONMENT: Mapping[str, str] = {
    **dict.fromkeys(
        (
            *("SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", "AWS_CA_BUNDLE", "CURL_CA_BUNDLE", "GIT_SSL_CAINFO"),
            *("CARGO_HTTP_CAINFO", "DENO_CERT", "GRPC_DEFAULT_SSL_ROOTS_FILE_PATH", "PIP_CERT"),
        ),
        BUNDLE,
    ),
    "NODE_EXTRA_CA_CERTS": AUTHORITY,
    "DENO_TLS_CA_STORE": "system,mozilla",
    "UV_NATIVE_TLS": "1",
    "UV_SYSTEM_CERTS": "1",
}


def machine_roots(extra: Iterable[Path] = ()) -> bytes:
    """The machine's own roots, PEM; `extra` is looked at where the system has none. Raises `MissingError`."""
    for path in (*map(Path, SYSTEM_BUNDLES), *extra):
        try:
            content = path.read_bytes()
        except OSError:
            continue
        if b"BEGIN CERTIFICATE" in content:
            return content
    raise MissingError("this machine has no root certificates", hint="apt-get install -y ca-certificates")


def bundles_below(prefix: Path) -> tuple[Path, ...]:
    """The certificate bundles that Python packages below `prefix` bring along."""
    found = [str(prefix / name) for name in _IN_PREFIX]
    for pattern in ("lib/python3*/site-packages", "lib64/python3*/site-packages", "lib/python3*/dist-packages"):
        for packages in prefix.glob(pattern):
            found += [f"{packages}/{name}" for name in _IN_NAMED_PACKAGE]
            with os.scandir(packages) as entries:
                names = [entry.path for entry in entries if entry.name.isidentifier() and entry.is_dir()]
            found += [f"{package}/{name}" for package in names for name in _IN_ANY_PACKAGE]
    return tuple(Path(name) for name in dict.fromkeys(found) if os.path.isfile(name))


def _browser_policy(authority_pem: str) -> bytes:
    """The policy that makes a browser trust the authority: its DER in base64, which is what stands between PEM's
    lines. https://chromeenterprise.google/policies/#CACertificates"""
    lines = [line.strip() for line in authority_pem.splitlines()]
    return json.dumps({"CACertificates": ["".join(line for line in lines if line and "-----" not in line)]}).encode()


def steps(authority_pem: str, prefixes: Iterable[Path]) -> tuple[Content, ...]:
    """Our bundle over every bundle in view: the system's, and each one below `prefixes`. Links are followed, so that
    what lies at the end is covered too."""
    places = list(prefixes)
    below = [path for prefix in places for path in bundles_below(prefix)]
    authority = authority_pem.encode()
    bundle = machine_roots(below).rstrip(b"\n") + b"\n" + authority
    system = [Path(name) for name in SYSTEM_BUNDLES if Path(name).is_file()]
    targets = dict.fromkeys(str(path.resolve()) for path in (*system, *below))
    return (
        Content(target=BUNDLE, content=bundle),
        Content(target=AUTHORITY, content=authority),
        *(Content(target=target, content=_browser_policy(authority_pem)) for target in BROWSER_POLICIES),
        *(Content(target=target, content=bundle) for target in targets),
    )
