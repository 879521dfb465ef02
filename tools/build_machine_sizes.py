"""Writes `price/data/aws_machines.csv`: vCPUs, memory, accelerators and local disks of every EC2 instance type.

The facts are those that `DescribeInstanceTypes` tells, as moto (Apache-2.0) ships them; types that EC2 no longer
describes are added by hand below. Run `python tools/build_machine_sizes.py` after an upgrade of moto.
"""

from __future__ import annotations

import csv
import gzip
import json
from importlib.resources import files
from pathlib import Path

TARGET = Path(__file__).parent.parent / "src/comptroller/price/data/aws_machines.csv"
COLUMNS = ("sku", "vcpus", "gib", "accelerator", "count", "disk_gb", "burstable")
GPUS = {
    ("A100", 40): "A100-40", ("A100", 80): "A100-80", ("V100", 32): "V100", ("V100", 16): "V100",
    ("RTX PRO Server 6000", 96): "RTX-6000", ("RTX PRO 4500", 32): "RTX-4500",
}  # fmt: skip
UNTOLD = {"trn2u.48xlarge": ("Trainium2", "16")}
"""Accelerators that EC2's own description leaves out."""
FRACTIONS = {
    "g6f.large": "0.125",
    "g6f.xlarge": "0.125",
    "g6f.2xlarge": "0.25",
    "g6f.4xlarge": "0.5",
    "gr6f.4xlarge": "0.5",
}
RETIRED = (
    ("p2.xlarge", 4, 61, "K80", 1, 0), ("p2.8xlarge", 32, 488, "K80", 8, 0), ("p2.16xlarge", 64, 732, "K80", 16, 0),
    ("p3.2xlarge", 8, 61, "V100", 1, 0), ("p3.8xlarge", 32, 244, "V100", 4, 0), ("p3.16xlarge", 64, 488, "V100", 8, 0),
    ("g2.2xlarge", 8, 15, "K520", 1, 60), ("g2.8xlarge", 32, 60, "K520", 4, 240),
    ("g3s.xlarge", 4, "30.5", "M60", 1, 0),
    ("g3.4xlarge", 16, 122, "M60", 1, 0), ("g3.8xlarge", 32, 244, "M60", 2, 0), ("g3.16xlarge", 64, 488, "M60", 4, 0),
    ("g4ad.xlarge", 4, 16, "V520", 1, 150), ("g4ad.2xlarge", 8, 32, "V520", 1, 300),
    ("g4ad.4xlarge", 16, 64, "V520", 1, 600), ("g4ad.8xlarge", 32, 128, "V520", 2, 1200),
    ("g4ad.16xlarge", 64, 256, "V520", 4, 2400), ("f1.2xlarge", 8, 122, "FPGA", 1, 470),
    ("f1.4xlarge", 16, 244, "FPGA", 2, 940), ("f1.16xlarge", 64, 976, "FPGA", 8, 3760),
    ("dl1.24xlarge", 96, 768, "Gaudi", 8, 4000), ("m5n.metal", 96, 384, "", 0, 0),
    ("u-6tb1.56xlarge", 224, 6144, "", 0, 0), ("u-9tb1.112xlarge", 448, 9216, "", 0, 0),
    ("u-12tb1.112xlarge", 448, 12288, "", 0, 0), ("u-18tb1.112xlarge", 448, 18432, "", 0, 0),
    ("u-24tb1.112xlarge", 448, 24576, "", 0, 0), ("cc2.8xlarge", 32, "60.5", "", 0, 3360),
    ("cr1.8xlarge", 32, 244, "", 0, 240), ("hs1.8xlarge", 16, 117, "", 0, 49152),
    ("m3.medium", 1, "3.75", "", 0, 4), ("c1.medium", 2, "1.7", "", 0, 350), ("c1.xlarge", 8, 7, "", 0, 1680),
)  # fmt: skip


def accelerators(name: str, facts: dict) -> tuple[str, str]:
    """(kind, count) of a machine's accelerators; empty where it has none."""
    for gpu in facts.get("GpuInfo", {}).get("Gpus", []):
        gib = round(gpu.get("MemoryInfo", {}).get("SizeInMiB", 0) / 1024)
        return GPUS.get((gpu["Name"], gib), gpu["Name"]), FRACTIONS.get(name, str(gpu["Count"]))
    if name in UNTOLD:
        return UNTOLD[name]
    for section, members in (
        ("InferenceAcceleratorInfo", "Accelerators"), ("NeuronInfo", "NeuronDevices"), ("FpgaInfo", "Fpgas"),
        ("MediaAcceleratorInfo", "Accelerators"),
    ):  # fmt: skip
        for item in facts.get(section, {}).get(members, []):
            return ("FPGA" if section == "FpgaInfo" else item["Name"]), str(item["Count"])
    return "", ""


def main() -> None:
    """Write the file."""
    packed = (files("moto") / "ec2/resources/instance_types.json.gz").read_bytes()
    rows = {}
    for name, *facts in RETIRED:
        vcpus, gib, kind, count, disk = facts
        rows[name] = (name, vcpus, gib, kind, count or "", disk or "", "")
    for name, facts in json.loads(gzip.decompress(packed)).items():
        mebibytes = facts["MemoryInfo"]["SizeInMiB"]
        gib = mebibytes // 1024 if mebibytes % 1024 == 0 else round(mebibytes / 1024, 3)
        kind, count = accelerators(name, facts)
        disk = facts.get("InstanceStorageInfo", {}).get("TotalSizeInGB", "")
        burst = "1" if facts["BurstablePerformanceSupported"] or name.startswith(("t1.", "t8i.")) else ""
        rows[name] = (name, facts["VCpuInfo"]["DefaultVCpus"], gib, kind, count, disk, burst)
    with TARGET.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(COLUMNS)
        writer.writerows(rows[name] for name in sorted(rows))


if __name__ == "__main__":
    main()
