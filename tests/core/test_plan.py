"""Plans are read strictly: what nobody can read is told, never granted."""

from __future__ import annotations

import contextlib
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from comptroller.core.errors import UsageError
from comptroller.core.plan import plan_of

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=10), inner, max_size=4),
    max_leaves=12,
)
CREATE = {"actions": ["create"], "after": {"ami": "ami-1", "instance_type": "t3.micro"}, "after_unknown": {"id": True}}


@given(
    JSON
    | st.fixed_dictionaries({"resource_changes": JSON})
    | st.fixed_dictionaries({"version": st.just(1), "actions": JSON})
)
def test_anything_is_a_plan_or_refused(document: Any) -> None:
    with contextlib.suppress(UsageError):
        plan_of(document)


@pytest.mark.parametrize(
    "action",
    [
        {},
        {"service": "ec2"},
        {"service": "ec2", "operation": "RunInstances", "count": 0},
        {"service": "ec2", "operation": "RunInstances", "count": True},
        {"service": "ec2", "operation": "RunInstances", "input": []},
        {"service": "ec2", "operation": "RunInstances", "inputs": {}},
        {"service": 1, "operation": "RunInstances"},
    ],
)
def test_a_wrong_action_is_refused(action: Any) -> None:
    with pytest.raises(UsageError):
        plan_of({"version": 1, "actions": [action]})


def test_terraform_is_shown_with_what_is_left_open_and_never_granted() -> None:
    plan = plan_of(
        {
            "resource_changes": [
                {"address": "aws_instance.web", "type": "aws_instance", "change": CREATE},
                {"address": "aws_instance.old", "type": "aws_instance", "change": {"actions": ["delete"]}},
                {"address": "null_resource.x", "type": "null_resource", "change": CREATE},
                {"address": "aws_vpc.same", "type": "aws_vpc", "change": {"actions": ["no-op"]}},
            ]
        }
    )
    (item,) = plan.items
    assert (item.service, item.operation) == ("ec2", "RunInstances")
    assert item.input == {"ImageId": "ami-1", "InstanceType": "t3.micro", "MinCount": 1, "MaxCount": 1}
    assert "open: id" in item.only_shown
    assert plan.unread == ("aws_instance.old: delete", "null_resource.x: create")
