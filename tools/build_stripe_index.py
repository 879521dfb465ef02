"""Writes the index of Stripe's v1 operations (method, path, name) out of the installed `stripe` package.

Run `python tools/build_stripe_index.py` after an upgrade of the package, and review the difference: a new operation
that moves money or changes rights needs a line in `comptroller/decode/stripe/operations.py`.
"""

from __future__ import annotations

import json
import re
import sys
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path

TARGET = Path(__file__).parent.parent / "src/comptroller/decode/stripe/data/operations.json"
CALL = re.compile(
    r'^    def (\w+)\(|_request\(\s*"(get|post|delete)",\s*(?:"([^"]+)"|"([^"]+)"\.format\()',
    re.MULTILINE,
)


def operation_name(method: str, path: str, verb: str) -> str:
    """`post /v1/transfers/{id}/reversals create` -> `stripe:transfers.reversals:create`."""
    parts = path.removeprefix("/v1/").split("/")
    last = parts[-1]
    if len(parts) > 1 and not last.startswith("{") and re.match(rf"{re.escape(last)}(_|$)", verb):
        parts, verb = parts[:-1], last
    resource = ".".join(part for part in parts if not part.startswith("{"))
    return f"stripe:{resource}:{verb}"


def build() -> dict[str, object]:
    """The whole index, sorted."""
    spec = find_spec("stripe")
    if spec is None or spec.origin is None:
        sys.exit("the package `stripe` is not installed")
    found: dict[tuple[str, str], str] = {}
    for source in sorted(Path(spec.origin).parent.rglob("*_service.py")):
        verb = ""
        for match in CALL.finditer(source.read_text(encoding="utf-8")):
            if match[1]:
                verb = match[1].removesuffix("_async")
                continue
            path = match[3] or match[4]
            if path.startswith("/v1/"):
                shape = re.sub(r"\{\w+\}", "{}", path)
                found[(shape, match[2].upper())] = operation_name(match[2], path, verb)
    return {
        "source": f"stripe {version('stripe')} (PyPI, MIT)",
        "operations": [[method, path, name] for (path, method), name in sorted(found.items())],
    }


if __name__ == "__main__":
    TARGET.write_text(json.dumps(build(), indent=0) + "\n", encoding="utf-8")
