"""Tries everything in order, one JSON line each: `{"name", "group", "blocked", "detail"}`."""

# ruff: noqa: BLE001, S, SIM115
# mypy: ignore-errors

from __future__ import annotations

import errno
import json
import os
import sys

from . import files, kernel, later, network, starvation  # noqa: F401
from .kit import ATTACKS, BAIT

ORDER = (
    *("sockets", "machine", "network", "dns", "system calls", "privileges", "processes", "files", "later"),
    "starvation",
)
"""The groups, those that change or wear things out last."""


def main() -> None:
    """Try everything, in order, one line each."""
    with open(sys.argv[1], encoding="utf-8") as file:
        BAIT.update(json.load(file))
    os.chdir(BAIT["workspace"])
    only = BAIT.get("only") or ()
    for group, name, function in sorted(ATTACKS, key=lambda each: ORDER.index(each[0])):
        if (only and name not in only and group not in only) or name in BAIT.get("skip", ()):
            continue
        try:
            detail, blocked = f"got through: {function()!r}"[:300], False
        except BaseException as error:
            name_of = errno.errorcode.get(getattr(error, "errno", None) or 0, type(error).__name__)
            detail, blocked = f"{name_of}: {error}"[:300], True
        print(json.dumps({"name": name, "group": group, "blocked": blocked, "detail": detail}), flush=True)


if __name__ == "__main__":
    main()
