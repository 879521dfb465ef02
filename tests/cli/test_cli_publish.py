"""Published ports and host services as they are written, and the limits the page tells of them."""

from __future__ import annotations

import errno
import os
import re
import socket
from pathlib import Path

import pytest

from comptroller.cli import publish
from comptroller.cli.publish import Doors, Place, parse_place, parse_places
from comptroller.core.config import parse_config
from comptroller.core.doors import HOST_SERVICES_MAX, parse_host_service
from comptroller.core.errors import ConfigError, UsageError
from comptroller.enforce.gateway import GatewaySettings
from comptroller.server import doors as recorded

OPERATIONS = Path(__file__).parent.parent.parent / "docs" / "operations.md"


@pytest.mark.parametrize(
    ("text", "told", "wide"),
    [
        ("8888", "127.0.0.1:8888", False),
        ("localhost:80", "127.0.0.1:80", False),
        ("127.0.0.2:65535", "127.0.0.2:65535", False),
        ("[::1]:8888", "[::1]:8888", False),
        ("0.0.0.0:8888", "0.0.0.0:8888", True),
        ("[::]:8888", "[::]:8888", True),
        ("192.0.2.7:1", "192.0.2.7:1", True),
    ],
)
def test_a_place_is_on_loopback_unless_another_address_is_named(text: str, told: str, wide: bool) -> None:
    place = parse_place(text)
    assert (place.text, place.wide) == (told, wide)


@pytest.mark.parametrize(
    "text",
    [
        *(
            "",
            "x",
            "0",
            "65536",
            "-1",
            "8888:",
            ":8888",
            "::1:8888",
            "example.com:80",
            "1:2:3",
            "٨٨٨٨",
            "[]:8",
            "80/tcp",
        ),
        *("9" * 5000, "[fe80::1%lo]:80", "[::1%\x1b[31m]:80", "224.0.0.1:80", "[ff02::1]:80"),
    ],
)
def test_what_is_no_place_is_refused_with_the_way_to_write_it(text: str) -> None:
    with pytest.raises(UsageError) as caught:
        parse_place(text)
    assert "--publish 8888" in caught.value.hint


def test_places_are_few_and_each_is_there_once() -> None:
    assert parse_places(["8888", "127.0.0.1:8888"]) == (Place(host="127.0.0.1", port=8888),)
    with pytest.raises(UsageError, match="at most 16"):
        parse_places([str(8000 + number) for number in range(17)])


@pytest.mark.parametrize(
    "text", ["", "ollama", "=1", "a=", "a=x", "a=70000", "A=1", "a.b=1", "-a=1", "a=1/", "a=1/udp"]
)
def test_what_is_no_host_service_is_refused(text: str) -> None:
    with pytest.raises(UsageError) as caught:
        parse_host_service(text)
    assert "--host-service ollama=11434" in caught.value.hint


async def test_a_door_for_others_is_said_loudly_and_a_door_that_is_not_opened_lets_nobody_in() -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    doors = Doors((Place(host="127.0.0.1", port=port),))
    try:
        assert not any("ANYBODY" in line for line in doors.warnings())
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection(("127.0.0.1", port), timeout=5)
        doors.places = (Place(host="0.0.0.0", port=port),)
        assert any("ANYBODY WHO REACHES 0.0.0.0" in line for line in doors.warnings())
    finally:
        await doors.close()


def test_no_refusal_repeats_what_would_drive_a_terminal() -> None:
    for text in ("[::1%\x1b[31m]:80", "9" * 5000):
        with pytest.raises(UsageError) as caught:
            parse_place(text)
        assert caught.value.message.isprintable() and len(caught.value.message) < 100


@pytest.mark.parametrize(
    ("number", "next_step"),
    [
        (errno.EACCES, "publish one from 1024 on"),
        (errno.EADDRNOTAVAIL, "this machine has no such address"),
        (errno.EADDRINUSE, "end what listens there"),
    ],
)
def test_a_port_that_cannot_be_taken_is_refused_with_what_to_do(
    number: int, next_step: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(socket.socket, "bind", refuse)
    with pytest.raises(UsageError, match="cannot be published") as caught:
        Doors((Place(host="127.0.0.1", port=80),))
    assert next_step in caught.value.hint


def test_both_ends_agree_on_how_many_there_may_be() -> None:
    assert publish.DOORS_MAX == recorded.PUBLISHED_MAX


def test_the_page_tells_the_limits_of_doors() -> None:
    section = OPERATIONS.read_text("utf-8").split("| of one run | at most |")[1].split("\n\n")[0]
    told = [int(number) for number in re.findall(r"\| (\d+)[^|]*\|$", section, re.MULTILINE)]
    assert told == [
        publish.DOORS_MAX,
        publish.CONNECTIONS_MAX,
        publish.PIECE_BYTES >> 10,
        int(publish.LINGER_SECONDS_MAX),
        HOST_SERVICES_MAX,
        int(GatewaySettings().stream_idle_seconds_max),
    ]


@pytest.mark.parametrize(
    ("tcp", "wrong"),
    [
        ([{"host": "*.example.com", "port": 1}], "names many hosts"),
        ([{"host": "db.example.com", "port": 0}], "port"),
        ([{"host": "db.example.com", "port": 1, "tls": "maybe"}], "tls"),
        ([{"host": "db.example.com", "port": 1, "allowance_bytes": 1}], "allowance_bytes"),
        ([{"host": "db.example.com", "port": 1}] * 2, "is there twice"),
    ],
)
def test_a_declared_service_is_one_host_and_port(tcp: object, wrong: str) -> None:
    document = {
        "version": 1,
        "organization": "acme",
        "teams": {"ml": {}},
        "people": {"ann": {}},
        "agents": {"bot": {"team": "ml", "owner": "ann", "purpose": "test", "tcp": tcp}},
    }
    with pytest.raises(ConfigError, match=re.escape(wrong)):
        parse_config(document, origin="comptroller.yaml")
