"""Our authority is added to every bundle in view; none is left that a client could fall back to."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest
from boxes import PEOPLE, Boxes

from comptroller.enforce.sandbox import trust


def test_the_roots_of_the_machine_stay() -> None:
    roots = trust.machine_roots()
    steps = {step.target: step.content for step in trust.steps("OURS\n", [])}
    assert steps[trust.BUNDLE] == roots.rstrip(b"\n") + b"\nOURS\n"
    assert steps[trust.AUTHORITY] == b"OURS\n"
    assert all(steps[path] == b'{"CACertificates": ["OURS"]}' for path in trust.BROWSER_POLICIES)


def test_bundles_of_packages(tmp_path: Path) -> None:
    packages = tmp_path / "lib" / "python3.11" / "site-packages"
    wanted = ("certifi/cacert.pem", "pip/_vendor/certifi/cacert.pem", "awscli/botocore/cacert.pem")
    wanted += ("stripe/data/ca-certificates.crt", "httplib2/cacerts.txt", "grpc/_cython/_credentials/roots.pem")
    for name in (*wanted, "tests/data/server.pem"):
        (packages / name).parent.mkdir(parents=True)
        (packages / name).write_text("x")
    (tmp_path / "ssl").mkdir()
    (tmp_path / "ssl" / "cert.pem").write_text("x")
    found = trust.bundles_below(tmp_path)
    assert set(found) == {tmp_path / "ssl" / "cert.pem", *(packages / name for name in wanted)}


def test_none_is_missed_here() -> None:
    """Every bundle that Python packages of this environment bring is found by the short look."""
    for prefix in {Path(sys.prefix), Path(sys.base_prefix)}:
        found = {str(path) for path in trust.bundles_below(prefix)}
        for library in prefix.glob("lib*/python3*"):
            for folder, _, files in os.walk(library):
                for name in files:
                    if name in ("cacert.pem", "ca-certificates.crt"):
                        assert os.path.join(folder, name) in found


@pytest.mark.parametrize("boxes", [PEOPLE[0]], indirect=True)
def test_clients_inside_see_it(boxes: Boxes) -> None:
    done = boxes.script(
        """
        import certifi, botocore.httpsession, ssl, stripe, subprocess, os
        for path in (certifi.where(), botocore.httpsession.get_cert_path(True), stripe.ca_bundle_path,
                     ssl.get_default_verify_paths().cafile, "/etc/ssl/certs/ca-certificates.crt",
                     os.environ["REQUESTS_CA_BUNDLE"]):
            text = open(path).read()
            print("ours" in text, text.count("BEGIN CERTIFICATE") > 50)
        """
    )
    assert done.stdout.split() == ["True"] * 12, done.stderr
