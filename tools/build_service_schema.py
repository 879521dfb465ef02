"""Writes `docs/service.schema.json`, the JSON Schema of `services/NAME.yaml`, out of `decode/described/document.py`.

What each setting means is taken from the tables of `docs/services.md`. Run `python tools/build_service_schema.py` after
a change of either. `--check` writes nothing, and ends with 1 where the file is not current.
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Mapping
from pathlib import Path

from comptroller.core.action import ActionClass
from comptroller.decode.described.document import ServiceDocument

DOCS = Path(__file__).parent.parent / "docs"
TARGET = DOCS / "service.schema.json"
PAGE = DOCS / "services.md"
DRAFT = "https://json-schema.org/draft/2020-12/schema"

SECTIONS: Mapping[str, str] = {
    "ServiceDocument": "The whole file",
    "CredentialPart": "credential",
    "RefusalPart": "refusal",
    "OperationPart": "operations",
    "PaymentPart": "payment",
    "CostPart": "cost",
    "ConditionPart": "when",
    "GraphQLPart": "graphql",
}
"""Part of a description -> the heading of the page that describes it."""


def meanings(heading: str) -> dict[str, str]:
    """Setting -> what the table under `heading` says of it, as plain text. Raises `ValueError` without the heading."""
    text = PAGE.read_text("utf-8")
    found = re.search(rf"^##+ {re.escape(heading)}\n(.*?)(?=^##|\Z)", text, re.MULTILINE | re.DOTALL)
    if found is None:
        raise ValueError(f"{PAGE} has no heading `{heading}`")
    rows = re.findall(r"^\| `([a-z_]+)` \| (.*) \|$", found[1], re.MULTILINE)
    return {name: re.sub(r"\[([^]]*)\]\([^)]*\)", r"\1", meaning) for name, meaning in rows}


def build() -> str:
    """The schema as the file's text."""
    document = {"$schema": DRAFT, **ServiceDocument.model_json_schema(by_alias=True), "title": "services/NAME.yaml"}
    parts = document["$defs"]
    for name, heading in SECTIONS.items():
        part = document if name == "ServiceDocument" else parts[name]
        for setting, meaning in meanings(heading).items():
            part["properties"][setting]["description"] = meaning
        if "classes" in part["properties"]:
            _name_classes(part["properties"]["classes"])
    short = {"type": "string", "description": "NAME CLASS…, in short."}
    document["properties"]["operations"]["additionalProperties"] = {"anyOf": [short, {"$ref": "#/$defs/OperationPart"}]}
    for table in ("queries", "mutations"):
        listed = parts["GraphQLPart"]["properties"][table]["additionalProperties"]
        parts["GraphQLPart"]["properties"][table]["additionalProperties"] = {"anyOf": [{"type": "string"}, listed]}
    return json.dumps(document, indent=2, ensure_ascii=True) + "\n"


def _name_classes(schema: object) -> None:
    """Let editors offer the classes."""
    if isinstance(schema, dict):
        if schema.get("type") == "array":
            schema["items"] = {"enum": sorted(ActionClass)}
        for member in schema.values():
            _name_classes(member)
    elif isinstance(schema, list):
        for member in schema:
            _name_classes(member)


def main(arguments: list[str]) -> int:
    """Write the file, or say whether it is current; the exit code."""
    if arguments not in ([], ["--check"]):
        print("usage: build_service_schema.py [--check]", file=sys.stderr)
        return 2
    if not arguments:
        TARGET.write_text(build(), encoding="utf-8")
        return 0
    if TARGET.is_file() and TARGET.read_text(encoding="utf-8") == build():
        return 0
    print(f"{TARGET} is not current: python tools/build_service_schema.py", file=sys.stderr)
    return 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
