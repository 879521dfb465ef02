"""Prices of Google Cloud: bounds where the request tells everything, None where it does not."""

from __future__ import annotations

import json

import pytest

from comptroller import price
from comptroller.core.action import Action
from comptroller.core.estimate import Unit
from comptroller.core.request import Header, Request
from comptroller.decode.gcp import GcpCodec
from comptroller.price.book import PriceBook
from comptroller.price.gcp import gcp_cost

CODEC = GcpCodec()
BOOK = PriceBook()
ZONE = "/compute/v1/projects/p/zones/us-east1-b"
DISK = {"initializeParams": {"diskSizeGb": "100", "diskType": "pd-ssd"}}


def action(host: str, target: str, body: object, method: str = "POST") -> Action:
    return CODEC.decode(
        Request(
            scheme="https",
            method=method,
            host=f"{host}.googleapis.com",
            port=443,
            target=target,
            headers=(Header("content-type", "application/json"),),
            body=json.dumps(body).encode(),
            agent="researcher",
            run="run-1",
        )
    )


def hourly(host: str, target: str, body: object) -> tuple[int, int | None]:
    found = price.estimate(action(host, target, body), BOOK)
    bound = found.bounds[Unit.USD_MICROS_PER_HOUR]
    return bound.low, bound.high


def machine(kind: str) -> tuple[int, int]:
    found = BOOK.machine("gcp", "us-east1", kind)
    assert found is not None
    return found.low, found.high


def test_an_instance_costs_its_machine() -> None:
    assert hourly("compute", f"{ZONE}/instances", {"machineType": "zones/x/machineTypes/n2-standard-8"}) == machine(
        "n2-standard-8"
    )
    assert machine("a2-highgpu-8g") == (29_380_000, 29_380_000)
    assert hourly("compute", f"{ZONE}/instances", {"machine_type": "a2-highgpu-8g"}) == (29_380_000, 29_380_000)


def test_many_instances_cost_as_many_times_as_much_and_are_named_for_energy() -> None:
    asked = action(
        "compute", f"{ZONE}/instances/bulkInsert", {"count": 8, "instanceProperties": {"machineType": "e2-standard-4"}}
    )
    cost = gcp_cost(asked, BOOK)
    assert cost is not None and cost.hourly is not None
    low, high = machine("e2-standard-4")
    assert (cost.hourly.low, cost.hourly.high) == (8 * low, 8 * high)
    assert [(m.provider, m.region, m.sku, m.count) for m in cost.machines] == [("gcp", "us-east1", "e2-standard-4", 8)]
    assert cost.basis


@pytest.mark.parametrize(
    ("more", "grows"),
    [
        ({"disks": [DISK]}, True),
        ({"disks": [{"initializeParams": {"diskType": "local-ssd"}}]}, True),
        ({"disks": [{"boot": True, "initializeParams": {"sourceImage": "projects/debian-cloud/x"}}]}, True),
        ({"disks": [{"source": "zones/z/disks/d"}]}, False),
        ({"networkInterfaces": [{"accessConfigs": [{}]}]}, True),
        ({"guestAccelerators": [{"acceleratorType": "nvidia-tesla-t4", "acceleratorCount": 1}]}, True),
        ({"labels": {"a": "b"}}, False),
    ],
)
def test_what_comes_on_top(more: dict[str, object], grows: bool) -> None:
    plain = machine("n1-standard-4")
    low, high = hourly("compute", f"{ZONE}/instances", {"machineType": "n1-standard-4", **more})
    assert high is not None and low >= plain[0] and (high > plain[1]) is grows


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"machineType": "n9-imaginary-4"},
        {"machineType": "n2-custom-4-8192-ext"},
        {"machineType": "n2-standard-4", "scheduling": {"nodeAffinities": [{"key": "k"}]}},
        {"machineType": "n2-standard-4", "confidentialInstanceConfig": {"enableConfidentialCompute": True}},
        {"machineType": "n2-standard-4", "networkPerformanceConfig": {"totalEgressBandwidthTier": "TIER_1"}},
        {"machineType": "n2-standard-4", "disks": [{"initializeParams": {"diskType": "pd-new", "diskSizeGb": 1}}]},
        {"machineType": "n2-standard-4", "disks": [{"initializeParams": {"diskSizeGb": "huge"}}]},
        {"machineType": "n2-standard-4", "disks": [{"initializeParams": {"sourceImage": "projects/windows-cloud/x"}}]},
        {"machineType": "n2-standard-4", "disks": [{"initializeParams": {"sourceImage": "projects/mine/x"}}]},
        {"machineType": "n2-standard-4", "disks": [{"initializeParams": {"sourceSnapshot": "s"}}]},
        {"machineType": "n1-standard-4", "guestAccelerators": [{"acceleratorType": "nvidia-x", "acceleratorCount": 1}]},
    ],
)
def test_what_has_no_price(body: dict[str, object]) -> None:
    assert hourly("compute", f"{ZONE}/instances", body)[1] is None


def test_spot_may_cost_nothing_and_never_more() -> None:
    body = {"machineType": "e2-standard-4", "scheduling": {"provisioningModel": "SPOT"}}
    assert hourly("compute", f"{ZONE}/instances", body) == (0, machine("e2-standard-4")[1])


def test_templates_and_groups_have_no_price() -> None:
    assert hourly("compute", f"{ZONE}/instances?sourceInstanceTemplate=t", {"machineType": "e2-standard-4"})[1] is None
    assert hourly("compute", f"{ZONE}/instanceGroupManagers", {"targetSize": 3, "instanceTemplate": "t"})[1] is None
    assert hourly("compute", f"{ZONE}/instances/i/start", {})[1] is None


def test_disks_addresses_and_reservations() -> None:
    low, high = hourly("compute", f"{ZONE}/disks", {"name": "d", "sizeGb": "1000", "type": "zones/z/diskTypes/pd-ssd"})
    assert high is not None and 0 < low < high < 1_000_000
    assert hourly("compute", f"{ZONE}/disks", {"name": "d", "sourceSnapshot": "s"})[1] is None
    regional = "/compute/v1/projects/p/regions/us-east1/disks"
    twice = hourly("compute", regional, {"sizeGb": "1000", "type": "pd-ssd", "replicaZones": ["a", "b"]})
    assert twice[1] == pytest.approx(2 * high, abs=2)
    wish = {"specificReservation": {"count": "4", "instanceProperties": {"machineType": "e2-standard-4"}}}
    assert hourly("compute", f"{ZONE}/reservations", wish) == tuple(4 * end for end in machine("e2-standard-4"))
    assert hourly("compute", "/compute/v1/projects/p/regions/us-east1/addresses", {"name": "a"})[1]


def test_a_cluster_costs_every_node_it_may_have() -> None:
    pool = {"name": "p", "initialNodeCount": 1, "config": {"machineType": "e2-standard-4"}}
    grows = {**pool, "autoscaling": {"enabled": True, "maxNodeCount": 5}}
    path = "/v1/projects/p/locations/us-east1/clusters"
    small = hourly("container", path, {"cluster": {"nodePools": [pool]}})
    large = hourly("container", path, {"cluster": {"nodePools": [grows]}})
    assert small[1] is not None and large[1] is not None and large[1] > 4 * small[1] and abs(large[0] - small[0]) <= 5
    assert small[1] > 3 * machine("e2-standard-4")[1]
    assert hourly("container", path, {"cluster": {"autopilot": {"enabled": True}}})[1] is None
    zonal = hourly("container", path.replace("us-east1", "us-east1-b"), {"cluster": {"nodePools": [pool]}})
    assert zonal[1] is not None and zonal[1] < small[1]


def test_databases_tpus_and_hadoop() -> None:
    body = {"region": "us-east1", "databaseVersion": "POSTGRES_15", "settings": {"tier": "db-custom-4-15360"}}
    one = hourly("sqladmin", "/v1/projects/p/instances", body)
    both = {**body, "settings": {"tier": "db-custom-4-15360", "availabilityType": "REGIONAL"}}
    two = hourly("sqladmin", "/v1/projects/p/instances", both)
    assert one[1] is not None and two[1] == pytest.approx(2 * one[1], abs=2)
    licensed = {**body, "databaseVersion": "SQLSERVER_2019_STANDARD"}
    assert hourly("sqladmin", "/v1/projects/p/instances", licensed)[1] is None
    nodes = "/v2/projects/p/locations/us-east1-b/nodes?nodeId=n"
    assert hourly("tpu", nodes, {"acceleratorType": "v5litepod-8"})[1] is not None
    assert hourly("tpu", nodes, {"acceleratorType": "v9-8"})[1] is None
    config = {"config": {"masterConfig": {"machineTypeUri": "n2-standard-4"}, "workerConfig": {"numInstances": 10}}}
    hadoop = hourly("dataproc", "/v1/projects/p/regions/us-east1/clusters", config)
    assert hadoop[1] is not None and hadoop[1] > 11 * machine("n2-standard-4")[0]


def test_training_and_serving_cost_more_than_their_machines() -> None:
    pools = [{"replicaCount": "2", "machineSpec": {"machineType": "a2-highgpu-1g"}}]
    path = "/v1/projects/p/locations/us-east1/customJobs"
    low, high = hourly("us-east1-aiplatform", path, {"jobSpec": {"workerPoolSpecs": pools}})
    assert high is not None and low >= 2 * 3_673_000 and high > 2 * 3_673_000
    assert hourly("us-east1-aiplatform", path, {"jobSpec": {"persistentResourceId": "x"}})[1] is None
    served = {"deployedModel": {"dedicatedResources": {
        "machineSpec": {"machineType": "n1-standard-4", "acceleratorType": "NVIDIA_TESLA_T4", "acceleratorCount": 1},
        "minReplicaCount": 1, "maxReplicaCount": 4}}}  # fmt: skip
    found = hourly("us-east1-aiplatform", "/v1/projects/p/locations/us-east1/endpoints/1:deployModel", served)
    assert found[1] is not None and found[1] >= 4 * found[0]


def test_a_query_is_bounded_by_what_it_may_read() -> None:
    path = "/bigquery/v2/projects/p/queries"
    bounded = price.estimate(action("bigquery", path, {"query": "x", "maximumBytesBilled": str(1 << 40)}), BOOK)
    assert bounded.high(Unit.USD_MICROS) == 11_250_000
    assert price.estimate(action("bigquery", path, {"query": "x"}), BOOK).unknown(Unit.USD_MICROS)
    load = action("bigquery", "/bigquery/v2/projects/p/jobs", {"configuration": {"load": {}}})
    assert price.estimate(load, BOOK).high(Unit.USD_MICROS) == 0
    both = action("bigquery", "/bigquery/v2/projects/p/jobs", {"configuration": {"load": {}, "query": {}}})
    assert price.estimate(both, BOOK).unknown(Unit.USD_MICROS)


def test_a_model_is_bounded_and_hosted_tools_are_not() -> None:
    path = "/v1/projects/p/locations/us-east1/publishers/google/models/gemini-2.5-flash:generateContent"
    body = {"contents": [{"role": "user", "parts": [{"text": "hi"}]}], "generationConfig": {"maxOutputTokens": 50}}
    asked = price.estimate(action("us-east1-aiplatform", path, body), BOOK)
    assert 0 < (asked.high(Unit.USD_MICROS) or 0) < 100_000
    searched = price.estimate(action("us-east1-aiplatform", path, {**body, "tools": [{"googleSearch": {}}]}), BOOK)
    assert searched.unknown(Unit.USD_MICROS)
    other = path.replace("google/models/gemini-2.5-flash", "anthropic/models/claude").replace(
        "generateContent", "rawPredict"
    )
    assert price.estimate(action("us-east1-aiplatform", other, body), BOOK).unknown(Unit.USD_MICROS)


def test_a_read_costs_a_call() -> None:
    looked = action("cloudresourcemanager", "/v1/projects/p:getIamPolicy", {})
    assert Unit.USD_MICROS not in price.estimate(looked, BOOK).bounds
