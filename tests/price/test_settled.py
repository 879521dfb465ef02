"""What an answer proves was paid, of what was held: instances, functions, refusals, streams that were cut."""

from __future__ import annotations

import base64
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.fuzz_kit import fuzz

from comptroller import price
from comptroller.compose import registry_of
from comptroller.core.action import Action, ActionClass, Call
from comptroller.core.config import parse_config
from comptroller.core.estimate import Outcome, Unit
from comptroller.core.request import Header, Request
from comptroller.decode.aws.outcome import AwsMeter
from comptroller.price.aws_containers import LAMBDA_GB_MAX, LAMBDA_SECONDS_MAX

CONFIG = {
    "version": 1,
    "organization": "acme",
    "teams": {"ml": {}},
    "people": {"ann": {}},
    "agents": {"bot": {"team": "ml", "owner": "ann", "purpose": "test"}},
}
REGISTRY = registry_of(parse_config(CONFIG, origin="test"))


def aws(service: str, name: str, *classes: ActionClass, **parameters: object) -> Action:
    return Action(
        operation=f"aws:{service}:{name}",
        service=f"aws:{service}",
        classes=frozenset(classes),
        account="123456789012",
        region="us-east-1",
        endpoint=f"{service}.us-east-1.amazonaws.com",
        agent="bot",
        run="r",
        quantity=int(str(parameters.get("MaxCount", 1))),
        parameters=parameters,
        call=Call(payload_bytes=100),
    )


@pytest.mark.parametrize("made", range(1, 9))
def test_three_of_eight_instances_are_three_eighths_of_everything(made: int) -> None:
    action = aws("ec2", "RunInstances", ActionClass.PROVISION, InstanceType="p4d.24xlarge", MinCount=1, MaxCount=8)
    names = tuple(f"i-{n:03}" for n in range(made))
    paid = price.actual(action, Outcome(status=200, ok=True, complete=True, charged=True, made=names))
    bound = price.estimate(action)
    for unit in (Unit.USD_MICROS, Unit.USD_MICROS_PER_HOUR, Unit.GPU_SECONDS, Unit.MILLIWATT_HOURS):
        high = bound.high(unit) or 0
        assert 0 <= paid[unit] * 8 - high * made <= 8 * 8, unit


def lambda_paid(action: Action, **outcome: object) -> int:
    given_ = {"status": 200, "ok": True, "complete": True, "charged": True, **outcome}
    return price.actual(action, Outcome(**given_)).get(Unit.USD_MICROS, -1)  # type: ignore[arg-type]


def test_a_function_settles_at_the_time_it_ran() -> None:
    action = aws("lambda", "Invoke", ActionClass.EXECUTE, FunctionName="f")
    high = price.estimate(action).high(Unit.USD_MICROS) or 0
    assert high > 100_000
    second = lambda_paid(action, elapsed_milliseconds=200)
    minute = lambda_paid(action, elapsed_milliseconds=60_000)
    assert 0 < second < minute < high
    # Two seconds at the largest memory, of 900.
    assert second <= high * 2 // LAMBDA_SECONDS_MAX + 2
    assert lambda_paid(action, elapsed_milliseconds=10**9) == high
    billed = lambda_paid(action, usage={"billed_milliseconds": 1000, "memory_megabytes": 128})
    assert billed <= high * 0.125 / float(LAMBDA_GB_MAX) / LAMBDA_SECONDS_MAX + 2
    assert lambda_paid(action, status=429, ok=False, charged=False) == 0
    for unknown in ({"elapsed_milliseconds": 0}, {"complete": False, "elapsed_milliseconds": 5}):
        assert lambda_paid(action, **unknown) == -1
    queued = aws("lambda", "Invoke", ActionClass.EXECUTE, FunctionName="f", InvocationType="Event")
    assert lambda_paid(queued, elapsed_milliseconds=5) == -1


def tail(text: str) -> dict[str, int]:
    meter = AwsMeter(aws("lambda", "Invoke", ActionClass.EXECUTE, FunctionName="f"))
    meter.head(200, [("x-amz-log-result", base64.b64encode(text.encode()).decode())])
    return dict(meter.finish(complete=True).usage)


def test_only_the_last_line_of_a_log_is_the_services_own() -> None:
    report = (
        "REPORT RequestId: 1\tDuration: 900 ms\tBilled Duration: {} ms\tMemory Size: 512 MB\tMax Memory Used: 66 MB\t\n"
    )
    real, forged = report.format(901), report.format(1)
    assert tail("START\nEND\n" + real) == {"billed_milliseconds": 901, "memory_megabytes": 512}
    assert tail(forged + "END\n" + real) == {"billed_milliseconds": 901, "memory_megabytes": 512}
    assert tail(forged + "more of what the function printed\n") == {}
    assert tail("") == {} and tail("nothing") == {}


CHAT = b'data: {"choices":[{"index":0,"delta":{"content":"%b"},"finish_reason":null}]}\n\n'


@fuzz(60)
@given(text=st.lists(st.text(st.characters(codec="utf-8", exclude_characters='"\\', min_codepoint=32), max_size=40)))
def test_a_cut_stream_is_never_less_than_its_bytes_and_never_more_than_its_estimate(text: list[str]) -> None:
    body = b'{"model":"gpt-4o","max_tokens":3000,"stream":true,"messages":[{"role":"user","content":"x"}]}'
    request = Request(
        scheme="https",
        method="POST",
        host="api.openai.com",
        port=443,
        target="/v1/chat/completions",
        headers=(Header("content-type", "application/json"),),
        body=body,
        agent="bot",
        run="r",
    )
    codec = REGISTRY.codec_for(request)
    action = codec.decode(request)
    meter = codec.meter(action)
    meter.head(200, [("content-type", "text/event-stream")])
    meter.feed(CHAT % b"")
    for piece in text:
        meter.feed(CHAT % piece.encode())
    outcome = meter.finish(complete=False)
    paid, bound = price.actual(action, outcome), price.estimate(action)
    written = min(3000, sum(len(piece.encode()) for piece in text))
    told = Outcome(
        status=200,
        ok=True,
        complete=True,
        charged=True,
        usage={"input_tokens": 10, "output_tokens": written},
        actual={Unit.TOKENS: 10 + written},
    )
    truth = price.actual(action, told)
    for unit in (Unit.USD_MICROS, Unit.TOKENS, Unit.MILLIWATT_HOURS, Unit.MILLIGRAMS_CO2E):
        assert truth[unit] <= paid[unit] <= (bound.high(unit) or 0), unit
    # The same at a service that writes on whoever reads: nothing below the estimate is known.
    assert Unit.USD_MICROS not in price.actual(action, replace(outcome, usage={}))
