"""Accelerator time, energy and carbon of what an action brings about: upper bounds, from public figures with sources.

Machines: (accelerators x thermal limit + vCPUs and memory x watts) x PUE x hours, by the grid of their region. Models:
what ecologits says of the model at the upper end, with every token that may be used counted as one that is written.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from functools import cache
from types import MappingProxyType

from comptroller.core.action import Action
from comptroller.core.estimate import Bound, Unit
from comptroller.price.catalogue import whole_micros
from comptroller.price.cost import UNKNOWN, Machine, bound
from comptroller.price.range import region_of
from comptroller.price.rows import rows_of
from comptroller.price.sizes import normal, size_of

PUE = Decimal("1.5")
"""Power a data centre draws per power its machines draw. Large clouds state 1.1 to 1.2, 1.5 at their worst."""
GRAMS_PER_KWH_MAX = 1000
"""Carbon intensity of a grid that nobody names: a coal plant's."""
MACHINE_UNITS = (Unit.GPU_SECONDS, Unit.MILLIWATT_HOURS, Unit.MILLIGRAMS_CO2E)
MODEL_UNITS = (Unit.MILLIWATT_HOURS, Unit.MILLIGRAMS_CO2E)
_SECONDS_PER_HOUR = 3600


@dataclass(frozen=True, slots=True, kw_only=True)
class Effort:
    """Bounds per unit, and where the figures come from."""

    bounds: Mapping[Unit, Bound] = field(default_factory=dict)
    basis: str = ""


def machines_effort(machines: Sequence[Machine], term_seconds: int) -> Effort:
    """What `machines` take for `term_seconds`; a machine of unknown size makes all of it unknown."""
    if not machines:
        return Effort()
    gpu_seconds, milliwatt_hours, milligrams = 0, Decimal(0), Decimal(0)
    watts = _watts()
    sources: dict[str, None] = {}
    for machine in machines:
        size = size_of(machine.provider, normal(machine.provider, machine.sku))
        each = watts.get(size.accelerator) if size is not None and size.accelerator else Decimal(0)
        if size is None or each is None:
            return unknown(MACHINE_UNITS, f"the size of {machine.sku[:60]} is not known")
        draw = each * size.count + watts["vcpu"] * size.vcpus + watts["gib"] * size.gib
        energy = draw * PUE * machine.count * term_seconds * 1000 / _SECONDS_PER_HOUR
        grams, source = _grid(machine.provider, region_of(machine.provider, machine.region))
        gpu_seconds += math.ceil(size.count) * machine.count * term_seconds
        milliwatt_hours += energy
        milligrams += energy * grams / 1000
        sources[source] = None
    bounds = {
        Unit.MILLIWATT_HOURS: bound(0, whole_micros(milliwatt_hours)),
        Unit.MILLIGRAMS_CO2E: bound(0, whole_micros(milligrams)),
    }
    if gpu_seconds:
        bounds[Unit.GPU_SECONDS] = bound(gpu_seconds, gpu_seconds)
    return Effort(bounds=bounds, basis=f"energy at full load, PUE {PUE}; carbon by {', '.join(sources)}")


def model_effort(provider: str, model: str, tokens: Bound | None) -> Effort:
    """What a model takes to write at most `tokens`; unknown for a model that nobody measured or guessed."""
    row = _model_row(provider, model)
    if row is None or tokens is None or tokens.high is None:
        return unknown(MODEL_UNITS, f"the energy of {model[:60]} is not known" if model else "")
    thousands = Decimal(tokens.high) / 1000
    return Effort(
        bounds={
            Unit.MILLIWATT_HOURS: bound(0, whole_micros(row.fixed_mwh + row.mwh_per_1000 * thousands)),
            Unit.MILLIGRAMS_CO2E: bound(0, whole_micros(row.fixed_mg + row.mg_per_1000 * thousands)),
        },
        basis=f"energy and carbon: {row.source}, upper end",
    )


def model_of(action: Action) -> tuple[str, str]:
    """(provider, model) as the tables name them; empty where the action does not tell.

    A model may stand in a path (`models/gemini-2.5-pro`), and Bedrock names the maker (`us.anthropic.claude-…-v1:0`).
    """
    family = action.operation.partition(":")[0]
    name = next((text for at in _MODEL_MEMBERS if isinstance(text := action.parameters.get(at), str)), "")
    if family == "aws":
        found = _BEDROCK.search(name[:200])
        return (found["maker"], found["model"]) if found else ("", "")
    return ("google" if family == "gemini" else family), name.rpartition("/")[2]


def unknown(units: Sequence[Unit], basis: str = "") -> Effort:
    """The units apply and nobody knows how much."""
    return Effort(bounds=dict.fromkeys(units, UNKNOWN), basis=basis)


@dataclass(frozen=True, slots=True, kw_only=True)
class _ModelRow:
    fixed_mwh: Decimal
    mwh_per_1000: Decimal
    fixed_mg: Decimal
    mg_per_1000: Decimal
    source: str


def _model_row(provider: str, model: str) -> _ModelRow | None:
    """The row of a model, also where its name carries a date (`gpt-4o-2024-08-06`)."""
    rows = _models()
    name = model[:100].lower().rpartition("/")[2]
    while name:
        if found := rows.get((provider, name)):
            return found
        head, dash, tail = name.rpartition("-")
        if not dash or not (tail.isdigit() or tail == "latest"):
            return None
        name = head
    return None


def _grid(provider: str, region: str) -> tuple[int, str]:
    return _grids().get((provider, region), (GRAMS_PER_KWH_MAX, f"{GRAMS_PER_KWH_MAX} g/kWh for an unknown grid"))


@cache
def _grids() -> Mapping[tuple[str, str], tuple[int, str]]:
    return MappingProxyType(
        {
            (row["provider"], row["region"]): (int(grams := row["grams_per_kwh"]), f"{row['source']}, {grams} g/kWh")
            for row in rows_of("grid.csv")
        }
    )


@cache
def _watts() -> Mapping[str, Decimal]:
    return MappingProxyType({row["part"]: Decimal(row["watts"]) for row in rows_of("watts.csv")})


@cache
def _models() -> Mapping[tuple[str, str], _ModelRow]:
    return MappingProxyType(
        {
            (_PROVIDERS.get(row["provider"], row["provider"]), row["model"].lower()): _ModelRow(
                fixed_mwh=Decimal(row["fixed_milliwatt_hours"]),
                mwh_per_1000=Decimal(row["milliwatt_hours_per_1000"]),
                fixed_mg=Decimal(row["fixed_milligrams"]),
                mg_per_1000=Decimal(row["milligrams_per_1000"]),
                source=row["source"],
            )
            for row in rows_of("model_energy.csv")
        }
    )


_MODEL_MEMBERS = ("model", "modelId", "@model", "modelName")
_BEDROCK = re.compile(r"(?P<maker>anthropic|mistral|cohere)\.(?P<model>[a-z0-9.-]+?)(?:-v\d+)?(?::\d+)*$")
_PROVIDERS = {"google_genai": "google", "mistralai": "mistral"}
"""What ecologits calls a provider -> what the price list calls it."""
