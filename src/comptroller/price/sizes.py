"""What a kind of machine is made of: vCPUs, memory, accelerators, disks. Facts, no prices."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from functools import cache
from types import MappingProxyType

from comptroller.price.rows import rows_of

NAME_CHARS_MAX = 80
CUSTOM_VCPUS_MAX = 512
CUSTOM_MEBIBYTES_MAX = 1 << 25


@dataclass(frozen=True, slots=True, kw_only=True)
class Size:
    """One kind of machine. `count` is a fraction where several machines share one accelerator; `disk_gb` counts local
    disks; `family` groups kinds whose price grows with their size; a `burstable` one is priced by its memory."""

    family: str
    vcpus: Decimal
    gib: Decimal
    accelerator: str = ""
    count: Decimal = Decimal(0)
    disk_gb: Decimal = Decimal(0)
    burstable: bool = False


def normal(provider: str, sku: str) -> str:
    """The name as the tables write it: without `Standard_` (Azure) and without a path before it (GCP)."""
    name = sku[:NAME_CHARS_MAX].rpartition("/")[2]
    if provider == "azure":
        name = re.sub(r"^(standard|basic)_", "", name, flags=re.IGNORECASE)
        return _azure_names().get(name.lower(), _azure_case(name))
    return name.lower()


def size_of(provider: str, sku: str) -> Size | None:
    """The size of a machine named as `normal` names it; None where nobody knows it."""
    known = _tables().get((provider, sku))
    if known is not None:
        return known
    if provider == "gcp":
        return _gcp(sku)
    if provider == "azure":
        return _azure(sku)
    return None


def family_of(provider: str, sku: str) -> str:
    """The family by name alone (`m5.large` -> `m5`); empty where the name has none."""
    size = size_of(provider, sku)
    return size.family if size is not None else ""


def known_sizes(provider: str) -> tuple[str, ...]:
    """Every machine of the provider that the tables list."""
    return tuple(sku for owner, sku in _tables() if owner == provider)


@cache
def _tables() -> Mapping[tuple[str, str], Size]:
    found = {}
    for provider in ("aws", "gcp", "azure"):
        for row in rows_of(f"{provider}_machines.csv"):
            sku = row["sku"]
            found[provider, sku] = Size(
                family=row.get("family") or sku.partition(".")[0],
                vcpus=Decimal(row["vcpus"]),
                gib=Decimal(row["gib"]),
                accelerator=row["accelerator"],
                count=Decimal(row["count"] or 0),
                disk_gb=Decimal(row["disk_gb"] or 0),
                burstable=row["burstable"] == "1",
            )
    return MappingProxyType(found)


# ---------------------------------------------------------------- Google Cloud

_GCP_GIB = {
    "standard": "4", "highmem": "8", "highcpu": "2", "megamem": "14.9", "ultramem": "24.025", "hypermem": "20",
}  # fmt: skip
_GCP_GIB_OF = {
    "n1-standard": "3.75", "n1-highmem": "6.5", "n1-highcpu": "0.9", "e2-highcpu": "1", "n2-highcpu": "1",
    "n2d-highcpu": "1", "m2-ultramem": "28.31", "m2-megamem": "14.15", "m3-ultramem": "30.5", "m3-megamem": "15.25",
    "c4-standard": "3.75", "c4-highmem": "7.75", "x4-megamem": "16",
}  # fmt: skip
_GCP = re.compile(r"([a-z][a-z0-9]{0,5})-([a-z]+)-(\d{1,4})(-lssd|-metal|-nolssd)?")
_GCP_CUSTOM = re.compile(r"(?:([a-z][a-z0-9]{0,3})-)?custom-(\d{1,4})-(\d{1,8})(-ext)?")
_ATTACHED = re.compile(r"(?P<machine>[a-z0-9-]+)\+(?:(?P<count>\d{1,2})x)?(?P<kind>[a-z0-9-]+)")
_GCP_FAMILIES = frozenset(
    {"n1", "n2", "n2d", "n4", "n4a", "n4d", "e2", "c2", "c2d", "c3", "c3d", "c4", "c4a", "c4d", "t2a", "t2d", "m1"}
    | {"m2", "m3", "m4", "h3", "h4d", "z3", "x4"}
)
GCP_ACCELERATORS: Mapping[str, str] = MappingProxyType(
    {
        "nvidia-tesla-t4": "T4", "t4": "T4", "nvidia-tesla-v100": "V100", "v100": "V100", "nvidia-tesla-p100": "P100",
        "p100": "P100", "nvidia-tesla-p4": "P4", "p4": "P4", "nvidia-tesla-k80": "K80", "k80": "K80", "nvidia-l4": "L4",
        "l4": "L4", "nvidia-tesla-a100": "A100-40", "a100": "A100-40", "nvidia-a100-80gb": "A100-80",
        "nvidia-h100-80gb": "H100", "nvidia-h100-mega-80gb": "H100", "h100": "H100", "nvidia-h200-141gb": "H200",
        "nvidia-b200": "B200",
    }
)  # fmt: skip
"""What Compute Engine calls an accelerator -> its name in the tables. The suffix `-vws` (a workstation) costs more."""


def _gcp(sku: str) -> Size | None:
    if attached := _ATTACHED.fullmatch(sku):
        machine = size_of("gcp", attached["machine"])
        accelerator = GCP_ACCELERATORS.get(attached["kind"])
        if machine is None or accelerator is None or machine.accelerator:
            return None
        return Size(
            family=f"{machine.family}+{accelerator}", vcpus=machine.vcpus, gib=machine.gib, accelerator=accelerator,
            count=Decimal(attached["count"] or 1), disk_gb=machine.disk_gb,
        )  # fmt: skip
    if custom := _GCP_CUSTOM.fullmatch(sku):
        family, vcpus, mebibytes = custom[1] or "n1", int(custom[2]), int(custom[3])
        if family not in _GCP_FAMILIES or not 1 <= vcpus <= CUSTOM_VCPUS_MAX or mebibytes > CUSTOM_MEBIBYTES_MAX:
            return None
        # Extended memory is dearer than the family's own: counted twice.
        gib = Decimal(mebibytes) / 1024 * (2 if custom[4] else 1)
        return Size(family=family, vcpus=Decimal(vcpus), gib=gib)
    plain = _GCP.fullmatch(sku)
    if plain is None or plain[1] not in _GCP_FAMILIES or not 1 <= int(plain[3]) <= CUSTOM_VCPUS_MAX * 4:
        return None
    each = _GCP_GIB_OF.get(f"{plain[1]}-{plain[2]}") or _GCP_GIB.get(plain[2])
    if each is None:
        return None
    vcpus_of = Decimal(plain[3])
    disk = vcpus_of * 100 if plain[4] == "-lssd" or plain[1] == "z3" else Decimal(0)
    return Size(family=plain[1], vcpus=vcpus_of, gib=vcpus_of * Decimal(each), disk_gb=disk)


# ---------------------------------------------------------------- Azure

_AZURE = re.compile(
    r"(?P<letters>[A-Z]{1,3})(?P<vcpus>\d{1,3})(?:-(?P<active>\d{1,3}))?(?P<features>[a-z]{0,5})"
    r"(?:_(?P<accelerator>[A-Z][A-Z0-9]{1,6}))?(?:_v(?P<version>\d{1,2}))?"
)
_AZURE_GIB = {"D": "4", "DC": "4", "E": "8", "EC": "8", "F": "2", "FX": "21", "L": "8", "M": "28", "B": "4"}
_AZURE_LOCAL_DISK_GB = {"L": "240"}


def _azure(sku: str) -> Size | None:
    match = _AZURE.fullmatch(sku)
    if match is None or match["letters"] not in _AZURE_GIB or match["accelerator"]:
        return None
    letters, version, features = match["letters"], int(match["version"] or 1), match["features"]
    if letters in ("D", "E", "B", "M", "EC", "DC") and version < (3 if letters in "DE" else 2):
        return None
    vcpus = Decimal(match["vcpus"])
    each = Decimal(_AZURE_GIB[letters])
    each = each / 2 if "l" in features else each * 2 if letters == "M" and version == 1 else each
    disk = vcpus * (Decimal(_AZURE_LOCAL_DISK_GB.get(letters, 0)) or (Decimal(37) if "d" in features else Decimal(0)))
    family = f"{letters}{features}_v{version}" + ("*" if match["active"] else "")
    return Size(family=family, vcpus=vcpus, gib=vcpus * each, disk_gb=disk, burstable=letters == "B")


@cache
def _azure_names() -> Mapping[str, str]:
    return MappingProxyType({sku.lower(): sku for owner, sku in _tables() if owner == "azure"})


def _azure_case(name: str) -> str:
    """`standard_d4S_V5` is the same machine to Azure as `D4s_v5`."""
    head, _, tail = name.partition("_")
    letters = re.match(r"[A-Za-z]*", head)
    end = letters.end() if letters else 0
    return head[:end].upper() + head[end:].lower() + (f"_{tail.lower()}" if tail else "")
