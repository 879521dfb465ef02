"""The typed client against a real server: over TCP with a token, and over the control socket."""

from __future__ import annotations

import inspect
from itertools import islice
from pathlib import Path

import pytest
from api_kit import served
from tools import build_client

from comptroller.client import ApiError, Client
from comptroller.core.role import Role
from comptroller.server.api.table import ENDPOINTS


def test_the_client_is_written_from_the_table() -> None:
    assert build_client.main(["--check"]) == 0
    assert build_client.main(["--chekc"]) == 2
    for endpoint in ENDPOINTS:
        assert endpoint.socket_only != hasattr(Client, endpoint.name)
        if not endpoint.socket_only:
            assert inspect.signature(getattr(Client, endpoint.name)).return_annotation


def test_a_script_reads_answers_and_stops(short_folder: Path) -> None:
    with served(short_folder) as (origin, tokens, place):
        with Client(origin, token=tokens[None]) as client:
            assert client.status()["person"] == "one-all"
            held = next(client.iterate_approvals(state="pending"))
            assert held["sentence"] == "start 2 x m8g.large in us-east-1" and held["usd_micros"] == 4_000_000
            with pytest.raises(ApiError) as late:
                client.approve(held["id"], if_match='"of another time"')
            assert late.value.status == 412
            assert client.reject(held["id"], comment="not now")["state"] == "rejected"
            with pytest.raises(ApiError) as again:
                client.reject(held["id"], comment="not now")
            assert (again.value.status, again.value.kind) == (409, "rejected")
            assert [entry["index"] for entry in islice(client.stream(), 5)] == [0, 1, 2, 3, 4]
            with pytest.raises(ApiError) as missing:
                client.get_run("a/b ?#%")
            assert missing.value.status == 404
        with Client(origin, token=tokens[Role.VIEWER]) as client, pytest.raises(ApiError) as refused:
            client.freeze(scope="acme")
        assert refused.value.status == 403 and "roles that carry it" in refused.value.hint
        with Client(origin, token="cmp_wrong") as client, pytest.raises(ApiError) as nobody:
            client.status()
        assert nobody.value.status == 401
        with Client.from_socket(place.control) as client:
            assert client.freeze(scope="acme", reason="odd")["did"] == "freeze"
            assert [run["brake"] for run in client.iterate_runs()] == ["frozen"]


def test_what_is_not_there_is_told(short_folder: Path) -> None:
    with pytest.raises(ApiError, match="no server answers") as away:
        Client.from_socket(short_folder / "nothing.sock")
    assert away.value.status == 0
