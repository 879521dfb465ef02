"""EC2: machines on demand and on spot, their volumes, addresses and CPU credits; hosts and reserved capacity. Linux."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal

from comptroller.core.action import Action, Value
from comptroller.price.bill import Bill, Unpriced
from comptroller.price.cost import Cost
from comptroller.price.reading import amount, at, mapping, sequence, text, whole
from comptroller.price.sizes import known_sizes, size_of

RUN_INSTANCES = "aws:ec2:RunInstances"
INSTANCES_MAX = 100_000
BASIS_END = "; traffic, and the image's own disks and licence, come on top"
"""What no request tells: an image brings disks, and perhaps a fee, of its own."""
GP3_IOPS_INCLUDED = 3000
GP3_THROUGHPUT_INCLUDED = 125
DETAILED_METRICS_MAX = 10
VOLUME_GB_MAX = 65_536
SPEND_MICROS_MAX = 10**12
HOST_TIMES = ("0.9", "1.4")
"""A dedicated host costs about a tenth more than the largest machine that fills it."""

PRICED_MEMBERS = frozenset(
    {"InstanceType", "ImageId", "KernelId", "RamdiskId", "MinCount", "MaxCount", "KeyName", "SecurityGroups"}
    | {"SecurityGroupIds", "SubnetId", "UserData", "IamInstanceProfile", "TagSpecifications", "Placement"}
    | {"BlockDeviceMappings", "NetworkInterfaces", "PrivateIpAddress", "Ipv6Addresses", "Ipv6AddressCount"}
    | {"EnablePrimaryIpv6", "InstanceMarketOptions", "CreditSpecification", "CpuOptions", "MetadataOptions"}
    | {"EbsOptimized", "DisableApiTermination", "DisableApiStop", "InstanceInitiatedShutdownBehavior", "DryRun"}
    | {"HibernationOptions", "MaintenanceOptions", "PrivateDnsNameOptions", "EnclaveOptions", "AdditionalInfo"}
    | {"NetworkPerformanceOptions", "Monitoring", "AddressingType", "ClientToken"}
)
"""Members whose effect on the price is known. Any other (a launch template, an accelerator, a licence) may add disks,
dedicated hardware or fees: the bound is then unknown."""
PRICED_DISK_MEMBERS = frozenset(
    {"VolumeSize", "VolumeType", "Iops", "Throughput", "DeleteOnTermination", "Encrypted", "KmsKeyId", "SnapshotId"}
)

_BURSTABLE_VCPUS = {"nano": 2, "micro": 2, "small": 2, "medium": 2, "large": 2, "xlarge": 4, "2xlarge": 8}
_T2_VCPUS = {"nano": 1, "micro": 1, "small": 1}


def run_instances(action: Action, bill: Bill) -> Cost:
    """`RunInstances`: machines, public addresses, CPU credits and the volumes that are named."""
    members = action.parameters
    count = max(whole(members.get("MaxCount")) or 1, action.quantity)
    market = mapping(members.get("InstanceMarketOptions"))
    if market and market.get("MarketType") != "spot":
        raise Unpriced("market")
    spot = mapping(market.get("SpotOptions")).get("MaxPrice") if market else None
    return bill.cost(_machines(members, count, bill, spot=bool(market), limit=spot))


def request_spot_instances(action: Action, bill: Bill) -> Cost:
    """`RequestSpotInstances`: at most the on-demand price, or the maximum that is named."""
    members = action.parameters
    count = max(whole(members.get("InstanceCount")) or 1, action.quantity)
    return bill.cost(
        _machines(mapping(members.get("LaunchSpecification")), count, bill, spot=True, limit=members.get("SpotPrice"))
    )


def request_spot_fleet(action: Action, bill: Bill) -> Cost:
    """`RequestSpotFleet` by launch specifications: the dearest of them, as often as the fleet may grow."""
    config = mapping(action.parameters.get("SpotFleetRequestConfig"))
    specifications = [mapping(item) for item in sequence(config.get("LaunchSpecifications"))]
    if not specifications or config.get("LaunchTemplateConfigs"):
        raise Unpriced("launch template")
    dearest: Cost | None = None
    for specification in specifications:
        inner = Bill(bill.book, bill.provider, bill.region)
        members = {name: value for name, value in specification.items() if name not in _FLEET_MEMBERS}
        limit = specification.get("SpotPrice") or config.get("SpotPrice")
        note = _machines(members, action.quantity, inner, spot=True, limit=limit)
        cost = inner.cost(note)
        if dearest is None or _high(cost) > _high(dearest):
            dearest = cost
    assert dearest is not None
    return dearest


def create_volume(action: Action, bill: Bill) -> Cost:
    """`CreateVolume` and `CopyVolumes`: storage, and IOPS and throughput beyond what is included."""
    members = action.parameters
    if members.get("VolumeInitializationRate"):
        raise Unpriced("a rate that is paid for at once")
    volume(bill, members.get("Size"), members.get("VolumeType", "gp3"), members.get("Iops"), members.get("Throughput"))
    return bill.cost()


def modify_volume(action: Action, bill: Bill) -> Cost:
    """`ModifyVolume`: the whole volume as it will be; unknown unless size and kind are stated."""
    members = action.parameters
    volume(bill, members.get("Size"), members.get("VolumeType"), members.get("Iops"), members.get("Throughput"))
    return bill.cost()


def create_snapshot(action: Action, bill: Bill) -> Cost:
    """`CreateSnapshot`: at most as large as the largest volume there is; within one region."""
    source = action.parameters.get("SourceRegion")
    if source is not None and source != action.region:
        raise Unpriced("a copy between regions")
    bill.standing("ebs:snapshot", VOLUME_GB_MAX, least=0)
    return bill.cost("at most the largest volume there is")


def allocate_hosts(action: Action, bill: Bill) -> Cost:
    """`AllocateHosts`: a host costs about what the largest machine of its family does."""
    members = action.parameters
    kind = text(members.get("InstanceType"))
    family = text(members.get("InstanceFamily")) or kind.partition(".")[0]
    sizes = [sku for sku in known_sizes("aws") if sku.partition(".")[0] == family]
    if not sizes:
        raise Unpriced(family)
    largest = max(sizes, key=_vcpus)
    bill.machine(largest, max(whole(members.get("Quantity")) or 1, action.quantity), times=HOST_TIMES)
    return bill.cost("dedicated host, by the largest machine of its family")


def capacity_reservation(action: Action, bill: Bill) -> Cost:
    """`CreateCapacityReservation`: costs what the machines would, used or not."""
    members = action.parameters
    if members.get("Tenancy") not in (None, "default") or members.get("InstancePlatform") not in _FREE_SYSTEMS:
        raise Unpriced("tenancy or platform")
    bill.machine(_kind(members), max(whole(members.get("InstanceCount")) or 1, action.quantity))
    return bill.cost()


def volume(bill: Bill, size: Value, kind: Value, iops: Value = None, throughput: Value = None, count: int = 1) -> None:
    """Adds `count` EBS volumes. Raises `Unpriced` where the size is not stated."""
    gigabytes = whole(size)
    name = kind if isinstance(kind, str) else ""
    if gigabytes is None or not name:
        raise Unpriced("volume")
    bill.standing(f"ebs:{name}", gigabytes * count)
    if (wanted := whole(iops)) is not None:
        extra = (max(0, wanted - GP3_IOPS_INCLUDED) if name == "gp3" else wanted) * count
        bill.standing("ebs:iops", extra, least=0 if name == "gp3" else None)
    if (rate := whole(throughput)) is not None:
        bill.standing("ebs:throughput", max(0, rate - GP3_THROUGHPUT_INCLUDED) * count)


def _machines(members: Mapping[str, Value], count: int, bill: Bill, *, spot: bool, limit: Value) -> str:
    """Adds machines like those of a launch; returns what the basis must say besides."""
    if not 1 <= count <= INSTANCES_MAX or members.keys() - PRICED_MEMBERS:
        raise Unpriced("a member may cost extra")
    placement = mapping(members.get("Placement"))
    if placement.get("Tenancy") not in (None, "default") or any(name.startswith("Host") for name in placement):
        raise Unpriced("tenancy")
    zone = text(placement.get("AvailabilityZone"))
    if zone and zone[:-1] != bill.region:
        raise Unpriced("a local zone has prices of its own")
    kind = _kind(members)
    if spot:
        _spot(bill, kind, count, limit)
    else:
        bill.machine(kind, count)
    bill.standing("ipv4:public", count * max(1, len(sequence(members.get("NetworkInterfaces")))), least=0)
    notes = ["Linux; high with public IPv4"]
    if credits := _credit_vcpus(kind, members):
        bill.standing(f"credits:{kind.partition('.')[0]}", credits * count, least=0)
        notes.append("CPU credits")
    if at(members, "Monitoring", "Enabled"):
        bill.standing("cloudwatch:metric", DETAILED_METRICS_MAX * count, least=0)
        notes.append("detailed monitoring")
    if _volumes(bill, members.get("BlockDeviceMappings"), count):
        notes.append("volumes")
    return ", ".join(notes) + BASIS_END


def _spot(bill: Bill, kind: str, count: int, limit: Value) -> None:
    """Spot costs at most the on-demand rate, unless a higher maximum is named."""
    bill.machine(kind, count, least=0)
    if limit is None:
        return
    named = amount(limit)
    found = bill.book.machine(bill.provider, bill.region, kind)
    most = Decimal(-1) if named is None else named * 1_000_000
    if found is None or not 0 <= most < SPEND_MICROS_MAX:
        raise Unpriced("maximum price")
    bill.per_hour(0, max(Decimal(0), most - found.high) * count)


def _credit_vcpus(kind: str, members: Mapping[str, Value]) -> int:
    """Burstable machines may be charged for CPU above their baseline, unless the caller asks for `standard`."""
    family, _, size = kind.partition(".")
    if not (len(family) <= 3 and family.startswith("t") and family[1:2].isdigit()):
        return 0
    wanted = mapping(members.get("CreditSpecification")).get("CpuCredits")
    if wanted == "standard" or (family == "t2" and wanted is None):
        return 0
    found = (_T2_VCPUS if family == "t2" else _BURSTABLE_VCPUS).get(size) or _BURSTABLE_VCPUS.get(size)
    if found is None:
        raise Unpriced(kind)
    return found


def _volumes(bill: Bill, mappings: Value, count: int) -> bool:
    """Adds the volumes a request names. The image's own root volume is left out: its size is not told."""
    named = False
    for item in sequence(mappings):
        block = mapping(mapping(item).get("Ebs"))
        if not block:
            continue
        if block.keys() - PRICED_DISK_MEMBERS:
            raise Unpriced("volume")
        kind = block.get("VolumeType", "gp3")
        volume(bill, block.get("VolumeSize"), kind, block.get("Iops"), block.get("Throughput"), count)
        named = True
    return named


def _kind(members: Mapping[str, Value]) -> str:
    kind = members.get("InstanceType")
    if not isinstance(kind, str) or not kind:
        raise Unpriced("instance type")
    return kind


def _vcpus(sku: str) -> Decimal:
    size = size_of("aws", sku)
    return size.vcpus if size is not None else Decimal(0)


def _high(cost: Cost) -> int:
    return cost.hourly.high or 0 if cost.hourly is not None else 0


_FLEET_MEMBERS = frozenset({"SpotPrice", "WeightedCapacity"})
_FREE_SYSTEMS = (None, "Linux/UNIX")

PRICED = {
    RUN_INSTANCES: run_instances,
    "aws:ec2:RequestSpotInstances": request_spot_instances,
    "aws:ec2:RequestSpotFleet": request_spot_fleet,
    "aws:ec2:CreateVolume": create_volume,
    "aws:ec2:ModifyVolume": modify_volume,
    "aws:ec2:CreateSnapshot": create_snapshot,
    "aws:ec2:CopySnapshot": create_snapshot,
    "aws:ec2:AllocateHosts": allocate_hosts,
    "aws:ec2:CreateCapacityReservation": capacity_reservation,
}
"""Operation -> its price."""
