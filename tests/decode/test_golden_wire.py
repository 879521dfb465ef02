"""The golden corpus: what real SDKs put on the wire still means what a reviewer agreed to (tools/record_wire.py)."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from tests.decode.wire_kit import again
from tools.record_wire import CONFIGURED, RECIPES, TARGET, as_request, read

from comptroller.core.request import Unencodable
from comptroller.decode.registry import CodecRegistry

REGISTRY = CodecRegistry(CONFIGURED)
FILES = sorted(TARGET.glob("*.jsonl"))


def test_every_recipe_has_a_recording() -> None:
    assert {path.stem for path in FILES} == set(RECIPES)


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_what_is_recorded_means_what_it_meant(path: Path) -> None:
    rows = [json.loads(line) for line in path.read_text("utf-8").splitlines()]
    assert rows
    for row in rows:
        found = json.loads(json.dumps(read(row["request"], REGISTRY)))
        assert found == row["action"], (
            f"{path.stem}: run tools/record_wire.py --decode {path.stem}, read the difference"
        )


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_what_is_sent_in_its_place_means_the_same(path: Path) -> None:
    for row in map(json.loads, path.read_text("utf-8").splitlines()):
        request = as_request(row["request"])
        codec = REGISTRY.codec_for(request)
        action = codec.decode(request)
        assert not action.undecodable, action.reason
        try:
            outgoing = codec.encode(action, request)
        except Unencodable as error:
            pytest.fail(f"{action.operation} cannot be sent: {error}")
        if outgoing.signing is None:
            assert codec.decode(again(outgoing, request)) == action
