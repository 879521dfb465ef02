"""Managed platforms: clusters, databases, serverless code, models, jobs. How many at most, and what runs as whom."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from itertools import pairwise

from comptroller.core.action import ActionClass as C
from comptroller.core.action import Value
from comptroller.decode.gcp.compute import ANYWHERE, identity, metadata
from comptroller.decode.gcp.reading import Reading, at, inside, last, rows, some, table, text, whole, word

OFF = frozenset({"none", ""})
POOL_ZONES_MAX = 4
"""Zones of the largest region: a node pool stands in those of its cluster, which no request for the pool names."""


def node_config(call: Reading, config: Value) -> None:
    """What a node runs and acts as."""
    metadata(call, [key.lower() for key in table(config, "metadata")])
    identity(call, config)
    if rows(config, "oauthScopes"):
        call.add(C.ENTITLE)


def pool_nodes(pool: Value, locations: int) -> int:
    """Nodes of one pool at most, over all its zones."""
    zones = len(rows(pool, "locations")) or locations
    scaling = table(pool, "autoscaling")
    most = whole(at(pool, "initialNodeCount")) or whole(at(pool, "nodeCount")) or 0
    if at(scaling, "enabled"):
        most = max(most, whole(at(scaling, "maxNodeCount")) or 0)
        return max(most * zones, whole(at(scaling, "totalMaxNodeCount")) or 0)
    return most * zones


def cluster(call: Reading) -> None:
    """`clusters.create`: every pool's nodes in every zone."""
    found = table(call.members, "cluster")
    zones = len(rows(found, "locations")) or (3 if _regional(call.resource) else 1)
    pools = rows(found, "nodePools")
    total = sum(pool_nodes(pool, zones) for pool in pools)
    total += (whole(at(found, "initialNodeCount")) or 0) * zones
    call.count(total or None)
    for config in (at(found, "nodeConfig"), *(at(pool, "config") for pool in pools)):
        node_config(call, config)
    if at(found, "autopilot", "enabled"):
        call.say("that adds machines by itself (autopilot)")
    if at(found, "legacyAbac", "enabled") or text(found, "masterAuth", "username"):
        call.add(C.ENTITLE)
    _unwatched(call, text(found, "loggingService"), at(found, "loggingService"))
    call.names(at(found, "name"))


def node_pool(call: Reading) -> None:
    """`nodePools.create`."""
    pool = table(call.members, "nodePool")
    call.count(pool_nodes(pool, POOL_ZONES_MAX) or None)
    node_config(call, at(pool, "config"))
    call.names(at(pool, "name"))


def pool_size(call: Reading) -> None:
    """`nodePools.setSize`, `setAutoscaling`: nodes in every zone."""
    asked = [whole(at(call.members, "nodeCount")), whole(at(call.members, "autoscaling", "maxNodeCount"))]
    call.count(max((number * POOL_ZONES_MAX for number in asked if number is not None), default=None))
    call.count(whole(at(call.members, "autoscaling", "totalMaxNodeCount")))


def cluster_update(call: Reading) -> None:
    """`clusters.update`: one wish, by its name."""
    wish = table(call.members, "update")
    for name, _ in inside(wish):
        low = name.lower().replace("_", "")
        if low.startswith(("desiredlogging", "desiredmonitoring")):
            call.add(C.BLIND)
        if any(
            part in low for part in ("authorizednetworks", "masterauth", "legacyabac", "workloadidentity", "private")
        ):
            call.add(C.ENTITLE)
        if "binaryauthorization" in low or "securityposture" in low:
            call.add(C.BLIND, C.ENTITLE)
    call.say("changing " + some(wish) if wish else "changing it")


def _unwatched(call: Reading, value: str, given: Value) -> None:
    if given is not None and value.lower() in OFF:
        call.add(C.BLIND)


def _regional(resource: str) -> bool:
    """A region has three zones by default; a zone (`us-central1-a`) is one."""
    parts = resource.split("/")
    place = next((after for name, after in pairwise(parts) if name in ("locations", "zones")), "")
    return place.count("-") < 2


def database(call: Reading) -> None:
    """Cloud SQL: how large, and who reaches it."""
    settings = table(call.members, "settings")
    for network in rows(settings, "ipConfiguration", "authorizedNetworks"):
        call.add(C.ENTITLE)
        if text(network, "value") in ANYWHERE:
            call.say("reachable from the whole internet")
    for flag in rows(settings, "databaseFlags"):
        if "audit" in text(flag, "name") or "log" in text(flag, "name"):
            call.add(C.BLIND)
    if at(settings, "deletionProtectionEnabled") is False or at(settings, "backupConfiguration", "enabled") is False:
        call.add(C.DESTROY)
    call.names(at(call.members, "name"))


def serverless(call: Reading) -> None:
    """Cloud Run and functions: instances at most, and as whom."""
    template = table(call.members, "template") or table(call.members, "spec", "template")
    for found in (call.members, template, table(template, "template"), table(call.members, "serviceConfig"),
                  table(template, "spec"), table(template, "spec", "template", "spec")):  # fmt: skip
        for name in ("serviceAccount", "serviceAccountName", "serviceAccountEmail"):
            if text(found, name):
                identity(call, {"serviceAccount": text(found, name)})
        scaling = table(found, "scaling")
        for source, name in ((found, "maxInstances"), (found, "maxInstanceCount"), (scaling, "maxInstanceCount"),
                             (found, "taskCount"), (found, "parallelism"),
                             (scaling, "manualInstanceCount")):  # fmt: skip
            call.count(whole(at(source, name)))
        for key, value in table(found, "metadata", "annotations").items():
            if key.lower().endswith(("maxscale", "minscale")):
                call.count(whole(value))
    if at(call.members, "invokerIamDisabled") is True or at(call.members, "httpsTrigger", "securityLevel"):
        call.add(C.ENTITLE)
    for name in ("name", "serviceId", "functionId", "jobId"):
        call.names(at(call.members, name))
    images = [member for name, member in inside(call.members) if name == "image" and isinstance(member, str)]
    call.names(*images)
    if images:
        call.say(f"running {some(images)}")


def model_machines(call: Reading) -> None:
    """Vertex AI: every pool of machines, the largest number each may grow to."""
    total = 0
    for name, member in inside(call.members):
        if name in ("workerPoolSpecs", "worker_pool_specs", "resourcePools", "resource_pools"):
            total += sum(
                max(whole(at(pool, "replicaCount")) or 0, whole(at(pool, "autoscalingSpec", "maxReplicaCount")) or 0)
                for pool in rows({"x": member}, "x")
            )
        elif name in ("dedicatedResources", "dedicated_resources", "automaticResources", "automatic_resources"):
            least = whole(at(member, "minReplicaCount")) or whole(at(member, "startingReplicaCount")) or 0
            total += max(least, whole(at(member, "maxReplicaCount")) or 0)
        elif name in ("serviceAccount", "service_account") and isinstance(member, str):
            identity(call, {"serviceAccount": member})
        elif name in ("imageUri", "image_uri", "packageUris") and isinstance(member, str):
            call.say(f"running {word(member)}")
            call.names(member)
    trials = whole(at(call.members, "parallelTrialCount"))
    call.count((total * max(1, trials or 1)) or None)


def tensor_nodes(call: Reading) -> None:
    """TPU nodes and queued resources."""
    nodes = rows(call.members, "tpu", "nodeSpec")
    call.count(sum(max(1, whole(at(spec, "multisliceParams", "nodeCount")) or 1) for spec in nodes) or None)
    for found in (call.members, *(table(spec, "node") for spec in nodes)):
        metadata(call, [key.lower() for key in table(found, "metadata")])
        identity(call, {"serviceAccount": at(found, "serviceAccount", "email")})


def jobs(call: Reading) -> None:
    """Batch, Dataflow, Dataproc and the like: workers at most, and as whom."""
    for name, member in inside(call.members):
        if name in (
            "maxWorkers",
            "max_workers",
            "maxNumWorkers",
            "numWorkers",
            "taskCount",
            "task_count",
            "parallelism",
        ):
            call.count(whole(member))
        elif name in ("serviceAccount", "service_account", "serviceAccountEmail"):
            identity(call, {"serviceAccount": member if isinstance(member, str) else at(member, "email")})
    config = table(call.members, "config")
    pools = ("masterConfig", "workerConfig", "secondaryWorkerConfig")
    call.count(sum(whole(at(config, pool, "numInstances")) or 0 for pool in pools) or None)
    if rows(config, "initializationActions"):
        call.add(C.EXECUTE)


def query(call: Reading) -> None:
    """BigQuery: `dryRun` reads nothing; a load or an export is no query."""
    configuration = table(call.members, "configuration")
    if at(configuration, "copy") is not None or at(configuration, "load") is not None:
        call.say("loading or copying a table")
    if at(configuration, "extract") is not None:
        uris = [*rows(configuration, "extract", "destinationUris"), text(configuration, "extract", "destinationUri")]
        call.names(*uris)
        call.say(f"exporting a table to {some(uri for uri in uris if uri)}")
    statement = text(call.members, "query") or text(configuration, "query", "query")
    if statement:
        call.say(f"running `{word(' '.join(statement.split()))}`")


def machine_of(call: Reading) -> None:
    """Notebooks and workstations: one machine, with scripts and accounts."""
    for name, member in inside(call.members):
        if name in ("metadata",) and isinstance(member, Mapping):
            metadata(call, [key.lower() for key in member])
        elif name in ("postStartupScript", "post_startup_script", "startupScriptUri") and member:
            call.add(C.EXECUTE)
        elif name == "serviceAccounts":
            identity(call, {"serviceAccounts": member})
        elif name == "serviceAccount" and isinstance(member, str):
            identity(call, {"serviceAccount": member})


def disable(call: Reading) -> None:
    """Services that are switched on or off."""
    named = [last(call.resource).partition(":")[0], *rows(call.members, "serviceIds")]
    call.say(some(named))


def identified(call: Reading) -> None:
    """Anything else that names an account to act as."""
    for name, member in inside(call.members):
        if name in ("serviceAccount", "service_account", "serviceAccountEmail") and isinstance(member, str) and member:
            identity(call, {"serviceAccount": member})


Effect = Callable[[Reading], None]

EFFECTS: Mapping[str, Mapping[str, Effect]] = {
    "container": {
        "clusters.create": cluster,
        "clusters.update": cluster_update,
        "nodePools.create": node_pool,
        "nodePools.setSize": pool_size,
        "nodePools.setAutoscaling": pool_size,
        "nodePools.autoscaling": pool_size,
    },
    "sqladmin": {f"instances.{verb}": database for verb in ("insert", "patch", "update", "clone")},
    "run": {"*": serverless},
    "cloudfunctions": {"*": serverless},
    "appengine": {"*": serverless},
    "aiplatform": {"*": model_machines},
    "tpu": {"nodes.create": tensor_nodes, "queuedResources.create": tensor_nodes},
    "bigquery": {"jobs.insert": query, "jobs.query": query},
    "notebooks": {"*": machine_of},
    "workstations": {"*": machine_of},
    "serviceusage": {"*": disable},
    **{
        service: {"*": jobs}
        for service in (
            "batch",
            "dataflow",
            "dataproc",
            "lifesciences",
            "datapipelines",
            "ml",
            "composer",
            "cloudbuild",
        )
    },
    "*": {"*": identified},
}
"""What the members of a call add: by service, then by the end of its name (`*`: any that is not a mere read)."""
