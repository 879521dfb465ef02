"""Proposals out of OpenAPI documents: whatever one says, a description comes out, or a reason why not."""

from __future__ import annotations

import json

import pytest
import yaml
from hypothesis import HealthCheck, given
from hypothesis import strategies as st
from tests.fuzz_kit import fuzz

from comptroller.core.action import ActionClass
from comptroller.core.errors import ConfigError
from comptroller.decode.described.load import parse_service
from comptroller.decode.described.openapi import MalformedApi, Published, read_api
from comptroller.decode.described.propose import proposed_classes, proposed_service

_WORDS = """
openapi swagger 3.0.0 2.0 info title servers url paths /a/{id} get post operationId summary
parameters name in body query
schema $ref #/paths #/info type properties amount currency items requestBody content application/json
host basePath #
"""
WORDS = st.sampled_from(["/b\n- x", *_WORDS.split()])
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | WORDS | st.text(max_size=12),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(WORDS, inner, max_size=4),
    max_leaves=20,
)
OPERATIONS = st.dictionaries(
    st.sampled_from(["/a", "/a/{id}", "/b\n- x", "/c: d", "/é", "/{x}{y}", "/d#", "x"]),
    st.dictionaries(st.sampled_from(["get", "post", "delete", "parameters", "$ref"]), VALUES, max_size=3),
    max_size=4,
)


@fuzz(200, suppress_health_check=[HealthCheck.too_slow])
@given(paths=OPERATIONS, info=VALUES, servers=VALUES, rest=st.dictionaries(WORDS, VALUES, max_size=3))
def test_any_document_becomes_a_description_or_a_reason(
    paths: object, info: object, servers: object, rest: dict[str, object]
) -> None:
    document = {**rest, "openapi": "3.0.0", "info": info, "servers": servers, "paths": paths}
    try:
        api = read_api(json.dumps(document).encode(), members=True)
    except MalformedApi:
        return
    text = proposed_service(api, name="x", source="a\nb: c", hosts=["api.x.example"])
    written = yaml.safe_load(text)
    assert written["reviewed"] is False and written["hosts"] == ["api.x.example"]
    assert len(written["operations"]) == len({(each.method, each.path) for each in api.operations})
    try:
        service = parse_service(text.encode(), name="x", origin="x.yaml", read=lambda name: b"")
    except ConfigError as error:
        assert "x.yaml:" in error.message
        return
    assert all(operation.classes for operation in service.operations) and not service.reviewed


@pytest.mark.parametrize(
    "raw", [b"", b"x", b"[]", b"\xff", b"openapi: 3.0.0", b'{"openapi": "4"}', b"{" * 5000, b"a: &a [*a]"]
)
def test_what_is_no_document_is_said(raw: bytes) -> None:
    with pytest.raises(MalformedApi):
        read_api(raw)


def test_swagger_2_is_read_as_well() -> None:
    document = {
        "swagger": "2.0",
        "info": {"title": "Old"},
        "host": "API.old.example:443",
        "basePath": "/v1/",
        "securityDefinitions": {"b": {"type": "basic"}},
        "paths": {
            "/pay": {"post": {"parameters": [{"in": "formData", "name": "amount", "type": "integer"}]}},
            "/put": {"put": {"consumes": ["application/json"], "parameters": [{"in": "body", "schema": {}}]}},
        },
    }
    api = read_api(json.dumps(document).encode(), members=True)
    assert api.hosts == ("api.old.example",) and (api.header, api.basic) == ("authorization", True)
    assert [(each.path, each.kinds) for each in api.operations] == [("/v1/pay", ("form",)), ("/v1/put", ("json",))]
    assert api.operations[0].members[0].place == "form:amount"


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE"])
@pytest.mark.parametrize("words", ["", "search", "list", "preview", "nothing of note"])
def test_a_request_that_may_change_something_is_never_proposed_as_reading(method: str, words: str) -> None:
    operation = Published(
        method=method, path=f"/v1/{words.replace(' ', '-')}", name="x", summary=words, kinds=("json",)
    )
    classes = set(proposed_classes(operation))
    assert not classes <= {ActionClass.READ, ActionClass.REVEAL}
    assert method != "DELETE" or ActionClass.DESTROY in classes
