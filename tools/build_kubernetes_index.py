"""Writes the index of Kubernetes' own resources (group, resource, verbs) out of the installed `kubernetes` package.

Run `python tools/build_kubernetes_index.py` after an upgrade of the package, and review the difference: a new resource
that runs code, changes rights or guards something needs a line in `comptroller/decode/kubernetes/classes.py`.
"""

from __future__ import annotations

import json
import re
import sys
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path

TARGET = Path(__file__).parent.parent / "src/comptroller/decode/kubernetes/data/resources.json"
CALL = re.compile(
    r"def _(\w+)_serialize\(.*?return self\.api_client\.param_serialize\(\s*method='(\w+)',\s*resource_path='([^']+)'",
    re.DOTALL,
)
METHOD_VERBS = {
    "POST": "create",
    "PUT": "update",
    "PATCH": "patch",
    "DELETE": "delete",
    "GET": "get",
    "HEAD": "get",
    "OPTIONS": "options",
}
NO_RESOURCE = ("custom_objects_api",)


def attributes(name: str, method: str, path: str) -> tuple[str, str, str] | None:
    """(group, resource with subresource, verb) of one generated call; None where the path names no resource."""
    parts = path.strip("/").split("/")
    if parts[0] == "api" and len(parts) > 2:
        group, rest = "core", parts[2:]
    elif parts[0] == "apis" and len(parts) > 3:
        group, rest = parts[1], parts[3:]
    else:
        return None
    if rest[0] == "watch":
        rest = rest[1:]
    if rest[0] == "namespaces" and len(rest) > 2 and rest[2] not in ("status", "finalize"):
        rest = rest[2:]
    resource = "/".join(part for part in rest if not part.startswith("{"))
    verb = METHOD_VERBS[method]
    if name.startswith("list_"):
        verb = "list"
    elif name.startswith("delete_collection_"):
        verb = "deletecollection"
    return group, resource, verb


def build() -> dict[str, object]:
    """The whole index, sorted."""
    spec = find_spec("kubernetes")
    if spec is None or spec.origin is None:
        sys.exit("the package `kubernetes` is not installed")
    found: dict[str, dict[str, set[str]]] = {}
    for source in sorted((Path(spec.origin).parent / "client/api").glob("*_api.py")):
        if source.stem in NO_RESOURCE:
            continue
        for name, method, path in CALL.findall(source.read_text(encoding="utf-8")):
            known = attributes(name, method, path)
            if known is not None:
                group, resource, verb = known
                verbs = found.setdefault(group, {}).setdefault(resource, set())
                verbs.add(verb)
                if verb == "list":
                    verbs.add("watch")
    return {
        "source": f"kubernetes {version('kubernetes')} (PyPI, Apache-2.0)",
        "resources": {
            group: {resource: " ".join(sorted(verbs)) for resource, verbs in sorted(resources.items())}
            for group, resources in sorted(found.items())
        },
    }


if __name__ == "__main__":
    TARGET.write_text(json.dumps(build(), indent=0) + "\n", encoding="utf-8")
