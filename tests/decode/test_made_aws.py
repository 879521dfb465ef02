"""What lives on in AWS: named by its answer, stopped, deleted and looked at at a real server, tagged when made."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

import pytest
from aws_meaning_kit import CODEC, OTHER, OWN, act
from hypothesis import given
from hypothesis import strategies as st
from made_kit import OURS, Moto
from tests.fuzz_kit import fuzz
from tools.build_aws_holdings import TABLE, build, written

from comptroller.core.action import Action, digest
from comptroller.core.estimate import Outcome
from comptroller.core.made import Liveness, Made, Way
from comptroller.core.request import Header, Request
from comptroller.decode.aws.holdings import endpoint_of
from comptroller.decode.aws.lasting import Kind, lasting, table
from comptroller.decode.made import closes, listed, listing, liveness, order, request_for
from comptroller.decode.tags import tagged, touches_our_tags
from comptroller.testing.aws_server import AwsServer

IMAGE = "ami-12c6146b"
ROLE = f"arn:aws:iam::{OWN}:role/r"
RUN = {"ImageId": IMAGE, "MinCount": 2, "MaxCount": 2, "InstanceType": "t3.micro"}
DONE = Outcome(status=200, ok=True, complete=True)


@pytest.fixture(scope="module")
def moto() -> Iterator[Moto]:
    with AwsServer() as server:
        yield Moto(server)


@pytest.fixture(scope="module")
def subnets(moto: Moto) -> list[str]:
    return [row["SubnetId"] for row in moto.server.client("ec2").describe_subnets()["Subnets"]][:2]


def test_the_table_is_current() -> None:
    assert TABLE.read_text("utf-8") == written(build()), "run tools/build_aws_holdings.py"


def test_every_order_of_the_table_is_a_request_that_decodes_to_itself() -> None:
    """Every kind, every way: written anew it is read as exactly the action that was ordered."""
    alike = ("aws:neptune:", "aws:docdb:")
    ways = 0
    for service in (line.split("\t")[0] for line in TABLE.read_text("utf-8").splitlines()):
        for kind in table(service).kinds.values():
            for way in kind.ways:
                action = order(_sample(kind), way, agent="keeper", run="run-1")
                assert action is not None, (service, kind.name, way)
                again = _again(action)
                if not action.operation.startswith(alike):  # the same wire form as RDS, which is read first
                    assert again.operation == action.operation
                    assert digest(again) == digest(action)
                assert again.parameters == action.parameters
                ways += 1
    assert ways > 1100


def _sample(kind: Kind) -> Made:
    names = [f"arn:aws:x:us-east-1:{OWN}:thing/a" if kind.by_arn and not kind.short else "a-1", "b-2", "c-3", "d-4"]
    return Made(
        kind=f"aws:{kind.service}:{kind.name}",
        resource=kind.resource(names[: kind.count]),
        account=OWN,
        region="us-east-1",
        endpoint=endpoint_of(kind.service, "us-east-1"),
    )


def _again(action: Action) -> Action:
    """The action as it is read from what our codec wrote."""
    sent = CODEC.encode(action, request_for(action))
    assert sent.signing is not None
    scope = f"{sent.signing.region}/{sent.signing.service}/aws4_request"
    told = f"AWS4-HMAC-SHA256 Credential=AKID/20261101/{scope}, SignedHeaders=host, Signature={'0' * 64}"
    return CODEC.decode(
        Request(
            scheme=sent.scheme,
            method=sent.method,
            host=sent.host,
            port=sent.port,
            target=sent.target,
            headers=(*sent.headers, Header("authorization", told), Header("x-amz-date", "20261101T000000Z")),
            body=sent.body,
            agent=action.agent,
            run=action.run,
            accounts={"aws": OWN},
        )
    )


def test_machines_are_named_stopped_and_ended(moto: Moto) -> None:
    answer = moto.call("ec2:RunInstances", RUN)
    machines = [one for one in answer.outcome.holdings if one.kind == "aws:ec2:instance"]
    assert [one.share for one in machines] == [1, 1]
    assert {one.resource for one in machines} == set(moto.server.instances())
    assert all(one.account == OWN and one.region == "us-east-1" and one.created for one in machines)
    first, second = machines
    assert moto.look(first) is Liveness.LIVE
    assert moto.ask(first, Way.STOP).outcome.ok and moto.look(first) is Liveness.STOPPED
    assert moto.look(second) is Liveness.LIVE
    started = moto.call("ec2:StartInstances", {"InstanceIds": [first.resource]}).outcome.holdings
    assert started == (first,) and not started[0].created
    assert moto.look(first) is Liveness.LIVE
    ended = moto.call("ec2:TerminateInstances", {"InstanceIds": [one.resource for one in machines]})
    assert {one.made.resource for one in closes(ended.action, ended.outcome)} == {one.resource for one in machines}
    assert [moto.look(one) for one in machines] == [Liveness.GONE, Liveness.GONE]
    assert moto.look(replace(first, resource="i-0123456789abcdef0")) is Liveness.GONE


DATABASE = {
    "DBInstanceIdentifier": "Web",
    "DBInstanceClass": "db.m5.large",
    "Engine": "postgres",
    "MasterUsername": "u",
    "MasterUserPassword": "passw0rd12",
    "AllocatedStorage": 20,
}
LISTENER = {"Protocol": "HTTP", "LoadBalancerPort": 80, "InstancePort": 80}
GROUP = {
    "AutoScalingGroupName": "g",
    "LaunchConfigurationName": "lc",
    "MinSize": 1,
    "MaxSize": 4,
    "DesiredCapacity": 2,
    "AvailabilityZones": ["us-east-1a"],
}
STACK = {"StackName": "s", "TemplateBody": '{"Resources":{"Q":{"Type":"AWS::SQS::Queue"}}}'}
TABLE_OF = {
    "TableName": "t",
    "AttributeDefinitions": [{"AttributeName": "a", "AttributeType": "S"}],
    "KeySchema": [{"AttributeName": "a", "KeyType": "HASH"}],
    "ProvisionedThroughput": {"ReadCapacityUnits": 1, "WriteCapacityUnits": 1},
}
FLOW = {
    "Name": "x",
    "Instances": {
        "MasterInstanceType": "m5.xlarge",
        "SlaveInstanceType": "m5.xlarge",
        "InstanceCount": 3,
        "KeepJobFlowAliveWhenNoSteps": True,
    },
    "JobFlowRole": "r",
    "ServiceRole": "s",
}
WAREHOUSE = {
    "ClusterIdentifier": "rs",
    "NodeType": "ra3.xlplus",
    "MasterUsername": "u",
    "MasterUserPassword": "Passw0rd12",
    "NumberOfNodes": 2,
}
LIVES: dict[str, tuple[str, Mapping[str, Any], str, int, bool]] = {
    "volume": ("ec2:CreateVolume", {"AvailabilityZone": "us-east-1a", "Size": 10}, "aws:ec2:volume", 1, False),
    "address": ("ec2:AllocateAddress", {"Domain": "vpc"}, "aws:ec2:address", 1, False),
    "database": ("rds:CreateDBInstance", DATABASE, "aws:rds:db-instance", 1, True),
    "classic balancer": (
        "elb:CreateLoadBalancer",
        {"LoadBalancerName": "clb", "Listeners": [LISTENER], "AvailabilityZones": ["us-east-1a"]},
        "aws:elb:load-balancer",
        1,
        False,
    ),
    "group": ("autoscaling:CreateAutoScalingGroup", GROUP, "aws:autoscaling:auto-scaling-group", 4, True),
    "stack": ("cloudformation:CreateStack", STACK, "aws:cloudformation:stack", 1, False),
    "notebook": (
        "sagemaker:CreateNotebookInstance",
        {"NotebookInstanceName": "n", "InstanceType": "ml.t3.medium", "RoleArn": ROLE},
        "aws:sagemaker:notebook-instance",
        1,
        True,
    ),
    "table": ("dynamodb:CreateTable", TABLE_OF, "aws:dynamodb:table", 2, False),
    "stream": ("kinesis:CreateStream", {"StreamName": "k", "ShardCount": 2}, "aws:kinesis:stream", 2, False),
    "hadoop": ("emr:RunJobFlow", FLOW, "aws:emr:cluster", 3, False),
    "search": ("opensearch:CreateDomain", {"DomainName": "dom"}, "aws:opensearch:domain", 1, False),
    "warehouse": ("redshift:CreateCluster", WAREHOUSE, "aws:redshift:cluster", 2, True),
    "files": ("efs:CreateFileSystem", {"CreationToken": "x"}, "aws:efs:file-system", 1, False),
}


@pytest.mark.parametrize("name", LIVES)
def test_a_thing_lives_stops_and_ends(moto: Moto, name: str) -> None:
    call, parameters, kind, share, stops = LIVES[name]
    if name == "group":
        moto.server.client("autoscaling").create_launch_configuration(
            LaunchConfigurationName="lc", ImageId=IMAGE, InstanceType="t3.micro"
        )
    (made,) = moto.call(call, parameters).outcome.holdings
    assert (made.kind, made.share) == (kind, share)
    assert moto.look(made) is Liveness.LIVE
    assert (order(made, Way.STOP, agent="keeper", run="r") is not None) is stops
    if stops:
        answer = moto.ask(made, Way.STOP)
        assert answer.outcome.ok, answer.body
        assert [(one.made.key, one.way) for one in closes(answer.action, answer.outcome)] == [(made.key, Way.STOP)]
        assert moto.look(made) is Liveness.STOPPED
    answer = moto.ask(made, Way.DELETE)
    assert answer.outcome.ok, answer.body
    assert [(one.made.key, one.way) for one in closes(answer.action, answer.outcome)] == [(made.key, Way.DELETE)]
    assert moto.look(made) is Liveness.GONE


def test_a_balancer_a_gateway_and_clusters(moto: Moto, subnets: list[str]) -> None:
    network = {"subnetIds": subnets}
    for call, parameters in (
        ("elbv2:CreateLoadBalancer", {"Name": "lb", "Subnets": subnets}),
        ("ec2:CreateNatGateway", {"SubnetId": subnets[0], "ConnectivityType": "private"}),
        ("eks:CreateCluster", {"name": "c", "roleArn": ROLE, "resourcesVpcConfig": network}),
    ):
        (made,) = moto.call(call, parameters).outcome.holdings
        assert moto.look(made) is Liveness.LIVE
        assert moto.ask(made, Way.DELETE).outcome.ok and moto.look(made) is Liveness.GONE


def test_what_two_names_name(moto: Moto, subnets: list[str]) -> None:
    moto.call("eks:CreateCluster", {"name": "prod", "roleArn": ROLE, "resourcesVpcConfig": {"subnetIds": subnets}})
    (nodes,) = moto.call(
        "eks:CreateNodegroup",
        {
            "clusterName": "prod",
            "nodegroupName": "gpu",
            "subnets": subnets,
            "nodeRole": ROLE,
            "scalingConfig": {"minSize": 1, "maxSize": 6, "desiredSize": 2},
        },
    ).outcome.holdings
    assert (nodes.kind, nodes.resource, nodes.share) == ("aws:eks:nodegroup", "prod/gpu", 6)
    assert moto.look(nodes) is Liveness.LIVE
    assert moto.ask(nodes, Way.DELETE).outcome.ok and moto.look(nodes) is Liveness.GONE
    client = moto.server.client("ecs")
    client.create_cluster(clusterName="web")
    client.register_task_definition(family="f", containerDefinitions=[{"name": "c", "image": "i", "memory": 64}])
    (service,) = moto.call(
        "ecs:CreateService", {"cluster": "web", "serviceName": "site", "taskDefinition": "f", "desiredCount": 2}
    ).outcome.holdings
    assert (service.resource, service.share) == ("web/site", 2)
    assert moto.look(service) is Liveness.LIVE
    stop = moto.ask(service, Way.STOP)
    assert stop.outcome.ok and closes(stop.action, stop.outcome)[0].made.key == service.key
    more = moto.call("ecs:UpdateService", {"cluster": "web", "service": "site", "desiredCount": 5})
    assert closes(more.action, more.outcome) == ()
    assert moto.ask(service, Way.DELETE).outcome.ok and moto.look(service) is Liveness.GONE


def test_only_what_is_new_was_created() -> None:
    """The service answers alike where the balancer existed: whoever asks again does not become its maker."""

    def created(state: str) -> bool:
        balancer = {"LoadBalancerArn": "arn:aws:x:lb", "State": {"Code": state}}
        (one,) = lasting(act("elbv2:CreateLoadBalancer", {"Name": "lb"}), {"LoadBalancers": [balancer]})
        return one.created

    assert created("provisioning") and not created("active")
    (classic,) = lasting(act("elb:CreateLoadBalancer", {"LoadBalancerName": "lb"}), {"DNSName": "d"})
    assert not classic.created


def test_shares_add_up() -> None:
    fleet = act("ec2:RunInstances", {**RUN, "MinCount": 1, "MaxCount": 5})
    mapped = {"BlockDeviceMappings": [{"Ebs": {"VolumeId": "vol-1"}}]}
    made = lasting(fleet, {"Instances": [{"InstanceId": "i-1", **mapped}, {"InstanceId": "i-2"}]})
    assert [(one.resource, one.share) for one in made] == [("i-1", 3), ("i-2", 2), ("vol-1", 0)]
    tasks = [{"clusterArn": "arn:c/web", "taskArn": "arn:t/1"}, {"taskArn": "arn:t/2"}, {"clusterArn": "arn:c/web"}]
    assert [one.resource for one in lasting(act("ecs:RunTask", {}), {"tasks": tasks})] == ["web/1"]


def test_what_an_agent_ends_in_other_words() -> None:
    cases = {
        ("rds:DeleteDBInstance", "DBInstanceIdentifier", f"arn:aws:rds:us-east-1:{OWN}:db:web"): "web",
        ("rds:StopDBInstance", "DBInstanceIdentifier", "WEB"): "web",
        ("cloudformation:DeleteStack", "StackName", f"arn:aws:cloudformation:us-east-1:{OWN}:stack/s/0-1"): "s",
        ("dynamodb:DeleteTable", "TableName", f"arn:aws:dynamodb:us-east-1:{OWN}:table/t"): "t",
    }
    for (call, member, value), resource in cases.items():
        assert [one.made.resource for one in closes(act(call, {member: value}), DONE)] == [resource]
    task = closes(act("ecs:StopTask", {"task": f"arn:aws:ecs:us-east-1:{OWN}:task/web/0abc"}), DONE)
    assert [one.made.resource for one in task] == ["default/0abc"]
    for place in ("us-east-1:222222222222", f"eu-west-1:{OWN}"):
        for call, member, kind in (("dynamodb:DeleteTable", "TableName", "table/t"),
                                   ("cloudformation:DeleteStack", "StackName", "stack/s/0-1")):  # fmt: skip
            elsewhere = f"arn:aws:{call.partition(':')[0]}:{place}:{kind}"
            assert closes(act(call, {member: elsewhere}), DONE) == (), "the same name elsewhere is another thing"
    refused = replace(DONE, status=403, ok=False)
    assert closes(act("ec2:TerminateInstances", {"InstanceIds": ["i-1"]}), refused) == ()
    assert closes(act("ec2:RebootInstances", {"InstanceIds": ["i-1"]}), DONE) == ()


def test_tags_are_kept_by_the_service(moto: Moto, subnets: list[str]) -> None:
    named = {"ResourceType": "instance", "Tags": [{"Key": "Name", "Value": "web"}]}
    answer = moto.call("ec2:RunInstances", {**RUN, "TagSpecifications": [named]})
    client = moto.server.client("ec2")
    machines = [one.resource for one in answer.outcome.holdings if one.kind == "aws:ec2:instance"]
    found = client.describe_tags(Filters=[{"Name": "resource-id", "Values": machines[:1]}])["Tags"]
    assert {row["Key"]: row["Value"] for row in found} == {"Name": "web", **OURS}
    moto.call("rds:CreateDBInstance", {**DATABASE, "DBInstanceIdentifier": "tagged"})
    moto.call("elbv2:CreateLoadBalancer", {"Name": "tagged", "Subnets": subnets})
    moto.call("eks:CreateCluster", {"name": "tagged", "roleArn": ROLE, "resourcesVpcConfig": {"subnetIds": subnets}})
    database = moto.server.client("rds").describe_db_instances(DBInstanceIdentifier="tagged")["DBInstances"][0]
    assert {row["Key"]: row["Value"] for row in database["TagList"]} == OURS
    assert moto.server.client("eks").describe_cluster(name="tagged")["cluster"]["tags"] == OURS
    place = answer.outcome.holdings[0]
    seen = []
    for action in listing(place, {"comptroller:run": "run-1"}, agent="keeper", run="run-1"):
        asked = moto.own(action)
        rows = listed(action, asked.status, asked.body, asked.headers)
        assert rows is not None
        seen += rows[0]
    assert all(one.tags["comptroller:run"] == "run-1" for one in seen)
    assert {one.key for one in answer.outcome.holdings} <= {one.made.key for one in seen}
    kinds = {one.made.kind: one.made.resource for one in seen}
    assert kinds["aws:rds:db-instance"] == "tagged"
    assert "aws:elbv2:load-balancer" in kinds  # moto's index has no clusters of EKS
    for one in seen:
        if one.made.kind in ("aws:rds:db-instance", "aws:elbv2:load-balancer"):
            assert moto.look(one.made) is Liveness.LIVE


def test_a_long_listing_goes_on() -> None:
    place = Made(kind="aws:ec2:instance", resource="", account=OWN, region="us-east-1", endpoint="")
    by_index, _ = listing(place, {"comptroller:run": ""}, agent="keeper", run="run-1")
    mine = f"arn:aws:ec2:us-east-1:{OWN}:instance/i-1"
    rows = [{"ResourceARN": arn, "Tags": []} for arn in (mine, mine.replace(OWN, OTHER), mine.replace("east", "west"))]
    body = json.dumps({"PaginationToken": "next", "ResourceTagMappingList": rows}).encode()
    found = listed(by_index, 200, body)
    assert found is not None and [one.made.resource for one in found[0]] == ["i-1"]
    assert found[1] is not None and found[1].parameters["PaginationToken"] == "next"
    assert _again(found[1]).parameters == found[1].parameters
    assert listed(by_index, 200, body[:-4]) is None
    assert listed(by_index, 500, body) is None


def test_tagging_changes_nothing_of_the_agent() -> None:
    own = {"ResourceType": "instance", "Tags": [{"Key": "comptroller:run", "Value": "mine"}]}
    action = act("ec2:RunInstances", {**RUN, "TagSpecifications": [own]})
    once = tagged(action, OURS)
    given = once.parameters["TagSpecifications"]
    assert isinstance(given, list) and given[0]["Tags"][0] == {"Key": "comptroller:run", "Value": "mine"}
    assert len(given[0]["Tags"]) == len(OURS)
    assert tagged(once, OURS) == once and digest(tagged(action, OURS)) == digest(once)
    assert _again(once).parameters == once.parameters
    full = [{"Key": f"k{number}", "Value": ""} for number in range(48)]
    crowded = act("rds:CreateDBInstance", {**DATABASE, "Tags": full})
    assert tagged(crowded, OURS) is crowded
    for call, parameters in (
        ("ec2:StartInstances", {"InstanceIds": ["i-1"]}),
        ("ec2:DescribeInstances", {}),
        ("ec2:RunInstances", {**RUN, "DryRun": True}),
        ("s3:PutObject", {"Bucket": "b", "Key": "k"}),
    ):
        untouched = act(call, parameters)
        assert tagged(untouched, OURS) is untouched
    group = tagged(act("autoscaling:CreateAutoScalingGroup", GROUP), OURS).parameters["Tags"]
    assert isinstance(group, list) and all(one["PropagateAtLaunch"] is True for one in group)


TOUCHING: tuple[tuple[str, Mapping[str, Any], bool], ...] = (
    ("ec2:CreateTags", {"Resources": ["i-1"], "Tags": [{"Key": "comptroller:run", "Value": "x"}]}, True),
    ("ec2:CreateTags", {"Resources": ["i-1"], "Tags": [{"Key": "Name", "Value": "comptroller:run"}]}, True),
    ("ec2:CreateTags", {"Resources": ["i-1"], "Tags": [{"Key": "Name", "Value": "x"}]}, False),
    ("ec2:DeleteTags", {"Resources": ["i-1"], "Tags": [{"Key": "Comptroller:Agent"}]}, True),
    ("ec2:DeleteTags", {"Resources": ["i-1"]}, True),
    ("ec2:DeleteTags", {"Resources": ["i-1"], "Tags": [{"Key": "Name"}]}, False),
    ("ec2:RunInstances", {**RUN, "TagSpecifications": [{"Tags": [{"Key": "comptroller:x", "Value": ""}]}]}, True),
    ("ec2:RunInstances", RUN, False),
    ("resourcegroupstaggingapi:UntagResources", {"ResourceARNList": ["a"], "TagKeys": ["comptroller:run"]}, True),
    ("resourcegroupstaggingapi:TagResources", {"ResourceARNList": ["a"], "Tags": {"comptroller:run": "x"}}, True),
    ("resourcegroupstaggingapi:GetResources", {"TagFilters": [{"Key": "comptroller:run"}]}, False),
    ("eks:UntagResource", {"resourceArn": "a", "tagKeys": ["comptroller:run"]}, True),
    ("lambda:TagResource", {"Resource": "a", "Tags": {"team": "x"}}, False),
)


@pytest.mark.parametrize(("call", "parameters", "touches"), TOUCHING)
def test_our_tags_are_ours(call: str, parameters: Mapping[str, Any], touches: bool) -> None:
    assert touches_our_tags(act(call, parameters)) is touches


BODIES = st.one_of(
    st.binary(max_size=200),
    st.sampled_from(
        (
            b"<DescribeInstancesResponse><reservationSet/></DescribeInstancesResponse>",
            b"<DescribeInstancesResponse><reservationSet><item><instancesSet><item><instanceId>i-1</instanceId>"
            b"<instanceState><name>terminated</name></instanceState></item></instancesSet></item></reservationSet>"
            b"</DescribeInstancesResponse>",
            b"<Response><Errors><Error><Code>InvalidInstanceID.NotFound</Code></Error></Errors></Response>",
        )
    ),
)


@fuzz(200)
@given(status=st.integers(-1, 999), body=BODIES, cut=st.integers(0, 400), resource=st.text(max_size=20))
def test_any_answer_says_something_or_nothing(status: int, body: bytes, cut: int, resource: str) -> None:
    made = Made(kind="aws:ec2:instance", resource=resource, account=OWN, region="us-east-1", endpoint="e")
    said = liveness(made, status, body[:cut])
    if status >= 500 or status in (401, 403, 429):
        assert said is Liveness.UNKNOWN
    look = listing(made, OURS, agent="a", run="r")
    for action in look:
        listed(action, status, body[:cut])
    for way in Way:
        order(made, way, agent="a", run="r")


@fuzz(200)
@given(
    call=st.sampled_from(sorted({call for call, *_ in LIVES.values()} | {"ec2:RunInstances", "ecs:RunTask"})),
    body=st.one_of(st.binary(max_size=300), st.text(max_size=200).map(str.encode)),
    status=st.integers(0, 599),
    complete=st.booleans(),
)
def test_nothing_is_named_that_neither_side_said(call: str, body: bytes, status: int, complete: bool) -> None:
    given_in = {"AutoScalingGroupName": "g", "LoadBalancerName": "clb", "StackName": "s", "NotebookInstanceName": "n"}
    action = act(call, {**given_in, "StreamName": "k"})
    meter = CODEC.meter(action)
    meter.head(status, (("content-type", "application/json"),))
    meter.feed(body)
    outcome = meter.finish(complete=complete)
    said = body.decode("utf-8", "replace").lower() + " ".join(given_in.values()) + "k"
    for one in outcome.holdings:
        assert outcome.ok and (one.account, one.region, one.endpoint) == (OWN, action.region, action.endpoint)
        assert all(name.lower() in said for name in one.resource.split("/"))
