"""Writes what follows from the table of endpoints: docs/openapi.json, tests/golden/routes.tsv. `--check`: compares."""

from __future__ import annotations

import json
import sys
from pathlib import Path

from comptroller.core.role import ROLE_RIGHTS, Role
from comptroller.server.api.health import METRICS, PATHS
from comptroller.server.api.openapi import document
from comptroller.server.api.table import ENDPOINTS

ROOT = Path(__file__).resolve().parent.parent


def openapi_text() -> str:
    """The OpenAPI document as it is checked in."""
    return json.dumps(document(ENDPOINTS), indent=1, ensure_ascii=True) + "\n"


def routes_text() -> str:
    """Every endpoint and what each role may: `yes`, 403, or 401 for nobody; `-` where it is not served."""
    lines = ["method\tpath\tright\t" + "\t".join(role.value for role in Role) + "\tnobody\tserved"]
    for endpoint in sorted(ENDPOINTS, key=lambda each: (each.path, each.method)):
        may = ["yes" if endpoint.right in ROLE_RIGHTS[role] else "403" for role in Role]
        served = "socket" if endpoint.socket_only else "socket, api"
        lines.append("\t".join([endpoint.method, endpoint.path, endpoint.right.value, *may, "401", served]))
    for path in PATHS:
        right, nobody = ("read", "401") if path == METRICS else ("-", "yes")
        lines.append("\t".join(["GET", path, right, *("yes" for _ in Role), nobody, "socket, root of the port"]))
    return "\n".join(lines) + "\n"


FILES = {
    ROOT / "docs" / "openapi.json": openapi_text,
    ROOT / "tests" / "golden" / "routes.tsv": routes_text,
}


def main(arguments: list[str]) -> int:
    """Write or compare; 1 where a file is not as it should be."""
    if arguments not in ([], ["--check"]):
        print("usage: python -m tools.build_api [--check]", file=sys.stderr)
        return 2
    stale = [path for path, text in FILES.items() if not path.exists() or path.read_text("utf-8") != text()]
    for path in stale:
        if arguments:
            print(f"{path.relative_to(ROOT)} is stale: python -m tools.build_api", file=sys.stderr)
        else:
            path.write_text(FILES[path](), encoding="utf-8")
    return 1 if stale and arguments else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
