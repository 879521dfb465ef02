"""Writes `price/data/model_energy.csv` and `price/data/grid.csv`, out of ecologits and codecarbon.

Both are needed only here: `pip install ecologits codecarbon`, then `python tools/build_energy_tables.py`. For each
model the upper end of the range that ecologits (MPL-2.0) gives for the world's electricity mix, embodied impacts
included; for each region the carbon intensity that codecarbon (MIT) knows for it, else for its state or country.
"""

from __future__ import annotations

import csv
import json
import logging
import math
from collections.abc import Iterator
from datetime import UTC, datetime
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path

DATA = Path(__file__).parent.parent / "src/comptroller/price/data"
TOKENS = 1000
GRAMS_PER_POUND = 453.59237
COUNTRIES = {
    "aws": {
        "us-east-1": "virginia", "us-east-2": "ohio", "us-west-1": "california", "us-west-2": "oregon",
        "us-gov-west-1": "oregon", "us-gov-east-1": "ohio", "ca-central-1": "CAN", "ca-west-1": "CAN",
        "mx-central-1": "MEX", "sa-east-1": "BRA", "eu-west-1": "IRL", "eu-west-2": "GBR", "eu-west-3": "FRA",
        "eu-central-1": "DEU", "eu-central-2": "CHE", "eu-north-1": "SWE", "eu-south-1": "ITA", "eu-south-2": "ESP",
        "eusc-de-east-1": "DEU", "ap-south-1": "IND", "ap-south-2": "IND", "ap-northeast-1": "JPN",
        "ap-northeast-2": "KOR", "ap-northeast-3": "JPN", "ap-southeast-1": "SGP", "ap-southeast-2": "AUS",
        "ap-southeast-3": "IDN", "ap-southeast-4": "AUS", "ap-southeast-5": "MYS", "ap-southeast-6": "NZL",
        "ap-southeast-7": "THA", "ap-east-1": "HKG", "ap-east-2": "TWN", "me-south-1": "BHR", "me-central-1": "ARE",
        "il-central-1": "ISR", "af-south-1": "ZAF",
    },
    "azure": {
        "eastus": "virginia", "eastus2": "virginia", "centralus": "iowa", "northcentralus": "illinois",
        "southcentralus": "texas", "westcentralus": "wyoming", "westus": "california", "westus2": "washington",
        "westus3": "arizona", "usgovvirginia": "virginia", "usgovarizona": "arizona", "usgovtexas": "texas",
        "canadacentral": "CAN", "canadaeast": "CAN", "brazilsouth": "BRA", "brazilsoutheast": "BRA",
        "mexicocentral": "MEX", "chilecentral": "CHL", "northeurope": "IRL", "westeurope": "NLD", "uksouth": "GBR",
        "ukwest": "GBR", "francecentral": "FRA", "francesouth": "FRA", "germanywestcentral": "DEU",
        "germanynorth": "DEU", "switzerlandnorth": "CHE", "switzerlandwest": "CHE", "norwayeast": "NOR",
        "norwaywest": "NOR", "swedencentral": "SWE", "swedensouth": "SWE", "italynorth": "ITA", "polandcentral": "POL",
        "spaincentral": "ESP", "austriaeast": "AUT", "eastasia": "HKG", "southeastasia": "SGP", "japaneast": "JPN",
        "japanwest": "JPN", "koreacentral": "KOR", "koreasouth": "KOR", "australiaeast": "AUS",
        "australiasoutheast": "AUS", "australiacentral": "AUS", "newzealandnorth": "NZL", "indonesiacentral": "IDN",
        "malaysiawest": "MYS", "centralindia": "IND", "southindia": "IND", "westindia": "IND", "uaenorth": "ARE",
        "uaecentral": "ARE", "qatarcentral": "QAT", "israelcentral": "ISR", "southafricanorth": "ZAF",
        "southafricawest": "ZAF",
    },
    "gcp": {"europe-north2": "SWE", "northamerica-south1": "MEX", "me-central1": "QAT"},
}  # fmt: skip
"""Region -> the state or country whose grid feeds it."""


def grid(data: Path) -> Iterator[tuple[object, ...]]:
    """Rows of `grid.csv`."""
    states = json.loads((data / "private_infra/2023/usa_emissions.json").read_text("utf-8"))
    countries = json.loads((data / "private_infra/global_energy_mix.json").read_text("utf-8"))
    source = f"codecarbon {version('codecarbon')} (PyPI)"
    with (data / "cloud/impact.csv").open(encoding="utf-8-sig", newline="") as file:
        for row in csv.DictReader(file):
            if not COUNTRIES["gcp"].get(row["region"]):
                yield row["provider"], row["region"], math.ceil(float(row["impact"])), source, "MIT"
    for provider, regions in COUNTRIES.items():
        for region, place in regions.items():
            if place.islower():
                grams = states[place]["emissions"] * GRAMS_PER_POUND / 1000
            else:
                grams = countries[place]["carbon_intensity"]
            yield provider, region, math.ceil(grams), source, "MIT"


def models() -> Iterator[tuple[object, ...]]:
    """Rows of `model_energy.csv`: what a call costs at the most, fixed and per thousand tokens that it writes."""
    from ecologits.model_repository import models as known
    from ecologits.tracers.utils import llm_impacts

    source = f"ecologits {version('ecologits')} (PyPI), {datetime.now(UTC).date()}"
    for provider, name in sorted({(model.provider.value, model.name) for model in known.list_models()}):
        if provider == "huggingface_hub":
            continue
        ends = []
        for tokens in (1, TOKENS):
            found = llm_impacts(provider, name, tokens, 1e9, "WOR")
            if found.energy is None or found.gwp is None:
                break
            ends.append([getattr(value, "max", value) * 1e6 for value in (found.energy.value, found.gwp.value)])
        else:
            (fixed_mwh, fixed_mg), (most_mwh, most_mg) = ends
            rows = [math.ceil(n) for n in (fixed_mwh, most_mwh, fixed_mg, most_mg)]
            yield provider, name, *rows, source, "MPL-2.0"


def write(name: str, columns: str, rows: Iterator[tuple[object, ...]]) -> None:
    """Write one file of `price/data`."""
    with (DATA / name).open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(columns.split())
        writer.writerows(rows)


def main() -> None:
    """Write both files."""
    codecarbon = find_spec("codecarbon")
    if codecarbon is None or codecarbon.origin is None:
        raise SystemExit("codecarbon is not installed")

    logging.disable(logging.WARNING)
    write("grid.csv", "provider region grams_per_kwh source license", grid(Path(codecarbon.origin).parent / "data"))
    figures = "fixed_milliwatt_hours milliwatt_hours_per_1000 fixed_milligrams milligrams_per_1000"
    write("model_energy.csv", f"provider model {figures} source license", models())


if __name__ == "__main__":
    main()
