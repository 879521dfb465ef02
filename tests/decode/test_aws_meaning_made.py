"""What a response says was made: the thing itself, by its ARN or id, and nothing that it merely uses."""

from __future__ import annotations

import json

import pytest
from aws_meaning_kit import CODEC, OWN, act
from hypothesis import given
from hypothesis import strategies as st
from tests.fuzz_kit import fuzz

from comptroller.core.action import Value
from comptroller.decode.aws import index
from comptroller.decode.aws.made import MADE_MAX, PRIMARY, REQUESTED, made
from comptroller.decode.aws.model_source import members, operation

ROLE = f"arn:aws:iam::{OWN}:role/r"

ANSWERS: dict[str, tuple[dict[str, Value], object, tuple[str, ...]]] = {
    "eks:CreateNodegroup": (
        {"clusterName": "c"},
        {"nodegroup": {"nodegroupArn": "arn:aws:eks:x", "nodeRole": ROLE}},
        ("arn:aws:eks:x",),
    ),
    "ecs:RunTask": (
        {"count": 2},
        {"tasks": [{"taskArn": "arn:t1", "clusterArn": "arn:c"}, {"taskArn": "arn:t2", "clusterArn": "arn:c"}]},
        ("arn:t1", "arn:t2"),
    ),
    "ec2:CreateFleet": ({}, {"FleetId": "fleet-1", "Instances": []}, ("fleet-1",)),
    "kinesis:CreateStream": ({"StreamName": "s"}, {}, (f"arn:aws:kinesis:us-east-1:{OWN}:stream/s",)),
    "autoscaling:CreateAutoScalingGroup": ({"AutoScalingGroupName": "g"}, {}, ("g",)),
    "sagemaker:CreateTrainingJob": (
        {"TrainingJobName": "t"},
        {"TrainingJobArn": "arn:aws:sagemaker:x", "RoleArn": ROLE},
        ("arn:aws:sagemaker:x",),
    ),
    "mwaa:CreateEnvironment": ({"Name": "e"}, {"Arn": "arn:aws:airflow:x"}, ("arn:aws:airflow:x",)),
    "dms:CreateReplicationInstance": (
        {},
        {"ReplicationInstance": {"ReplicationInstanceArn": "arn:aws:dms:x", "KmsKeyId": "arn:aws:kms:y"}},
        ("arn:aws:dms:x",),
    ),
    "workspaces:CreateWorkspaces": (
        {},
        {"PendingRequests": [{"WorkspaceId": "ws-1", "DirectoryId": "d-1"}], "FailedRequests": []},
        ("ws-1",),
    ),
}


@pytest.mark.parametrize("name", ANSWERS)
def test_the_thing_itself_is_named(name: str) -> None:
    parameters, answer, wanted = ANSWERS[name]
    assert made(act(name, parameters), answer) == wanted


def test_an_unknown_operation_names_every_id() -> None:
    answer = {"Things": [{"OneArn": "arn:aws:x:y:z:one"}, {"OtherId": "ab-12345678"}], "Note": "ab-12345678"}
    assert set(made(act("braket:CreateQuantumTask", {}), answer)) == {"arn:aws:x:y:z:one", "ab-12345678"}


def _text(shape: object, path: list[str]) -> bool:
    for step in [*path, None]:
        while shape.type_name == "list":  # type: ignore[attr-defined]
            shape = shape.member  # type: ignore[attr-defined]
        if step is None:
            return bool(shape.type_name == "string")  # type: ignore[attr-defined]
        if shape.type_name != "structure" or step not in members(shape):  # type: ignore[attr-defined]
            return False
        shape = members(shape)[step]
    return False


@pytest.mark.parametrize("service", PRIMARY)
def test_every_place_stands_in_the_model(service: str) -> None:
    for call, path in PRIMARY[service].items():
        if not index.has_operation(service, call) and service in ("neptune", "docdb"):
            continue
        shape = operation(service, call).model.output_shape
        assert any(_text(shape, one.split(".")) for one in path.split("|")), call


@pytest.mark.parametrize("name", REQUESTED)
def test_every_name_stands_in_the_request(name: str) -> None:
    service, call = name.removeprefix("aws:").split(":")
    assert REQUESTED[name] in members(operation(service, call).input)


@pytest.mark.parametrize(
    ("status", "body", "charged", "names"),
    [
        (200, {"nodegroup": {"nodegroupArn": "arn:aws:eks:x"}}, True, ("arn:aws:eks:x",)),
        (400, {"message": "no"}, False, ()),
        (403, {}, False, ()),
        (408, {}, None, ()),
        (429, {}, False, ()),
        (500, {}, None, ()),
        (503, {}, None, ()),
    ],
)
def test_what_an_answer_proves(status: int, body: object, charged: bool | None, names: tuple[str, ...]) -> None:
    meter = CODEC.meter(act("eks:CreateNodegroup", {"clusterName": "c"}))
    meter.head(status, [("content-type", "application/json")])
    meter.feed(json.dumps(body).encode())
    outcome = meter.finish(complete=True)
    assert (outcome.charged, outcome.made) == (charged, names)


TREES = st.recursive(
    st.one_of(st.none(), st.text(max_size=10), st.integers(), st.just("arn:aws:x:y:z:w")),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3), st.dictionaries(st.sampled_from(["Id", "Arn", "X", "tasks"]), inner)
    ),
    max_leaves=15,
)


@fuzz(100)
@given(st.sampled_from(["ecs:RunTask", "iot:CreateThing", "kinesis:CreateStream", "lightsail:CreateInstances"]), TREES)
def test_any_answer_is_read(name: str, answer: object) -> None:
    found = made(act(name, {}), answer)
    assert len(found) <= MADE_MAX
    assert all(isinstance(one, str) and one for one in found)
