"""Recorded traffic of the real client: what it sends today is what was recorded, and reads as it did."""

from __future__ import annotations

import json
import statistics
import time
from urllib.parse import parse_qs, urlsplit

import pytest
from gcp_cases import CALLS, GOLDEN, reading, recorded, unwire
from wire_kit import again

from comptroller import price
from comptroller.core.action import digest
from comptroller.decode.gcp import GcpCodec

ENTRIES = json.loads(GOLDEN.read_text("utf-8"))
CODEC = GcpCodec()


@pytest.mark.parametrize("entry", ENTRIES, ids=lambda entry: entry["title"])
def test_recorded_calls_read_as_they_did(entry: dict[str, dict[str, object]]) -> None:
    asked = unwire(entry["wire"])
    assert reading(asked) == entry["read"]
    action = CODEC.decode(asked)
    assert digest(CODEC.decode(again(CODEC.encode(action, asked), asked))) == digest(action)


def test_the_client_still_sends_what_was_recorded() -> None:
    kept = {entry["title"]: unwire(entry["wire"]) for entry in ENTRIES}
    assert kept.keys() == CALLS.keys()
    for title, asked in recorded():
        old = kept[title]
        assert (asked.method, asked.host, asked.body) == (old.method, old.host, old.body), title
        now, then = urlsplit(asked.target), urlsplit(old.target)
        assert (now.path, parse_qs(now.query)) == (then.path, parse_qs(then.query)), title


def test_reading_and_pricing_is_quick() -> None:
    asked = [unwire(entry["wire"]) for entry in ENTRIES]
    for request in asked:
        price.estimate(CODEC.decode(request))
    taken = []
    for _ in range(20):
        for request in asked:
            start = time.perf_counter()
            price.estimate(CODEC.decode(request))
            taken.append(time.perf_counter() - start)
    # The target is 250 us on a quiet machine; a busy one is given room.
    assert statistics.median(taken) < 1e-3
