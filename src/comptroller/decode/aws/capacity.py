"""How many: the largest number of machines, nodes, shards or units that one call may bring about."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal
from functools import cache

from comptroller.core.action import Value

QUANTITY_MAX = 10**9
"""More than this is this."""
COUNT_DIGITS_MAX = 18

_Own = Callable[[Mapping[str, Value]], int | None]

COUNTS: Mapping[str, str] = {
    "aws:ec2:RunInstances": "MaxCount|MinCount",
    "aws:ec2:RequestSpotInstances": "InstanceCount",
    "aws:ec2:AllocateHosts": "Quantity|AssetIds#",
    "aws:ec2:CreateCapacityReservation": "InstanceCount",
    "aws:ec2:CreateCapacityReservationFleet": "TotalTargetCapacity",
    "aws:ec2:ModifyCapacityReservation": "InstanceCount",
    "aws:ec2:ModifyCapacityReservationFleet": "TotalTargetCapacity",
    "aws:ec2:RunScheduledInstances": "InstanceCount",
    "aws:ec2:PurchaseScheduledInstances": "PurchaseRequests.InstanceCount",
    "aws:ec2:PurchaseReservedInstancesOffering": "InstanceCount",
    "aws:ec2:PurchaseHostReservation": "HostIdSet#",
    **dict.fromkeys(
        ("aws:ec2:StartInstances", "aws:ec2:StopInstances", "aws:ec2:TerminateInstances", "aws:ec2:RebootInstances"),
        "InstanceIds#",
    ),
    "aws:autoscaling:SetDesiredCapacity": "DesiredCapacity",
    "aws:autoscaling:CreateAutoScalingGroup": "MaxSize|DesiredCapacity|MinSize",
    "aws:autoscaling:UpdateAutoScalingGroup": "MaxSize|DesiredCapacity|MinSize",
    "aws:autoscaling:PutScheduledUpdateGroupAction": "MaxSize|DesiredCapacity|MinSize",
    "aws:autoscaling:BatchPutScheduledUpdateGroupAction": (
        "ScheduledUpdateGroupActions.MaxSize|ScheduledUpdateGroupActions.DesiredCapacity"
    ),
    "aws:autoscaling:PutWarmPool": "MaxGroupPreparedCapacity|MinSize",
    "aws:autoscaling:AttachInstances": "InstanceIds#",
    "aws:autoscaling:LaunchInstances": "RequestedCapacity",
    "aws:application-autoscaling:RegisterScalableTarget": "MaxCapacity|MinCapacity",
    "aws:application-autoscaling:PutScheduledAction": (
        "ScalableTargetAction.MaxCapacity|ScalableTargetAction.MinCapacity"
    ),
    "aws:autoscaling-plans:CreateScalingPlan": "ScalingInstructions.MaxCapacity",
    "aws:autoscaling-plans:UpdateScalingPlan": "ScalingInstructions.MaxCapacity",
    "aws:ecs:RunTask": "count",
    "aws:ecs:StartTask": "containerInstances#",
    "aws:ecs:CreateService": "desiredCount",
    "aws:ecs:UpdateService": "desiredCount",
    "aws:ecs:CreateExpressGatewayService": "scalingTarget.maxTaskCount|scalingTarget.minTaskCount",
    "aws:ecs:UpdateExpressGatewayService": "scalingTarget.maxTaskCount|scalingTarget.minTaskCount",
    "aws:eks:CreateNodegroup": "scalingConfig.maxSize|scalingConfig.desiredSize|scalingConfig.minSize",
    "aws:eks:UpdateNodegroupConfig": "scalingConfig.maxSize|scalingConfig.desiredSize|scalingConfig.minSize",
    "aws:batch:CreateComputeEnvironment": "computeResources.maxvCpus|computeResources.desiredvCpus",
    "aws:batch:UpdateComputeEnvironment": "computeResources.maxvCpus|computeResources.desiredvCpus",
    "aws:batch:SubmitJob": "arrayProperties.size|nodeOverrides.numNodes",
    "aws:emr:AddInstanceGroups": (
        "InstanceGroups.InstanceCount|InstanceGroups.AutoScalingPolicy.Constraints.MaxCapacity"
    ),
    "aws:emr:AddInstanceFleet": "InstanceFleet.TargetOnDemandCapacity+InstanceFleet.TargetSpotCapacity",
    "aws:emr:ModifyInstanceFleet": "InstanceFleet.TargetOnDemandCapacity+InstanceFleet.TargetSpotCapacity",
    "aws:emr:ModifyInstanceGroups": "InstanceGroups.InstanceCount",
    "aws:emr:PutManagedScalingPolicy": "ManagedScalingPolicy.ComputeLimits.MaximumCapacityUnits",
    "aws:emr:PutAutoScalingPolicy": "AutoScalingPolicy.Constraints.MaxCapacity",
    "aws:emr:RunJobFlow": (
        "Instances.InstanceCount|Instances.InstanceGroups.InstanceCount"
        "|Instances.InstanceGroups.AutoScalingPolicy.Constraints.MaxCapacity"
        "|Instances.InstanceFleets.TargetOnDemandCapacity+Instances.InstanceFleets.TargetSpotCapacity"
        "|ManagedScalingPolicy.ComputeLimits.MaximumCapacityUnits"
    ),
    "aws:glue:StartJobRun": "NumberOfWorkers|MaxCapacity|AllocatedCapacity",
    "aws:glue:CreateJob": "NumberOfWorkers|MaxCapacity|AllocatedCapacity",
    "aws:glue:UpdateJob": "JobUpdate.NumberOfWorkers|JobUpdate.MaxCapacity",
    "aws:glue:CreateSession": "NumberOfWorkers|MaxCapacity",
    "aws:glue:CreateDevEndpoint": "NumberOfNodes|NumberOfWorkers",
    "aws:redshift:CreateCluster": "NumberOfNodes",
    "aws:redshift:ModifyCluster": "NumberOfNodes",
    "aws:redshift:ResizeCluster": "NumberOfNodes",
    "aws:redshift:RestoreFromClusterSnapshot": "NumberOfNodes",
    "aws:redshift:PurchaseReservedNodeOffering": "NodeCount",
    "aws:redshift-serverless:CreateWorkgroup": "maxCapacity|baseCapacity",
    "aws:redshift-serverless:UpdateWorkgroup": "maxCapacity|baseCapacity",
    "aws:elasticache:CreateCacheCluster": "NumCacheNodes",
    "aws:elasticache:ModifyCacheCluster": "NumCacheNodes",
    "aws:elasticache:PurchaseReservedCacheNodesOffering": "CacheNodeCount",
    "aws:elasticache:IncreaseReplicaCount": "NewReplicaCount",
    "aws:elasticache:ModifyReplicationGroupShardConfiguration": "NodeGroupCount",
    "aws:dax:CreateCluster": "ReplicationFactor",
    "aws:dax:IncreaseReplicationFactor": "NewReplicationFactor",
    "aws:opensearch:PurchaseReservedInstanceOffering": "InstanceCount",
    "aws:es:PurchaseReservedElasticsearchInstanceOffering": "InstanceCount",
    "aws:kafka:CreateCluster": "NumberOfBrokerNodes",
    "aws:kafka:CreateClusterV2": "Provisioned.NumberOfBrokerNodes",
    "aws:kafka:UpdateBrokerCount": "TargetNumberOfBrokerNodes",
    "aws:kafkaconnect:CreateConnector": (
        "capacity.autoScaling.maxWorkerCount|capacity.provisionedCapacity.workerCount"
    ),
    "aws:kafkaconnect:UpdateConnector": (
        "capacity.autoScaling.maxWorkerCount|capacity.provisionedCapacity.workerCount"
    ),
    "aws:kinesis:CreateStream": "ShardCount",
    "aws:kinesis:UpdateShardCount": "TargetShardCount",
    "aws:rds:PurchaseReservedDBInstancesOffering": "DBInstanceCount",
    "aws:sagemaker:CreateProcessingJob": "ProcessingResources.ClusterConfig.InstanceCount",
    "aws:sagemaker:CreateTransformJob": "TransformResources.InstanceCount",
    "aws:sagemaker:UpdateEndpointWeightsAndCapacities": "DesiredWeightsAndCapacities.DesiredInstanceCount",
    "aws:sagemaker:CreateCluster": "InstanceGroups.InstanceCount",
    "aws:sagemaker:UpdateCluster": "InstanceGroups.InstanceCount",
    "aws:sagemaker:BatchAddClusterNodes": "NodesToAdd.IncrementTargetCountBy",
    "aws:sagemaker:CreateInferenceComponent": "RuntimeConfig.CopyCount",
    "aws:sagemaker:UpdateInferenceComponentRuntimeConfig": "DesiredRuntimeConfig.CopyCount",
    "aws:workspaces:CreateWorkspaces": "Workspaces#",
    "aws:workspaces:StartWorkspaces": "StartWorkspaceRequests#",
    "aws:workspaces:CreateWorkspacesPool": "Capacity.DesiredUserSessions",
    **dict.fromkeys(
        ("aws:appstream:CreateFleet", "aws:appstream:UpdateFleet"),
        "ComputeCapacity.DesiredInstances|ComputeCapacity.DesiredSessions|MaxConcurrentSessions",
    ),
    "aws:gamelift:UpdateFleetCapacity": "MaxSize|DesiredInstances",
    "aws:gamelift:CreateGameServerGroup": "MaxSize",
    "aws:lightsail:CreateInstances": "instanceNames#",
    "aws:lightsail:CreateInstancesFromSnapshot": "instanceNames#",
    "aws:lightsail:CreateContainerService": "scale",
    "aws:lightsail:UpdateContainerService": "scale",
    "aws:lambda:PutProvisionedConcurrencyConfig": "ProvisionedConcurrentExecutions",
    "aws:memorydb:PurchaseReservedNodesOffering": "NodeCount",
    "aws:pcs:CreateComputeNodeGroup": ("scalingConfiguration.maxInstanceCount|scalingConfiguration.minInstanceCount"),
    "aws:pcs:UpdateComputeNodeGroup": ("scalingConfiguration.maxInstanceCount|scalingConfiguration.minInstanceCount"),
    "aws:mwaa:CreateEnvironment": "MaxWorkers+MaxWebservers|MinWorkers",
    "aws:mwaa:UpdateEnvironment": "MaxWorkers+MaxWebservers|MinWorkers",
    "aws:deadline:CreateFleet": "maxWorkerCount",
    "aws:deadline:UpdateFleet": "maxWorkerCount",
    "aws:omics:CreateRunGroup": "maxRuns",
    "aws:neptune-graph:CreateGraph": "replicaCount",
    "aws:apprunner:CreateAutoScalingConfiguration": "MaxSize|MinSize",
    "aws:bedrock:CreateProvisionedModelThroughput": "modelUnits",
    "aws:drs:StartRecovery": "sourceServers#",
}
"""Where an operation says how many: `|` takes the largest, `+` adds, lists add up their members, `#` counts a list."""


def quantity(operation: str, parameters: Mapping[str, Value]) -> int:
    """How many of what an action may bring about at most; 1 where it does not say."""
    own = _OWN.get(operation)
    found = own(parameters) if own is not None else evaluate(COUNTS.get(operation, ""), parameters)
    return 1 if found is None or found < 0 else min(found, QUANTITY_MAX)


def known(operation: str) -> bool:
    """Whether an operation says how many."""
    return operation in _OWN or bool(COUNTS.get(operation))


def places(operation: str) -> frozenset[str]:
    """The paths at which an operation says how many, as in `COUNTS`; lists that are counted are none."""
    terms = (term for alternative in COUNTS.get(operation, "").split("|") for term in alternative.split("+"))
    return frozenset(term for term in terms if term and not term.endswith("#"))


def evaluate(expression: str, parameters: Mapping[str, Value]) -> int | None:
    """The value of an expression as in `COUNTS`; None where no part of it is given."""
    found: list[int] = []
    for terms in _compiled(expression):
        values = [value for value in (_sum(parameters, path, counted) for path, counted in terms) if value is not None]
        if values:
            found.append(sum(values))
    return max(found) if found else None


def whole(value: Value) -> int | None:
    """A count as an integer, rounded up; None for what is none. Text counts where a template carries it."""
    if isinstance(value, bool):
        return None
    if isinstance(value, int):
        return value
    if isinstance(value, float | Decimal):
        return math.ceil(value) if math.isfinite(value) else None
    if type(value) is str and value.isascii() and value.isdigit() and len(value) <= COUNT_DIGITS_MAX:
        return int(value)
    return None


@cache
def _compiled(expression: str) -> tuple[tuple[tuple[tuple[str, ...], bool], ...], ...]:
    return tuple(
        tuple((tuple(term.rstrip("#").split(".")), term.endswith("#")) for term in alternative.split("+"))
        for alternative in expression.split("|")
        if alternative
    )


def _sum(value: Value, path: Sequence[str], counted: bool) -> int | None:
    if isinstance(value, Sequence) and not isinstance(value, str | bytes):
        if counted and not path:
            return len(value)
        found = [one for one in (_sum(item, path, counted) for item in value) if one is not None]
        return sum(found) if found else None
    if path:
        return _sum(value.get(path[0]), path[1:], counted) if isinstance(value, Mapping) else None
    return None if counted else whole(value)


def _fleet(capacity: str, *overrides: str) -> _Own:
    """Machines of a fleet: its capacity, more where a machine may weigh less than one unit."""

    def count(parameters: Mapping[str, Value]) -> int | None:
        target = evaluate(capacity, parameters)
        if target is None:
            return None
        weights = [weight for path in overrides for weight in _numbers(parameters, path.split(".")) if weight > 0]
        least = min([Decimal(1), *weights])
        return math.ceil(Decimal(target) / least) if target <= QUANTITY_MAX else target

    return count


def _numbers(value: Value, path: Sequence[str]) -> list[Decimal]:
    if isinstance(value, Sequence) and not isinstance(value, str | bytes):
        return [number for item in value for number in _numbers(item, path)]
    if path:
        return _numbers(value.get(path[0]), path[1:]) if isinstance(value, Mapping) else []
    if isinstance(value, int | float | Decimal) and not isinstance(value, bool) and math.isfinite(value):
        return [Decimal(str(value))]
    return []


def _throughput(parameters: Mapping[str, Value]) -> int | None:
    """Read and write units of a table, its indexes and its replicas, together."""
    units = "ProvisionedThroughput.ReadCapacityUnits+ProvisionedThroughput.WriteCapacityUnits"
    indexes = "+".join(
        f"{place}.ProvisionedThroughput.{kind}CapacityUnits"
        for place in (
            "GlobalSecondaryIndexes",
            "GlobalSecondaryIndexUpdates.Create",
            "GlobalSecondaryIndexUpdates.Update",
        )
        for kind in ("Read", "Write")
    )
    return evaluate(f"{units}+{indexes}", parameters)


def _replication_group(parameters: Mapping[str, Value]) -> int | None:
    """Nodes of a replication group: shards times (replicas and their primary)."""
    clusters = whole(parameters.get("NumCacheClusters"))
    groups = whole(parameters.get("NumNodeGroups"))
    replicas = whole(parameters.get("ReplicasPerNodeGroup"))
    listed = parameters.get("NodeGroupConfiguration")
    shards = [one for one in listed if isinstance(one, Mapping)] if isinstance(listed, list) else []
    nodes = sum((whole(one.get("ReplicaCount")) or replicas or 0) + 1 for one in shards)
    if clusters is None and groups is None and replicas is None and not shards:
        return None
    return max(clusters or 0, (groups or 1) * ((replicas or 0) + 1), nodes)


def _memorydb(parameters: Mapping[str, Value]) -> int | None:
    shards, replicas = whole(parameters.get("NumShards")), whole(parameters.get("NumReplicasPerShard"))
    return (1 if shards is None else shards) * ((1 if replicas is None else replicas) + 1)


def _search(member: str) -> _Own:
    """Data, dedicated master and warm nodes of a search domain, together."""

    def count(parameters: Mapping[str, Value]) -> int | None:
        given = parameters.get(member)
        config = given if isinstance(given, Mapping) else {}
        masters = (whole(config.get("DedicatedMasterCount")) or 3) if config.get("DedicatedMasterEnabled") else 0
        warm = (whole(config.get("WarmCount")) or 2) if config.get("WarmEnabled") else 0
        others = evaluate("NodeOptions.NodeConfig.Count", config) or 0
        return (whole(config.get("InstanceCount")) or 1) + masters + warm + others

    return count


def _training(parameters: Mapping[str, Value]) -> int | None:
    """Machines of a training job: all groups, at most as many as its warm pool keeps."""
    return evaluate("ResourceConfig.InstanceCount|ResourceConfig.InstanceGroups.InstanceCount", parameters)


def _tuning(parameters: Mapping[str, Value]) -> int | None:
    """Machines of a tuning job: those of one training job times how many run at once."""
    at_once = evaluate("HyperParameterTuningJobConfig.ResourceLimits.MaxParallelTrainingJobs", parameters) or 1
    one = "ResourceConfig.InstanceCount|HyperParameterTuningResourceConfig.InstanceCount"
    single = "|".join(f"TrainingJobDefinition.{path}" for path in one.split("|"))
    several = "|".join(f"TrainingJobDefinitions.{path}" for path in one.split("|"))
    machines = max(evaluate(single, parameters) or 1, evaluate(several, parameters) or 1)
    return at_once * machines


def _endpoint(parameters: Mapping[str, Value]) -> int | None:
    """Machines of an endpoint: of each variant the larger of what it starts with and what it may grow to."""
    total = 0
    for name in ("ProductionVariants", "ShadowProductionVariants"):
        variants = parameters.get(name)
        for one in variants if isinstance(variants, list) else ():
            if isinstance(one, Mapping):
                total += evaluate("ManagedInstanceScaling.MaxInstanceCount|InitialInstanceCount", one) or 1
    return total or None


def _cluster_groups(parameters: Mapping[str, Value]) -> int | None:
    """Machines of an EMR cluster: of each group the larger of its count and the limit of its own scaling."""
    instances = parameters.get("Instances")
    nested = instances if isinstance(instances, Mapping) else {}
    groups = parameters.get("InstanceGroups") or nested.get("InstanceGroups")
    total = 0
    for one in groups if isinstance(groups, list) else ():
        if isinstance(one, Mapping):
            total += evaluate("InstanceCount|AutoScalingPolicy.Constraints.MaxCapacity", one) or 0
    listed = evaluate(COUNTS["aws:emr:RunJobFlow"], parameters)
    return max(total, listed or 0) if groups or listed is not None else None


def _job_nodes(parameters: Mapping[str, Value]) -> int | None:
    """Machines of a batch job: its array times its nodes."""
    array = evaluate("arrayProperties.size", parameters)
    nodes = evaluate("nodeOverrides.numNodes", parameters)
    return None if array is None and nodes is None else (array or 1) * (nodes or 1)


_OWN: Mapping[str, _Own] = {
    "aws:ec2:CreateFleet": _fleet(
        "TargetCapacitySpecification.TotalTargetCapacity"
        "|TargetCapacitySpecification.OnDemandTargetCapacity+TargetCapacitySpecification.SpotTargetCapacity",
        "LaunchTemplateConfigs.Overrides.WeightedCapacity",
    ),
    "aws:ec2:ModifyFleet": _fleet(
        "TargetCapacitySpecification.TotalTargetCapacity"
        "|TargetCapacitySpecification.OnDemandTargetCapacity+TargetCapacitySpecification.SpotTargetCapacity",
        "LaunchTemplateConfigs.Overrides.WeightedCapacity",
    ),
    "aws:ec2:RequestSpotFleet": _fleet(
        "SpotFleetRequestConfig.TargetCapacity|SpotFleetRequestConfig.OnDemandTargetCapacity",
        "SpotFleetRequestConfig.LaunchSpecifications.WeightedCapacity",
        "SpotFleetRequestConfig.LaunchTemplateConfigs.Overrides.WeightedCapacity",
    ),
    "aws:ec2:ModifySpotFleetRequest": _fleet(
        "TargetCapacity|OnDemandTargetCapacity", "LaunchTemplateConfigs.Overrides.WeightedCapacity"
    ),
    "aws:dynamodb:CreateTable": _throughput,
    "aws:dynamodb:UpdateTable": _throughput,
    "aws:elasticache:CreateReplicationGroup": _replication_group,
    "aws:elasticache:ModifyReplicationGroup": _replication_group,
    "aws:memorydb:CreateCluster": _memorydb,
    "aws:opensearch:CreateDomain": _search("ClusterConfig"),
    "aws:opensearch:UpdateDomainConfig": _search("ClusterConfig"),
    "aws:es:CreateElasticsearchDomain": _search("ElasticsearchClusterConfig"),
    "aws:es:UpdateElasticsearchDomainConfig": _search("ElasticsearchClusterConfig"),
    "aws:sagemaker:CreateTrainingJob": _training,
    "aws:sagemaker:CreateHyperParameterTuningJob": _tuning,
    "aws:sagemaker:CreateEndpointConfig": _endpoint,
    "aws:emr:RunJobFlow": _cluster_groups,
    "aws:emr:AddInstanceGroups": _cluster_groups,
    "aws:batch:SubmitJob": _job_nodes,
}
"""Operations that a sum over paths does not count."""
