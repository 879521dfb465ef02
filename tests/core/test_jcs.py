"""The quick encoder gives the same bytes as `rfc8785` for every JSON value."""

from __future__ import annotations

import pytest
import rfc8785
from hypothesis import given, settings
from hypothesis import strategies as st

from comptroller.core.action import canonical
from comptroller.core.jcs import NotJson, jcs

SCALARS = (
    st.none()
    | st.booleans()
    | st.integers(-(2**53) + 1, 2**53 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(exclude_categories=["Cs"]))
)
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner) | st.dictionaries(st.text(st.characters(exclude_categories=["Cs"])), inner),
)


@settings(max_examples=150)
@given(VALUES)
def test_the_bytes_are_those_of_rfc8785(value: object) -> None:
    assert jcs(value) == rfc8785.dumps(value)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "value",
    [1e21, 1.0, -0.0, 5e-324, 10**15, 2**53 - 1, -(2**53) + 1, {"\U0001f600": 1, "\ufb33": 2}, {"a": 1.5, "b": [1e3]},
     "\x00\x1f\x7f\u2028", ["1.5", ",1e5"], {"\u20ac": 1, "\r": 2, "1": 3}, (1, (2,))],
)  # fmt: skip
def test_where_encoders_differ(value: object) -> None:
    assert jcs(value) == rfc8785.dumps(value)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "value", [2**53, -(2**60), float("nan"), float("inf"), "\ud800", {"\udfff": 1}, b"bytes", {"a": {1, 2}}]
)
def test_what_is_not_json_is_refused(value: object) -> None:
    with pytest.raises(NotJson):
        jcs(value)


@settings(max_examples=150)
@given(VALUES)
def test_a_canonical_form_may_be_written_plainly(value: object) -> None:
    form = canonical(value)
    assert jcs(form, plain=True) == rfc8785.dumps(form)  # type: ignore[arg-type]
