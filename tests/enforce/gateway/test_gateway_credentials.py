"""Real keys stay outside: which one fits, where it lies, and signatures that botocore makes too."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from unittest import mock
from urllib.parse import quote

import pytest
from botocore.auth import S3SigV4Auth, SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from comptroller.compose import family_of
from comptroller.core.config import AgentConfig, CredentialConfig
from comptroller.core.request import Header, Outgoing, Signing, Stream
from comptroller.decode.registry import CodecRegistry
from comptroller.enforce.gateway.credentials import CredentialBroker, NoCredentialError
from comptroller.enforce.gateway.sigv4 import AwsKeys, signed

KEYS = AwsKeys(access_key="AKIDEXAMPLE", secret_key="real-secret", token="")


def outgoing(**changes: object) -> Outgoing:
    fields: dict[str, object] = {
        "method": "POST",
        "scheme": "https",
        "host": "api.openai.com",
        "port": 443,
        "target": "/v1/chat/completions",
        "headers": (
            Header("content-type", "application/json"),
            Header("authorization", "Bearer from-the-box"),
            Header("x-api-key", "from-the-box"),
        ),
        "body": b"{}",
        "family": "openai",
    }
    return Outgoing(**{**fields, **changes})  # type: ignore[arg-type]


def broker(*credentials: dict[str, object], environment: dict[str, str] | None = None, folder: Path | None = None):  # type: ignore[no-untyped-def]
    named = {f"c{n}": CredentialConfig.model_validate(item) for n, item in enumerate(credentials)}
    agent = AgentConfig(team="ml", owner="ann", purpose="x", credentials=tuple(named))
    other = AgentConfig(team="ml", owner="ann", purpose="x")
    return CredentialBroker(named, {"bot": agent, "other": other}, environment=environment or {}, folder=folder)


def values(out: Outgoing, name: str) -> list[str]:
    return [h.value for h in out.headers if h.name == name]


def test_a_key_from_the_environment_replaces_the_placeholder() -> None:
    made = broker(
        {"source": "env", "service": "openai", "variable": "OPENAI_API_KEY"}, environment={"OPENAI_API_KEY": "sk-real"}
    )
    out = made.apply(outgoing(), "bot")
    assert values(out, "authorization") == ["Bearer sk-real"] and values(out, "x-api-key") == []
    assert "from-the-box" not in str(out)
    with pytest.raises(NoCredentialError, match="no openai credential"):
        made.apply(outgoing(), "other")


def test_a_key_goes_to_its_own_hosts_only() -> None:
    made = broker(
        {"source": "env", "service": "openai", "variable": "K"},
        {"source": "env", "service": "anthropic", "variable": "K"},
        {
            "source": "env",
            "service": "http",
            "variable": "K",
            "hosts": ["*.example.com"],
            "header": "X-Key",
            "prefix": "",
        },
        environment={"K": "real"},
    )
    assert "real" not in str(made.apply(outgoing(host="llm.evil.test", family="openai"), "bot"))
    assert "real" not in str(made.apply(outgoing(host="api.openai.com.evil.test", family="openai"), "bot"))
    assert "real" not in str(made.apply(outgoing(host="example.com", family="example.com"), "bot"))
    assert values(made.apply(outgoing(host="a.example.com", family="a.example.com"), "bot"), "x-key") == ["real"]
    assert values(made.apply(outgoing(host="api.anthropic.com", family="anthropic"), "bot"), "x-api-key") == ["real"]
    assert made.missing("openai", "llm.local", "other") is None
    assert made.missing("http", "anything.test", "other") is None
    assert "no stripe credential" in made.missing("stripe", "api.stripe.com", "bot")


def test_a_file_is_read_again_when_it_changes(tmp_path: Path) -> None:
    path = tmp_path / "key"
    made = broker({"source": "file", "service": "stripe", "path": "key"}, folder=tmp_path)
    assert "cannot read" in made.missing("stripe", "api.stripe.com", "bot")
    path.write_text("sk_test_one\nsecond line\n")
    assert values(made.apply(outgoing(host="api.stripe.com", family="stripe"), "bot"), "authorization") == [
        "Bearer sk_test_one"
    ]
    path.write_text("sk_test_second")
    assert values(made.apply(outgoing(host="api.stripe.com", family="stripe"), "bot"), "authorization") == [
        "Bearer sk_test_second"
    ]
    path.write_text("line\x00x: injected")
    assert "one line of plain text" in made.missing("stripe", "api.stripe.com", "bot")
    path.write_text("")
    assert made.missing("stripe", "api.stripe.com", "bot") is not None


def test_aws_keys_from_a_profile_and_the_environment(tmp_path: Path) -> None:
    path = tmp_path / "credentials"
    path.write_text("[dev]\naws_access_key_id = AKIDDEV\naws_secret_access_key = s3cret\naws_session_token = tok\n")
    made = broker({"source": "aws_profile", "service": "aws", "profile": "dev", "path": str(path)})
    call = outgoing(
        host="sts.amazonaws.com", family="aws", signing=Signing(service="sts", region="us-east-1"), target="/"
    )
    out = made.apply(call, "bot")
    assert "Credential=AKIDDEV/" in values(out, "authorization")[0]
    assert values(out, "x-amz-security-token") == ["tok"] and "s3cret" not in str(out)
    path.write_text("not an ini file")
    assert "not a file of AWS profiles" in made.missing("aws", "sts.amazonaws.com", "bot")
    made = broker({"source": "env", "service": "aws"}, environment={"AWS_ACCESS_KEY_ID": "AKIDENV"})
    assert "holds no" in made.missing("aws", "sts.amazonaws.com", "bot")


def test_placeholders_are_well_formed_and_hold_nothing_real() -> None:
    environment = {
        "AWS_ACCESS_KEY_ID": "AKIDREAL",
        "AWS_SECRET_ACCESS_KEY": "real-secret",
        "MY_OPENAI": "sk-real",
        "AWS_DEFAULT_REGION": "eu-west-1",
    }
    made = broker(
        {"source": "env", "service": "aws", "account": "123456789012"},
        {"source": "env", "service": "openai", "variable": "MY_OPENAI"},
        {"source": "env", "service": "http", "variable": "K", "hosts": ["a.test", "b.test"], "account": "crm"},
        environment=environment,
    )
    found = made.placeholders("bot")
    assert len(found["AWS_ACCESS_KEY_ID"]) == 20 and len(found["AWS_SECRET_ACCESS_KEY"]) == 40
    assert found["AWS_DEFAULT_REGION"] == "eu-west-1"
    assert found["OPENAI_API_KEY"] == found["MY_OPENAI"] and set(found) >= {"K"}
    assert not {"AKIDREAL", "real-secret", "sk-real"} & set(found.values())
    assert made.placeholders("other") == {}
    assert made.accounts("bot") == {"aws": "123456789012", "a.test": "crm", "b.test": "crm"}
    assert "real" not in repr(KEYS)


SEGMENT = st.text(st.characters(codec="utf-8", exclude_categories=["Cs"]), max_size=8)


@settings(max_examples=150, deadline=None)
@given(
    service=st.sampled_from(["s3", "lambda", "execute-api"]),
    path=st.lists(SEGMENT, max_size=4),
    query=st.lists(st.tuples(SEGMENT, SEGMENT), max_size=4),
    extra=st.lists(
        st.tuples(st.sampled_from(["x-a", "x-amz-meta-b", "content-md5"]), st.text("ab \t~é", max_size=9)), max_size=4
    ),
    token=st.sampled_from(["", "session"]),
)
def test_any_signature_is_that_of_botocore(service, path, query, extra, token) -> None:  # type: ignore[no-untyped-def]
    at = datetime(2026, 11, 23, 12, tzinfo=UTC)
    target = "/" + "/".join(quote(part, safe="") for part in path)
    if query:
        target += "?" + "&".join(f"{quote(k, safe='')}={quote(v, safe='')}" for k, v in query)
    host = f"{service}.eu-west-1.amazonaws.com"
    headers = tuple(Header(name, value.strip()) for name, value in extra)
    call = outgoing(host=host, family="aws", target=target, body=b"x", headers=headers)
    with mock.patch("comptroller.enforce.gateway.sigv4._now", lambda: at):
        keys = AwsKeys(access_key="AKIDEXAMPLE", secret_key="real-secret", token=token)
        out = signed(call, Signing(service=service, region="eu-west-1"), keys, payload_sha256=None)
    request = AWSRequest(method="POST", url=f"https://{host}{target}", data=b"x")
    for name, value in headers:
        request.headers.add_header(name, value)
    with mock.patch("botocore.auth.get_current_datetime", lambda: at):
        signer = S3SigV4Auth if service == "s3" else SigV4Auth
        signer(Credentials("AKIDEXAMPLE", "real-secret", token or None), service, "eu-west-1").add_auth(request)
    assert values(out, "authorization") == [request.headers["Authorization"]]
    assert values(out, "x-amz-security-token") == ([token] if token else [])


@pytest.mark.parametrize(
    ("service", "target", "body"),
    [
        ("ec2", "/", b"Action=DescribeInstances&Version=2016-11-15"),
        ("s3", "/bucket/a%20key/with%2Fslash/ü".replace("ü", "%C3%BC"), b"hello"),
        ("s3", "/bucket?list-type=2&prefix=a%2Fb&delimiter=%2F", b""),
        ("lambda", "/2015-03-31/functions/arn%3Aaws%3Alambda/invocations", b"{}"),
        ("dynamodb", "/", b'{"TableName":"t"}'),
    ],
)
def test_signatures_are_those_of_botocore(
    monkeypatch: pytest.MonkeyPatch, service: str, target: str, body: bytes
) -> None:
    at = datetime(2026, 11, 23, 12, tzinfo=UTC)
    monkeypatch.setattr("botocore.auth.get_current_datetime", lambda: at)
    monkeypatch.setattr("comptroller.enforce.gateway.sigv4._now", lambda: at)
    host = f"{service}.us-east-1.amazonaws.com"
    call = outgoing(
        host=host,
        family="aws",
        target=target,
        body=body,
        headers=(
            Header("content-type", "application/x-test"),
            Header("x-amz-target", "a  b"),
            Header("user-agent", "x"),
        ),
        signing=Signing(service=service, region="us-east-1"),
    )
    out = signed(call, call.signing, KEYS, payload_sha256=None)
    request = AWSRequest(method="POST", url=f"https://{host}{target}", data=body)
    request.headers["content-type"] = "application/x-test"
    request.headers["x-amz-target"] = "a  b"
    signer = (S3SigV4Auth if service == "s3" else SigV4Auth)(
        Credentials("AKIDEXAMPLE", "real-secret"), service, "us-east-1"
    )
    signer.add_auth(request)
    assert values(out, "authorization") == [request.headers["Authorization"]]
    assert values(out, "x-amz-date") == ["20261123T120000Z"]
    assert values(out, "user-agent") == ["x"]


def test_a_streamed_body_is_unsigned_or_signed_by_its_hash() -> None:
    call = outgoing(host="s3.us-east-1.amazonaws.com", family="aws", target="/b/k", body=b"", headers=())
    signing = Signing(service="s3", region="us-east-1")
    from dataclasses import replace

    unknown = signed(replace(call, stream=Stream(length_bytes=9)), signing, KEYS, payload_sha256=None)
    known = signed(replace(call, stream=Stream(length_bytes=9, sha256="ab" * 32)), signing, KEYS, payload_sha256=None)
    assert values(unknown, "x-amz-content-sha256") == ["UNSIGNED-PAYLOAD"]
    assert values(known, "x-amz-content-sha256") == ["ab" * 32]


def described_broker(service: str, secret: str, **more: object) -> CredentialBroker:
    """A broker with one credential, and with what the shipped descriptions know."""
    credential = {"source": "env", "service": service, "variable": "K", **more}
    named = {"c": CredentialConfig.model_validate(credential)}
    agent = AgentConfig(team="ml", owner="ann", purpose="x", credentials=("c",))
    return CredentialBroker(
        named,
        {"bot": agent, "other": agent.model_copy(update={"credentials": ()})},
        environment={"K": secret},
        described=family_of(CodecRegistry()),
    )


@pytest.mark.parametrize(
    ("service", "host", "header", "value"),
    [
        ("gemini", "generativelanguage.googleapis.com", "x-goog-api-key", "s3cret"),
        ("gcp", "compute.googleapis.com", "authorization", "Bearer s3cret"),
        ("azure", "management.azure.com", "authorization", "Bearer s3cret"),
        ("azure-openai", "acme.openai.azure.com", "api-key", "s3cret"),
        ("groq", "api.groq.com", "authorization", "Bearer s3cret"),
        ("github", "api.github.com", "authorization", "Bearer s3cret"),
        ("slack", "slack.com", "authorization", "Bearer s3cret"),
        ("adyen", "checkout-test.adyen.com", "x-api-key", "s3cret"),
        ("postmark", "api.postmarkapp.com", "x-postmark-server-token", "s3cret"),
        ("discord", "discord.com", "authorization", "Bot s3cret"),
        ("mailgun", "api.mailgun.net", "authorization", "Basic czNjcmV0"),
        ("linear", "api.linear.app", "authorization", "s3cret"),
    ],
)
def test_each_family_has_its_own_header_and_hosts(service: str, host: str, header: str, value: str) -> None:
    made = described_broker(service, "s3cret")
    out = made.apply(outgoing(host=host, family=service), "bot")
    assert values(out, header) == [value] and out.secret == "s3cret"
    assert "from-the-box" not in str(out)
    elsewhere = made.apply(outgoing(host="evil.example", family="evil.example"), "bot")
    assert "s3cret" not in str(elsewhere)
    assert (made.missing(service, host, "other") is None) is (service == "github"), "only GitHub answers without a key"
    with pytest.raises(NoCredentialError, match="never sent over plain http"):
        made.apply(outgoing(host=host, family=service), "bot", exposed=True)


def test_boxes_start_with_placeholders_of_every_family() -> None:
    for service, variable in (
        ("gemini", "GEMINI_API_KEY"),
        ("gemini", "GOOGLE_API_KEY"),
        ("gcp", "CLOUDSDK_AUTH_ACCESS_TOKEN"),
        ("github", "GITHUB_TOKEN"),
        ("slack", "SLACK_BOT_TOKEN"),
        ("twilio", "TWILIO_AUTH_TOKEN"),
    ):
        found = described_broker(service, "s3cret").placeholders("bot")
        assert found[variable] and "s3cret" not in str(found) and found["K"] == next(iter(found.values()))


def test_a_family_that_nobody_knows_goes_nowhere() -> None:
    named = {"c": CredentialConfig.model_construct(source="env", service="gone", variable="K", hosts=(), account="")}
    agent = AgentConfig(team="ml", owner="ann", purpose="x", credentials=("c",))
    made = CredentialBroker(named, {"bot": agent}, environment={"K": "s3cret"}, described=family_of(CodecRegistry()))
    assert "s3cret" not in str(made.apply(outgoing(host="a.example", family="gone"), "bot"))


def test_where_a_credential_needs_more_is_said() -> None:
    for wrong, message in (
        ({"source": "env", "service": "kubernetes", "variable": "K"}, "service `kubernetes` needs `hosts`"),
        ({"source": "aws_profile", "service": "github", "profile": "x"}, "is for service `aws`"),
        ({"source": "env", "service": "githib", "variable": "K"}, "did you mean `github`"),
    ):
        with pytest.raises(ValidationError, match=message):
            CredentialConfig.model_validate(wrong)
