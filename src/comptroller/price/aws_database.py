"""Databases, caches, search and streams of AWS: managed machines at a mark-up, storage and request capacity."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal

from comptroller.core.action import Action, Value
from comptroller.price.bill import Bill, Unpriced
from comptroller.price.cost import Cost
from comptroller.price.reading import at, mapping, sequence, text, whole
from comptroller.price.sizes import size_of

RDS_TIMES: Mapping[str, tuple[str, str]] = {
    "mysql": ("1.45", "2.5"),
    "mariadb": ("1.45", "2.5"),
    "postgres": ("1.5", "2.6"),
    "aurora": ("1.8", "3.9"),
    "aurora-mysql": ("1.8", "3.9"),
    "aurora-postgresql": ("1.8", "3.9"),
    "docdb": ("1.6", "4.2"),
    "neptune": ("1.8", "4.2"),
    "oracle-se2": ("1.5", "7"),
    "oracle-ee": ("1.5", "3"),
    "sqlserver-ex": ("1.4", "5"),
    "sqlserver-web": ("1.5", "8"),
    "sqlserver-se": ("3", "16"),
    "sqlserver-ee": ("4", "24"),
}
"""How many times the price of the bare machine a database of this engine costs (least, most), licence included. From
memory, beside a few public prices: db.m5.large mysql 1.78, db.r6g.large postgres 2.23, Aurora I/O-optimised 3.4."""
RDS_ANY = ("1.4", "24")
COSTLY_CHANGES = frozenset({"AllocatedStorage", "Iops", "StorageType", "StorageThroughput", "MultiAZ", "LicenseModel"})
UNPRICED_DATABASE_MEMBERS = frozenset(
    {"AdditionalStorageVolumes", "DedicatedLogVolume", "CustomIamInstanceProfile", "DatabaseInsightsMode"}
)
"""Members that bring something of their own that costs."""
INSIGHTS_DAYS_FREE = 7
SUPPORT_ENDING_LATER = "open-source-rds-extended-support-disabled"
ACU_MAX = 256
DATABASE_GB_MAX = 65_536
CLUSTER_GB_MAX = 262_144
AURORA_READERS_MAX = 16
CACHE_TIMES = ("1.4", "2.4")
MEMORY_DB_TIMES = ("2.2", "3.8")
SEARCH_TIMES = ("1.3", "2.1")
KAFKA_TIMES = ("1.8", "3")
KAFKA_EXPRESS_TIMES = ("3.5", "6.5")
DAX_TIMES = ("1.3", "2.6")
MQ_TIMES = ("2", "3.6")
DMS_TIMES = ("1.3", "2.2")
REDSHIFT_RPUS_MAX = 1024
CACHE_GB_MAX = 5000


def db_instance(action: Action, bill: Bill) -> Cost:
    """`CreateDBInstance` of RDS, DocumentDB and Neptune: machine, storage, a second one for Multi-AZ."""
    members = action.parameters
    service = action.operation.split(":")[1]
    engine = text(members.get("Engine")).lower() or service
    zones = 2 if members.get("MultiAZ") is True else 1
    kind = members.get("DBInstanceClass")
    if any(members.get(name) for name in UNPRICED_DATABASE_MEMBERS) or (
        (whole(members.get("PerformanceInsightsRetentionPeriod")) or 0) > INSIGHTS_DAYS_FREE
    ):
        raise Unpriced("a member may cost extra")
    if kind == "db.serverless":
        bill.standing("aurora:acu", ACU_MAX, least=Decimal("0.5"))
        return bill.cost("at most 256 capacity units")
    _database(bill, kind, zones, RDS_TIMES.get(engine) or _engine_family(engine), engine=engine)
    if members.get("EngineVersion") is not None and members.get("EngineLifecycleSupport") != SUPPORT_ENDING_LATER:
        _extended_support(bill, kind, zones)
    if not engine.startswith(("aurora", "docdb", "neptune")):
        _rds_storage(bill, members, zones)
    return bill.cost("machine and storage; backups beyond the free share, and traffic, come on top")


def db_cluster(action: Action, bill: Bill) -> Cost:
    """`CreateDBCluster`: Aurora's own cluster costs as it is filled; a Multi-AZ cluster is three machines."""
    members = action.parameters
    kind = members.get("DBClusterInstanceClass")
    if members.get("EngineMode") not in (None, "provisioned"):
        raise Unpriced("machines of its own, or without a stated capacity")
    if kind is not None:
        if any(members.get(name) for name in UNPRICED_DATABASE_MEMBERS):
            raise Unpriced("a member may cost extra")
        _database(bill, kind, 3, RDS_TIMES.get(text(members.get("Engine")).lower(), RDS_ANY))
        _rds_storage(bill, members, 3)
        return bill.cost("three machines and their storage")
    scaling = mapping(members.get("ServerlessV2ScalingConfiguration") or members.get("ScalingConfiguration"))
    if scaling:
        most = whole(scaling.get("MaxCapacity"))
        if most is None or most > ACU_MAX:
            raise Unpriced("capacity")
        bill.standing("aurora:acu", most * AURORA_READERS_MAX, least=0)
        return bill.cost("at most 16 instances of the largest capacity")
    bill.per_hour(0, 0)
    return bill.cost("the cluster itself is free; its instances, and storage as it is used, are charged")


def modify_db_instance(action: Action, bill: Bill) -> Cost:
    """`ModifyDBInstance`: the whole machine as it will be; unknown where a stated change has no stated size."""
    members = action.parameters
    kind = members.get("DBInstanceClass")
    costly = members.keys() & COSTLY_CHANGES
    if kind is None and not costly:
        bill.per_hour(0, 0)
        return bill.cost("changes nothing that is charged")
    if kind is None:
        raise Unpriced("what the instance is now")
    zones = 1 if members.get("MultiAZ") is False else 2
    times = RDS_TIMES.get(text(members.get("Engine")).lower(), RDS_ANY)
    _database(bill, kind, zones, times, least=2 if members.get("MultiAZ") is True else 1)
    if costly - {"MultiAZ"}:
        _rds_storage(bill, members, zones)
    return bill.cost("as it will be")


def db_snapshot(action: Action, bill: Bill) -> Cost:
    """A snapshot: at most as large as a database may be; copies between regions are charged by their size besides."""
    members = action.parameters
    source = text(members.get("SourceDBSnapshotIdentifier") or members.get("SourceDBClusterSnapshotIdentifier"))
    place = source.split(":")[3] if source.startswith("arn:") and source.count(":") > 3 else bill.region
    if members.get("SourceRegion") not in (None, bill.region) or place != bill.region:
        raise Unpriced("a copy between regions")
    cluster = "Cluster" in action.operation
    size = CLUSTER_GB_MAX if cluster else DATABASE_GB_MAX
    bill.standing("rds:snapshot", size, least=0)
    return bill.cost("at most the largest database there is")


def cache_cluster(action: Action, bill: Bill) -> Cost:
    """ElastiCache nodes, as many as the request may bring about."""
    kind = text(action.parameters.get("CacheNodeType"))
    if text(action.parameters.get("EngineVersion"))[:1] in tuple("2345"):
        raise Unpriced("an old version is charged extra")
    bill.machine(_bare(kind, "cache."), max(1, action.quantity), times=CACHE_TIMES, named=kind)
    return bill.cost()


def serverless_cache(action: Action, bill: Bill) -> Cost:
    """A serverless cache: data up to its stated limit; requests come on top."""
    most = whole(at(action.parameters, "CacheUsageLimits", "DataStorage", "Maximum"))
    if most is None or whole(at(action.parameters, "CacheUsageLimits", "ECPUPerSecond", "Maximum")) is None:
        raise Unpriced("limits")
    units = whole(at(action.parameters, "CacheUsageLimits", "ECPUPerSecond", "Maximum")) or 0
    bill.standing("elasticache:serverless-gb", min(most, CACHE_GB_MAX), least=Decimal("0.1"))
    bill.standing("elasticache:ecpu-million", Decimal(units) * 3600 / 1_000_000, least=0)
    return bill.cost("at the stated limits")


def memory_db(action: Action, bill: Bill) -> Cost:
    """MemoryDB nodes: shards times replicas."""
    kind = text(action.parameters.get("NodeType"))
    bill.machine(_bare(kind, "db."), max(1, action.quantity), times=MEMORY_DB_TIMES, named=f"memorydb:{kind}")
    return bill.cost("data written comes on top")


def search_domain(action: Action, bill: Bill) -> Cost:
    """OpenSearch: data, master and warm nodes and the volumes of the data nodes."""
    members = action.parameters
    config = mapping(members.get("ClusterConfig") or members.get("ElasticsearchClusterConfig"))
    kind = text(config.get("InstanceType"))
    count = whole(config.get("InstanceCount")) or 1
    if not kind or config.get("NodeOptions"):
        raise Unpriced("instance type")
    _search_nodes(bill, kind, count)
    if config.get("DedicatedMasterEnabled"):
        _search_nodes(bill, text(config.get("DedicatedMasterType")), whole(config.get("DedicatedMasterCount")) or 3)
    if config.get("WarmEnabled"):
        bill.standing(f"opensearch:{text(config.get('WarmType'))}", whole(config.get("WarmCount")) or 2)
    disks = mapping(members.get("EBSOptions"))
    if disks.get("EBSEnabled"):
        size = whole(disks.get("VolumeSize")) or 10
        bill.standing(f"opensearch:{text(disks.get('VolumeType')) or 'gp3'}", size * count)
        for member, sku in (("Iops", "opensearch:iops"), ("Throughput", "opensearch:throughput")):
            if (extra := whole(disks.get(member))) is not None:
                bill.standing(sku, extra * count, least=0)
    return bill.cost("traffic and cold storage come on top")


def redshift_cluster(action: Action, bill: Bill) -> Cost:
    """Redshift nodes; managed storage is charged as it is used."""
    count = max(whole(action.parameters.get("NumberOfNodes")) or 1, action.quantity)
    count *= 2 if action.parameters.get("MultiAZ") is True else 1
    bill.standing(f"redshift:{text(action.parameters.get('NodeType')).lower()}", count)
    return bill.cost("managed storage, as it is used, comes on top")


def redshift_workgroup(action: Action, bill: Bill) -> Cost:
    """Redshift Serverless: nothing while idle, at most its largest capacity."""
    most = whole(action.parameters.get("maxCapacity")) or REDSHIFT_RPUS_MAX
    bill.standing("redshift:rpu", min(most, REDSHIFT_RPUS_MAX), least=0)
    return bill.cost("at most its largest capacity")


def kafka_cluster(action: Action, bill: Bill) -> Cost:
    """MSK brokers and their volumes; serverless clusters by the hour and what flows through them."""
    members = action.parameters
    given = mapping(members.get("provisioned") or members.get("Provisioned")) or members
    nodes = mapping(_either(given, "brokerNodeGroupInfo", "BrokerNodeGroupInfo"))
    kind = text(_either(nodes, "instanceType", "InstanceType"))
    count = whole(_either(given, "numberOfBrokerNodes", "NumberOfBrokerNodes")) or action.quantity
    if not kind:
        raise Unpriced("instance type")
    express = kind.startswith("express.")
    bare = _bare(_bare(kind, "kafka."), "express.")
    bill.machine(bare, count, times=KAFKA_EXPRESS_TIMES if express else KAFKA_TIMES, named=kind)
    storage = mapping(_either(nodes, "storageInfo", "StorageInfo"))
    disk = mapping(_either(storage, "ebsStorageInfo", "EbsStorageInfo"))
    size = whole(_either(disk, "volumeSize", "VolumeSize"))
    if not express:
        bill.standing("kafka:storage", (1000 if size is None else size) * count, least=(size or 1) * count)
        through = mapping(_either(disk, "provisionedThroughput", "ProvisionedThroughput"))
        if _either(through, "enabled", "Enabled"):
            rate = whole(_either(through, "volumeThroughput", "VolumeThroughput")) or 2375
            bill.standing("kafka:throughput", rate * count)
    return bill.cost("traffic comes on top")


def dynamodb_table(action: Action, bill: Bill) -> Cost:
    """A DynamoDB table: provisioned units of it and its indexes; one paid by request costs nothing by itself."""
    members = action.parameters
    places = [members, *(mapping(item) for item in sequence(members.get("GlobalSecondaryIndexes")))]
    for update in sequence(members.get("GlobalSecondaryIndexUpdates")):
        places += [mapping(inner) for inner in mapping(update).values()]
    if members.get("ReplicaUpdates") or members.get("Replicas"):
        raise Unpriced("replicas")
    bill.per_hour(0, 0)
    rare = members.get("TableClass") not in (None, "STANDARD")
    for place in places:
        if place.get("WarmThroughput"):
            raise Unpriced("throughput that is paid for at once")
        units = mapping(place.get("ProvisionedThroughput"))
        for name, sku in (("ReadCapacityUnits", "dynamodb:rcu"), ("WriteCapacityUnits", "dynamodb:wcu")):
            if name in units:
                count = whole(units[name])
                if count is None:
                    raise Unpriced(name)
                bill.standing(sku, count)
                bill.standing(sku, Decimal(count) / 3 if rare else 0, least=0)
    return bill.cost("storage, requests and backups, as they are used, come on top")


def kinesis_stream(action: Action, bill: Bill) -> Cost:
    """A Kinesis stream: its shards, or the hour of one on demand."""
    members = action.parameters
    mode = at(members, "StreamModeDetails", "StreamMode")
    shards = whole(_either(members, "ShardCount", "TargetShardCount"))
    if mode == "ON_DEMAND" or (mode is None and shards is None):
        bill.standing("kinesis:on-demand", 1)
    elif shards is not None:
        bill.standing("kinesis:shard", shards)
    else:
        raise Unpriced("shards")
    return bill.cost("what flows through it comes on top")


def dax_cluster(action: Action, bill: Bill) -> Cost:
    """DynamoDB Accelerator nodes."""
    kind = text(action.parameters.get("NodeType"))
    bill.machine(_bare(kind, "dax."), max(1, action.quantity), times=DAX_TIMES, named=kind)
    return bill.cost()


def mq_broker(action: Action, bill: Bill) -> Cost:
    """Amazon MQ: one, two or three brokers, by its deployment mode."""
    members = action.parameters
    kind = text(_either(members, "HostInstanceType", "hostInstanceType"))
    mode = text(_either(members, "DeploymentMode", "deploymentMode"))
    count = {"SINGLE_INSTANCE": 1, "ACTIVE_STANDBY_MULTI_AZ": 2, "CLUSTER_MULTI_AZ": 3}.get(mode)
    if count is None:
        raise Unpriced("deployment mode")
    bill.machine(_bare(kind, "mq."), count, times=MQ_TIMES, named=kind)
    bill.standing("mq:storage", 200 * count, least=0)
    return bill.cost("storage up to 200 GB a broker")


def dms_instance(action: Action, bill: Bill) -> Cost:
    """A replication instance of the Database Migration Service, with its storage."""
    members = action.parameters
    kind = text(members.get("ReplicationInstanceClass"))
    zones = 2 if members.get("MultiAZ") is True else 1
    bill.machine(_bare(kind, "dms."), zones, times=DMS_TIMES, named=kind)
    bill.standing("ebs:gp2", (whole(members.get("AllocatedStorage")) or 100) * zones * 2, least=0)
    return bill.cost()


def _database(
    bill: Bill, kind: Value, zones: int, times: tuple[str, str], *, least: int | None = None, engine: str = ""
) -> None:
    name = text(kind)
    if not name.startswith("db."):
        raise Unpriced("instance class")
    bare = ".".join(name.removeprefix("db.").split(".")[:2])
    family, dot, size = bare.partition(".")
    # RDS leaves out what EC2 names: x2g is x2gd there.
    bare = f"{family}d{dot}{size}" if family == "x2g" else bare
    bill.machine(bare, zones, times=times, least=least, named=f"{name}:{engine}" if engine else "")


def _extended_support(bill: Bill, kind: Value, zones: int) -> None:
    """An old version is charged extra by the vCPU; which versions are old changes with the calendar."""
    size = size_of("aws", ".".join(text(kind).removeprefix("db.").split(".")[:2]))
    if size is None:
        raise Unpriced("instance class")
    bill.standing("rds:extended-support-vcpu", size.vcpus * zones, least=0)


def _engine_family(engine: str) -> tuple[str, str]:
    known = [times for name, times in RDS_TIMES.items() if engine.startswith(name)]
    return known[-1] if known else RDS_ANY


def _rds_storage(bill: Bill, members: Mapping[str, Value], zones: int) -> None:
    size = whole(members.get("AllocatedStorage"))
    if size is None:
        raise Unpriced("storage")
    grown = max(size, whole(members.get("MaxAllocatedStorage")) or 0)
    kind = text(members.get("StorageType")) or ("io1" if members.get("Iops") is not None else "gp3")
    bill.standing(f"rds:{kind}", grown * zones, least=size * zones)
    if (iops := whole(members.get("Iops"))) is not None:
        bill.standing("rds:gp3-iops" if kind == "gp3" else "rds:iops", iops * zones, least=0 if kind == "gp3" else None)
    if (throughput := whole(members.get("StorageThroughput"))) is not None:
        bill.standing("rds:throughput", throughput * zones, least=0)


def _search_nodes(bill: Bill, kind: str, count: int) -> None:
    bare = kind.removesuffix(".search").removesuffix(".elasticsearch")
    bill.machine(bare, count, times=SEARCH_TIMES, named=kind)


def _bare(kind: str, prefix: str) -> str:
    return kind.removeprefix(prefix)


def _either(members: Mapping[str, Value], *names: str) -> Value:
    return next((members[name] for name in names if members.get(name) is not None), None)


PRICED = {
    **{
        f"aws:{service}:{name}": price
        for service in ("rds", "docdb", "neptune")
        for name, price in (
            ("CreateDBInstance", db_instance),
            ("CreateDBCluster", db_cluster),
            ("ModifyDBInstance", modify_db_instance),
        )
    },
    "aws:rds:CreateDBSnapshot": db_snapshot,
    "aws:rds:CopyDBSnapshot": db_snapshot,
    **{
        f"aws:{service}:{name}": db_snapshot
        for service in ("rds", "docdb", "neptune")
        for name in ("CreateDBClusterSnapshot", "CopyDBClusterSnapshot")
    },
    "aws:elasticache:CreateCacheCluster": cache_cluster,
    "aws:elasticache:CreateReplicationGroup": cache_cluster,
    "aws:elasticache:CreateServerlessCache": serverless_cache,
    "aws:memorydb:CreateCluster": memory_db,
    "aws:opensearch:CreateDomain": search_domain,
    "aws:es:CreateElasticsearchDomain": search_domain,
    "aws:redshift:CreateCluster": redshift_cluster,
    "aws:redshift:ResizeCluster": redshift_cluster,
    "aws:redshift-serverless:CreateWorkgroup": redshift_workgroup,
    "aws:kafka:CreateCluster": kafka_cluster,
    "aws:kafka:CreateClusterV2": kafka_cluster,
    "aws:dynamodb:CreateTable": dynamodb_table,
    "aws:dynamodb:UpdateTable": dynamodb_table,
    "aws:kinesis:CreateStream": kinesis_stream,
    "aws:kinesis:UpdateShardCount": kinesis_stream,
    "aws:dax:CreateCluster": dax_cluster,
    "aws:mq:CreateBroker": mq_broker,
    "aws:dms:CreateReplicationInstance": dms_instance,
}  # fmt: skip
"""Operation -> its price."""
