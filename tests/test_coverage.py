"""The page of coverage says what the codecs and tables of today hold."""

from __future__ import annotations

import json

from tools.build_coverage import MEASURED, PAGE, page


def test_the_page_is_current() -> None:
    assert PAGE.read_text("utf-8") == page(json.loads(MEASURED.read_text("utf-8"))), "run tools/build_coverage.py"


def test_what_was_measured_reaches_the_goals() -> None:
    measured = json.loads(MEASURED.read_text("utf-8"))
    assert measured["aws_operation_right"] >= 0.995 and measured["aws_parameters_right"] >= 0.998
    assert all(measured[f"{name}_right"] >= 0.99 for name in ("gcp", "azure", "kubernetes", "stripe"))
    assert measured["aws_sample_right"] >= 0.98
    assert measured["price_in_bounds"] == 1.0 and measured["price_spread"] <= 1.6
