"""Models at Bedrock: what boto3 sends is priced, lowered and settled."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import boto3
import pytest
from botocore.awsrequest import AWSPreparedRequest
from botocore.config import Config
from wire_kit import from_http

from comptroller import price
from comptroller.core.action import Action, ActionClass, digest
from comptroller.core.estimate import Unit
from comptroller.core.request import Request
from comptroller.decode.aws import AwsCodec
from comptroller.price import Prices

AWS = AwsCodec()
HOST = "bedrock-runtime.us-east-1.amazonaws.com"
NOVA, CLAUDE = "amazon.nova-lite-v1:0", "us.anthropic.claude-sonnet-4-5-20250929-v1:0"


class Seen(Exception):
    """Stops boto3 once its request was recorded."""


def sent_by(call: Callable[[Any], object]) -> tuple[Action, Request]:
    """What boto3 sends, decoded."""
    found: list[Request] = []

    def record(request: AWSPreparedRequest, **_: object) -> None:
        headers = {name: v.decode() if isinstance(v, bytes) else str(v) for name, v in request.headers.items()}
        body = request.body or b""
        found.append(
            from_http(
                request.method, request.url, headers, body if isinstance(body, bytes) else body.encode(), host=HOST
            )
        )
        raise Seen

    client = boto3.client(
        "bedrock-runtime",
        region_name="us-east-1",
        aws_access_key_id="AKIDEXAMPLE",
        aws_secret_access_key="placeholder",
        config=Config(retries={"total_max_attempts": 1}),
    )
    client.meta.events.register("before-send.bedrock-runtime", record)
    with pytest.raises(Seen):
        call(client)
    return AWS.decode(found[0]), found[0]


MESSAGES = [{"role": "user", "content": [{"text": "hello"}]}]
CLAUDE_BODY = {
    "anthropic_version": "bedrock-2023-05-31",
    "max_tokens": 4000,
    "messages": [{"role": "user", "content": "x"}],
}
CALLS: dict[str, Callable[[Any], object]] = {
    "Converse": lambda c: c.converse(modelId=NOVA, messages=MESSAGES, inferenceConfig={"maxTokens": 4000}),
    "ConverseStream": lambda c: c.converse_stream(modelId=NOVA, messages=MESSAGES),
    "InvokeModel": lambda c: c.invoke_model(modelId=CLAUDE, body=json.dumps(CLAUDE_BODY)),
    "InvokeModelWithResponseStream": lambda c: c.invoke_model_with_response_stream(
        modelId=CLAUDE, body=json.dumps(CLAUDE_BODY)
    ),
}


@pytest.mark.parametrize("operation", CALLS)
def test_boto3_is_priced_and_lowered(operation: str) -> None:
    action, asked = sent_by(CALLS[operation])
    assert (action.operation, action.classes) == (f"aws:bedrock-runtime:{operation}", {ActionClass.INFER})
    high = price.estimate(action).high(Unit.USD_MICROS)
    assert high is not None, price.estimate(action).basis
    room = high // 2
    most = Prices().affordable_output(action, {Unit.USD_MICROS: room})
    assert most is not None
    lowered = AWS.lower(action, most)
    assert lowered is not None and (price.estimate(lowered).high(Unit.USD_MICROS) or 0) <= room
    assert digest(lowered) != digest(action)
    body = json.loads(AWS.encode(lowered, asked).body)
    assert body.get("max_tokens", body.get("inferenceConfig", {}).get("maxTokens")) == most


def test_the_meter_settles_bedrock() -> None:
    action, _ = sent_by(CALLS["Converse"])
    meter = AWS.meter(action)
    meter.head(200, [("content-type", "application/json")])
    meter.feed(json.dumps({"usage": {"inputTokens": 10, "outputTokens": 5, "totalTokens": 15}}).encode())
    outcome = meter.finish(complete=True)
    assert outcome.usage == {"input_tokens": 10, "output_tokens": 5} and outcome.actual[Unit.TOKENS] == 15
    # 10 x 0.06 + 5 x 0.24 micro-dollars, rounded up.
    assert price.actual(action, outcome)[Unit.USD_MICROS] == 2
    meter = AWS.meter(action)
    meter.head(200, [("content-type", "application/json")])
    meter.feed(b"{")
    assert meter.finish(complete=False).usage == {}


def test_other_operations_are_not_lowered() -> None:
    action, _ = sent_by(
        lambda c: c.start_async_invoke(
            modelId="amazon.nova-reel-v1:0",
            modelInput={},
            outputDataConfig={"s3OutputDataConfig": {"s3Uri": "s3://b/x"}},
        )
    )
    assert AWS.lower(action, 500) is None and price.estimate(action).unknown(Unit.USD_MICROS)
