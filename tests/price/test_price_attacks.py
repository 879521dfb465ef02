"""Attacks on prices: requests that bring about more than a careless reader would count."""

from __future__ import annotations

import json

import pytest

from comptroller import price
from comptroller.core.action import Action, ActionClass, Payment
from comptroller.core.estimate import Bound, Unit
from comptroller.core.request import Header, Request
from comptroller.decode.registry import CodecRegistry
from comptroller.price.book import PriceBook

REGISTRY = CodecRegistry()
BOOK = PriceBook()
ZONE = "/compute/v1/projects/p/zones/us-east1-b"
GKE = "/v1/projects/p/locations/us-east1/clusters"
DATAPROC = "/v1/projects/p/regions/us-east1/clusters"
VERTEX = "/v1/projects/p/locations/us-east1"
QUERIES = "/bigquery/v2/projects/p/queries"
JOBS = "/bigquery/v2/projects/p/jobs"
LIMIT = {"maximumBytesBilled": str(1 << 20)}


def decoded(host: str, target: str, body: object, method: str = "POST") -> Action:
    request = Request(
        scheme="https",
        method=method,
        host=host,
        port=443,
        target=target,
        headers=(Header("content-type", "application/json"),),
        body=json.dumps(body).encode(),
        agent="a",
        run="r",
    )
    action = REGISTRY.codec_for(request).decode(request)
    assert not action.undecodable, action.reason
    return action


def google(service: str, target: str, body: object) -> Bound:
    return price.estimate(decoded(f"{service}.googleapis.com", target, body), BOOK).bounds[Unit.USD_MICROS]


def instance(**disk: object) -> dict[str, object]:
    wish = {"diskSizeGb": "500", "diskType": "pd-ssd", **disk}
    return {"machineType": "e2-standard-4", "disks": [{"initializeParams": wish}]}


def pool(**config: object) -> dict[str, object]:
    return {"nodePool": {"name": "n", "initialNodeCount": 1, "config": {"machineType": "e2-standard-4", **config}}}


def hadoop(**config: object) -> dict[str, object]:
    return {"config": {"workerConfig": {"numInstances": 2}, **config}}


def database(**more: object) -> dict[str, object]:
    settings = {"tier": "db-custom-4-15360", **more.pop("settings", {})}  # type: ignore[dict-item]
    return {"region": "us-east1", "databaseVersion": "POSTGRES_15", "settings": settings, **more}


def served(**spec: object) -> dict[str, object]:
    machine = {"machineType": "a2-highgpu-1g", **spec}
    return {"deployedModel": {"dedicatedResources": {"machineSpec": machine, "minReplicaCount": 1}}}


def test_a_disk_in_two_zones_is_two_disks() -> None:
    one, two = google("compute", f"{ZONE}/instances", instance()), google(
        "compute", f"{ZONE}/instances", instance(replicaZones=["a", "b"])
    )  # fmt: skip
    machine = BOOK.machine("gcp", "us-east1", "e2-standard-4")
    assert one.high is not None and two.high is not None and machine is not None
    assert two.high - machine.high == pytest.approx(2 * (one.high - machine.high), abs=2)


@pytest.mark.parametrize("kind", ["pd-extreme", "hyperdisk-extreme", "hyperdisk-balanced", "hyperdisk-throughput"])
def test_speed_that_a_disk_has_by_default_is_not_free(kind: str) -> None:
    """A disk of these kinds without stated speed gets one by its size, and that is paid for."""
    assert google("compute", f"{ZONE}/instances", instance(diskType=kind)).high is None
    assert google("compute", f"{ZONE}/disks", {"name": "d", "sizeGb": "500", "type": kind}).high is None
    assert google("container", f"{GKE}/c/nodePools", pool(diskType=kind)).high is None
    assert google("dataproc", DATAPROC, hadoop(masterConfig={"diskConfig": {"bootDiskType": kind}})).high is None


@pytest.mark.parametrize(
    "config",
    [
        {"localNvmeSsdBlockConfig": {"localSsdCount": 24}},
        {"ephemeralStorageLocalSsdConfig": {"localSsdCount": 24}},
        {"ephemeral_storage_config": {"local_ssd_count": 24}},
        {"secondaryBootDisks": [{"diskImage": "x"}]},
        {"bootDisk": {"sizeGb": "60000", "diskType": "pd-ssd"}},
        {"confidentialNodes": {"enabled": True}},
        {"newFangledHardware": {"count": 8}},
    ],
)
def test_nodes_with_hardware_beside_the_machine_have_no_price(config: dict[str, object]) -> None:
    assert google("container", f"{GKE}/c/nodePools", pool()).high is not None
    assert google("container", f"{GKE}/c/nodePools", pool(**config)).high is None
    nodes = {"cluster": {"initialNodeCount": 1, "nodeConfig": {"machineType": "e2-standard-4", **config}}}
    assert google("container", GKE, nodes).high is None


def test_a_node_pool_may_stand_in_every_zone_its_cluster_stands_in() -> None:
    """The cluster says in which zones, and it is not in the request; every node has a public address by default."""
    machine, address = BOOK.machine("gcp", "us-east1", "e2-standard-4"), BOOK.listed("gcp", "us-east1", "ipv4:public")
    assert machine is not None and address is not None
    for path in (GKE, GKE.replace("us-east1", "us-east1-b")):
        found = google("container", f"{path}/c/nodePools", pool())
        assert found.high is not None and found.high >= 4 * (machine.high + int(address.high))


@pytest.mark.parametrize(
    "cluster",
    [
        {"releaseChannel": {"channel": "EXTENDED"}},
        {
            "nodePoolDefaults": {"nodeConfigDefaults": {"gcfsConfig": {}}},
            "enterpriseConfig": {"desiredTier": "ENTERPRISE"},
        },
        {"autopilot": {"enabled": "true"}},
    ],
)
def test_a_cluster_with_dearer_service_has_no_price(cluster: dict[str, object]) -> None:
    nodes = {"nodePools": [pool()["nodePool"]]}
    assert google("container", GKE, {"cluster": nodes}).high is not None
    assert google("container", GKE, {"cluster": {**nodes, **cluster}}).high is None


@pytest.mark.parametrize(
    "more",
    [
        {"nodeCount": 20, "instanceType": "READ_POOL_INSTANCE"},
        {"databaseVersion": "MYSQL_5_7"},
        {"databaseVersion": "POSTGRES_9_6"},
        {"failoverReplica": {"name": "f"}},
        {"settings": {"dataDiskProvisionedIops": "80000"}},
    ],
)
def test_databases_with_more_than_one_machine_or_old_versions_have_no_price(more: dict[str, object]) -> None:
    assert google("sqladmin", "/v1/projects/p/instances", database()).high is not None
    assert google("sqladmin", "/v1/projects/p/instances", database(**more)).high is None


@pytest.mark.parametrize(
    "config",
    [
        {"auxiliaryNodeGroups": [{"nodeGroup": {"nodeGroupConfig": {"numInstances": 500}}}]},
        {"workerConfig": {"numInstances": 2, "instanceFlexibilityPolicy": {"instanceSelectionList": []}}},
        {"workerConfig": {"numInstances": 2, "diskConfig": {"attachedDiskConfigs": [{"diskSizeGb": 60000}]}}},
        {"workerConfig": {"numInstances": 2, "imageUri": "projects/windows-cloud/x"}},
        {"clusterTier": "CLUSTER_TIER_PREMIUM"},
    ],
)
def test_hadoop_with_more_than_its_pools_has_no_price(config: dict[str, object]) -> None:
    assert google("dataproc", DATAPROC, hadoop()).high is not None
    assert google("dataproc", DATAPROC, hadoop(**config)).high is None


@pytest.mark.parametrize("spec", [{"multihostGpuNodeCount": 32}, {"tpuTopology": "16x16"}, {"tpu_topology": "4x4"}])
def test_a_replica_of_many_hosts_has_no_price(spec: dict[str, object]) -> None:
    assert google("us-east1-aiplatform", f"{VERTEX}/endpoints/1:deployModel", served()).high is not None
    assert google("us-east1-aiplatform", f"{VERTEX}/endpoints/1:deployModel", served(**spec)).high is None
    pools = {"jobSpec": {"workerPoolSpecs": [{"machineSpec": {"machineType": "a2-highgpu-1g", **spec}}]}}
    assert google("us-east1-aiplatform", f"{VERTEX}/customJobs", pools).high is None


def test_every_slice_of_a_queued_tpu_counts() -> None:
    def slices(*counts: int) -> int:
        specs = [
            {"node": {"acceleratorType": "v5litepod-8"}, "multisliceParams": {"nodeCount": count}} for count in counts
        ]
        found = google(
            "tpu", "/v2alpha1/projects/p/locations/us-east1-b/queuedResources", {"tpu": {"nodeSpec": specs}}
        ).high
        assert found is not None
        return found

    assert slices(1, 2) == 3 * slices(1)


@pytest.mark.parametrize(
    ("target", "body"),
    [
        (JOBS, {**LIMIT, "configuration": {"query": {"query": "select 1"}}}),
        (QUERIES, {"query": "select 1", "configuration": {"load": {}}}),
        (QUERIES, {"query": "select 1", "configuration": {"query": LIMIT}}),
        (QUERIES, {"query": "create or replace MODEL d.m options() as select 1", **LIMIT}),
        (QUERIES, {"query": "select * from ml.generate_text((select 1))", **LIMIT}),
        (QUERIES, {"query": "execute immediate concat('create mo', 'del')", **LIMIT}),
        (JOBS, {"configuration": {"query": {"query": "call d.p()", **LIMIT}}}),
        (JOBS, {"configuration": {"query": {"query": "select 1", **LIMIT}, "Load": {}, "extract": {}}}),
    ],
)
def test_a_query_is_bounded_only_by_its_own_limit_and_only_where_it_reads_tables(target: str, body: object) -> None:
    assert google("bigquery", QUERIES, {"query": "select 1", **LIMIT}).high == 11
    assert google("bigquery", target, body).high is None


# ------------------------------------------------------------------ AWS

SIGNED = (
    "AWS4-HMAC-SHA256 Credential=AKIAX/20261123/us-east-1/{}/aws4_request, SignedHeaders=host, Signature=" + "0" * 64
)


def amazon(service: str, body: str | dict[str, object], target: str = "") -> Action:
    json_kind = "application/x-amz-json-1.1"
    headers = [
        Header("authorization", SIGNED.format(service)),
        Header("content-type", json_kind if target else "application/x-www-form-urlencoded"),
    ]
    request = Request(
        scheme="https",
        method="POST",
        host=f"{service}.us-east-1.amazonaws.com",
        port=443,
        target="/",
        headers=(*headers, *([Header("x-amz-target", target)] if target else [])),
        body=(body if isinstance(body, str) else json.dumps(body)).encode(),
        agent="a",
        run="r",
    )
    action = REGISTRY.codec_for(request).decode(request)
    assert not action.undecodable, action.reason
    return action


def amazon_high(action: Action) -> int | None:
    return price.estimate(action, BOOK).high(Unit.USD_MICROS)


@pytest.mark.parametrize(
    "size", [{"cpu": "0", "memory": "0"}, {"cpu": "0", "memory": "512"}, {"cpu": "", "memory": ""}]
)
def test_a_task_of_no_size_is_as_large_as_its_definition_says(size: dict[str, str]) -> None:
    def task(overrides: dict[str, str]) -> int:
        body = {"launchType": "FARGATE", "taskDefinition": "t", "overrides": overrides}
        found = amazon_high(amazon("ecs", body, "AmazonEC2ContainerServiceV20141113.RunTask"))
        assert found is not None
        return found

    assert task(size) == task({name: value for name, value in size.items() if value.strip("0")})


@pytest.mark.parametrize("mode", ["serverless", "parallelquery", "global"])
def test_a_serverless_cluster_without_a_capacity_has_no_price(mode: str) -> None:
    body = "Action=CreateDBCluster&Version=2014-10-31&DBClusterIdentifier=c&Engine=aurora-mysql"
    assert amazon_high(amazon("rds", body)) == 0
    assert amazon_high(amazon("rds", f"{body}&EngineMode={mode}")) is None


# ------------------------------------------------------------------ distrust


def doubted(action: Action, by: Action) -> bool:
    """Whether the price of `action` is unknown once that of `by` is distrusted."""
    pricer = price.Prices(book=BOOK)
    assert not pricer.estimate(action).unknown(Unit.USD_MICROS)
    pricer.trust(pricer.key(by), trusted=False)
    return pricer.estimate(action).unknown(Unit.USD_MICROS)


@pytest.mark.parametrize("more", [{"model": "x"}, {"InstanceType": "x"}, {"machineType": "x"}, {"vmSize": "x"}])
def test_members_that_a_service_ignores_make_no_other_price(more: dict[str, object]) -> None:
    place = "/subscriptions/5a1b2c3d-0000-4000-8000-0123456789ab/resourceGroups/g/providers/Microsoft.Compute"
    body = {"location": "eastus", "properties": {"hardwareProfile": {"vmSize": "Standard_D4s_v5"}}}

    def machine(**members: object) -> Action:
        return decoded("management.azure.com", f"{place}/virtualMachines/v?api-version=1", {**body, **members}, "PUT")

    assert doubted(machine(**more), machine()) and price.price_key(machine(**more)).endswith("/standard_d4s_v5")
    other = {"properties": {"hardwareProfile": {"vmSize": "Standard_D8s_v5"}}}
    assert not doubted(machine(**other), machine())


def test_another_name_of_the_same_model_has_the_same_price() -> None:
    def ask(model: str) -> Action:
        body = {"model": model, "messages": [{"role": "user", "content": "hi"}], "max_tokens": 5}
        return decoded("api.openai.com", "/v1/chat/completions", body)

    assert doubted(ask("gpt-4o-2024-08-06"), ask("gpt-4o")) and not doubted(ask("gpt-4o-mini"), ask("gpt-4o"))


def test_a_distrusted_kind_is_distrusted_among_others() -> None:
    def nodes(*kinds: str) -> Action:
        return Action(
            operation="aws:eks:CreateNodegroup",
            service="aws:eks",
            classes=frozenset({ActionClass.PROVISION}),
            endpoint="eks.us-east-1.amazonaws.com",
            agent="a",
            run="r",
            region="us-east-1",
            parameters={"instanceTypes": list(kinds), "diskSize": 20},
        )

    for among in (("t3.nano", "p4d.24xlarge"), ("p4d.24xlarge", "t3.nano")):
        assert doubted(nodes(*among), nodes("p4d.24xlarge"))
    assert doubted(nodes("m5.large", "t3.nano"), nodes("t3.nano", "m5.large"))


# ------------------------------------------------------------------ currencies


@pytest.mark.parametrize("currency", ["dai", "DAI", "eth", "usdc", "usdt"])
def test_a_currency_called_like_a_token_is_no_token(currency: str) -> None:
    """A token has up to 18 decimals: read as one, a million of hundredths would cost nothing."""
    book = PriceBook(coins={"eth": 5_000_000_000})
    paid = Payment(amount_minor=100_000_000, currency=currency, payee="x")
    for operation in ("stripe:transfers:create", "bank:payments.create", "paypal:payouts.create"):
        action = Action(
            operation=operation,
            service=operation.partition(":")[0],
            classes=frozenset({ActionClass.PAY}),
            endpoint="x",
            agent="a",
            run="r",
            payment=paid,
        )
        assert price.estimate(action, book).unknown(Unit.USD_MICROS)


# ------------------------------------------------------------------ machines of AWS that others run


def aws_action(operation: str, parameters: dict[str, object]) -> Action:
    return Action(
        operation=operation,
        service=operation.rpartition(":")[0],
        classes=frozenset({ActionClass.PROVISION}),
        endpoint="x",
        agent="a",
        run="r",
        region="us-east-1",
        parameters=parameters,
    )


VOLUMES = {"EbsBlockDeviceConfigs": [{"VolumeSpecification": {"SizeInGB": 16384, "VolumeType": "io1"}}]}


def test_volumes_of_fleets_and_clusters_do_not_hide() -> None:
    def fleet(**more: object) -> dict[str, object]:
        kinds = [{"InstanceType": "m5.xlarge", **more}]
        return {"Instances": {"InstanceFleets": [{"TargetOnDemandCapacity": 2, "InstanceTypeConfigs": kinds}]}}

    flow = "aws:emr:RunJobFlow"
    assert amazon_high(aws_action(flow, fleet())) is not None
    assert amazon_high(aws_action(flow, fleet(EbsConfiguration=VOLUMES))) is None
    assert amazon_high(aws_action(flow, {**fleet(), "EbsRootVolumeSize": 2000})) is None
    group: dict[str, object] = {"InstanceType": "ml.m5.xlarge", "InstanceCount": 2}
    disks = {"InstanceStorageConfigs": [{"EbsVolumeConfig": {"VolumeSizeInGB": 16384}}]}
    cluster = "aws:sagemaker:CreateCluster"
    assert amazon_high(aws_action(cluster, {"InstanceGroups": [group]})) is not None
    assert amazon_high(aws_action(cluster, {"InstanceGroups": [{**group, **disks}]})) is None
