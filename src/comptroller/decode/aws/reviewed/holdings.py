"""The reviewed part of `holdings.tsv`: what the shape of the models does not say about things that live on.

Compiled by `tools/build_aws_holdings.py`; never read while serving. In arguments `{0}` is the first name of the thing.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

Way = tuple[str, Mapping[str, Any]]
ALSO, STARTED, WITHIN = "+", "s", "0"
"""Flags of a maker: it makes this kind besides another; the thing existed before; its cost lies within another's."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Kind:
    """One kind of thing. `makers` maps an operation to where the names stand in its answer (`$Name`: in its request).

    `state` is where a look shows the thing: path of the item, member that names it, path of its state. `zero` lists
    members of the item that are all 0 or empty when it is stopped; `held` is a member that must be gone as well;
    `words` says what a state means (`gone`, `stopped`, `live`) where the common words do not. `lower`: its service
    spells names in lower case; `short`: what is given as an ARN is named by its last part. `fresh`: creating one that
    exists succeeds too; a member of the answer and the value by which a new one is told.
    """

    services: str
    name: str
    makers: Mapping[str, tuple[str, ...]]
    flags_of: Mapping[str, str] = field(default_factory=dict)
    delete: Way | None = None
    stop: Way | None = None
    look: Way | None = None
    state: tuple[str, str, str] = ("", "", "")
    zero: tuple[str, ...] = ()
    held: str = ""
    lower: bool = False
    short: bool = False
    fresh: tuple[str, str] | None = None
    words: Mapping[str, str] = field(default_factory=dict)
    job: bool = False

    def flags(self, maker: str) -> tuple[str, ...]:
        """The flags of one maker, where it has any."""
        found = self.flags_of.get(maker, "")
        return (found,) if found else ()

    @property
    def extra(self) -> Mapping[str, Any]:
        """What else the table says of the kind."""
        out: dict[str, Any] = {}
        if self.zero:
            out["zero"] = list(self.zero)
        if self.held:
            out["held"] = self.held
        if self.lower:
            out["lower"] = 1
        if self.short:
            out["short"] = 1
        if self.fresh:
            out["fresh"] = list(self.fresh)
        if self.words:
            out["words"] = dict(self.words)
        return out


_ID = "{0}"
_FINAL = "{0}-comptroller-final"
"""Name of the last snapshot: a database is never deleted without one."""
_DB, _CLUSTER = "DBInstance.DBInstanceIdentifier", "DBCluster.DBClusterIdentifier"


def _op(name: str, member: str, **more: Any) -> Way:
    return name, {member: _ID, **more}


def _ops(name: str, member: str, **more: Any) -> Way:
    return name, {member: [_ID], **more}


_DATABASE = Kind(
    services="rds",
    name="db-instance",
    makers={
        "CreateDBInstance": (_DB,),
        "CreateDBInstanceReadReplica": (_DB,),
        "RestoreDBInstanceFromDBSnapshot": (_DB,),
        "RestoreDBInstanceToPointInTime": (_DB,),
        "RestoreDBInstanceFromS3": (_DB,),
        "StartDBInstance": (_DB,),
    },
    flags_of={"StartDBInstance": STARTED},
    delete=_op("DeleteDBInstance", "DBInstanceIdentifier", FinalDBSnapshotIdentifier=_FINAL),
    stop=_op("StopDBInstance", "DBInstanceIdentifier"),
    look=_op("DescribeDBInstances", "DBInstanceIdentifier"),
    state=("DBInstances[]", "DBInstanceIdentifier", "DBInstanceStatus"),
    lower=True,
)

KINDS: tuple[Kind, ...] = (
    Kind(
        services="ec2",
        name="instance",
        makers={
            "RunInstances": ("Instances.InstanceId",),
            "RunScheduledInstances": ("InstanceIdSet",),
            "CreateFleet": ("Instances.InstanceIds",),
            "StartInstances": ("StartingInstances.InstanceId",),
        },
        flags_of={"StartInstances": STARTED},
        delete=_ops("TerminateInstances", "InstanceIds"),
        stop=_ops("StopInstances", "InstanceIds"),
        look=_ops("DescribeInstances", "InstanceIds"),
        state=("Reservations[].Instances[]", "InstanceId", "State.Name"),
    ),
    Kind(
        services="ec2",
        name="volume",
        makers={
            "CreateVolume": ("VolumeId",),
            "CopyVolumes": ("Volumes.VolumeId",),
            "RunInstances": ("Instances.BlockDeviceMappings.Ebs.VolumeId",),
        },
        flags_of={"RunInstances": ALSO + WITHIN},
        delete=_op("DeleteVolume", "VolumeId"),
        look=_ops("DescribeVolumes", "VolumeIds"),
        state=("Volumes[]", "VolumeId", "State"),
    ),
    Kind(
        services="ec2",
        name="fleet",
        makers={"CreateFleet": ("FleetId",)},
        delete=_ops("DeleteFleets", "FleetIds", TerminateInstances=True),
        look=_ops("DescribeFleets", "FleetIds"),
        state=("Fleets[]", "FleetId", "FleetState"),
    ),
    Kind(
        services="ec2",
        name="spot-fleet-request",
        makers={"RequestSpotFleet": ("SpotFleetRequestId",)},
        delete=_ops("CancelSpotFleetRequests", "SpotFleetRequestIds", TerminateInstances=True),
        look=_ops("DescribeSpotFleetRequests", "SpotFleetRequestIds"),
        state=("SpotFleetRequestConfigs[]", "SpotFleetRequestId", "SpotFleetRequestState"),
    ),
    Kind(
        services="ec2",
        name="spot-instance-request",
        makers={"RequestSpotInstances": ("SpotInstanceRequests.SpotInstanceRequestId",)},
        delete=_ops("CancelSpotInstanceRequests", "SpotInstanceRequestIds"),
        look=_ops("DescribeSpotInstanceRequests", "SpotInstanceRequestIds"),
        state=("SpotInstanceRequests[]", "SpotInstanceRequestId", "State"),
        held="InstanceId",
    ),
    Kind(
        services="ec2",
        name="address",
        makers={"AllocateAddress": ("AllocationId",)},
        delete=_op("ReleaseAddress", "AllocationId"),
        look=_ops("DescribeAddresses", "AllocationIds"),
        state=("Addresses[]", "AllocationId", ""),
    ),
    Kind(
        services="ec2",
        name="host",
        makers={"AllocateHosts": ("HostIds",)},
        delete=_ops("ReleaseHosts", "HostIds"),
        look=_ops("DescribeHosts", "HostIds"),
        state=("Hosts[]", "HostId", "State"),
    ),
    Kind(
        services="ec2",
        name="vpc-endpoint",
        makers={"CreateVpcEndpoint": ("VpcEndpoint.VpcEndpointId",)},
        delete=_ops("DeleteVpcEndpoints", "VpcEndpointIds"),
        look=_ops("DescribeVpcEndpoints", "VpcEndpointIds"),
        state=("VpcEndpoints[]", "VpcEndpointId", "State"),
    ),
    _DATABASE,
    replace(_DATABASE, services="neptune", stop=None),
    replace(_DATABASE, services="docdb", stop=None, delete=_op("DeleteDBInstance", "DBInstanceIdentifier")),
    Kind(
        services="rds neptune docdb",
        name="db-cluster",
        makers={
            "CreateDBCluster": (_CLUSTER,),
            "RestoreDBClusterFromSnapshot": (_CLUSTER,),
            "RestoreDBClusterToPointInTime": (_CLUSTER,),
            "RestoreDBClusterFromS3": (_CLUSTER,),
            "StartDBCluster": (_CLUSTER,),
        },
        flags_of={"StartDBCluster": STARTED},
        delete=_op("DeleteDBCluster", "DBClusterIdentifier", FinalDBSnapshotIdentifier=_FINAL),
        stop=_op("StopDBCluster", "DBClusterIdentifier"),
        look=_op("DescribeDBClusters", "DBClusterIdentifier"),
        state=("DBClusters[]", "DBClusterIdentifier", "Status"),
        lower=True,
    ),
    Kind(
        services="redshift",
        name="cluster",
        makers={
            "CreateCluster": ("Cluster.ClusterIdentifier",),
            "RestoreFromClusterSnapshot": ("Cluster.ClusterIdentifier",),
            "ResumeCluster": ("Cluster.ClusterIdentifier",),
        },
        flags_of={"ResumeCluster": STARTED},
        delete=_op("DeleteCluster", "ClusterIdentifier", FinalClusterSnapshotIdentifier=_FINAL),
        stop=_op("PauseCluster", "ClusterIdentifier"),
        look=_op("DescribeClusters", "ClusterIdentifier"),
        state=("Clusters[]", "ClusterIdentifier", "ClusterStatus"),
        lower=True,
    ),
    Kind(
        services="eks",
        name="nodegroup",
        makers={"CreateNodegroup": ("nodegroup.clusterName", "nodegroup.nodegroupName")},
        delete=("DeleteNodegroup", {"clusterName": _ID, "nodegroupName": "{1}"}),
        stop=(
            "UpdateNodegroupConfig",
            {"clusterName": _ID, "nodegroupName": "{1}", "scalingConfig": {"minSize": 0, "desiredSize": 0}},
        ),
        look=("DescribeNodegroup", {"clusterName": _ID, "nodegroupName": "{1}"}),
        state=("nodegroup", "nodegroupName", "status"),
        zero=("scalingConfig.desiredSize",),
    ),
    Kind(
        services="ecs",
        name="service",
        makers={"CreateService": ("service.clusterArn", "service.serviceName")},
        delete=("DeleteService", {"cluster": _ID, "service": "{1}", "force": True}),
        stop=("UpdateService", {"cluster": _ID, "service": "{1}", "desiredCount": 0}),
        look=("DescribeServices", {"cluster": _ID, "services": ["{1}"]}),
        state=("services[]", "serviceName", "status"),
        zero=("desiredCount", "runningCount", "pendingCount"),
        short=True,
        words={"INACTIVE": "gone"},
    ),
    Kind(
        services="ecs",
        name="task",
        makers={"RunTask": ("tasks.clusterArn", "tasks.taskArn"), "StartTask": ("tasks.clusterArn", "tasks.taskArn")},
        stop=("StopTask", {"cluster": _ID, "task": "{1}"}),
        look=("DescribeTasks", {"cluster": _ID, "tasks": ["{1}"]}),
        state=("tasks[]", "taskArn", "lastStatus"),
        short=True,
        job=True,
    ),
    Kind(
        services="elb",
        name="load-balancer",
        makers={"CreateLoadBalancer": ("$LoadBalancerName",)},
        delete=_op("DeleteLoadBalancer", "LoadBalancerName"),
        look=_ops("DescribeLoadBalancers", "LoadBalancerNames"),
        state=("LoadBalancerDescriptions[]", "LoadBalancerName", ""),
        fresh=("", "an answer never tells"),
    ),
    Kind(
        services="elbv2",
        name="load-balancer",
        makers={"CreateLoadBalancer": ("LoadBalancers.LoadBalancerArn",)},
        delete=_op("DeleteLoadBalancer", "LoadBalancerArn"),
        look=_ops("DescribeLoadBalancers", "LoadBalancerArns"),
        state=("LoadBalancers[]", "LoadBalancerArn", "State.Code"),
        fresh=("LoadBalancers.State.Code", "provisioning"),
    ),
    Kind(
        services="autoscaling",
        name="auto-scaling-group",
        makers={"CreateAutoScalingGroup": ("$AutoScalingGroupName",)},
        delete=_op("DeleteAutoScalingGroup", "AutoScalingGroupName", ForceDelete=True),
        stop=_op("UpdateAutoScalingGroup", "AutoScalingGroupName", MinSize=0, DesiredCapacity=0),
        look=_ops("DescribeAutoScalingGroups", "AutoScalingGroupNames"),
        state=("AutoScalingGroups[]", "AutoScalingGroupName", "Status"),
        zero=("DesiredCapacity", "Instances"),
    ),
    Kind(
        services="cloudformation",
        name="stack",
        makers={"CreateStack": ("$StackName",)},
        delete=_op("DeleteStack", "StackName"),
        look=_op("DescribeStacks", "StackName"),
        state=("Stacks[]", "StackName", "StackStatus"),
    ),
    Kind(
        services="emr",
        name="cluster",
        makers={"RunJobFlow": ("JobFlowId",)},
        delete=_ops("TerminateJobFlows", "JobFlowIds"),
        look=_op("DescribeCluster", "ClusterId"),
        state=("Cluster", "Id", "Status.State"),
        job=True,
    ),
    Kind(
        services="lambda",
        name="provisioned-concurrency",
        makers={"PutProvisionedConcurrencyConfig": ("$FunctionName", "$Qualifier")},
        delete=("DeleteProvisionedConcurrencyConfig", {"FunctionName": _ID, "Qualifier": "{1}"}),
        look=("GetProvisionedConcurrencyConfig", {"FunctionName": _ID, "Qualifier": "{1}"}),
        state=("", "", "Status"),
        fresh=("", "an answer never tells"),
    ),
    Kind(
        services="batch",
        name="job",
        makers={"SubmitJob": ("jobId",)},
        stop=_op("TerminateJob", "jobId", reason="its budget or its term ended"),
        look=_ops("DescribeJobs", "jobs"),
        state=("jobs[]", "jobId", "status"),
        job=True,
    ),
    Kind(
        services="glue",
        name="job-run",
        makers={"StartJobRun": ("$JobName", "JobRunId")},
        stop=("BatchStopJobRun", {"JobName": _ID, "JobRunIds": ["{1}"]}),
        look=("GetJobRun", {"JobName": _ID, "RunId": "{1}"}),
        state=("JobRun", "Id", "JobRunState"),
        job=True,
    ),
    Kind(
        services="kms",
        name="key",
        makers={"CreateKey": ("KeyMetadata.KeyId",)},
        delete=_op("ScheduleKeyDeletion", "KeyId"),
        look=_op("DescribeKey", "KeyId"),
        state=("KeyMetadata", "KeyId", "KeyState"),
        words={"PendingDeletion": "stopped"},
    ),
    Kind(
        services="lightsail",
        name="instance",
        makers={
            "CreateInstances": ("operations.resourceName",),
            "CreateInstancesFromSnapshot": ("operations.resourceName",),
            "StartInstance": ("operations.resourceName",),
        },
        flags_of={"StartInstance": STARTED},
        delete=_op("DeleteInstance", "instanceName"),
        look=_op("GetInstance", "instanceName"),
        state=("instance", "name", "state.name"),
    ),
    Kind(
        services="workspaces",
        name="workspace",
        makers={"CreateWorkspaces": ("PendingRequests.WorkspaceId",)},
        delete=("TerminateWorkspaces", {"TerminateWorkspaceRequests": [{"WorkspaceId": _ID}]}),
        stop=("StopWorkspaces", {"StopWorkspaceRequests": [{"WorkspaceId": _ID}]}),
        look=_ops("DescribeWorkspaces", "WorkspaceIds"),
        state=("Workspaces[]", "WorkspaceId", "State"),
    ),
    Kind(
        services="bedrock",
        name="provisioned-model-throughput",
        makers={"CreateProvisionedModelThroughput": ("provisionedModelArn",)},
        delete=_op("DeleteProvisionedModelThroughput", "provisionedModelId"),
        look=_op("GetProvisionedModelThroughput", "provisionedModelId"),
        state=("", "provisionedModelArn", "status"),
    ),
    Kind(
        services="ds",
        name="directory",
        makers=dict.fromkeys(
            ("CreateDirectory", "CreateMicrosoftAD", "CreateHybridAD", "ConnectDirectory"), ("DirectoryId",)
        ),
        delete=_op("DeleteDirectory", "DirectoryId"),
        look=_ops("DescribeDirectories", "DirectoryIds"),
        state=("DirectoryDescriptions[]", "DirectoryId", "Stage"),
    ),
    Kind(
        services="dms",
        name="replication-instance",
        makers={"CreateReplicationInstance": ("ReplicationInstance.ReplicationInstanceArn",)},
        delete=_op("DeleteReplicationInstance", "ReplicationInstanceArn"),
        look=(
            "DescribeReplicationInstances",
            {"Filters": [{"Name": "replication-instance-arn", "Values": [_ID]}]},
        ),
        state=("ReplicationInstances[]", "ReplicationInstanceArn", "ReplicationInstanceStatus"),
    ),
    Kind(
        services="route53",
        name="hosted-zone",
        makers={"CreateHostedZone": ("HostedZone.Id",)},
        delete=_op("DeleteHostedZone", "Id"),
        look=_op("GetHostedZone", "Id"),
        state=("HostedZone", "Id", ""),
    ),
)

NO_HOLDING: frozenset[str] = frozenset(
    {
        "aws:lambda:CreateFunction",
        "aws:cloudformation:CreateChangeSet",
        "aws:cloudformation:ExecuteChangeSet",
        "aws:autoscaling:ExecutePolicy",
        "aws:autoscaling:StartInstanceRefresh",
        "aws:sagemaker:CreateModel",
        "aws:codebuild:CreateProject",
        "aws:glue:CreateJob",
    }
)
"""What costs only when it is used, or works on something that has its own holding."""
SKIPPED: frozenset[str] = frozenset(
    {
        "aws:ec2:CreateCapacityReservationBySplitting",
        "aws:ec2:AllocateIpamPoolCidr",
        "aws:ec2:ProvisionIpamPoolCidr",
        "aws:ec2:ImportInstance",
        "aws:lightsail:StopInstance",
    }
)
"""Where the shape of the models leads to another thing than the one that was made."""
