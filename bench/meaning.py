"""How much of what goes over the wire is understood, how well its price is known, and what understanding it costs.

`--cases DIR` replays recorded cases as well (`cloud.jsonl.gz`). Nothing here uses a network.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from functools import cache
from pathlib import Path

from tools.build_aws_index import iam_levels
from tools.record_wire import CONFIGURED, TARGET, as_request

from bench import aws_sample, aws_wire, azure_wire, gcp_wire, kubernetes_wire, stripe_wire
from bench.report import Result, emit
from comptroller import price
from comptroller.core.action import ActionClass
from comptroller.decode.aws import index
from comptroller.decode.registry import CodecRegistry
from comptroller.price.known import known_rows, price_in_bounds, price_spread

CASES = "cloud.jsonl.gz"
ROUNDS, QUICK_ROUNDS = 200, 40
STARTS, QUICK_STARTS = 7, 3
READING_VERBS = (*("describe", "get", "list", "head", "lookup", "search", "batch-get", "batchget", "filter", "scan"),)

NEEDED_ANYWAY = """
import time, resource
import botocore.loaders, botocore.model, cedarpy, click, cryptography.hazmat.primitives.asymmetric.ed25519
import genai_prices, h11, httpx, jinja2, pydantic, starlette.applications, uvicorn, yaml
import comptroller.core.config, comptroller.boundary, comptroller.server.place
"""
"""What `serve` loads whether or not it understands anything."""
STARTED = """
def resident():
    with open("/proc/self/status") as file:
        return next(int(line.split()[1]) for line in file if line.startswith("VmRSS")) / 1024
before, began = resident(), time.perf_counter()
from comptroller import price
from comptroller.decode.registry import CodecRegistry
registry, prices = CodecRegistry(), price.Prices()
print((time.perf_counter() - began) * 1000, resident() - before)
"""


def understanding(*, quick: bool) -> list[Result]:
    """How many operations are read as what they are."""
    aws = aws_wire.measure(quick=quick)
    right, total, _ = aws_sample.measure()
    stripe_right, stripe_total, _ = stripe_wire.measure()
    return [
        _share("aws_operation_right", aws.operation, aws.total),
        _share("aws_parameters_right", aws.parameters, aws.total),
        _share("aws_classed", aws.classed, aws.total),
        _share("aws_sample_right", right, total),
        *gcp_wire.measure(quick),
        *azure_wire.measure(quick),
        *kubernetes_wire.measure(quick),
        _share("stripe_right", stripe_right, stripe_total),
    ]


def prices() -> list[Result]:
    """Whether the true price lies inside the bound, also where its row is missing, and how wide bounds then are."""
    rows = known_rows()
    return [
        Result(name="price_in_bounds", value=price_in_bounds(rows), unit="fraction"),
        Result(name="price_spread", value=price_spread(rows), unit="ratio"),
    ]


def speed(*, quick: bool) -> list[Result]:
    """Decoding and pricing together, the median for each service of the golden corpus; the slowest names the result."""
    registry = CodecRegistry(CONFIGURED)
    found: dict[str, float] = {}
    for path in sorted(TARGET.glob("*.jsonl")):
        taken: list[float] = []
        for line in path.read_text("utf-8").splitlines():
            request = as_request(json.loads(line)["request"])
            codec = registry.codec_for(request)
            price.estimate(codec.decode(request))
            for _ in range(QUICK_ROUNDS if quick else ROUNDS):
                began = time.perf_counter()
                price.estimate(codec.decode(request))
                taken.append((time.perf_counter() - began) * 1e6)
        found[path.stem] = statistics.median(taken)
    slowest = Result(name="decode_price_p50_us", value=max(found.values()), unit="us")
    return [slowest, *(Result(name=f"decode_price_p50_us_{n}", value=v, unit="us") for n, v in sorted(found.items()))]


def startup(*, quick: bool) -> list[Result]:
    """What codecs and prices add to a process that has everything else: milliseconds and megabytes, the median."""
    runs = []
    for _ in range(QUICK_STARTS if quick else STARTS):
        done = subprocess.run(
            [sys.executable, "-c", NEEDED_ANYWAY + STARTED], capture_output=True, text=True, check=True
        )
        runs.append([float(number) for number in done.stdout.split()])
    return [
        Result(name="startup_ms", value=statistics.median(run[0] for run in runs), unit="ms"),
        Result(name="startup_mb", value=statistics.median(run[1] for run in runs), unit="MB"),
    ]


def recorded(folder: Path) -> list[Result]:
    """Recorded cloud calls: how many nobody could read, how many reads were stopped, how many attacks were.

    A call that IAM calls a read and that returns a secret (a password, a token, a private key) is a `reveal`: it is
    meant to be held, and counted apart.
    """
    undecoded = cases = reads = reads_stopped = reveals = reveals_stopped = attacks = stopped = 0
    for row in _replayed(folder / CASES):
        if row["label"] == "attack":
            attacks += 1
            stopped += row["verdict"] != "allow"
            continue
        cases += 1
        undecoded += bool(row["undecoded"])
        if row["reads"] and row["reveals"]:
            reveals += 1
            reveals_stopped += row["verdict"] != "allow"
        elif row["reads"]:
            reads += 1
            reads_stopped += row["verdict"] != "allow"
    return [
        _share("cases_undecoded", undecoded, cases),
        _share("cases_reads_stopped", reads_stopped, reads),
        _share("cases_reveals_stopped", reveals_stopped, reveals),
        _share("cases_reveals_among_reads", reveals, reads + reveals),
        _share("cases_attacks_stopped", stopped, attacks),
    ]


def _replayed(file: Path) -> list[dict[str, object]]:
    """Every case of a file with its verdict, as `comptroller replay` judges it with the starter pack."""
    from comptroller.cli.judging import judge_of
    from comptroller.cli.replay import BadLines, cases, judged

    rows: list[dict[str, object]] = []
    file = file.resolve()
    with tempfile.TemporaryDirectory() as empty, contextlib.chdir(empty):
        judge = judge_of(None, None, None)
    for case in cases(file, BadLines()):
        verdict = judged(judge, case)
        called = [one.action.operation for one in verdict.judged]
        reveals = any(ActionClass.REVEAL in one.action.classes for one in verdict.judged)
        row = {"label": case.label, "verdict": verdict.word, "undecoded": verdict.undecoded, "reveals": reveals}
        rows.append({**row, "reads": bool(called) and all(map(_reads, called))})
    return rows


@cache
def _levels() -> Mapping[str, Mapping[str, str]]:
    """IAM's access level of every action, by lower-case service and name."""
    return iam_levels()


def _reads(operation: str) -> bool:
    """Whether IAM itself calls an operation a read or a list, or where IAM does not know it, its name does."""
    if operation.count(":") != 2:
        return False
    _, service, name = operation.split(":")
    known = index.load().services.get(service)
    prefixes = (service, known.signing_name) if known is not None else (service,)
    levels = (_levels().get(prefix.lower(), {}).get(name.lower()) for prefix in prefixes)
    level = next((found for found in levels if found is not None), None)
    return level in ("Read", "List") if level is not None else name.lower().startswith(READING_VERBS)


def _share(name: str, part: int, whole: int) -> Result:
    return Result(name=name, value=part / whole if whole else 0.0, unit="fraction")


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure everything and print the results."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="fewer samples")
    parser.add_argument("--json", action="store_true", help="print JSON")
    parser.add_argument("--cases", type=Path, metavar="DIR", help="replay the recorded cases in DIR as well")
    options = parser.parse_args(arguments)
    parts: list[Callable[[], list[Result]]] = [
        lambda: startup(quick=options.quick),
        lambda: speed(quick=options.quick),
        prices,
        lambda: understanding(quick=options.quick),
    ]
    if options.cases is not None:
        parts.append(lambda: recorded(options.cases))
    emit([result for part in parts for result in part()], options.json)


if __name__ == "__main__":
    main()
