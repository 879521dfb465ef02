"""What Google Cloud machines, disks and accelerators cost an hour, and how their members are read."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from functools import lru_cache

from comptroller.core.action import Action, Value
from comptroller.price.book import PriceBook
from comptroller.price.catalogue import whole_micros
from comptroller.price.cost import Cost, Machine, bound

PROVIDER = "gcp"
HOURS_PER_MONTH_MIN = 672
"""The shortest month: the bound of an hourly share of a monthly price."""
HOURS_PER_MONTH_MAX = 744
COUNT_MAX = 1_000_000
DISK_GB_MAX = 10**7
BOOT_GB_MAX = 100
"""What the disk of a public image holds at most, where the request names no size."""
LOCAL_SSD_GB = 375
PUBLIC_IMAGES = ("debian-cloud", "ubuntu-os-cloud", "cos-cloud", "rocky-linux-cloud", "centos-cloud", "opensuse-cloud")
"""Projects of public images without a licence fee, whose disks are small."""
LICENSED = ("windows", "rhel", "sles", "suse", "ubuntu-os-pro", "sql-", "mssql")
"""Words in an image's address by which it carries a licence that is billed on top."""
INSTANCE_MEMBERS = frozenset(
    {"name", "description", "machineType", "zone", "disks", "networkInterfaces", "metadata", "tags", "labels"}
    | {"serviceAccounts", "scheduling", "guestAccelerators", "canIpForward", "deletionProtection", "hostname"}
    | {"minCpuPlatform", "shieldedInstanceConfig", "displayDevice", "reservationAffinity", "resourcePolicies"}
    | {"advancedMachineFeatures", "keyRevocationActionType", "privateIpv6GoogleAccess", "params", "kind", "id"}
    | {"resourceManagerTags", "fingerprint", "labelFingerprint"}
)
"""Members whose effect on the price is known. Any other may add dedicated hardware, bandwidth or fees."""
NODE_MEMBERS = frozenset(
    {"machineType", "diskSizeGb", "diskType", "accelerators", "spot", "preemptible", "localSsdCount", "imageType"}
    | {"oauthScopes", "serviceAccount", "metadata", "labels", "tags", "taints", "minCpuPlatform", "resourceLabels"}
    | {"shieldedInstanceConfig", "workloadMetadataConfig", "kubeletConfig", "linuxNodeConfig", "loggingConfig"}
    | {"resourceManagerTags", "bootDiskKmsKey", "gvnic", "gcfsConfig", "fastSocket", "advancedMachineFeatures"}
    | {"sandboxConfig", "reservationAffinity", "maxRunDuration", "flexStart", "containerdConfig"}
)
"""The same for a node of a Kubernetes cluster."""
SPEED_BY_DEFAULT = ("pd-extreme", "hyperdisk-")
"""Kinds of disks whose operations or throughput are paid for, and set by the service where nobody states them."""
BASIS_END = "; traffic and an image's own licence come on top"
_CARDS = {
    "nvidia-tesla-t4": "T4",
    "nvidia-tesla-p4": "P4",
    "nvidia-tesla-p100": "P100",
    "nvidia-tesla-v100": "V100",
    "nvidia-tesla-k80": "K80",
    "nvidia-l4": "L4",
    "nvidia-tesla-a100": "A100-40",
    "nvidia-a100-80gb": "A100-80",
    "nvidia-h100-80gb": "H100",
    "nvidia-h100-mega-80gb": "H100",
}
_WITH_CARDS = ("a2-", "a3-", "a4-", "a4x-", "g2-", "g4-")
"""Machines whose price holds their accelerators already."""
_UPPER = re.compile(r"(?<=[a-z0-9])([A-Z])")

Members = Mapping[str, Value]


class Unpriced(ValueError):
    """Something whose price nobody knows: the whole has none."""


@dataclass(slots=True)
class Total:
    """Hourly micro-dollars, as they add up."""

    low: Decimal = Decimal(0)
    high: Decimal = Decimal(0)
    machines: list[Machine] = field(default_factory=list)
    basis: list[str] = field(default_factory=list)

    def add(self, low: Decimal, high: Decimal, basis: str = "") -> None:
        """One more part."""
        self.low += low
        self.high += high
        if basis and basis not in self.basis:
            self.basis.append(basis)

    def cost(self, end: str = BASIS_END) -> Cost:
        """The whole."""
        return Cost(
            hourly=bound(int(self.low), whole_micros(self.high)),
            machines=tuple(self.machines),
            basis="; ".join(self.basis) + end,
        )


def listed(book: PriceBook, region: str, sku: str) -> tuple[Decimal, Decimal, str]:
    """(low, high, basis) of a list price in micro-dollars. Raises `Unpriced`."""
    found = book.listed(PROVIDER, region, sku)
    if found is None:
        raise Unpriced(sku)
    return found.low, found.high, found.basis


def add_machine(total: Total, book: PriceBook, region: str, kind: str, count: int, *, spot: bool = False) -> None:
    """`count` machines of one kind; at spot prices the low end is nothing. Raises `Unpriced`."""
    kind = kind.rpartition("/")[2]
    found = book.machine(PROVIDER, region, kind) if kind and not kind.endswith("-ext") else None
    if found is None or not 0 <= count <= COUNT_MAX:
        raise Unpriced(kind)
    low = Decimal(0) if spot else Decimal(found.low) * count
    total.add(low, Decimal(found.high) * count, found.basis)
    total.machines.append(Machine(provider=PROVIDER, region=region, sku=kind, count=count))


def add_cards(
    total: Total, book: PriceBook, region: str, kind: str, cards: Iterable[Value], count: int, spot: bool
) -> None:
    """Accelerators that are attached to a machine; those that come with its kind are in its price."""
    for card in cards:
        name = text(card, "acceleratorType").rpartition("/")[2].lower().replace("_", "-")
        number = whole(at(card, "acceleratorCount"))
        if kind.rpartition("/")[2].startswith(_WITH_CARDS):
            continue
        if name not in _CARDS or number is None:
            raise Unpriced(name)
        low, high, basis = listed(book, region, f"gpu:{_CARDS[name]}")
        total.add(Decimal(0) if spot else low * number * count, high * number * count, basis)


def add_disk(total: Total, book: PriceBook, region: str, kind: str, size_gb: int, count: int = 1) -> None:
    """`count` disks of a size, by the month's price. Raises `Unpriced`."""
    if not 0 <= size_gb <= DISK_GB_MAX:
        raise Unpriced("disk")
    low, high, basis = listed(book, region, f"disk:{kind.rpartition('/')[2] or 'pd-standard'}")
    total.add(low * size_gb * count / HOURS_PER_MONTH_MAX, high * size_gb * count / HOURS_PER_MONTH_MIN, basis)


def add_disk_extras(total: Total, book: PriceBook, region: str, found: Value, kind: str, count: int) -> None:
    """Operations and throughput that are paid for apart. Raises `Unpriced` where they are not stated."""
    name = kind.rpartition("/")[2]
    iops = {"pd-extreme": "pd-extreme-iops", "hyperdisk-extreme": "hyperdisk-extreme-iops"}.get(name, "hyperdisk-iops")
    mibps = "hyperdisk-throughput-mibps" if name == "hyperdisk-throughput" else "hyperdisk-balanced-mibps"
    wanted = {"provisionedIops", "provisionedThroughput"}
    if name.endswith("-extreme"):
        wanted = {"provisionedIops"}
    elif name in ("hyperdisk-throughput", "hyperdisk-ml"):
        wanted = {"provisionedThroughput"}
    for member, sku in (("provisionedIops", iops), ("provisionedThroughput", mibps)):
        number = whole(at(found, member))
        if not number and member in wanted and name.startswith(SPEED_BY_DEFAULT):
            raise Unpriced("a disk as fast as the service makes it")
        if number:
            _, high, basis = listed(book, region, f"disk:{sku}")
            total.add(Decimal(0), high * number * count / HOURS_PER_MONTH_MIN, basis)


def add_instance(total: Total, book: PriceBook, region: str, found: Members, count: int) -> None:
    """One instance, or the properties of `count` of them."""
    if {camel(name) for name in found} - INSTANCE_MEMBERS:
        raise Unpriced("members that may cost more")
    kind = text(found, "machineType")
    scheduling = table(found, "scheduling")
    if at(scheduling, "nodeAffinities"):
        raise Unpriced("dedicated hosts")
    spot = text(scheduling, "provisioningModel") == "SPOT" or at(scheduling, "preemptible") is True
    add_machine(total, book, region, kind, count, spot=spot)
    add_cards(total, book, region, kind, rows(found, "guestAccelerators"), count, spot)
    for disk in rows(found, "disks"):
        add_attached(total, book, region, disk, count)
    for interface in rows(found, "networkInterfaces"):
        addresses = len(rows(interface, "accessConfigs"))
        if addresses:
            low, high, basis = listed(book, region, "ipv4:public")
            total.add(Decimal(0) if spot else low * addresses * count, high * addresses * count, basis)


def add_attached(total: Total, book: PriceBook, region: str, disk: Value, count: int) -> None:
    """A disk that an instance is made with; one that exists already costs nothing more. Raises `Unpriced`."""
    if text(disk, "source"):
        return
    wish = table(disk, "initializeParams")
    image = text(wish, "sourceImage").lower()
    if any(word in image for word in LICENSED) or at(disk, "licenses") or at(wish, "licenses"):
        raise Unpriced("a licence")
    kind = text(wish, "diskType") or "pd-standard"
    count *= max(1, len(rows(wish, "replicaZones")))
    size = whole(at(wish, "diskSizeGb")) or whole(at(disk, "diskSizeGb"))
    if kind.endswith("local-ssd") or text(disk, "type") == "SCRATCH":
        add_disk(total, book, region, "local-ssd", max(size or 0, LOCAL_SSD_GB), count)
        return
    if size is None:
        if at(wish, "sourceSnapshot") or not any(f"projects/{name}/" in image for name in PUBLIC_IMAGES):
            raise Unpriced("a disk as large as what it is made from")
        before = total.low
        add_disk(total, book, region, kind, BOOT_GB_MAX, count)
        add_disk_extras(total, book, region, wish, kind, count)
        total.low = before
        return
    add_disk(total, book, region, kind, size, count)
    add_disk_extras(total, book, region, wish, kind, count)


def add_local_ssd(total: Total, book: PriceBook, region: str, size_gb: int, count: int) -> None:
    """Disks inside the machine, where there are any."""
    if size_gb:
        add_disk(total, book, region, "local-ssd", size_gb, count)


def body_of(action: Action) -> Members:
    """The members of an action that are the caller's own."""
    return {name: value for name, value in action.parameters.items() if not name.startswith("@")}


def camel(name: str) -> str:
    """`machine_type` -> `machineType`."""
    first, *others = name.split("_")
    return first + "".join(part[:1].upper() + part[1:] for part in others)


@lru_cache(maxsize=1024)
def _snake(name: str) -> str:
    return _UPPER.sub(r"_\1", name).lower()


def at(value: Value, *path: str) -> Value:
    """The member at a path of names, each in camel or snake case."""
    for name in path:
        if not isinstance(value, dict):
            return None
        found = value.get(name)
        value = value.get(_snake(name)) if found is None else found
    return value


def table(value: Value, *path: str) -> Members:
    """As `at`, where only an object will do; else an empty one."""
    found = at(value, *path)
    return found if isinstance(found, Mapping) else {}


def rows(value: Value, *path: str) -> Sequence[Value]:
    """As `at`, where only a list will do; a single object stands for a list of one."""
    found = at(value, *path)
    if isinstance(found, Mapping):
        return [found]
    return found if isinstance(found, Sequence) and not isinstance(found, str | bytes) else ()


def text(value: Value, *path: str) -> str:
    """As `at`, where only text will do; else empty."""
    found = at(value, *path)
    return found if isinstance(found, str) else ""


def whole(value: Value) -> int | None:
    """A whole number, as number or text; anything else has no price."""
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | str | Decimal):
        raise Unpriced("a count")
    if isinstance(value, str) and not (value.isascii() and value.isdigit() and len(value) < 19):
        raise Unpriced("a count")
    number = Decimal(value)
    if not 0 <= number < 10**18 or number != int(number):
        raise Unpriced("a count")
    return int(number)
