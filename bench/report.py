"""What every bench prints: its results against a peer measured in the same run, as a table or as JSON."""

from __future__ import annotations

import json
import os
import platform
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import comptroller


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """One measured number. `name` is stable; `unit` is `us`, `ms`, `1/s`, a count or a fraction (shares are 0.997).

    `peer` says what was measured beside it in the same run (empty: nothing) and `peer_value` is in the same unit.
    """

    name: str
    value: float
    unit: str
    peer: str = ""
    peer_value: float | None = None

    @property
    def ratio(self) -> float | None:
        """Ours / peer; None where there is no peer."""
        return self.value / self.peer_value if self.peer_value else None

    def document(self) -> dict[str, object]:
        """The JSON form, as the stable interface names it."""
        return {
            "name": self.name,
            "value": _rounded(self.value),
            "unit": self.unit,
            "peer": self.peer or None,
            "peer_value": None if self.peer_value is None else _rounded(self.peer_value),
            "ratio": None if self.ratio is None else _rounded(self.ratio),
        }


def machine() -> dict[str, object]:
    """Where the numbers were taken: they mean little elsewhere."""
    return {
        "system": platform.system(),
        "release": platform.release(),
        "machine": platform.machine(),
        "processor": _processor(),
        "cpus": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count(),
        "python": platform.python_version(),
        "comptroller": comptroller.__version__,
    }


def emit(results: Sequence[Result], as_json: bool) -> None:
    """Print the results on standard output: one JSON document, or a table for people."""
    names = [result.name for result in results]
    if len(set(names)) != len(names):
        raise ValueError(f"a result name appears twice: {names}")
    if as_json:
        document = {"results": [result.document() for result in results], "machine": machine()}
        json.dump(document, sys.stdout, indent=2)
        sys.stdout.write("\n")
        return
    width = max((len(name) for name in names), default=0)
    for result in results:
        line = f"{result.name:<{width}}  {_short(result.value):>10} {result.unit:<9}"
        if result.peer_value is not None and result.ratio is not None:
            line += f" {result.ratio:>7.2f}x of {result.peer} ({_short(result.peer_value)} {result.unit})"
        sys.stdout.write(line.rstrip() + "\n")


def _rounded(value: float) -> float | int:
    """Four significant digits after the point are more than any of these clocks can tell; counts stay whole."""
    return value if isinstance(value, int) else round(value, 4)


def _short(value: float) -> str:
    return f"{value:,}" if isinstance(value, int) else f"{value:,.1f}" if abs(value) >= 10 else f"{value:,.4g}"


def _processor() -> str:
    """The processor's name as the kernel tells it, else what the platform module knows."""
    try:
        text = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return platform.processor()
    names = (line.partition(":")[2].strip() for line in text.splitlines() if line.startswith("model name"))
    return next(names, platform.processor())
