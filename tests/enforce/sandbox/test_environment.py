"""The environment is an allow-list."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from comptroller.core.errors import UsageError
from comptroller.enforce.sandbox import environment, trust

SECRETS = ["AWS_SECRET_ACCESS_KEY", "GITHUB_TOKEN", "OPENAI_API_KEY", "SSH_AUTH_SOCK", "DBUS_SESSION_BUS_ADDRESS"]
SECRETS += ["PYTHONPATH", "PYTHONSTARTUP", "LD_PRELOAD", "XDG_RUNTIME_DIR", "HTTPS_PROXY", "DOCKER_HOST", "KUBECONFIG"]


def test_nothing_secret_is_inherited() -> None:
    built = environment.build(dict.fromkeys(SECRETS, "x"), {}, path=())
    assert not set(SECRETS) & built.keys()


def test_what_is_harmless_is() -> None:
    inherited = {"LANG": "de_DE.UTF-8", "LC_ALL": "C", "TERM": "xterm", "TZ": "UTC", "PYTHONUNBUFFERED": "1"}
    built = environment.build(inherited, {}, path=())
    assert inherited.items() <= built.items()
    assert environment.build({}, {}, path=())["LANG"] == "C.UTF-8"


def test_what_is_given_wins() -> None:
    built = environment.build({"TERM": "xterm"}, {"TERM": "dumb", "AWS_ACCESS_KEY_ID": "p"}, path=("/opt/x/bin",))
    assert (built["TERM"], built["AWS_ACCESS_KEY_ID"]) == ("dumb", "p")
    assert built["PATH"].startswith("/opt/x/bin:/usr/local/sbin:")


def test_every_client_is_told_of_our_authority() -> None:
    built = environment.build({"SSL_CERT_FILE": "/elsewhere"}, {}, path=())
    for name in ("SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", "AWS_CA_BUNDLE", "CURL_CA_BUNDLE", "GIT_SSL_CAINFO"):
        assert built[name] == trust.BUNDLE
    assert built["NODE_EXTRA_CA_CERTS"] == trust.AUTHORITY


@pytest.mark.parametrize("name", ["A B", "", "1A", "A=B", "LD_PRELOAD", "A\0"])
def test_impossible_names_are_refused(name: str) -> None:
    with pytest.raises(UsageError, match="cannot be set"):
        environment.build({}, {name: "x"}, path=())
    with pytest.raises(UsageError, match="cannot be set"):
        environment.build({}, {"A": "x\0"}, path=())


@settings(max_examples=100, deadline=None)
@given(st.dictionaries(st.text(), st.text()))
def test_any_environment_can_be_inherited_from(inherited: dict[str, str]) -> None:
    built = environment.build(inherited, {}, path=())
    assert all("\0" not in value for value in built.values())


def test_aws_files() -> None:
    given = {"AWS_ACCESS_KEY_ID": "a", "AWS_SECRET_ACCESS_KEY": "b", "AWS_SESSION_TOKEN": "c", "AWS_REGION": "r"}
    files = environment.aws_files(given)
    assert files[".aws/credentials"].splitlines()[0] == "[default]"
    assert "aws_session_token = c" in files[".aws/credentials"]
    assert files[".aws/config"] == "[default]\nregion = r\n"
    assert environment.aws_files({"AWS_ACCESS_KEY_ID": "a"}) == {}
