"""Actions straight from an operation and its parameters, for the tests of what they mean."""

from __future__ import annotations

import json
from collections.abc import Mapping

from comptroller.core.action import Action, Value
from comptroller.decode.aws import AwsCodec
from comptroller.decode.aws.codec import action_of
from comptroller.decode.aws.model_source import operation

CODEC = AwsCodec()
OWN = "123456789012"
OTHER = "999999999999"


def act(name: str, parameters: Mapping[str, Value], *, account: str = OWN, region: str = "us-east-1") -> Action:
    """The action of `SERVICE:OPERATION` with these parameters."""
    service, call = name.split(":")
    return action_of(
        operation(service, call),
        parameters,
        endpoint=f"{service}.{region}.amazonaws.com",
        region=region,
        account=account,
        agent="builder",
        run="run-1",
    )


def said(name: str, parameters: Mapping[str, Value], *, account: str = OWN) -> str:
    """The sentence of the same action."""
    return CODEC.sentence(act(name, parameters, account=account))


def policy(*statements: Mapping[str, object]) -> str:
    """A policy document of these statements, as text."""
    return json.dumps({"Version": "2012-10-17", "Statement": list(statements)})
