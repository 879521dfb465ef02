"""How many operations of a random sample, judged by hand from AWS's documentation, have exactly the classes judged."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from comptroller.core.action import ActionClass
from comptroller.decode.aws import index

GOLDEN = Path(__file__).resolve().parent.parent / "tests/golden"
SAMPLE = GOLDEN / "aws_sample.tsv"
AGAIN = GOLDEN / "aws_sample_again.tsv"
DANGEROUS = frozenset(ActionClass(name) for name in ("provision", "pay", "entitle", "destroy", "blind", "reveal"))
"""Classes none of which may be missing."""

_HEAD = re.compile(r"# seed (\d+), (\d+) of (\d+) operations of botocore (\S+):")


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """One committed sample: how it was drawn, and the judgement on each operation with its reason."""

    seed: int
    drawn_from: int
    botocore: str
    classes: Mapping[str, frozenset[ActionClass]]
    reasons: Mapping[str, str]


def load(path: Path = SAMPLE) -> Sample:
    """Read a sample. Raises `ValueError` where its head does not say how it was drawn."""
    lines = path.read_text().splitlines()
    head = _HEAD.match(lines[0])
    if head is None:
        raise ValueError(f"`{path.name}` does not say how it was drawn; hint: its first line names seed and botocore")
    rows = [line.split("\t") for line in lines if not line.startswith("#")]
    return Sample(
        seed=int(head[1]),
        drawn_from=int(head[3]),
        botocore=head[4],
        classes={name: frozenset(map(ActionClass, classes.split(","))) for name, classes, _ in rows},
        reasons={name: reason for name, _, reason in rows},
    )


def measure(path: Path = SAMPLE) -> tuple[int, int, dict[str, list[str]]]:
    """(operations with exactly the classes judged, all operations, dangerous class -> operations that miss it)."""
    right = 0
    misses: dict[str, list[str]] = {}
    sample = load(path)
    for name, judged in sample.classes.items():
        found = index.classes_of(name) or frozenset()
        right += found == judged
        for missing in sorted((judged - found) & DANGEROUS):
            misses.setdefault(missing, []).append(name)
    return right, len(sample.classes), misses


def main() -> None:
    """Print what differs."""
    for path in (SAMPLE, AGAIN):
        right, total, misses = measure(path)
        print(f"{path.name}: {right} of {total} right, dangerous classes missed: {misses or 'none'}")
        for name, judged in load(path).classes.items():
            found = index.classes_of(name) or frozenset()
            if found != judged:
                print(f"  {name}: judged {','.join(sorted(judged))}, is {','.join(sorted(found))}")


if __name__ == "__main__":
    main()
