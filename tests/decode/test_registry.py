"""The registry: by host alone, and what it tells the policy check."""

from __future__ import annotations

import subprocess
import sys

import pytest
from wire_kit import request

from comptroller.core.action import ActionClass
from comptroller.core.errors import ConfigError
from comptroller.decode.deferred import DEFERRED, Deferred
from comptroller.decode.registry import CodecRegistry

REGISTRY = CodecRegistry({"llm.internal": "openai", "*.models.internal": "anthropic", "pay.internal": "stripe"})


@pytest.mark.parametrize(
    ("host", "codec"),
    [
        ("ec2.us-east-1.amazonaws.com", "aws"),
        ("bucket.s3.eu-west-1.amazonaws.com", "aws"),
        ("ec2.cn-north-1.amazonaws.com.cn", "aws"),
        ("api.openai.com", "openai"),
        ("api.anthropic.com", "anthropic"),
        ("api.stripe.com", "stripe"),
        ("files.stripe.com", "stripe"),
        ("llm.internal", "openai"),
        ("x.llm.internal", "http"),
        ("a.models.internal", "anthropic"),
        ("a.b.models.internal", "anthropic"),
        ("models.internal", "http"),
        ("pay.internal", "stripe"),
        ("amazonaws.com.evil.example", "http"),
        ("api.openai.com.evil.example", "http"),
        ("evilamazonaws.com", "http"),
        ("openai.com", "http"),
        ("198.51.100.7", "http"),
    ],
)
def test_the_host_decides(host: str, codec: str) -> None:
    assert REGISTRY.codec_for(request(host, "GET", "/")).name == codec


def test_headers_do_not() -> None:
    asked = request("example.com", "POST", "/v1/transfers", "amount=1", x_amz_target="DynamoDB_20120810.ListTables")
    assert REGISTRY.codec_for(asked).name == "http"


@pytest.mark.parametrize(
    "services",
    [
        {"x.example": "teleport"},
        {"ec2.us-east-1.amazonaws.com": "http"},
        {"api.openai.com": "http"},
        {"x.example": "aws"},
    ],
)
def test_a_known_host_cannot_be_given_away(services: dict[str, str]) -> None:
    with pytest.raises(ConfigError):
        CodecRegistry(services)


def test_classes_of_operations() -> None:
    assert REGISTRY.classes_of("stripe:transfers:create") == {ActionClass.PAY}
    assert REGISTRY.classes_of("openai:chat.completions:create") == {ActionClass.INFER}
    assert REGISTRY.classes_of("anthropic:models:list") == {ActionClass.READ}
    assert REGISTRY.classes_of("http:api.github.com:DELETE") == {ActionClass.DESTROY}
    assert ActionClass.PROVISION in (REGISTRY.classes_of("aws:ec2:RunInstances") or ())
    for unknown in (
        "aws:ec2:RunInstance",
        "stripe:transfers:make",
        "http:x:BREW",
        "",
        "aws:",
        "http:::",
        "openai:unknown",
    ):
        assert REGISTRY.classes_of(unknown) is None


def test_every_operation_has_classes_and_near_ones_are_found() -> None:
    names = list(REGISTRY.operations())
    assert len(names) == len(set(names)) > 10_000
    assert all(REGISTRY.classes_of(name) for name in names)
    assert "stripe:transfers:create" in REGISTRY.operations_near("stripe:transfer:create")
    assert "aws:ec2:RunInstances" in REGISTRY.operations_near("aws:ec2:RunInstance")


@pytest.mark.parametrize("stand_in", [make() for make in DEFERRED], ids=lambda codec: codec.name)
def test_what_is_imported_later_has_the_very_same_hosts(stand_in: Deferred) -> None:
    assert (stand_in.name, stand_in.hosts) == (stand_in.real.name, stand_in.real.hosts)
    assert not hasattr(stand_in, "no_such_thing")


def test_nothing_of_them_is_imported_before_their_first_request() -> None:
    program = (
        "import sys\nfrom comptroller.decode.registry import CodecRegistry\nCodecRegistry()\n"
        "print([name for name in sys.modules if name.startswith('comptroller.decode.') and "
        "name.split('.')[2] in ('gcp', 'azure', 'kubernetes')])"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60)
    assert done.stdout == "[]\n", done.stderr
