"""How many: the largest size that a call allows counts, whatever it asks for at first."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal

import pytest
from aws_meaning_kit import act
from hypothesis import given
from hypothesis import strategies as st
from tests.fuzz_kit import fuzz

from comptroller.core.action import Value
from comptroller.decode.aws import capacity, index
from comptroller.decode.aws.model_source import members, operation

COUNTED: Mapping[str, tuple[str, dict[str, Value], int]] = {
    "machines": ("ec2:RunInstances", {"MinCount": 1, "MaxCount": 8}, 8),
    "machines, least first": ("ec2:RunInstances", {"MinCount": 9}, 9),
    "a group's largest size": (
        "autoscaling:CreateAutoScalingGroup",
        {"MinSize": 1, "DesiredCapacity": 2, "MaxSize": 90},
        90,
    ),
    "a group's wish above its size": ("autoscaling:UpdateAutoScalingGroup", {"DesiredCapacity": 7}, 7),
    "nodes": ("eks:CreateNodegroup", {"scalingConfig": {"minSize": 1, "desiredSize": 2, "maxSize": 50}}, 50),
    "a fleet": ("ec2:CreateFleet", {"TargetCapacitySpecification": {"TotalTargetCapacity": 20}}, 20),
    "a fleet's parts": (
        "ec2:CreateFleet",
        {
            "TargetCapacitySpecification": {
                "TotalTargetCapacity": 2,
                "OnDemandTargetCapacity": 15,
                "SpotTargetCapacity": 15,
            }
        },
        30,
    ),
    "a fleet of light machines": (
        "ec2:CreateFleet",
        {
            "TargetCapacitySpecification": {"TotalTargetCapacity": 10},
            "LaunchTemplateConfigs": [{"Overrides": [{"WeightedCapacity": Decimal("0.1")}, {"WeightedCapacity": 8}]}],
        },
        100,
    ),
    "a spot fleet": (
        "ec2:RequestSpotFleet",
        {"SpotFleetRequestConfig": {"TargetCapacity": 5, "OnDemandTargetCapacity": 9}},
        9,
    ),
    "a cluster's groups": (
        "emr:RunJobFlow",
        {"Instances": {"InstanceGroups": [{"InstanceCount": 1}, {"InstanceCount": 10}]}},
        11,
    ),
    "a cluster's own growth": (
        "emr:RunJobFlow",
        {
            "Instances": {
                "InstanceGroups": [
                    {"InstanceCount": 1},
                    {"InstanceCount": 2, "AutoScalingPolicy": {"Constraints": {"MinCapacity": 1, "MaxCapacity": 100}}},
                ]
            }
        },
        101,
    ),
    "a cluster's fleets": (
        "emr:RunJobFlow",
        {"Instances": {"InstanceFleets": [{"TargetOnDemandCapacity": 3}, {"TargetSpotCapacity": 4}]}},
        7,
    ),
    "a cluster's limit": (
        "emr:RunJobFlow",
        {
            "Instances": {"InstanceCount": 3},
            "ManagedScalingPolicy": {"ComputeLimits": {"MaximumCapacityUnits": 40}},
        },
        40,
    ),
    "training groups": (
        "sagemaker:CreateTrainingJob",
        {"ResourceConfig": {"InstanceGroups": [{"InstanceCount": 3}, {"InstanceCount": 4}]}},
        7,
    ),
    "tuning": (
        "sagemaker:CreateHyperParameterTuningJob",
        {
            "HyperParameterTuningJobConfig": {"ResourceLimits": {"MaxParallelTrainingJobs": 5}},
            "TrainingJobDefinition": {"ResourceConfig": {"InstanceCount": 4}},
        },
        20,
    ),
    "an endpoint's variants": (
        "sagemaker:CreateEndpointConfig",
        {
            "ProductionVariants": [
                {"InitialInstanceCount": 2, "ManagedInstanceScaling": {"MaxInstanceCount": 12}},
                {"InitialInstanceCount": 3},
            ]
        },
        15,
    ),
    "units of a table": (
        "dynamodb:CreateTable",
        {
            "ProvisionedThroughput": {"ReadCapacityUnits": 10, "WriteCapacityUnits": 5},
            "GlobalSecondaryIndexes": [{"ProvisionedThroughput": {"ReadCapacityUnits": 100, "WriteCapacityUnits": 1}}],
        },
        116,
    ),
    "nodes of a cache": ("elasticache:CreateReplicationGroup", {"NumNodeGroups": 3, "ReplicasPerNodeGroup": 2}, 9),
    "shards of a cache": (
        "elasticache:CreateReplicationGroup",
        {"NodeGroupConfiguration": [{"ReplicaCount": 5}, {"ReplicaCount": 1}]},
        8,
    ),
    "nodes of a search domain": (
        "opensearch:CreateDomain",
        {
            "ClusterConfig": {
                "InstanceCount": 6,
                "DedicatedMasterEnabled": True,
                "DedicatedMasterCount": 3,
                "WarmEnabled": True,
                "WarmCount": 4,
            }
        },
        13,
    ),
    "shards": ("kinesis:CreateStream", {"ShardCount": 64}, 64),
    "brokers": ("kafka:CreateCluster", {"NumberOfBrokerNodes": 6}, 6),
    "an array of jobs": (
        "batch:SubmitJob",
        {"arrayProperties": {"size": 1000}, "nodeOverrides": {"numNodes": 4}},
        4000,
    ),
    "tasks": ("ecs:CreateService", {"desiredCount": 12}, 12),
    "desktops": ("workspaces:CreateWorkspaces", {"Workspaces": [{}, {}, {}]}, 3),
    "nothing said": ("ec2:RunInstances", {}, 1),
    "beyond any number": ("ec2:RunInstances", {"MaxCount": 10**18}, capacity.QUANTITY_MAX),
    "less than nothing": ("ec2:RunInstances", {"MaxCount": -5}, 1),
}


@pytest.mark.parametrize("name", COUNTED)
def test_the_largest_size_counts(name: str) -> None:
    operation_, parameters, wanted = COUNTED[name]
    assert act(operation_, parameters).quantity == wanted


def _stands(shape: object, path: list[str]) -> bool:
    for step in path:
        while shape.type_name == "list":  # type: ignore[attr-defined]
            shape = shape.member  # type: ignore[attr-defined]
        if shape.type_name != "structure" or step not in members(shape):  # type: ignore[attr-defined]
            return False
        shape = members(shape)[step]
    return True


@pytest.mark.parametrize("name", capacity.COUNTS)
def test_every_path_stands_in_the_model(name: str) -> None:
    service, call = name.removeprefix("aws:").split(":")
    assert index.has_operation(service, call)
    for term in capacity.COUNTS[name].replace("|", "+").split("+"):
        assert _stands(operation(service, call).input, term.rstrip("#").split(".")), term


TREES: st.SearchStrategy[Value] = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.decimals(), st.text(max_size=6), st.floats()),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3),
        st.dictionaries(
            st.sampled_from(
                ["Instances", "InstanceGroups", "InstanceCount", "MaxCount", "ClusterConfig", "InstanceFleets"]
            ),
            inner,
            max_size=4,
        ),
    ),
    max_leaves=10,
)


MEMBERS = [
    *("Instances", "MaxCount", "ResourceConfig", "InstanceGroups", "ProductionVariants", "NumNodeGroups"),
    *("ClusterConfig", "TargetCapacitySpecification", "LaunchTemplateConfigs", "NodeGroupConfiguration"),
]


@fuzz(150)
@given(
    st.sampled_from(sorted({*capacity.COUNTS, *capacity._OWN})),
    st.dictionaries(st.sampled_from(MEMBERS), TREES),
)
def test_any_parameters_give_a_number(name: str, parameters: dict[str, Value]) -> None:
    assert 0 <= capacity.quantity(name, parameters) <= capacity.QUANTITY_MAX


@fuzz(60)
@given(st.lists(st.integers(0, 1000), min_size=1, max_size=8), st.integers(0, 5000))
def test_splitting_a_cluster_into_groups_hides_nothing(sizes: list[int], grown: int) -> None:
    groups: list[Value] = [{"InstanceCount": size} for size in sizes]
    groups.append({"InstanceCount": 0, "AutoScalingPolicy": {"Constraints": {"MaxCapacity": grown}}})
    assert act("emr:RunJobFlow", {"Instances": {"InstanceGroups": groups}}).quantity == sum(sizes) + grown
