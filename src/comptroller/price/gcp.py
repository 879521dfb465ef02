"""Prices of Google Cloud actions: machines, disks, clusters, databases, TPUs, queries, models. Linux, on demand."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import replace
from decimal import Decimal

from comptroller.core.action import Action, ActionClass, Value
from comptroller.price.book import PriceBook
from comptroller.price.catalogue import whole_micros
from comptroller.price.cost import NOTHING, Cost, bound
from comptroller.price.gcp_parts import (
    BASIS_END,
    DISK_GB_MAX,
    HOURS_PER_MONTH_MAX,
    HOURS_PER_MONTH_MIN,
    LOCAL_SSD_GB,
    NODE_MEMBERS,
    PROVIDER,
    SPEED_BY_DEFAULT,
    Members,
    Total,
    Unpriced,
    add_cards,
    add_disk,
    add_disk_extras,
    add_instance,
    add_local_ssd,
    add_machine,
    at,
    body_of,
    camel,
    listed,
    rows,
    table,
    text,
    whole,
)
from comptroller.price.inference import model_cost
from comptroller.price.sizes import size_of

POOL_ZONES = 3
POOL_ZONES_MAX = 4
"""Zones of the largest region: a pool stands in those of its cluster, which the request for a pool does not name."""
NODE_DISK_GB = 100
VERTEX_PERCENT = 120
"""Managed training and serving cost about 15 % more than the machine alone."""
MODEL_PERCENT = 110
"""Regional endpoints cost a tenth more than the list price of a model."""
DATAPROC_MICROS_PER_VCPU = 10_000
TEBIBYTE = 1 << 40
QUERY_MICROS_PER_TEBIBYTE = 11_250_000
"""On-demand queries in the dearest region; 6.25 dollars in the US (public price page, 2026-11)."""
IDLE_ADDRESS_FACTOR = 3
"""A reserved address that nobody uses costs more than one in use."""
DATABASE_KINDS = ("", "CLOUD_SQL_INSTANCE", "READ_REPLICA_INSTANCE", "SQL_INSTANCE_TYPE_UNSPECIFIED")
OLD_DATABASES = (
    "MYSQL_5_", "POSTGRES_9_", "POSTGRES_10", "POSTGRES_11", "POSTGRES_12", "POSTGRES_13",
)  # fmt: skip
"""Versions that are, or soon will be, charged extra for their support."""
HADOOP_MEMBERS = frozenset(
    {"masterConfig", "workerConfig", "secondaryWorkerConfig", "gceClusterConfig", "softwareConfig", "configBucket"}
    | {"tempBucket", "initializationActions", "encryptionConfig", "securityConfig", "lifecycleConfig", "endpointConfig"}
    | {"metastoreConfig", "autoscalingConfig"}
)
HADOOP_POOL_MEMBERS = frozenset(
    {
        "numInstances",
        "machineTypeUri",
        "diskConfig",
        "accelerators",
        "minCpuPlatform",
        "preemptibility",
        "isPreemptible",
    }
)
HADOOP_DISK_MEMBERS = frozenset({"bootDiskType", "bootDiskSizeGb", "numLocalSsds", "localSsdInterface"})
"""Members of a Dataproc cluster, of its pools and of their disks whose effect on the price is known."""
SMALLEST = "e2-medium"

FREE_JOBS = frozenset({"load", "copy", "extract"})

_BEYOND_TABLES = re.compile(r"(?i)\b(?:model|ml|ai|bqml|execute|immediate|call|export|remote)\b")
"""Words of queries that train or ask models, or run what nobody here reads: their bytes cost fifty times as much."""
_TPU = re.compile(r"(v2|v3|v4|v5p|v5litepod|v6e)-(\d{1,5})")
_SQL_TIER = re.compile(r"db-(?:custom-(\d{1,3})-(\d{3,7})|n1-(standard|highmem)-(\d{1,3}))")
_SHARED_SQL = {"db-f1-micro": Decimal("0.6"), "db-g1-small": Decimal("1.7")}
_ZONE = re.compile(r"[a-z]+(?:-[a-z]+)+\d+-[a-z]")


def gcp_cost(action: Action, book: PriceBook) -> Cost | None:
    """What an action of Google Cloud costs; None where no table says, or the request does not."""
    if action.parts:
        return Cost(basis=f"{len(action.parts):,} calls at once")
    if not action.classes & {ActionClass.PROVISION, ActionClass.INFER} or "@grpc" in action.parameters:
        return None
    service, _, name = action.operation.removeprefix("gcp:").partition(":")
    tail = ".".join(name.split(".")[-2:])
    pricing = PRICED.get(f"{service}:{tail}")
    if pricing is None:
        return None
    try:
        return pricing(action, book)
    except Unpriced:
        return None


def _insert(action: Action, book: PriceBook) -> Cost:
    if any(isinstance(pair, list) and str(pair[0]).startswith("source") for pair in rows(action.parameters, "@query")):
        raise Unpriced("a template")
    total = Total()
    add_instance(total, book, action.region, body_of(action), 1)
    return total.cost()


def _bulk_insert(action: Action, book: PriceBook) -> Cost:
    found = body_of(action)
    if at(found, "sourceInstanceTemplate") or at(found, "instanceFlexibilityPolicy"):
        raise Unpriced("a template")
    total = Total()
    add_instance(total, book, action.region, table(found, "instanceProperties"), action.quantity)
    return total.cost()


def _machine_type(action: Action, book: PriceBook) -> Cost:
    total = Total()
    add_machine(total, book, action.region, text(body_of(action), "machineType"), 1)
    total.low = Decimal(0)
    return total.cost("; the machine's rate from then on" + BASIS_END)


def _reservation(action: Action, book: PriceBook) -> Cost:
    wish = table(body_of(action), "specificReservation")
    found = table(wish, "instanceProperties")
    count = whole(at(wish, "count"))
    if count is None or not found:
        raise Unpriced("a reservation from elsewhere")
    total = Total()
    kind = text(found, "machineType")
    add_machine(total, book, action.region, kind, count)
    add_cards(total, book, action.region, kind, rows(found, "guestAccelerators"), count, spot=False)
    for disk in rows(found, "localSsds"):
        add_disk(total, book, action.region, "local-ssd", whole(at(disk, "diskSizeGb")) or LOCAL_SSD_GB, count)
    return total.cost()


def _new_disk(action: Action, book: PriceBook) -> Cost:
    found = body_of(action)
    size = whole(at(found, "sizeGb"))
    if size is None:
        raise Unpriced("a disk as large as what it is made from")
    copies = max(1, len(rows(found, "replicaZones")))
    kind = text(found, "type") or "pd-standard"
    total = Total()
    add_disk(total, book, action.region, kind, size, copies)
    add_disk_extras(total, book, action.region, found, kind, copies)
    return total.cost("")


def _address(action: Action, book: PriceBook) -> Cost:
    if text(body_of(action), "addressType") == "INTERNAL":
        return Cost(hourly=NOTHING, basis="an internal address")
    low, high, basis = listed(book, action.region or "us-east1", "ipv4:public")
    total = Total()
    total.add(low, high * IDLE_ADDRESS_FACTOR, basis)
    return total.cost("")


def _forwarding_rule(action: Action, book: PriceBook) -> Cost:
    total = Total()
    for sku in ("lb:forwarding-rule", "ipv4:public"):
        low, high, basis = listed(book, action.region or "us-east1", sku)
        total.add(low if sku.startswith("lb") else Decimal(0), high, basis)
    return total.cost("; capacity and traffic come on top")


def _pool(total: Total, book: PriceBook, region: str, pool: Value, zones: int, least_zones: int = 0) -> None:
    """Every node that a pool may have."""
    config = table(pool, "config")
    scaling = table(pool, "autoscaling")
    if {camel(name) for name in config} - NODE_MEMBERS:
        raise Unpriced("members that may cost more")
    zones = len(rows(pool, "locations")) or zones
    first = whole(at(pool, "initialNodeCount")) or 0
    most = first * zones
    start = first * (len(rows(pool, "locations")) or least_zones or zones)
    if at(scaling, "enabled"):
        each = (whole(at(scaling, "maxNodeCount")) or 0) * zones
        most = max(most, each, whole(at(scaling, "totalMaxNodeCount")) or 0)
    if text(config, "imageType").lower().startswith("windows") or at(config, "soleTenantConfig"):
        raise Unpriced("licences or dedicated hosts")
    before = total.low
    kind = text(config, "machineType") or SMALLEST
    spot = at(config, "spot") is True or at(config, "preemptible") is True
    add_machine(total, book, region, kind, most, spot=spot)
    add_cards(total, book, region, kind, rows(config, "accelerators"), most, spot)
    size = whole(at(config, "diskSizeGb")) or NODE_DISK_GB
    _own_disk(total, book, region, text(config, "diskType") or "pd-balanced", size, most)
    add_local_ssd(total, book, region, (whole(at(config, "localSsdCount")) or 0) * LOCAL_SSD_GB, most)
    _, address, basis = listed(book, region, "ipv4:public")
    total.add(Decimal(0), address * most, basis)
    if most:
        total.low = before + (total.low - before) * min(start, most) / most


def _own_disk(total: Total, book: PriceBook, region: str, kind: str, size: int, count: int) -> None:
    """The disk of a machine that a service runs. Raises `Unpriced` for a kind whose speed is paid for as well."""
    if kind.rpartition("/")[2].startswith(SPEED_BY_DEFAULT):
        raise Unpriced("a disk as fast as the service makes it")
    add_disk(total, book, region, kind, size, count)


def _cluster(action: Action, book: PriceBook) -> Cost:
    found = table(body_of(action), "cluster")
    if at(found, "autopilot", "enabled") or at(found, "autoscaling", "enableNodeAutoprovisioning"):
        raise Unpriced("a cluster that adds machines by itself")
    if text(found, "releaseChannel", "channel") == "EXTENDED" or at(found, "enterpriseConfig"):
        raise Unpriced("a dearer edition")
    zones = len(rows(found, "locations")) or _zones_of(action)
    total = Total()
    low, high, basis = listed(book, action.region, "gke:cluster")
    total.add(low, high, basis)
    pools = list(rows(found, "nodePools"))
    if not pools or whole(at(found, "initialNodeCount")):
        pools.append({"config": at(found, "nodeConfig") or {}, "initialNodeCount": at(found, "initialNodeCount") or 3})
    for pool in pools:
        _pool(total, book, action.region, pool, zones)
    return total.cost()


def _node_pool(action: Action, book: PriceBook) -> Cost:
    total = Total()
    _pool(total, book, action.region, table(body_of(action), "nodePool"), POOL_ZONES_MAX, 1)
    return total.cost()


def _zones_of(action: Action) -> int:
    path = str(action.parameters.get("@path", ""))
    return 1 if any(_ZONE.fullmatch(part) for part in path.split("/")) else POOL_ZONES


def _database(action: Action, book: PriceBook) -> Cost:
    found = body_of(action)
    settings = table(found, "settings")
    if "SQLSERVER" in text(found, "databaseVersion") or text(settings, "edition") not in ("", "ENTERPRISE"):
        raise Unpriced("a licence, or another edition")
    more = ("nodeCount", "failoverReplica", "replicationCluster", "clusterConfig")
    if any(at(found, name) for name in more) or text(found, "instanceType") not in DATABASE_KINDS:
        raise Unpriced("more than one machine")
    if text(found, "databaseVersion").startswith(OLD_DATABASES) or any(
        name.lower().startswith(("datadiskprovisioned", "data_disk_provisioned")) for name in settings
    ):
        raise Unpriced("an old version, or a fast disk: both are charged extra")
    tier = text(settings, "tier")
    size = _SQL_TIER.fullmatch(tier)
    total = Total()
    copies = 2 if text(settings, "availabilityType") == "REGIONAL" else 1
    cpu, memory = (listed(book, action.region, f"cloudsql:{part}") for part in ("vcpu", "gib"))
    if tier in _SHARED_SQL:
        total.add(cpu[0] / 5 * copies, (cpu[1] + memory[1] * _SHARED_SQL[tier]) * copies, cpu[2])
    elif size is not None:
        cores = int(size[1] or size[4])
        gib = (
            Decimal(size[2]) / 1024
            if size[2]
            else Decimal(cores) * (Decimal("3.75") if size[3] == "standard" else Decimal("6.5"))
        )
        total.add((cpu[0] * cores + memory[0] * gib) * copies, (cpu[1] * cores + memory[1] * gib) * copies, cpu[2])
    else:
        raise Unpriced(tier)
    gigabytes = whole(at(settings, "dataDiskSizeGb")) or 10
    kind = text(settings, "dataDiskType")
    if kind not in ("", "PD_SSD", "PD_HDD") or not 0 <= gigabytes <= DISK_GB_MAX:
        raise Unpriced(kind)
    low, high, basis = listed(book, action.region, "cloudsql:hdd" if kind == "PD_HDD" else "cloudsql:ssd")
    total.add(low * gigabytes * copies / HOURS_PER_MONTH_MAX, high * gigabytes * copies / HOURS_PER_MONTH_MIN, basis)
    return total.cost("; backups, traffic and storage that grows come on top")


def _tpu(action: Action, book: PriceBook) -> Cost:
    found = body_of(action)
    specs = rows(found, "tpu", "nodeSpec")
    nodes = [(table(one, "node"), max(1, whole(at(one, "multisliceParams", "nodeCount")) or 1)) for one in specs]
    total = Total()
    for node, count in nodes or [(found, max(1, action.quantity))]:
        match = _TPU.fullmatch(text(node, "acceleratorType"))
        if match is None:
            raise Unpriced("an accelerator")
        kind, cores = match[1], int(match[2])
        sku, units = {
            "v2": ("v2-8", Decimal(cores) / 8),
            "v3": ("v3-8", Decimal(cores) / 8),
            "v4": ("v4-chip", Decimal(cores) / 2),
            "v5p": ("v5p-chip", Decimal(cores) / 2),
            "v5litepod": ("v5e-chip", Decimal(cores)),
            "v6e": ("v6e-chip", Decimal(cores)),
        }[kind]
        low, high, basis = listed(book, action.region, f"tpu:{sku}")
        cheap = at(node, "schedulingConfig", "spot") is True or at(node, "schedulingConfig", "preemptible") is True
        total.add(Decimal(0) if cheap else low * units * count, high * units * count, basis)
    return total.cost("")


def _training(action: Action, book: PriceBook) -> Cost:
    found = body_of(action)
    spec = table(found, "jobSpec") or table(found, "trialJobSpec")
    trials = whole(at(found, "parallelTrialCount")) or 1
    pools = rows(spec, "workerPoolSpecs")
    if not pools or spec.get("persistentResourceId"):
        raise Unpriced("machines that are not in the request")
    total = Total()
    for pool in pools:
        count = (whole(at(pool, "replicaCount")) or 1) * trials
        _managed(total, book, action.region, table(pool, "machineSpec"), count, count)
        disk = table(pool, "diskSpec")
        size = whole(at(disk, "bootDiskSizeGb")) or NODE_DISK_GB
        _own_disk(total, book, action.region, text(disk, "bootDiskType") or "pd-ssd", size, count)
    return total.cost("; managed training adds up to a fifth")


def _serving(action: Action, book: PriceBook) -> Cost:
    resources = table(body_of(action), "deployedModel", "dedicatedResources")
    least = whole(at(resources, "minReplicaCount")) or 1
    most = max(least, whole(at(resources, "maxReplicaCount")) or 0)
    total = Total()
    _managed(total, book, action.region, table(resources, "machineSpec"), most, least)
    return total.cost("; managed serving adds up to a fifth")


def _managed(total: Total, book: PriceBook, region: str, spec: Members, most: int, least: int) -> None:
    """Machines that a managed service runs: dearer than the machines alone."""
    one = Total()
    if at(spec, "multihostGpuNodeCount") or at(spec, "tpuTopology"):
        raise Unpriced("a replica of many hosts")
    kind = text(spec, "machineType")
    add_machine(one, book, region, kind, most)
    if text(spec, "acceleratorType") not in ("", "ACCELERATOR_TYPE_UNSPECIFIED"):
        add_cards(one, book, region, kind, [{"acceleratorCount": 1, **spec}], most, spot=False)
    if not 0 < least <= most:
        raise Unpriced("a count")
    total.add(one.low * least / most, one.high * VERTEX_PERCENT / 100, "; ".join(one.basis))
    total.machines += one.machines


def _hadoop(action: Action, book: PriceBook) -> Cost:
    config = table(body_of(action), "config")
    if not config or at(config, "autoscalingConfig", "policyUri"):
        raise Unpriced("a cluster that grows by itself")
    if {camel(name) for name in config} - HADOOP_MEMBERS:
        raise Unpriced("members that may cost more")
    total = Total()
    for name, least in (("masterConfig", 1), ("workerConfig", 2), ("secondaryWorkerConfig", 0)):
        pool = table(config, name)
        given = whole(at(pool, "numInstances"))
        count = least if given is None else given
        if not count:
            continue
        disk = table(pool, "diskConfig")
        if {camel(name) for name in pool} - HADOOP_POOL_MEMBERS or {camel(name) for name in disk} - HADOOP_DISK_MEMBERS:
            raise Unpriced("members that may cost more")
        kind = (text(pool, "machineTypeUri") or "n2-standard-4").rpartition("/")[2]
        add_machine(total, book, action.region, kind, count, spot=name == "secondaryWorkerConfig")
        add_cards(
            total, book, action.region, kind,
            [{"acceleratorType": at(card, "acceleratorTypeUri"), "acceleratorCount": at(card, "acceleratorCount")}
             for card in rows(pool, "accelerators")], count, spot=False,
        )  # fmt: skip
        size = size_of(PROVIDER, kind)
        if size is None:
            raise Unpriced(kind)
        fee = size.vcpus * DATAPROC_MICROS_PER_VCPU * count
        total.add(fee, fee, "0.01 dollars a vCPU and hour for the service")
        gigabytes = whole(at(disk, "bootDiskSizeGb")) or 1000
        _own_disk(total, book, action.region, text(disk, "bootDiskType") or "pd-standard", gigabytes, count)
        add_local_ssd(total, book, action.region, (whole(at(disk, "numLocalSsds")) or 0) * LOCAL_SSD_GB, count)
    return total.cost()


def _query(action: Action, book: PriceBook) -> Cost:
    """Bounded by `maximumBytesBilled` alone, where it reads tables; loads, copies and exports are free."""
    job = action.operation == "gcp:bigquery:jobs.insert"
    found = table(body_of(action), "configuration") if job else {"query": body_of(action)}
    asked = {camel(name).lower() for name, value in found.items() if value is not None}
    if asked & FREE_JOBS:
        if len(asked & (FREE_JOBS | {"query"})) > 1:
            raise Unpriced("two jobs in one")
        return Cost(basis="loading, copying and exporting is free; storage comes on top")
    query = table(found, "query")
    billed = whole(at(query, "maximumBytesBilled"))
    if billed is None or _BEYOND_TABLES.search(text(query, "query")):
        raise Unpriced("no `maximumBytesBilled`, or more than tables")
    micros = Decimal(billed) * QUERY_MICROS_PER_TEBIBYTE / TEBIBYTE
    return Cost(once=bound(0, whole_micros(micros)), basis="`maximumBytesBilled` at the dearest region's price")


def _model(action: Action, book: PriceBook) -> Cost | None:
    """Gemini through Vertex AI, by the list price of the model; other models have none here."""
    path = str(action.parameters.get("@path", ""))
    match = re.search(
        r"/publishers/google/models/([A-Za-z0-9._@-]{1,128}):(?:streamGenerateContent|generateContent)$", path
    )
    if match is None:
        return None
    tools = rows(action.parameters, "tools")
    hosted = [
        name for tool in tools if isinstance(tool, Mapping) for name in tool if camel(name) != "functionDeclarations"
    ]
    members = {**action.parameters, "@hosted_tools": hosted} if hosted else action.parameters
    asked = replace(
        action,
        operation="gemini:models:generateContent",
        resources=(match[1].partition("@")[0],),
        parameters=members,
        classes=frozenset({ActionClass.INFER}),
    )
    found = model_cost(asked, book)
    if found is None or found.once.high is None:
        return found
    return replace(found, once=bound(found.once.low, -(-found.once.high * MODEL_PERCENT // 100)))


PRICED: Mapping[str, Callable[[Action, PriceBook], Cost | None]] = {
    "compute:instances.insert": _insert,
    "compute:instances.bulkInsert": _bulk_insert,
    "compute:regionInstances.bulkInsert": _bulk_insert,
    "compute:instances.setMachineType": _machine_type,
    "compute:reservations.insert": _reservation,
    "compute:disks.insert": _new_disk,
    "compute:regionDisks.insert": _new_disk,
    "compute:addresses.insert": _address,
    "compute:globalAddresses.insert": _address,
    "compute:forwardingRules.insert": _forwarding_rule,
    "compute:globalForwardingRules.insert": _forwarding_rule,
    "container:clusters.create": _cluster,
    "container:nodePools.create": _node_pool,
    "sqladmin:instances.insert": _database,
    "tpu:nodes.create": _tpu,
    "tpu:queuedResources.create": _tpu,
    "aiplatform:customJobs.create": _training,
    "aiplatform:hyperparameterTuningJobs.create": _training,
    "aiplatform:endpoints.deployModel": _serving,
    "aiplatform:models.generateContent": _model,
    "aiplatform:models.streamGenerateContent": _model,
    "dataproc:clusters.create": _hadoop,
    "bigquery:jobs.query": _query,
    "bigquery:jobs.insert": _query,
}
"""By service and the end of the name."""
