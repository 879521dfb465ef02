"""EC2 instances and load balancers: a rate, and what that comes to over a term. Linux, shared tenancy, list price."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation

from comptroller.core.action import Action, Value
from comptroller.price.book import PriceBook
from comptroller.price.catalogue import Rate, whole_micros

TERM_SECONDS_DEFAULT = 3600
"""How long a machine is paid for in advance where nobody says otherwise."""
HOURS_PER_MONTH_MIN = 672
"""The shortest month: the bound of an hourly share of a monthly price."""
INSTANCES_MAX = 100_000
BASIS_END = "; traffic, and the image's own disks and licence, come on top"
"""What no request tells: an image brings disks, and perhaps a fee, of its own."""
GP3_IOPS_INCLUDED = 3000
GP3_THROUGHPUT_INCLUDED = 125

RUN_INSTANCES = "aws:ec2:RunInstances"
LOAD_BALANCERS = frozenset({"aws:elbv2:CreateLoadBalancer", "aws:elb:CreateLoadBalancer"})

PRICED_MEMBERS = frozenset(
    {"InstanceType", "ImageId", "KernelId", "RamdiskId", "MinCount", "MaxCount", "KeyName", "SecurityGroups"}
    | {"SecurityGroupIds", "SubnetId", "UserData", "IamInstanceProfile", "TagSpecifications", "Placement"}
    | {"BlockDeviceMappings", "NetworkInterfaces", "PrivateIpAddress", "Ipv6Addresses", "Ipv6AddressCount"}
    | {"EnablePrimaryIpv6", "InstanceMarketOptions", "CreditSpecification", "CpuOptions", "MetadataOptions"}
    | {"EbsOptimized", "DisableApiTermination", "DisableApiStop", "InstanceInitiatedShutdownBehavior", "DryRun"}
    | {"HibernationOptions", "MaintenanceOptions", "PrivateDnsNameOptions", "EnclaveOptions", "AdditionalInfo"}
    | {"NetworkPerformanceOptions"}
)
"""Members whose effect on the price is known. Any other (a launch template, an accelerator, a licence) may add disks,
dedicated hardware or fees: the bound is then unknown."""
PRICED_DISK_MEMBERS = frozenset(
    {"VolumeSize", "VolumeType", "Iops", "Throughput", "DeleteOnTermination", "Encrypted", "KmsKeyId", "SnapshotId"}
)

_BURSTABLE_VCPUS = {"nano": 2, "micro": 2, "small": 2, "medium": 2, "large": 2, "xlarge": 4, "2xlarge": 8}
_T2_VCPUS = {"nano": 1, "micro": 1, "small": 1}


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """What `count` machines cost per hour together, in micro-dollars. `basis` says where from."""

    count: int
    low_micros: int
    high_micros: int
    basis: str


def standing_cost(action: Action, book: PriceBook) -> Standing | None:
    """The standing cost of what an action brings about; None where it is not known."""
    if action.operation == RUN_INSTANCES:
        return _instances(action, book)
    if action.operation in LOAD_BALANCERS:
        return _balancer(action, book)
    return None


def _instances(action: Action, book: PriceBook) -> Standing | None:
    members = action.parameters
    kind = members.get("InstanceType")
    count = max(_whole(members.get("MaxCount")) or 1, action.quantity)
    if not isinstance(kind, str) or not 1 <= count <= INSTANCES_MAX:
        return None
    if _mapping(members.get("Monitoring")).get("Enabled") or members.keys() - PRICED_MEMBERS - {"Monitoring"}:
        return None
    placement = _mapping(members.get("Placement"))
    if placement.get("Tenancy") not in (None, "default") or any(k.startswith("Host") for k in placement):
        return None
    rate = book.rate("aws", action.region, kind)
    address = book.rate("aws", action.region, "ipv4:public")
    volumes = _volumes(members.get("BlockDeviceMappings"), action.region, book)
    credits = _credits(kind, members, action.region, book)
    spot = _spot(members, rate)
    if rate is None or address is None or volumes is None or credits is None or spot is None:
        return None
    low, most = spot
    addresses = max(1, len(_list(members.get("NetworkInterfaces"))))
    high = most + credits + volumes + address.micros * addresses
    basis = f"{rate.source}, {action.region}, Linux, {rate.as_of}; high with public IPv4"
    basis += ", CPU credits" if credits else ""
    basis += ", volumes" if volumes else ""
    return Standing(
        count=count, low_micros=int(low * count), high_micros=whole_micros(high * count), basis=basis + BASIS_END
    )


def _balancer(action: Action, book: PriceBook) -> Standing | None:
    members = action.parameters
    kind = members.get("Type", "application") if action.operation.startswith("aws:elbv2:") else "classic"
    rate = book.rate("aws", action.region, f"elb:{kind}") if isinstance(kind, str) else None
    address = book.rate("aws", action.region, "ipv4:public")
    if rate is None or address is None:
        return None
    zones = max(1, *(len(_list(members.get(n))) for n in ("Subnets", "SubnetMappings", "AvailabilityZones")))
    internal = "internal" in (members.get("Scheme"), members.get("scheme"))
    high = rate.micros + (Decimal(0) if internal else address.micros * zones)
    basis = f"{rate.source}, {action.region}, {rate.as_of}; high with public IPv4; capacity units (traffic) come on top"
    return Standing(count=1, low_micros=int(rate.micros), high_micros=whole_micros(high), basis=basis)


def _spot(members: Mapping[str, Value], rate: Rate | None) -> tuple[Decimal, Decimal] | None:
    """(least, most) per machine and hour: spot costs at most the on-demand rate, unless a higher maximum is named."""
    if rate is None:
        return None
    market = _mapping(members.get("InstanceMarketOptions"))
    if not market:
        return rate.micros, rate.micros
    if market.get("MarketType") != "spot":
        return None
    named = _mapping(market.get("SpotOptions")).get("MaxPrice")
    if named is None:
        return Decimal(0), rate.micros
    try:
        most = Decimal(str(named)) * 1_000_000
    except InvalidOperation:
        return None
    return (Decimal(0), max(most, rate.micros)) if most.is_finite() and 0 <= most < 10**12 else None


def _credits(kind: str, members: Mapping[str, Value], region: str, book: PriceBook) -> Decimal | None:
    """Burstable machines may be charged for CPU above their baseline, unless the caller asks for `standard`."""
    family, _, size = kind.partition(".")
    if not (len(family) <= 3 and family.startswith("t") and family[1:2].isdigit()):
        return Decimal(0)
    wanted = _mapping(members.get("CreditSpecification")).get("CpuCredits")
    if wanted == "standard" or (family == "t2" and wanted is None):
        return Decimal(0)
    rate = book.rate("aws", region, f"credits:{family}")
    vcpus = (_T2_VCPUS if family == "t2" else _BURSTABLE_VCPUS).get(size) or _BURSTABLE_VCPUS.get(size)
    return None if rate is None or vcpus is None else rate.micros * vcpus


def _volumes(mappings: Value, region: str, book: PriceBook) -> Decimal | None:
    """Per hour, for the volumes a request names. The image's own root volume is left out: its size is not told."""
    total = Decimal(0)
    for mapping in _list(mappings):
        block = _mapping(_mapping(mapping).get("Ebs"))
        if not block:
            continue
        if block.keys() - PRICED_DISK_MEMBERS:
            return None
        size = _whole(block.get("VolumeSize"))
        kind = block.get("VolumeType", "gp3")
        rates = [book.rate("aws", region, f"ebs:{name}") for name in (kind, "iops", "throughput")]
        storage, per_iops, per_throughput = rates
        if size is None or storage is None or per_iops is None or per_throughput is None:
            return None
        monthly = storage.micros * size
        if (iops := _whole(block.get("Iops"))) is not None:
            monthly += per_iops.micros * (max(0, iops - GP3_IOPS_INCLUDED) if kind == "gp3" else iops)
        if (throughput := _whole(block.get("Throughput"))) is not None:
            monthly += per_throughput.micros * max(0, throughput - GP3_THROUGHPUT_INCLUDED)
        total += monthly / HOURS_PER_MONTH_MIN
    return total


def _whole(value: Value) -> int | None:
    if isinstance(value, bool):
        return None
    if isinstance(value, int):
        return value if 0 <= value < 10**12 else None
    return int(value) if isinstance(value, str) and value.isascii() and value.isdigit() and len(value) < 13 else None


def _mapping(value: Value) -> Mapping[str, Value]:
    return value if isinstance(value, Mapping) else {}


def _list(value: Value) -> Sequence[Value]:
    return value if isinstance(value, Sequence) and not isinstance(value, str | bytes) else ()
