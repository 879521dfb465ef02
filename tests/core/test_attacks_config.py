"""Tricks with host names in `comptroller.yaml`: what is written names exactly what a reader takes it to name."""

from __future__ import annotations

import pytest

from comptroller.boundary import CedarBoundary, PolicyText
from comptroller.compose import agent_facts, registry_of, starter_policies
from comptroller.core.action import ActionClass
from comptroller.core.config import Config, parse_config
from comptroller.core.errors import ConfigError
from comptroller.core.request import Header, Request
from comptroller.core.verdict import VerdictKind
from comptroller.price import estimate


def config(*hosts: str, services: object = (), **more: object) -> Config:
    return parse_config(
        {
            "version": 1,
            "organization": "acme",
            "teams": {"ml": {}},
            "people": {"ann": {"groups": ["approvers"]}},
            "agents": {
                "bot": {"team": "ml", "owner": "ann", "purpose": "x", "hosts": list(hosts), "services": services}
            },
            **more,
        },
        origin="t",
    )


BAD_HOSTS = """
* *. *.com *.io *.net **.example.com a.*.com *example.com example.com. Example.com example.com:443 *.0.0.1
https://example.com example.com/x exämple.com a..b -a.com a-.com [::1] ::1 user@example.com
""".split()  # noqa: SIM905 - a table to read


@pytest.mark.parametrize("host", [*BAD_HOSTS, "a b.com", "a.com\n", "a" * 64 + ".com", ""])
def test_a_host_that_means_more_or_something_else_is_refused(host: str) -> None:
    with pytest.raises(ConfigError):
        config(host)
    with pytest.raises(ConfigError):
        config(services=[], upstreams={host: "http://127.0.0.1:1"})


@pytest.mark.parametrize(
    "host", ["example.com", "*.example.com", "*.internal", "localhost", "xn--exmple-cua.com", "10.0.0.1"]
)
def test_plain_hosts_are_hosts(host: str) -> None:
    assert config(host).agents["bot"].hosts == (host,)


def judged(known: Config, host: str, method: str, target: str, body: bytes = b"", kind: str = ""):  # type: ignore[no-untyped-def]
    registry = registry_of(known)
    boundary = CedarBoundary.load(
        [PolicyText(file="starter.cedar", text=starter_policies())], agent_facts(known), classes_of=registry.classes_of
    )
    headers = (Header("content-type", kind),) if kind else ()
    asked = Request(
        scheme="https",
        method=method,
        host=host,
        port=443,
        target=target,
        headers=headers,
        body=body,
        agent="bot",
        run="r",
    )
    action = registry.codec_for(asked).decode(asked)
    return action, boundary.evaluate(action, estimate(action))


@pytest.mark.parametrize("hosts", [["api.stripe.com"], ["*.stripe.com"], ["*.stripe.com", "api.stripe.com"]])
def test_naming_the_host_of_a_service_does_not_make_it_any_host(hosts: list[str]) -> None:
    form = "application/x-www-form-urlencoded"
    action, said = judged(
        config(*hosts), "api.stripe.com", "POST", "/v1/transfers", b"amount=1&currency=usd&destination=acct_1", form
    )
    assert action.operation == "stripe:transfers:create" and said.kind is VerdictKind.REQUIRE_APPROVAL
    action, said = judged(config(*hosts), "api.stripe.com", "POST", "/v9/unheard-of", b"a=b", form)
    assert action.undecodable and said.kind is VerdictKind.DENY


@pytest.mark.parametrize(
    "host", ["api.stripe.com", "api.openai.com", "api.anthropic.com", "ec2.us-east-1.amazonaws.com"]
)
@pytest.mark.parametrize("codec", ["http", "openai", "stripe", "anthropic"])
def test_a_service_cannot_be_given_the_codec_of_another(host: str, codec: str) -> None:
    if host.split(".")[1] != codec:
        with pytest.raises(ConfigError):
            registry_of(_with_services(codec, host))


@pytest.mark.parametrize("codec", ["http", "openai"])
@pytest.mark.parametrize("pattern", ["*.amazonaws.com", "*.us-east-1.amazonaws.com", "*.stripe.com"])
def test_a_pattern_does_not_take_a_service_away(codec: str, pattern: str) -> None:
    try:
        registry = registry_of(_with_services(codec, pattern))
    except ConfigError:
        return
    host = "api.stripe.com" if "stripe" in pattern else "ec2.us-east-1.amazonaws.com"
    asked = Request(
        scheme="https", method="GET", host=host, port=443, target="/", headers=(), body=b"", agent="bot", run="r"
    )
    assert registry.codec_for(asked).name in ("stripe", "aws")


def _with_services(codec: str, pattern: str) -> Config:
    document = {
        "version": 1,
        "organization": "acme",
        "teams": {"ml": {}},
        "people": {"ann": {}},
        "agents": {"bot": {"team": "ml", "owner": "ann", "purpose": "x"}},
        "services": {"x": {"codec": codec, "hosts": [pattern]}},
    }
    return parse_config(document, origin="t")


@pytest.mark.parametrize("services", [["http"], ["*"], ["aws:*"], ["http:*"], [""], [":*"], ["a*"]])
def test_no_service_name_names_every_host(services: list[str]) -> None:
    action, said = judged(config(services=services), "evil.example", "GET", "/")
    assert action.classes == {ActionClass.READ} and said.kind is VerdictKind.DENY


@pytest.mark.parametrize(
    ("named", "asked"),
    [
        ("example.com", "sub.example.com"),
        ("*.example.com", "example.com"),
        ("*.example.com", "evilexample.com"),
        ("*.example.com", "example.com.evil.net"),
        ("example.com", "example.com.evil.net"),
        ("example.com", "xn--exmple-cua.com"),
    ],
)
def test_only_what_is_named_is_named(named: str, asked: str) -> None:
    _, said = judged(config(named), asked, "GET", "/")
    assert said.kind is VerdictKind.DENY
