"""Writes `docs/coverage.md`: which services are understood, how deeply, and how well that was measured.

Counts come from the codecs and price tables; the measured shares from `tests/golden/coverage.json`, which `--measure`
writes anew (some minutes). `--check` compares instead of writing and ends with 1 where the page is stale.
"""

from __future__ import annotations

import argparse
import json
import re
import sys
from collections import Counter
from collections.abc import Iterable, Mapping
from pathlib import Path

from comptroller.core.action import ActionClass
from comptroller.core.made import Way
from comptroller.decode.aws import index
from comptroller.decode.aws.lasting import Maker, table
from comptroller.decode.azure.lasting import KINDS as AZURE_KINDS
from comptroller.decode.described import SHIPPED
from comptroller.decode.gcp import index as gcp_index
from comptroller.decode.gcp.lasting import MAKES
from comptroller.decode.kubernetes.lasting import KINDS as KUBERNETES_KINDS
from comptroller.decode.registry import CodecRegistry
from comptroller.price import gcp
from comptroller.price.aws import priced

ROOT = Path(__file__).resolve().parent.parent
MAKING = re.compile(
    r"(?:Create|Run|Restore|Copy|Import|Clone|Allocate|Request|Launch|Provision|Start|Submit|Resume)[A-Z0-9]"
)
PAGE = ROOT / "docs/coverage.md"
MEASURED = ROOT / "tests/golden/coverage.json"
SERVICES_SHOWN = 60
DANGEROUS = ("provision", "pay", "entitle", "destroy", "execute", "reveal", "blind", "communicate", "infer")

DEPTH: Mapping[str, tuple[str, str, str]] = {
    "aws": ("all, typed", "{aws_priced} operations; models of Bedrock", "ids, failures, model usage"),
    "gcp": ("all; machines, storage, IAM, clusters, models read", "{gcp_priced} operations", "failures"),
    "azure": ("machines, clusters, roles, templates read", "machines, scale sets, node pools, ML computes", "failures"),
    "kubernetes": ("manifests read: pods, GPUs, rights", "a node for each pod at most, at your own price", "failures"),
    "stripe": ("all, typed", "amounts in US dollars", "ids, amounts moved"),
    "ethereum": ("signed transactions, five token functions", "dollar tokens; coins at your own rate", "refusals"),
    "mcp": ("tool name and arguments", "none: asks", "failures"),
    "openai": ("all members", "tokens, images, audio", "usage, streamed or not"),
    "anthropic": ("all members", "tokens", "usage, streamed or not"),
    "gemini": ("all members", "tokens", "usage, streamed or not"),
}
"""Codec -> which parameters are read, what has a price, what is settled from answers."""
COMPATIBLE = ("all members", "tokens where a price list has them", "usage, streamed or not")
DESCRIBED = ("what the description names", "amounts it names", "failures")


def classes_of(registry: CodecRegistry, name: str) -> dict[str, frozenset[ActionClass]]:
    """Operation -> classes of one codec."""
    if name == "aws":
        return {operation: index.classes_of(operation) or frozenset() for operation in index.operations()}
    known = getattr(registry.codecs[name], "known", None)
    return dict(known()) if known is not None else {}


def counted(classes: Iterable[frozenset[ActionClass]]) -> Counter[str]:
    """How many operations have each class."""
    return Counter(cls.value for found in classes for cls in found)


def page(measured: Mapping[str, float]) -> str:
    """The whole page."""
    registry = CodecRegistry()
    numbers = {"aws_priced": len(priced()), "gcp_priced": len(gcp.PRICED)}
    described = frozenset(SHIPPED)
    lines = [
        "# Coverage",
        "",
        "Which services Comptroller understands on the wire, and how deeply. Written by `tools/build_coverage.py`: do",
        "not edit. Any other named host is read by the generic codec: its method says the class, all it sends counts.",
        "",
        "| service | operations | parameters | priced | settled from answers |",
        "|---|---:|---|---|---|",
    ]
    total = 0
    every: dict[str, Counter[str]] = {}
    for name in registry.codecs:
        if name in ("http", "openai-compatible", "self-hosted"):
            continue
        found = classes_of(registry, name)
        total += len(found)
        every[name] = counted(found.values())
        depth = DEPTH.get(name) or (DESCRIBED if name in described else COMPATIBLE)
        parameters, prices, settled = (text.format(**numbers) for text in depth)
        count = f"{len(found):,}" if found else "any tool"
        lines.append(f"| {name} | {count} | {parameters} | {prices} | {settled} |")
    lines += ["", f"{total:,} operations have a name and classes of their own.", ""]
    lines += _by_class(every)
    lines += _aws(registry)
    lines += _lasting(registry)
    lines += _measured(measured)
    return "\n".join(lines) + "\n"


def _by_class(every: Mapping[str, Counter[str]]) -> list[str]:
    lines = [
        "## Operations by class",
        "",
        "An operation may have several; its parameters may add more. The rest only reads or writes.",
        "",
        "| service | " + " | ".join(DANGEROUS) + " |",
        "|---|" + "---:|" * len(DANGEROUS),
    ]
    for name, counts in every.items():
        if counts:
            lines.append(
                f"| {name} | " + " | ".join(f"{counts[cls]:,}" if counts[cls] else "" for cls in DANGEROUS) + " |"
            )
    return [*lines, ""]


def _aws(registry: CodecRegistry) -> list[str]:
    whole = classes_of(registry, "aws")
    services = Counter(operation.split(":")[1] for operation in whole)
    prices = Counter(operation.split(":")[1] for operation in priced())
    shown = sorted({name for name, _ in services.most_common(SERVICES_SHOWN)} | set(prices))
    lines = [
        "## AWS by service",
        "",
        f"The {SERVICES_SHOWN} largest of {len(services)} services, and every one with a price. Every operation of the",
        "others is named and classed as well.",
        "",
        "| service | operations | provision | pay | entitle | destroy | execute | reveal | blind | priced |",
        "|---|" + "---:|" * 9,
    ]
    for name in shown:
        counts = counted(found for operation, found in whole.items() if operation.split(":")[1] == name)
        cells = (counts[cls] for cls in ("provision", "pay", "entitle", "destroy", "execute", "reveal", "blind"))
        lines.append(
            f"| {name} | {services[name]:,} | "
            + " | ".join(f"{cell:,}" if cell else "" for cell in (*cells, prices[name]))
            + " |"
        )
    return [*lines, ""]


def _lasting(registry: CodecRegistry) -> list[str]:
    """How much of what is made can be named, ended and looked at."""
    makers: list[Maker] = []
    kinds: set[tuple[str, str]] = set()
    makes = [
        operation.split(":")[1:]
        for operation, found in classes_of(registry, "aws").items()
        if ActionClass.PROVISION in found and MAKING.match(operation.split(":")[2])
    ]
    for service, name in makes:
        found_here = table(service).makers.get(name, ())
        makers += found_here[:1]
        kinds |= {(service, maker.kind.name) for maker in found_here}
    ways = [frozenset(maker.kind.ways) for maker in makers]
    looked = sum(Way.LOOK in found and len(found) > 1 for found in ways)
    counts = Counter(way for service, name in kinds for way in table(service).kinds[name].ways)
    return [
        "## What lives on",
        "",
        "What an answer says was made, and what can be done about it",
        "([RFD 26](rfd/0026-what-lives-on-is-named-by-its-maker.md)).",
        "The other operations of AWS that make something start what ends by itself, or have no way of ending it.",
        "",
        "| what | count |",
        "|---|---:|",
        f"| AWS operations of class `provision` that make or start something, by their name | {len(makes):,} |",
        f"| of these: named by the answer, and can be stopped or deleted | {len(makers):,} |",
        f"| of these: can be looked at as well | {looked:,} |",
        f"| kinds of things in AWS | {len(kinds):,} |",
        f"| with a way to delete them | {counts[Way.DELETE]:,} |",
        f"| with a way to stop them, to be started again or as a job | {counts[Way.STOP]:,} |",
        f"| kinds in Kubernetes | {len(KUBERNETES_KINDS)} |",
        f"| kinds in Azure | {len(AZURE_KINDS)} |",
        f"| Google Cloud: collections whose things are created, read and deleted | {_collections()} |",
        "",
    ]


def _collections() -> int:
    return sum(
        ActionClass.PROVISION in found
        and name.rpartition(".")[2] in MAKES
        and {f"{name.rpartition('.')[0]}.get", f"{name.rpartition('.')[0]}.delete"} <= names.keys()
        for names in gcp_index.classes_by_service().values()
        for name, found in names.items()
    )


def _measured(measured: Mapping[str, float]) -> list[str]:
    return [
        "## Measured",
        "",
        "By `python -m bench.meaning`, over every operation that can be written at all (`right`: service and operation",
        "as they were called). `price_in_bounds`: verified machine prices inside the bound, also with their own row",
        "taken out; `price_spread`: the median of high / low then.",
        "",
        "| what | result |",
        "|---|---:|",
        *(f"| `{name}` | {value:.4f} |" for name, value in sorted(measured.items())),
    ]


def main() -> int:
    """Write the page, or compare it; measure first where that is asked for."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="compare with what is there; write nothing")
    parser.add_argument("--measure", action="store_true", help="measure the shares anew")
    asked = parser.parse_args()
    if asked.measure:
        sys.path.insert(0, str(ROOT))
        from bench import meaning

        results = [*meaning.understanding(quick=False), *meaning.prices()]
        MEASURED.write_text(json.dumps({r.name: round(r.value, 4) for r in results}, indent=1) + "\n", "utf-8")
    text = page(json.loads(MEASURED.read_text("utf-8")))
    if asked.check:
        if PAGE.exists() and PAGE.read_text("utf-8") == text:
            return 0
        print("docs/coverage.md is stale: run tools/build_coverage.py", file=sys.stderr)
        return 1
    PAGE.write_text(text, "utf-8")
    print(f"wrote {PAGE.relative_to(ROOT)}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
