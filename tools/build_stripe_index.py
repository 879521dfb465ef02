"""Writes the index of Stripe's operations (method, path, name) out of the installed `stripe` package.

Run `python tools/build_stripe_index.py` after an upgrade of the package, and review the difference: a new operation
that moves money or changes rights needs a line in `comptroller/decode/stripe/operations.py`.
"""

from __future__ import annotations

import argparse
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
OAUTH = {
    ("/oauth/token", "POST"): "stripe:oauth:token",
    ("/oauth/deauthorize", "POST"): "stripe:oauth:deauthorize",
}
"""Connect's own endpoints, whose paths the package keeps elsewhere."""


def operation_name(method: str, path: str, verb: str) -> str:
    """`post /v1/transfers/{id}/reversals create` -> `stripe:transfers.reversals:create`; v2 is said in the name."""
    parts = path.removeprefix("/v1/").removeprefix("/").split("/")
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
            if path.startswith(("/v1/", "/v2/")):
                shape = re.sub(r"\{\w+\}", "{}", path)
                found[(shape, match[2].upper())] = operation_name(match[2], path, verb)
    found |= OAUTH
    return {
        "source": f"stripe {version('stripe')} (PyPI, MIT)",
        "operations": [[method, path, name] for (path, method), name in sorted(found.items())],
    }


def main() -> int:
    """Write the index, or compare it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="compare with what is there; write nothing")
    text = json.dumps(build(), indent=0) + "\n"
    if parser.parse_args().check:
        return 0 if TARGET.read_text(encoding="utf-8") == text else 1
    TARGET.write_text(text, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
