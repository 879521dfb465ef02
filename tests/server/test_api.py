"""The table of endpoints: rights in one place, exact queries and bodies, names that clients may rely on."""

from __future__ import annotations

import pytest
from server_kit import Place, configured

from comptroller.core.role import Right
from comptroller.server.api.serve import check_right
from comptroller.server.api.table import ENDPOINTS
from comptroller.server.identity import caller_of
from comptroller.server.operations import ForbiddenError


def test_every_endpoint_has_a_name_of_its_own_a_right_and_words() -> None:
    names = [endpoint.name for endpoint in ENDPOINTS]
    assert len(set(names)) == len(names)
    assert len({(endpoint.method, endpoint.path) for endpoint in ENDPOINTS}) == len(ENDPOINTS)
    for endpoint in ENDPOINTS:
        assert isinstance(endpoint.right, Right) and endpoint.summary and endpoint.path.startswith("/")
        assert endpoint.method != "GET" or not endpoint.body.model_fields
        assert not endpoint.about or any(e.path == endpoint.about and e.method == "GET" for e in ENDPOINTS)
        assert not endpoint.listing or endpoint.listing in endpoint.answer.model_fields


async def test_a_query_is_exact(place: Place) -> None:
    async with place.client() as client:
        assert (await client.get("/v1/runs?nothing=1")).status_code == 422
        assert (await client.get("/v1/approvals?state=pending&state=approved")).status_code == 422
        assert (await client.get("/v1/approvals?state=odd")).status_code == 422
        assert (await client.get("/v1/runs/a%00b")).status_code == 404


def test_a_right_that_no_role_carries_is_refused() -> None:
    caller = caller_of(0, config=configured(), owner_uid=0)
    assert caller is not None
    for right in Right:
        check_right(caller, right)
    with pytest.raises(ForbiddenError, match="takes the right `read`"):
        check_right(type(caller)(person=caller.person, roles=frozenset()), Right.READ)
