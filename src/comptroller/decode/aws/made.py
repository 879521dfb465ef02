"""What a response says was made: the id or ARN of the thing itself, not of what it merely uses."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from comptroller.core.action import Action
from comptroller.decode.aws import index

MADE_MAX = 256
DEPTH_MAX = 12
VALUES_MAX = 20_000

_DATABASES = {
    **dict.fromkeys(
        (
            *("CreateDBInstance", "CreateDBInstanceReadReplica", "RestoreDBInstanceFromDBSnapshot"),
            *("RestoreDBInstanceToPointInTime", "RestoreDBInstanceFromS3", "StartDBInstance"),
        ),
        "DBInstance.DBInstanceArn",
    ),
    **dict.fromkeys(
        (
            *("CreateDBCluster", "RestoreDBClusterFromSnapshot", "RestoreDBClusterToPointInTime"),
            *("RestoreDBClusterFromS3", "StartDBCluster"),
        ),
        "DBCluster.DBClusterArn",
    ),
    "CreateGlobalCluster": "GlobalCluster.GlobalClusterArn",
    "CopyDBSnapshot": "DBSnapshot.DBSnapshotArn",
    "CreateDBSnapshot": "DBSnapshot.DBSnapshotArn",
    "CreateDBProxy": "DBProxy.DBProxyArn",
}
PRIMARY: Mapping[str, Mapping[str, str]] = {
    "ec2": {
        "RunInstances": "Instances.InstanceId",
        "StartInstances": "StartingInstances.InstanceId",
        "RunScheduledInstances": "InstanceIdSet",
        "CreateFleet": "Instances.InstanceIds|FleetId",
        "RequestSpotInstances": "SpotInstanceRequests.SpotInstanceRequestId",
        "RequestSpotFleet": "SpotFleetRequestId",
        "CreateVolume": "VolumeId",
        "CreateSnapshot": "SnapshotId",
        "CreateSnapshots": "Snapshots.SnapshotId",
        "CopySnapshot": "SnapshotId",
        "CreateImage": "ImageId",
        "CopyImage": "ImageId",
        "CreateNatGateway": "NatGateway.NatGatewayId",
        "AllocateAddress": "AllocationId",
        "AllocateHosts": "HostIds",
        "CreateCapacityReservation": "CapacityReservation.CapacityReservationId",
        "CreateVpcEndpoint": "VpcEndpoint.VpcEndpointId",
        "CreateTransitGateway": "TransitGateway.TransitGatewayId",
        "CreateTransitGatewayVpcAttachment": "TransitGatewayVpcAttachment.TransitGatewayAttachmentId",
        "CreateVpnConnection": "VpnConnection.VpnConnectionId",
        "CreateClientVpnEndpoint": "ClientVpnEndpointId",
        "CreateVpcPeeringConnection": "VpcPeeringConnection.VpcPeeringConnectionId",
        "PurchaseReservedInstancesOffering": "ReservedInstancesId",
    },
    "rds": _DATABASES,
    "neptune": _DATABASES,
    "docdb": _DATABASES,
    "eks": {
        "CreateCluster": "cluster.arn",
        "CreateNodegroup": "nodegroup.nodegroupArn",
        "CreateFargateProfile": "fargateProfile.fargateProfileArn",
        "CreateAddon": "addon.addonArn",
    },
    "ecs": {
        "CreateCluster": "cluster.clusterArn",
        "RunTask": "tasks.taskArn",
        "StartTask": "tasks.taskArn",
        "CreateService": "service.serviceArn",
        "UpdateService": "service.serviceArn",
        "CreateTaskSet": "taskSet.taskSetArn",
    },
    "emr": {
        "RunJobFlow": "JobFlowId",
        "AddInstanceGroups": "InstanceGroupIds",
        "AddInstanceFleet": "InstanceFleetId",
    },
    "batch": {"SubmitJob": "jobArn|jobId", "CreateComputeEnvironment": "computeEnvironmentArn"},
    "redshift": dict.fromkeys(
        ("CreateCluster", "RestoreFromClusterSnapshot", "ResumeCluster"), "Cluster.ClusterNamespaceArn"
    ),
    "redshift-serverless": {"CreateWorkgroup": "workgroup.workgroupArn"},
    "elasticache": {
        "CreateCacheCluster": "CacheCluster.ARN|CacheCluster.CacheClusterId",
        "CreateReplicationGroup": "ReplicationGroup.ARN|ReplicationGroup.ReplicationGroupId",
        "CreateServerlessCache": "ServerlessCache.ARN",
    },
    "memorydb": {"CreateCluster": "Cluster.ARN|Cluster.Name"},
    "dax": {"CreateCluster": "Cluster.ClusterArn"},
    "opensearch": {"CreateDomain": "DomainStatus.ARN"},
    "es": {"CreateElasticsearchDomain": "DomainStatus.ARN"},
    "opensearchserverless": {"CreateCollection": "createCollectionDetail.arn"},
    "mq": {"CreateBroker": "BrokerArn"},
    "dynamodb": dict.fromkeys(
        ("CreateTable", "RestoreTableFromBackup", "RestoreTableToPointInTime"), "TableDescription.TableArn"
    ),
    "elbv2": {"CreateLoadBalancer": "LoadBalancers.LoadBalancerArn"},
    "cloudformation": dict.fromkeys(("CreateStack", "UpdateStack", "CreateChangeSet"), "StackId"),
    "cloudcontrol": {"CreateResource": "ProgressEvent.Identifier"},
    "lambda": {"CreateFunction": "FunctionArn"},
    "lightsail": dict.fromkeys(
        ("CreateInstances", "CreateRelationalDatabase", "CreateContainerService", "CreateDisk"),
        "operations.resourceName|containerService.arn",
    ),
    "workspaces": {"CreateWorkspaces": "PendingRequests.WorkspaceId"},
    "appstream": {"CreateFleet": "Fleet.Arn"},
    "efs": {"CreateFileSystem": "FileSystemArn"},
    "fsx": {"CreateFileSystem": "FileSystem.ResourceARN"},
    "glue": {"StartJobRun": "JobRunId", "CreateDevEndpoint": "EndpointName", "CreateSession": "Session.Id"},
    "codebuild": {"StartBuild": "build.arn", "CreateProject": "project.arn"},
    "apprunner": {"CreateService": "Service.ServiceArn"},
    "elasticbeanstalk": {"CreateEnvironment": "EnvironmentArn|EnvironmentId"},
    "globalaccelerator": {"CreateAccelerator": "Accelerator.AcceleratorArn"},
    "network-firewall": {"CreateFirewall": "Firewall.FirewallArn"},
    "ds": dict.fromkeys(("CreateDirectory", "CreateMicrosoftAD", "ConnectDirectory"), "DirectoryId"),
    "cloudhsmv2": {"CreateHsm": "Hsm.HsmId"},
    "kms": {"CreateKey": "KeyMetadata.Arn"},
    "transfer": {"CreateServer": "ServerId"},
    "dms": {"CreateReplicationInstance": "ReplicationInstance.ReplicationInstanceArn"},
    "gamelift": {"CreateFleet": "FleetAttributes.FleetArn"},
    "directconnect": {"CreateConnection": "connectionId"},
    "route53": {"CreateHostedZone": "HostedZone.Id"},
    "route53domains": {"RegisterDomain": "OperationId"},
    "savingsplans": {"CreateSavingsPlan": "savingsPlanId"},
    "iam": {
        "CreateRole": "Role.Arn",
        "CreateUser": "User.Arn",
        "CreateGroup": "Group.Arn",
        "CreatePolicy": "Policy.Arn",
        "CreateInstanceProfile": "InstanceProfile.Arn",
        "CreateAccessKey": "AccessKey.AccessKeyId",
        "CreateLoginProfile": "LoginProfile.UserName",
    },
    "ssm": {"SendCommand": "Command.CommandId", "StartSession": "SessionId"},
    "sts": {"AssumeRole": "AssumedRoleUser.Arn"},
    "sagemaker": {"CreateDomain": "DomainArn"},
}
"""service -> operation -> where the id of what was made stands; `|` gives a second place for a response without it."""

REQUESTED: Mapping[str, str] = {
    "aws:elb:CreateLoadBalancer": "LoadBalancerName",
    "aws:autoscaling:CreateAutoScalingGroup": "AutoScalingGroupName",
    "aws:autoscaling:UpdateAutoScalingGroup": "AutoScalingGroupName",
    "aws:autoscaling:SetDesiredCapacity": "AutoScalingGroupName",
    "aws:kinesis:CreateStream": "StreamName",
    "aws:kinesis:UpdateShardCount": "StreamName",
    "aws:sagemaker:StartNotebookInstance": "NotebookInstanceName",
    "aws:cloudformation:ExecuteChangeSet": "StackName",
    "aws:lambda:PutProvisionedConcurrencyConfig": "FunctionName",
}
"""Operations that answer without a name: what was made is called as the request says."""

_MADE_ID = re.compile(r"[a-z]{1,16}-[0-9a-f]{8}(?:[0-9a-f]{9})?|arn:aws[a-z-]*:[^\s]{1,1024}", re.ASCII)
_VERB = re.compile(r"^[A-Z][a-z]+")
_ENDS = ("Arn", "ARN", "arn", "Id")


def made(action: Action, response: Any) -> tuple[str, ...]:
    """Ids and ARNs of what an answered action made; empty where the response names nothing. Never raises."""
    named = REQUESTED.get(action.operation)
    if named is not None:
        value = action.parameters.get(named)
        found: Iterator[str] = iter((_arn_of(action, value),) if isinstance(value, str) else ())
    else:
        service, _, name = action.operation.removeprefix(index.PREFIX).partition(":")
        path = PRIMARY.get(service, {}).get(name)
        found = _first(response, path) if path else _own(response, _VERB.sub("", name))
    return tuple(dict.fromkeys(item for item in found if item))[:MADE_MAX]


def _arn_of(action: Action, name: str) -> str:
    """The ARN the request's own words give, else the name."""
    ends = (f"/{name}", f":{name}")
    return next((one for one in action.resources if one.startswith("arn:") and one.endswith(ends)), name)


def _first(response: Any, path: str) -> Iterator[str]:
    for one in path.split("|"):
        found = list(_at(response, one.split(".")))
        if found:
            yield from found
            return


def _at(value: Any, path: Sequence[str]) -> Iterator[str]:
    if isinstance(value, list):
        for item in value:
            yield from _at(item, path)
    elif path and isinstance(value, dict):
        yield from _at(value.get(path[0]), path[1:])
    elif not path and isinstance(value, str):
        yield value


def _own(response: Any, noun: str) -> Iterator[str]:
    """The ARN or id that is named like what the operation makes, nearest the top; else every ARN and id there is."""
    every = list(_ids(response))
    wanted = noun.lower()
    for ending in ("arn", "id"):
        own = [(depth, value) for depth, key, value in every if key.lower() in (f"{wanted}{ending}",)]
        plain = [(depth, value) for depth, key, value in every if key.lower() == ending and depth <= 1]
        for rows in (own, plain):
            if rows:
                top = min(depth for depth, _ in rows)
                yield from (value for depth, value in rows if depth == top)
                return
    yield from (value for _, _, value in every if _MADE_ID.fullmatch(value))


def _ids(response: Any) -> Iterator[tuple[int, str, str]]:
    """(depth, member, value) of everything that is called an id or an ARN."""
    stack: list[tuple[Any, int]] = [(response, 0)]
    seen = 0
    while stack:
        value, depth = stack.pop()
        seen += 1
        if depth > DEPTH_MAX or seen > VALUES_MAX:
            continue
        if isinstance(value, dict):
            for key, item in value.items():
                if isinstance(item, str):
                    if key.endswith(_ENDS) or key in ("id", "arn"):
                        yield depth, key, item
                elif key != "ResponseMetadata":
                    stack.append((item, depth + 1))
        elif isinstance(value, list):
            stack.extend((item, depth) for item in reversed(value))
