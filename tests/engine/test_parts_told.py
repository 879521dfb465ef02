"""What people are told of an action's parts: the costly ones first, bounded, secrets kept back."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

from comptroller.core.action import PARTS_MAX, Action, ActionClass
from comptroller.decode.aws import AwsCodec
from comptroller.decode.aws.codec import action_of
from comptroller.decode.aws.model_source import operation
from comptroller.engine.parts import PART_CHARACTERS_MAX, PART_LINES_MAX, parts_told, services_within
from comptroller.price import estimate

CODEC = AwsCodec()
TEMPLATE = {
    "Resources": {
        "A": {"Type": "AWS::EC2::Instance", "Properties": {"InstanceType": "m5.large", "ImageId": "ami-1"}},
        "B": {"Type": "AWS::EC2::Instance", "Properties": {"InstanceType": "m5.large", "ImageId": "ami-1"}},
        "G": {"Type": "AWS::EC2::Instance", "Properties": {"InstanceType": "p4d.24xlarge", "ImageId": "ami-1"}},
        "N": {"Type": "Custom::Thing", "Properties": {}},
    }
}


def stack(template: object) -> Action:
    """A stack of this template."""
    return action_of(
        operation("cloudformation", "CreateStack"),
        {"StackName": "web", "TemplateBody": json.dumps(template)},
        endpoint="cloudformation.us-east-1.amazonaws.com",
        region="us-east-1",
        account="123456789012",
        agent="agent",
        run="run-1",
    )


def told(action: Action) -> tuple[list[dict[str, Any]], int]:
    found: Any = parts_told(action, CODEC.sentence, estimate)
    return found["lines"], found["more"]


def test_what_nobody_can_price_stands_first_then_the_dearest() -> None:
    lines, more = told(stack(TEMPLATE))
    assert [(row["price_unknown"], row["count"]) for row in lines] == [(True, 1), (False, 1), (False, 2)]
    assert "Custom::Thing" in lines[0]["text"] and "p4d.24xlarge" in lines[1]["text"]
    assert lines[1]["usd_micros_per_hour"] > 100 * lines[2]["usd_micros_per_hour"] > 0
    assert more == 0


def test_many_parts_and_long_names_stay_short_and_are_counted() -> None:
    part = stack(TEMPLATE).parts[0]
    many = [replace(part, resources=(), parameters={"InstanceType": f"{'x' * 500}{n}"}) for n in range(PARTS_MAX)]
    whole = replace(part, parts=tuple(many))
    lines, more = told(replace(whole, operation="aws:cloudformation:CreateStack"))
    assert len(lines) <= PART_LINES_MAX and sum(row["count"] for row in lines) + more == PARTS_MAX
    assert all(len(row["text"]) <= PART_CHARACTERS_MAX for row in lines)


def test_parts_of_parts_are_told_themselves() -> None:
    inner = stack(TEMPLATE)
    lines, _ = told(replace(inner, parts=(inner,)))
    assert lines == told(inner)[0]


def test_secrets_in_a_sentence_are_kept_back() -> None:
    part = replace(stack(TEMPLATE).parts[0], classes=frozenset({ActionClass.WRITE}))
    found: Any = parts_told(replace(part, parts=(part,)), lambda _: "use sk_live_" + "a1B2" * 8, estimate)
    assert "a1B2a1B2" not in found["lines"][0]["text"]


def test_the_services_of_parts_are_known() -> None:
    action = stack(TEMPLATE)
    assert services_within(action) == sorted({part.service for part in action.parts}) and "aws:ec2" in services_within(
        action
    )
    assert services_within(action.parts[0]) == []
