"""Containers, functions, clusters and machine learning of AWS: what runs, at its stated or its largest size."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from decimal import Decimal
from fractions import Fraction

from comptroller.core.action import Action, Value
from comptroller.core.estimate import Outcome
from comptroller.price.aws_compute import volume
from comptroller.price.bill import Bill, Unpriced
from comptroller.price.cost import Cost
from comptroller.price.reading import amount, at, mapping, sequence, text, whole
from comptroller.price.sizes import size_of

SAGEMAKER_TIMES = ("1.05", "1.55")
EMR_TIMES = ("1.05", "1.45")
EMR_ROOT_GB_MAX = 100
EMR_GB_PER_VCPU = 32
"""EMR attaches up to this much storage of its own per vCPU."""
EKS_TYPE_DEFAULT = "t3.medium"
EKS_DISK_GB_DEFAULT = 20
FARGATE_VCPUS_MAX = 16
FARGATE_GB_MAX = 120
FARGATE_DISK_GB_MAX = 200
LAMBDA_GB_MAX = Decimal("10.24")
LAMBDA_GB_MIN = Decimal("0.125")
LAMBDA_SECONDS_MAX = 900
LAMBDA_TRIES_MAX = 3
"""One that is queued is tried again twice."""
BATCH_DISK_GB = 30
LAMBDA_DURABLE_MEMBER = "DurableConfig"
GLUE_DPUS: Mapping[str, str] = {
    "Standard": "1", "G.025X": "0.25", "G.1X": "1", "G.2X": "2", "G.4X": "4", "G.8X": "8", "G.12X": "12", "G.16X": "16",
    "R.1X": "1", "R.2X": "2", "R.4X": "4", "R.8X": "8", "Z.2X": "2",
}  # fmt: skip
VPC_ADDONS_FREE = frozenset(
    {"vpc-cni", "coredns", "kube-proxy", "aws-ebs-csi-driver", "aws-efs-csi-driver", "aws-mountpoint-s3-csi-driver"}
    | {"eks-pod-identity-agent", "snapshot-controller", "amazon-cloudwatch-observability", "adot", "metrics-server"}
    | {"aws-fsx-csi-driver", "eks-node-monitoring-agent"}
)
"""Add-ons by AWS itself, without a price of their own."""


def eks_cluster(action: Action, bill: Bill) -> Cost:
    """The control plane: the dearer rate of extended support where the version is stated; no machines."""
    members = action.parameters
    scaled = at(members, "controlPlaneScalingConfig", "tier")
    if at(members, "computeConfig", "enabled") or scaled not in (None, "standard") or members.get("outpostConfig"):
        raise Unpriced("machines of its own")
    bill.standing("eks:cluster")
    if members.get("version") is not None:
        bill.standing("eks:extended-support", 1, least=0)
    return bill.cost("control plane; nodes come on top")


def eks_nodegroup(action: Action, bill: Bill) -> Cost:
    """The dearest of its types, as often as it may grow, with disks and addresses."""
    members = action.parameters
    if members.get("launchTemplate") or text(members.get("amiType")).startswith("WINDOWS"):
        raise Unpriced("launch template or licence")
    count = max(1, action.quantity)
    kinds = [kind for kind in sequence(members.get("instanceTypes")) if isinstance(kind, str)] or [EKS_TYPE_DEFAULT]
    spot = members.get("capacityType") == "SPOT"
    _dearest(bill, kinds, count, least=0 if spot else _least(members))
    size = members.get("diskSize")
    volume(bill, EKS_DISK_GB_DEFAULT if size is None else size, "gp3", count=count)
    bill.standing("ipv4:public", count, least=0)
    return bill.cost("at its largest size, Linux")


def eks_addon(action: Action, bill: Bill) -> Cost:
    """Add-ons by AWS are free; others have prices of their own."""
    if action.parameters.get("addonName") not in VPC_ADDONS_FREE:
        raise Unpriced("add-on")
    bill.per_hour(0, 0)
    return bill.cost("an add-on by AWS, free by itself")


def ecs_tasks(action: Action, bill: Bill) -> Cost:
    """Fargate tasks at the stated size, else at the largest there is; on one's own machines nothing more."""
    members = action.parameters
    launch = members.get("launchType")
    strategy = sequence(members.get("capacityProviderStrategy"))
    providers = [text(mapping(item).get("capacityProvider")) for item in strategy]
    if members.get("managedEBSVolume") or members.get("volumeConfigurations"):
        raise Unpriced("volumes")
    if launch in ("EC2", "EXTERNAL"):
        bill.per_hour(0, 0)
        return bill.cost("on machines that are paid for already")
    if not (launch == "FARGATE" or (providers and all(name in ("FARGATE", "FARGATE_SPOT") for name in providers))):
        raise Unpriced("capacity provider")
    count = max(1, action.quantity)
    overrides = mapping(members.get("overrides"))
    vcpus, gigabytes = _fargate_size(overrides)
    known = bool(amount(overrides.get("cpu")) and amount(overrides.get("memory")))
    spot = "FARGATE_SPOT" in providers
    least = (vcpus, gigabytes) if known else (Decimal("0.25"), Decimal("0.5"))
    bill.standing("fargate:vcpu", vcpus * count, least=0 if spot else least[0] * count)
    bill.standing("fargate:gb", gigabytes * count, least=0 if spot else least[1] * count)
    if known:
        bill.standing("fargate:windows-vcpu", vcpus * count, least=0)
    bill.standing("fargate:disk", FARGATE_DISK_GB_MAX * count, least=0)
    bill.standing("ipv4:public", count, least=0)
    return bill.cost("stated size" if known else "at the largest size a task may have")


def lambda_invoke(action: Action, bill: Bill) -> Cost:
    """One invocation: at most the largest memory for the longest time there is."""
    queued = action.parameters.get("InvocationType") == "Event" or action.operation.endswith(":InvokeAsync")
    tries = LAMBDA_TRIES_MAX if queued else 1
    bill.once("lambda:request", tries, least=1)
    bill.once("lambda:gb-second", LAMBDA_GB_MAX * LAMBDA_SECONDS_MAX * tries, least=0)
    return bill.cost("at most 10,240 MB for 900 s")


def lambda_share(action: Action, outcome: Outcome) -> Fraction | None:
    """The part of an invocation's bound that was used: by the log tail where the answer has one, else by the time the
    answer took, at the largest memory. None where nobody waits for its end, or the time is not known."""
    queued = action.parameters.get("InvocationType") in ("Event", "DryRun")
    if action.operation not in ("aws:lambda:Invoke", "aws:lambda:InvokeWithResponseStream") or queued:
        return None
    if (billed := outcome.usage.get("billed_milliseconds")) and (size := outcome.usage.get("memory_megabytes")):
        used = Fraction(billed, 1000) * Fraction(size, 1024)
    elif outcome.complete and outcome.elapsed_milliseconds:
        # Rounded up, and a second more: an extension may end after the answer.
        used = Fraction(outcome.elapsed_milliseconds // 1000 + 2) * Fraction(LAMBDA_GB_MAX)
    else:
        return None
    return min(Fraction(1), used / Fraction(LAMBDA_GB_MAX * LAMBDA_SECONDS_MAX))


def lambda_function(action: Action, bill: Bill) -> Cost:
    """A function costs as it is called."""
    if action.parameters.get(LAMBDA_DURABLE_MEMBER) or action.parameters.get("CapacityProviderConfig"):
        raise Unpriced("machines of its own")
    bill.per_hour(0, 0)
    return bill.cost("a function costs as it is called")


def lambda_concurrency(action: Action, bill: Bill) -> Cost:
    """Provisioned concurrency: each at the largest memory there is."""
    count = max(whole(action.parameters.get("ProvisionedConcurrentExecutions")) or 1, action.quantity)
    seconds = 3600 * count
    found = bill.listed("lambda:provisioned-gb-second")
    bill.per_hour(found.low * LAMBDA_GB_MIN * seconds, found.high * LAMBDA_GB_MAX * seconds, found.basis)
    return bill.cost("at most 10,240 MB each")


def sagemaker(action: Action, bill: Bill) -> Cost:
    """Every machine group that the request names: its type, how many, and its volumes."""
    groups = list(_machine_groups(action.parameters))
    bought = at(action.parameters, "AlgorithmSpecification", "AlgorithmName")
    if not groups or bought or action.parameters.get("AcceleratorTypes"):
        raise Unpriced("machine type, or an algorithm that is sold")
    stated = sum(count for _, count, _ in groups)
    times = max(1, -(-action.quantity // max(1, stated)))
    for kind, count, disk in groups:
        name = text(kind)
        if not name.startswith("ml."):
            raise Unpriced(name)
        bare = name.removeprefix("ml.")
        bill.machine(bare, count * times, times=SAGEMAKER_TIMES, named=name)
        bill.standing("sagemaker:storage", disk * count * times)
    return bill.cost("as long as it runs")


def sagemaker_config(action: Action, bill: Bill) -> Cost:
    """An endpoint's configuration: nothing before an endpoint uses it, then all it names."""
    variants = [*sequence(action.parameters.get("ProductionVariants")),
                *sequence(action.parameters.get("ShadowProductionVariants"))]  # fmt: skip
    bill.per_hour(0, 0)
    for item in variants:
        variant = mapping(item)
        if variant.get("ServerlessConfig"):
            continue
        name = text(variant.get("InstanceType"))
        scaled = whole(at(variant, "ManagedInstanceScaling", "MaxInstanceCount")) or 0
        count = max(whole(variant.get("InitialInstanceCount")) or 1, scaled)
        bill.machine(name.removeprefix("ml."), count, times=SAGEMAKER_TIMES, named=name, least=0)
    return bill.cost("what an endpoint of it costs")


def emr_cluster(action: Action, bill: Bill) -> Cost:
    """EMR machines with their mark-up and the storage it attaches; scaling at the dearest type."""
    members = action.parameters
    instances = mapping(members.get("Instances")) or members
    groups: list[tuple[str, int]] = []
    for item in sequence(instances.get("InstanceGroups")):
        group = mapping(item)
        disks = mapping(group.get("EbsConfiguration"))
        if disks:
            raise Unpriced("volumes")
        groups.append((text(group.get("InstanceType")), whole(group.get("InstanceCount")) or 1))
    fleets = [*sequence(instances.get("InstanceFleets"))]
    if "InstanceFleet" in members:
        fleets.append(members["InstanceFleet"])
    if (whole(members.get("EbsRootVolumeSize", 0)) or 0) > EMR_ROOT_GB_MAX:
        raise Unpriced("volumes")
    for item in fleets:
        fleet = mapping(item)
        if any("EbsConfiguration" in mapping(one) for one in sequence(fleet.get("InstanceTypeConfigs"))):
            raise Unpriced("volumes")
        kinds = [text(mapping(one).get("InstanceType")) for one in sequence(fleet.get("InstanceTypeConfigs"))]
        wanted = (whole(fleet.get("TargetOnDemandCapacity")) or 0) + (whole(fleet.get("TargetSpotCapacity")) or 0)
        groups += [(_dearest_of(bill, kinds), max(1, wanted))]
    master, slave = text(instances.get("MasterInstanceType")), text(instances.get("SlaveInstanceType"))
    if master:
        groups.append((master, 1))
    if slave:
        groups.append((slave, max(0, (whole(instances.get("InstanceCount")) or 1) - 1)))
    if not groups:
        raise Unpriced("machine type")
    for kind, count in groups:
        _emr_machines(bill, kind, count)
    if (more := action.quantity - sum(count for _, count in groups)) > 0:
        _emr_machines(bill, _dearest_of(bill, [kind for kind, _ in groups]), more, least=0)
    return bill.cost("with EMR's own fee and storage")


def batch_environment(action: Action, bill: Bill) -> Cost:
    """A managed environment: up to its vCPUs, of the dearest type, or of Fargate."""
    resources = mapping(action.parameters.get("computeResources"))
    most = whole(resources.get("maxvCpus"))
    kind = text(resources.get("type"))
    if most is None or resources.get("launchTemplate"):
        raise Unpriced("capacity")
    if kind.startswith("FARGATE"):
        bill.standing("fargate:vcpu", most, least=0)
        bill.standing("fargate:gb", most * 8, least=0)
        return bill.cost("at its largest size")
    kinds = [text(item) for item in sequence(resources.get("instanceTypes"))]
    per_vcpu = []
    for name in kinds:
        found, size = bill.book.machine("aws", bill.region, name), size_of("aws", name)
        if found is None or size is None:
            raise Unpriced(name)
        per_vcpu.append((Decimal(found.high) / size.vcpus, size.vcpus))
    if not per_vcpu:
        raise Unpriced("instance types")
    # The last machine may be larger than what is still missing.
    bill.per_hour(0, max(rate for rate, _ in per_vcpu) * (most + max(vcpus for _, vcpus in per_vcpu)))
    machines = most // min(vcpus for _, vcpus in per_vcpu) + 1
    bill.standing("ebs:gp2", machines * BATCH_DISK_GB, least=0)
    bill.standing("ipv4:public", machines, least=0)
    return bill.cost("at its largest size, list prices")


def glue_run(action: Action, bill: Bill) -> Cost:
    """A Glue job or session: its workers by the DPU hour."""
    members = action.parameters
    kind, workers = members.get("WorkerType"), whole(members.get("NumberOfWorkers"))
    capacity = amount(members.get("MaxCapacity")) or amount(members.get("AllocatedCapacity"))
    if kind is not None and workers is not None:
        if kind not in GLUE_DPUS:
            raise Unpriced("worker type")
        units = Decimal(GLUE_DPUS[text(kind)]) * workers
    elif capacity is not None:
        units = capacity
    else:
        raise Unpriced("workers")
    bill.standing("glue:dpu", units)
    return bill.cost("as long as it runs")


def bedrock_throughput(action: Action, bill: Bill) -> Cost:
    """Provisioned throughput: model units by the hour, for the models whose price is public."""
    model = text(action.parameters.get("modelId")).rpartition("/")[2]
    count = max(whole(action.parameters.get("modelUnits")) or 1, action.quantity)
    name = ":".join(model.split(":")[:1])
    bill.standing(f"bedrock:{name}", count)
    return bill.cost("without commitment")


def _machine_groups(value: Value, depth: int = 0) -> Iterator[tuple[Value, int, int]]:
    """(type, count, gigabytes) of each mapping that names a machine type, at any depth."""
    if depth > 12:
        raise Unpriced("nested too deep")
    if isinstance(value, Mapping):
        if "EbsVolumeConfig" in value:
            raise Unpriced("volumes beside the machines'")
        if "InstanceType" in value:
            count = whole(value.get("InstanceCount", 1))
            disk = whole(value.get("VolumeSizeInGB", 5))
            if count is None or disk is None:
                raise Unpriced("count")
            yield value["InstanceType"], count, disk
        for name, member in value.items():
            if name != "Environment":
                yield from _machine_groups(member, depth + 1)
    elif isinstance(value, list | tuple):
        for member in value:
            yield from _machine_groups(member, depth + 1)


def _emr_machines(bill: Bill, kind: str, count: int, least: int | None = None) -> None:
    size = size_of("aws", kind)
    if size is None:
        raise Unpriced(kind)
    bill.machine(kind, count, times=EMR_TIMES, least=least)
    bill.standing("ebs:gp2", size.vcpus * EMR_GB_PER_VCPU * count, least=0)


def _dearest_of(bill: Bill, kinds: list[str]) -> str:
    rates = {kind: bill.book.machine("aws", bill.region, kind) for kind in kinds}
    known = {kind: found.high for kind, found in rates.items() if found is not None}
    if not known or len(known) != len(rates):
        raise Unpriced("machine type")
    return max(known, key=lambda kind: known[kind])


def _dearest(bill: Bill, kinds: list[str], count: int, least: int) -> None:
    bill.machine(_dearest_of(bill, kinds), count, least=min(least, count) if len(set(kinds)) == 1 else 0)


def _least(members: Mapping[str, Value]) -> int:
    scaling = mapping(members.get("scalingConfig"))
    return whole(scaling.get("desiredSize")) or whole(scaling.get("minSize")) or 1


def _fargate_size(overrides: Mapping[str, Value]) -> tuple[Decimal, Decimal]:
    """(vCPUs, GB), each the largest where it is not stated; CPU units and MiB are the plain numbers."""
    cpu, memory = (amount(overrides.get(name)) or None for name in ("cpu", "memory"))
    vcpus = Decimal(FARGATE_VCPUS_MAX) if cpu is None else cpu / 1024 if cpu > FARGATE_VCPUS_MAX else cpu
    gigabytes = Decimal(FARGATE_GB_MAX) if memory is None else memory / 1024 if memory > FARGATE_GB_MAX else memory
    return vcpus, gigabytes


PRICED = {
    "aws:eks:CreateCluster": eks_cluster,
    "aws:eks:CreateNodegroup": eks_nodegroup,
    "aws:eks:CreateAddon": eks_addon,
    "aws:ecs:RunTask": ecs_tasks,
    "aws:ecs:CreateService": ecs_tasks,
    "aws:lambda:Invoke": lambda_invoke,
    "aws:lambda:InvokeWithResponseStream": lambda_invoke,
    "aws:lambda:InvokeAsync": lambda_invoke,
    "aws:lambda:CreateFunction": lambda_function,
    "aws:lambda:PutProvisionedConcurrencyConfig": lambda_concurrency,
    "aws:sagemaker:CreateEndpointConfig": sagemaker_config,
    **{
        f"aws:sagemaker:{name}": sagemaker
        for name in (
            "CreateTrainingJob", "CreateProcessingJob", "CreateTransformJob", "CreateHyperParameterTuningJob",
            "CreateNotebookInstance", "CreateApp", "CreateCluster", "CreateMonitoringSchedule",
        )
    },
    "aws:emr:RunJobFlow": emr_cluster,
    "aws:emr:AddInstanceGroups": emr_cluster,
    "aws:emr:AddInstanceFleet": emr_cluster,
    "aws:batch:CreateComputeEnvironment": batch_environment,
    "aws:glue:StartJobRun": glue_run,
    "aws:glue:CreateSession": glue_run,
    "aws:bedrock:CreateProvisionedModelThroughput": bedrock_throughput,
}  # fmt: skip
"""Operation -> its price."""
