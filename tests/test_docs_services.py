"""docs/services.md is held against the code: its example compiles, its tables are complete, its schema is current."""

from __future__ import annotations

import re
from pathlib import Path

import jsonschema
import pytest
import yaml
from tools import build_service_schema
from tools.build_service_schema import SECTIONS, meanings

from comptroller.cli.service import FETCH_SECONDS
from comptroller.core.action import ActionClass
from comptroller.decode.described import SHIPPED, shipped_text
from comptroller.decode.described import document as parts
from comptroller.decode.described.graphql import DOCUMENT_CHARACTERS_MAX, FIELDS_MAX
from comptroller.decode.described.load import API_BYTES_MAX, SERVICE_BYTES_MAX, parse_service
from comptroller.decode.described.openapi import OPERATIONS_MAX as API_OPERATIONS_MAX
from comptroller.server.place import SERVICES_MAX

DOCS = Path(__file__).parent.parent / "docs"
TEXT = (DOCS / "services.md").read_text("utf-8")
SCHEMA = yaml.safe_load((DOCS / "service.schema.json").read_text("utf-8"))


def _example() -> str:
    found = re.search(r"^```yaml\n(.*?)^```", TEXT, re.MULTILINE | re.DOTALL)
    assert found is not None
    return found[1]


def test_the_example_compiles_and_fits_the_schema() -> None:
    service = parse_service(_example().encode(), name="acme-bank", origin="docs", read=lambda name: b"")
    assert service.known()["acme-bank:transfers.create"] == {ActionClass.PAY}
    jsonschema.Draft202012Validator.check_schema(SCHEMA)
    jsonschema.validate(yaml.safe_load(_example()), SCHEMA)


@pytest.mark.parametrize("name", SHIPPED)
def test_every_shipped_description_fits_the_schema(name: str) -> None:
    jsonschema.validate(yaml.safe_load(shipped_text(name)), SCHEMA)
    assert f"`{name}`" in TEXT


def test_the_schema_is_current_and_says_what_each_setting_means() -> None:
    assert build_service_schema.main(["--check"]) == 0
    every = [SCHEMA, *SCHEMA["$defs"].values()]
    assert [name for part in every for name, each in part["properties"].items() if not each.get("description")] == []
    assert build_service_schema.main(["--chekc"]) == 2


@pytest.mark.parametrize("name", SECTIONS)
def test_every_setting_is_described_and_none_is_invented(name: str) -> None:
    fields = getattr(parts, name).model_fields
    assert list(meanings(SECTIONS[name])) == [field.alias or each for each, field in fields.items()]
    assert {part.__name__ for part in parts.PARTS} == set(SECTIONS)


def test_the_limits_are_those_of_the_program() -> None:
    assert parts.OPERATIONS_MAX == API_OPERATIONS_MAX
    for told in (
        f"at most {SERVICE_BYTES_MAX >> 20} MiB and {parts.OPERATIONS_MAX:,} operations",
        f"an OpenAPI document {API_BYTES_MAX >> 20} MiB",
        f"at most {SERVICES_MAX} descriptions",
        f"at most {DOCUMENT_CHARACTERS_MAX >> 10} KiB and asks for at most {FIELDS_MAX} fields",
        f"at most {API_BYTES_MAX >> 20} MiB, {FETCH_SECONDS:.0f}",
    ):
        assert told in " ".join(TEXT.split()), told
