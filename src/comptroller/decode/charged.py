"""What an answer's status proves about the money: a table with a source in every row. Without a row nobody knows."""

from __future__ import annotations

import csv
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

_CHARGED = {"yes": True, "no": False, "unknown": None}
ANY = "*"


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """One row: answers of `service` (or of what lies below it) with one of `statuses`. `charged` None: it says that
    the status alone does not tell. `source` is where the service, or a standard, says so."""

    service: str
    statuses: tuple[range, ...]
    charged: bool | None
    source: str

    def covers(self, operation: str, status: int) -> bool:
        """Whether this row speaks of such an answer."""
        mine = self.service in (ANY, operation) or operation.startswith((f"{self.service}:", f"{self.service}."))
        return mine and any(status in span for span in self.statuses)


def charged(operation: str, status: int) -> bool | None:
    """Whether an answer with `status` to `operation` (`aws:s3:PutObject`) is charged; None where nobody knows, as after
    most 5xx. An answer of 2xx is; the first row that covers any other decides."""
    if 200 <= status < 300:
        return True
    found = next((rule for rule in rules() if rule.covers(operation, status)), None)
    return None if found is None else found.charged


@cache
def rules() -> tuple[Rule, ...]:
    """The table, in order."""
    text = (files(__package__) / "charged.csv").read_text("utf-8")
    return tuple(
        Rule(
            service=row["service"],
            statuses=tuple(_span(part) for part in row["statuses"].split()),
            charged=_CHARGED[row["charged"]],
            source=row["source"],
        )
        for row in csv.DictReader(text.splitlines())
    )


def _span(text: str) -> range:
    first, _, last = text.partition("-")
    return range(int(first), int(last or first) + 1)
