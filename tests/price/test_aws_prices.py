"""Prices of AWS operations: public prices lie inside, what is not told is unknown, nothing is free by mistake."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.fuzz_kit import fuzz
from tests.price.price_kit import action, hourly, machines, once

from comptroller import price
from comptroller.core.action import Action, ActionClass
from comptroller.core.estimate import Unit
from comptroller.price.aws import priced

GOLDEN = Path(__file__).parent.parent / "golden" / "aws_classes.tsv"
EXECUTE, READ, PAY, WRITE = ActionClass.EXECUTE, ActionClass.READ, ActionClass.PAY, ActionClass.WRITE
MYSQL = {"DBInstanceClass": "db.m5.large", "Engine": "mysql", "AllocatedStorage": 100}
POSTGRES = {"Engine": "postgres", "DBInstanceClass": "db.r6g.large"}
TRAINING = {"ResourceConfig": {"InstanceType": "ml.m5.large", "InstanceCount": 1, "VolumeSizeInGB": 5}}
BROKERS = {"instanceType": "kafka.m5.large", "storageInfo": {"ebsStorageInfo": {"volumeSize": 100}}}


@pytest.mark.parametrize(
    ("found", "dollars"),
    [
        (action("aws:rds:CreateDBInstance", MYSQL), 0.171 + 11.5 / 730),
        (action("aws:rds:CreateDBInstance", {**MYSQL, "MultiAZ": True}), 0.342 + 23 / 730),
        (action("aws:rds:CreateDBInstance", {**MYSQL, "DBInstanceClass": "db.t3.micro"}), 0.017 + 11.5 / 730),
        (action("aws:rds:CreateDBInstance", {**MYSQL, **POSTGRES}), 0.2408),
        (action("aws:rds:CreateDBInstance", {"DBInstanceClass": "db.r5.large", "Engine": "aurora-mysql"}), 0.29),
        (action("aws:docdb:CreateDBInstance", {"DBInstanceClass": "db.r5.large", "Engine": "docdb"}), 0.277),
        (action("aws:neptune:CreateDBInstance", {"DBInstanceClass": "db.r5.large", "Engine": "neptune"}), 0.348),
        (action("aws:eks:CreateCluster", {"name": "c"}), 0.10),
        (action("aws:eks:CreateNodegroup", {"instanceTypes": ["m5.large"]}, quantity=3), 3 * (0.096 + 1.6 / 730)),
        (action("aws:elasticache:CreateCacheCluster", {"CacheNodeType": "cache.m5.large"}, quantity=2), 0.312),
        (action("aws:elasticache:CreateReplicationGroup", {"CacheNodeType": "cache.r6g.large"}, quantity=3), 0.618),
        (action("aws:memorydb:CreateCluster", {"NodeType": "db.r6g.large"}, quantity=2), 0.618),
        (action("aws:opensearch:CreateDomain", {"ClusterConfig": {"InstanceType": "r5.large.search"}}), 0.186),
        (action("aws:redshift:CreateCluster", {"NodeType": "ra3.4xlarge", "NumberOfNodes": 2}, quantity=2), 6.52),
        (action("aws:kafka:CreateCluster", {"brokerNodeGroupInfo": BROKERS, "numberOfBrokerNodes": 3}), 0.671),
        (action("aws:sagemaker:CreateNotebookInstance", {"InstanceType": "ml.t3.medium"}), 0.05 + 0.7 / 730),
        (action("aws:ec2:CreateNatGateway", {"SubnetId": "s"}), 0.05),
        (action("aws:ec2:CreateVpcEndpoint", {"VpcEndpointType": "Interface", "SubnetIds": ["a", "b"]}), 0.02),
        (action("aws:ec2:AllocateAddress"), 0.005),
        (action("aws:rds:CreateDBSnapshot", {"DBInstanceIdentifier": "x"}), 1000 * 0.095 / 730),
        (action("aws:ec2:CreateSnapshot", {"VolumeId": "vol-1"}), 500 * 0.05 / 730),
        (action("aws:rds:CreateDBInstance", {**MYSQL, "EngineVersion": "5.7.44"}), 0.171 + 11.5 / 730 + 2 * 0.1),
        (action("aws:sagemaker:CreateTrainingJob", TRAINING), 0.115 + 0.7 / 730),
        (action("aws:ec2:CreateVolume", {"Size": 100, "VolumeType": "gp3", "Iops": 6000}), 23 / 730),
        (action("aws:ec2:CreateVolume", {"Size": 1000, "VolumeType": "gp3"}), 80 / 730),
        (action("aws:ec2:CreateVolume", {"Size": 100, "VolumeType": "io2", "Iops": 1000}), 77.5 / 730),
        (action("aws:ec2:AllocateHosts", {"InstanceType": "m5.large", "Quantity": 1}), 5.069),
        (action("aws:ec2:CreateCapacityReservation",
                {"InstanceType": "m5.large", "InstancePlatform": "Linux/UNIX"}, quantity=4), 0.384),
        (action("aws:dynamodb:CreateTable",
                {"ProvisionedThroughput": {"ReadCapacityUnits": 100, "WriteCapacityUnits": 100}}), 0.078),
        (action("aws:kinesis:CreateStream", {"ShardCount": 4}), 0.06),
        (action("aws:ecs:RunTask",
                {"launchType": "FARGATE", "overrides": {"cpu": "1024", "memory": "2048"}}, quantity=2), 0.09874),
        (action("aws:lambda:PutProvisionedConcurrencyConfig", {"ProvisionedConcurrentExecutions": 10}), 0.15),
        (action("aws:glue:StartJobRun", {"WorkerType": "G.1X", "NumberOfWorkers": 10}), 4.4),
        (action("aws:emr:RunJobFlow",
                {"Instances": {"InstanceGroups": [{"InstanceType": "m5.xlarge", "InstanceCount": 3}]}}), 0.72),
        (action("aws:network-firewall:CreateFirewall", {"SubnetMappings": [{}, {}]}), 0.79),
        (action("aws:directconnect:CreateConnection", {"bandwidth": "10Gbps"}), 2.25),
        (action("aws:route53:CreateHostedZone", {"Name": "x"}), 0.5 / 730),
        (action("aws:kms:CreateKey"), 1 / 730),
        (action("aws:acm-pca:CreateCertificateAuthority"), 400 / 730),
    ],
)  # fmt: skip
def test_public_prices_lie_inside(found: Action, dollars: float) -> None:
    low, high = hourly(found)
    assert high is not None and low <= dollars <= high, (low, dollars, high)


@pytest.mark.parametrize(
    ("found", "dollars"),
    [
        (action("aws:lambda:Invoke", {}, EXECUTE), 0.0000002 + 0.128 * 3 * 0.0000166667),
        (action("aws:lambda:Invoke", {}, EXECUTE), 10.24 * 900 * 0.0000166667),
        (action("aws:lambda:Invoke", {"InvocationType": "Event"}, EXECUTE), 3 * 10.24 * 900 * 0.0000166667),
        (action("aws:s3:PutObject", {"StorageClass": "GLACIER"}, WRITE), 0.00003),
        (action("aws:translate:TranslateText", {"Text": "x" * 1000}, READ), 0.015),
        (action("aws:polly:SynthesizeSpeech", {"Text": "x" * 1000, "Engine": "neural"}, READ), 0.016),
        (action("aws:comprehend:DetectSentiment", {"Text": "x" * 550}, READ), 0.0006),
        (action("aws:rekognition:DetectLabels", {}, READ), 0.0012),
        (action("aws:textract:AnalyzeDocument", {"FeatureTypes": ["FORMS", "TABLES"]}, READ), 0.065),
        (action("aws:s3:PutObject", {}, WRITE), 0.000005),
        (action("aws:kms:Sign", {}, READ), 0.000015),
        (action("aws:sns:Publish", {"PhoneNumber": "+1", "Message": "x" * 70}, ActionClass.COMMUNICATE), 0.0152),
        (action("aws:ses:SendEmail", {"Destination": {"ToAddresses": ["a", "b"]}}, ActionClass.COMMUNICATE), 0.0002),
        (action("aws:route53domains:RegisterDomain", {"DomainName": "a.com", "DurationInYears": 2}, PAY), 30),
        (action("aws:ec2:PurchaseReservedInstancesOffering",
                {"LimitPrice": {"Amount": 500.5, "CurrencyCode": "USD"}}, PAY), 500),
        (action("aws:savingsplans:CreateSavingsPlan", {"commitment": "0.5"}, PAY), 0.5 * 8760),
    ],
)  # fmt: skip
def test_what_is_paid_at_once_lies_inside(found: Action, dollars: float) -> None:
    low, high = once(found)
    # A bound is in whole micro-dollars.
    assert high is not None and low <= dollars <= high + 1e-6, (low, dollars, high)


@pytest.mark.parametrize(
    "found",
    [
        action("aws:ec2:StartInstances", {"InstanceIds": ["i-1"]}),
        action("aws:ec2:CreateFleet", {"LaunchTemplateConfigs": [{}]}, quantity=5),
        action("aws:autoscaling:CreateAutoScalingGroup", {"LaunchTemplate": {"LaunchTemplateId": "lt"}}, quantity=9),
        machines("m5.large", LaunchTemplate={"LaunchTemplateId": "lt"}),
        machines("m5.large", Placement={"AvailabilityZone": "us-east-1-bos-1a"}),
        action("aws:ec2:CreateVolume", {"SnapshotId": "snap-1"}),
        action("aws:ec2:CreateVolume", {"Size": 1, "VolumeInitializationRate": 300}),
        action("aws:ec2:CreateVpnConnection", {"Options": {"TunnelBandwidth": "large"}}),
        action("aws:rds:CreateDBInstance", {**MYSQL, "DedicatedLogVolume": True}),
        action("aws:elasticache:CreateCacheCluster", {"CacheNodeType": "cache.m5.large", "EngineVersion": "5.0.6"}),
        action("aws:eks:CreateNodegroup", {"amiType": "WINDOWS_CORE_2022_x86_64"}),
        action("aws:dynamodb:CreateTable", {"WarmThroughput": {"WriteUnitsPerSecond": 9}}),
        action("aws:sagemaker:CreateTrainingJob", {"AlgorithmSpecification": {"AlgorithmName": "arn"}, **TRAINING}),
        action("aws:rds:CopyDBSnapshot", {"SourceDBSnapshotIdentifier": "arn:aws:rds:eu-west-1:1:snapshot:x"}),
        action("aws:ec2:CopySnapshot", {"SourceRegion": "eu-west-1"}),
        action("aws:ec2:CreateCapacityReservation", {"InstanceType": "m5.large", "InstancePlatform": "Windows"}),
        action("aws:rds:CreateDBInstance", {"DBInstanceClass": "db.m5.large", "Engine": "mysql"}),
        action("aws:rds:CreateDBInstance", {**MYSQL, "DBInstanceClass": "m5.large"}),
        action("aws:rds:StartDBInstance", {"DBInstanceIdentifier": "x"}),
        action("aws:rds:RestoreDBInstanceFromDBSnapshot", {"DBInstanceClass": "db.m5.large"}),
        action("aws:rds:ModifyDBInstance", {"AllocatedStorage": 9000}),
        action("aws:eks:CreateCluster", {"computeConfig": {"enabled": True}}),
        action("aws:eks:CreateNodegroup", {"launchTemplate": {"id": "lt"}}),
        action("aws:eks:CreateAddon", {"addonName": "somebody_addon"}),
        action("aws:ecs:RunTask", {"taskDefinition": "x"}),
        action("aws:sagemaker:CreateEndpoint", {"EndpointConfigName": "x"}),
        action("aws:sagemaker:CreateApp", {"AppType": "KernelGateway"}),
        action("aws:glue:StartJobRun", {"JobName": "x"}),
        action("aws:bedrock:CreateProvisionedModelThroughput", {"modelId": "new.model", "modelUnits": 1}),
        action(
            "aws:batch:CreateComputeEnvironment", {"computeResources": {"maxvCpus": 9, "instanceTypes": ["optimal"]}}
        ),
        action("aws:dynamodb:UpdateTable", {"ReplicaUpdates": [{}]}),
        action("aws:ec2:PurchaseReservedInstancesOffering", {"InstanceCount": 1}, PAY),
        action("aws:ec2:PurchaseReservedInstancesOffering", {"LimitPrice": {"Amount": 5, "CurrencyCode": "EUR"}}, PAY),
        action("aws:savingsplans:CreateSavingsPlan", {"savingsPlanOfferingId": "x"}, PAY),
        action("aws:route53domains:RegisterDomain", {"DomainName": "a.casino"}, PAY),
        action("aws:athena:StartQueryExecution", {"QueryString": "select"}, WRITE),
        action("aws:nobody:CreateThing"),
    ],
)
def test_what_the_request_does_not_tell_is_unknown(found: Action) -> None:
    assert price.estimate(found).unknown(Unit.USD_MICROS)


def test_every_priced_operation_exists() -> None:
    known = {line.partition("\t")[0] for line in GOLDEN.read_text("utf-8").splitlines()}
    assert set(priced()) - known == set()


def test_a_service_without_a_region_counts_by_the_home_regions_prices() -> None:
    assert hourly(action("aws:route53:CreateHostedZone", {"Name": "x"}, region=""))[1] is not None
    assert hourly(action("aws:ec2:CreateNatGateway", {"SubnetId": "s"}, region=""))[1] is None


def test_a_fleet_by_specifications_counts_its_dearest_machine() -> None:
    config = {"LaunchSpecifications": [{"InstanceType": "t4g.nano"}, {"InstanceType": "m5.large", "SpotPrice": "1"}]}
    low, high = hourly(action("aws:ec2:RequestSpotFleet", {"SpotFleetRequestConfig": config}, quantity=10))
    assert low == 0 and high == pytest.approx(10.05)


def test_machines_are_told_for_energy() -> None:
    for found in (
        action("aws:rds:CreateDBInstance", MYSQL),
        action("aws:eks:CreateNodegroup", {"instanceTypes": ["m5.large"]}),
        action("aws:emr:RunJobFlow", {"Instances": {"InstanceGroups": [{"InstanceType": "m5.large"}]}}),
    ):
        assert (price.estimate(found).high(Unit.MILLIWATT_HOURS) or 0) > 0


def test_what_is_free_by_itself_is_named_and_costs_nothing() -> None:
    estimate = price.estimate(action("aws:ecs:CreateCluster"))
    assert estimate.bounds[Unit.USD_MICROS].high == 0 and "free" in estimate.basis


values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8) | st.binary(max_size=4),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=6,
)
NAMES = ("m5.large", "db.m5.large", "mysql")
MEMBERS = (
    "InstanceType", "DBInstanceClass", "Engine", "AllocatedStorage", "MultiAZ", "instanceTypes", "scalingConfig",
    "Size", "VolumeType", "Iops", "ClusterConfig", "NodeType", "CacheNodeType", "provisioned", "Instances",
    "InstanceGroups", "overrides", "launchType", "ProvisionedThroughput", "GlobalSecondaryIndexes", "ResourceConfig",
    "LimitPrice", "commitment", "SpotFleetRequestConfig", "LaunchSpecification", "FeatureTypes", "Text", "Workspaces",
    "computeResources", "ProductionVariants", "MaxCapacity", "WorkerType", "NumberOfWorkers", "Destination",
    "DomainName", "modelId",
)  # fmt: skip


@fuzz(300)
@given(
    st.sampled_from(sorted(priced())),
    st.dictionaries(
        st.sampled_from(MEMBERS), values | st.sampled_from(["m5.large", "db.m5.large", "mysql"]), max_size=6
    ),
    st.integers(-1, 10**20),
    st.sampled_from(["us-east-1", "eu-west-1", "", "nowhere"]),
    st.sets(st.sampled_from(list(ActionClass)), min_size=1),
)
def test_any_parameters_have_a_bound_or_are_unknown(
    operation: str, parameters: dict[str, object], quantity: int, region: str, classes: set[ActionClass]
) -> None:
    estimate = price.estimate(action(operation, parameters, *classes, quantity=quantity, region=region))
    for bound in estimate.bounds.values():
        assert type(bound.low) is int and (bound.high is None or bound.high >= bound.low >= 0)
