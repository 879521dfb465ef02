"""PostgreSQL as several gateways use it: one budget, many machines, a server that is killed, cut off or a standby."""

from __future__ import annotations

import asyncio
import itertools
import os
import socket
import subprocess
import sys
import textwrap
import time
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import psycopg
import pytest

from comptroller.core.audit import EntryDraft, EntryKind
from comptroller.core.budget import Account
from comptroller.core.checkpoint import Checkpoint
from comptroller.core.errors import ConfigError, StoreError, StoreVersionError, UsageError
from comptroller.core.estimate import Unit
from comptroller.core.reservation import ReservationState, settle_deltas
from comptroller.ports import Changes, Facts, Notice, Wants
from comptroller.stores.postgres import PostgresStore
from comptroller.stores.postgres_database import kept_text, place_of, told_text
from comptroller.stores.postgres_listener import notice_of
from comptroller.stores.postgres_migrations import MIGRATIONS
from comptroller.stores.postgres_reader import PostgresReader
from comptroller.testing.certificates import issued
from comptroller.testing.postgres_server import PostgresServer, _alive, emptied_database, shared_server
from comptroller.testing.store_conformance import (
    NOW,
    SCOPES,
    approval,
    budget,
    check_log,
    dispatching,
    draft,
    raises_store_error,
    reservation,
    run,
    write,
)

WANTS = Wants(now=NOW, scopes=SCOPES)
GATEWAY = textwrap.dedent(
    """
    import asyncio, sys
    from comptroller.core.errors import StoreError
    from comptroller.core.estimate import Unit
    from comptroller.ports import Wants
    from comptroller.stores.postgres import PostgresStore
    from comptroller.testing.store_conformance import NOW, SCOPES, dispatching

    async def main(url, origin, first, calls, callers):
        store = await PostgresStore.open(url, origin=origin)
        numbers, allowed, failed = iter(range(first, first + calls)), 0, 0

        async def caller():
            nonlocal allowed, failed
            for number in numbers:
                try:
                    done = await store.commit(Wants(now=NOW, scopes=SCOPES), dispatching(number, {Unit.CALLS: 1}))
                except StoreError:
                    failed += 1
                    await asyncio.sleep(1)
                    continue
                allowed += done.result
                print("yes" if done.result else "no", number, done.indices[0], flush=True)

        await asyncio.gather(*(caller() for _ in range(callers)))
        print("end", allowed, failed, flush=True)
        await store.close()

    asyncio.run(main(sys.argv[1], sys.argv[2], *map(int, sys.argv[3:6])))
    """
)


@pytest.fixture
def url() -> str:
    """An emptied database."""
    return emptied_database()


@pytest.fixture
def server() -> Iterator[PostgresServer]:
    """A server of this test's own, that it may kill."""
    with PostgresServer() as made:
        yield made


def gateway(url: str, origin: str, first: int, calls: int, callers: int) -> subprocess.Popen[str]:
    arguments = [sys.executable, "-c", GATEWAY, url, origin, str(first), str(calls), str(callers)]
    return subprocess.Popen(arguments, stdout=subprocess.PIPE, text=True)


def said(output: str) -> tuple[dict[int, int], int]:
    """Number -> index of everything that was allowed and acknowledged, and how many failed."""
    lines = [line.split() for line in output.splitlines()]
    return {int(line[1]): int(line[2]) for line in lines if line[0] == "yes"}, int(lines[-1][2])


# ---------------------------------------------------------------- several gateways


def test_two_gateways_never_overspend_one_budget(url: str) -> None:
    """Two processes, many callers each, nested budgets that are too small: exactly as many pass as fit."""

    async def prepare() -> None:
        store = await PostgresStore.open(url, origin="comptroller/prepare")
        limits = tuple(budget(scope, 150 + depth) for depth, scope in enumerate(SCOPES))
        await write(store, Changes(budgets=limits))
        await store.close()

    asyncio.run(prepare())
    running = [gateway(url, f"comptroller/{n}", n * 1000, 300, 24) for n in range(2)]
    outputs = [process.communicate(timeout=120)[0] for process in running]
    allowed = [said(output)[0] for output in outputs]
    assert [said(output)[1] for output in outputs] == [0, 0]
    assert sum(map(len, allowed)) == 150

    async def look() -> None:
        for number in range(2):
            store = await PostgresStore.open(url, origin=f"comptroller/{number}")
            held = {item.id for item in await store.open_reservations()}
            assert held == {f"reservation-{n}" for found in allowed for n in found}
            assert {state.account for state in await store.budgets(NOW)} == {Account(dispatched=150)}
            assert await store.size() == 300, "each writes every decision of its own into its own log"
            by_index = {entry.index: entry.document["body"] for entry in await store.entries()}
            assert all(by_index[index] == {"note": f"allowed {n}"} for n, index in allowed[number].items())
            await check_log(store)
            await store.close()

    asyncio.run(look())
    assert "deadlock" not in shared_server().log()


async def test_nothing_is_remembered_that_another_gateway_may_have_changed(url: str) -> None:
    one = await PostgresStore.open(url, origin="comptroller/1")
    two = await PostgresStore.open(url, origin="comptroller/2")
    await write(one, Changes(budgets=(budget("acme", 1), budget("acme/ml", 5)), runs=(run(1),)))
    assert (await two.commit(WANTS, dispatching(1, {Unit.CALLS: 1}))).result
    assert not (await one.commit(WANTS, dispatching(2, {Unit.CALLS: 1}))).result
    await write(two, Changes(budgets=(budget("acme", 3),)))
    assert (await one.commit(WANTS, dispatching(3, {Unit.CALLS: 1}))).result
    await write(one, Changes(approvals=(approval(1),)))
    wanted = Wants(now=NOW, approval="approval-1", run="run-1", reservation="reservation-1")
    facts: Facts = (await two.commit(wanted, lambda facts: (Changes(), facts))).result
    assert facts.approval == approval(1) and facts.run == run(1) and facts.reservation is not None
    assert await one.size() == 2 and await two.size() == 1
    await one.close()
    await two.close()


async def test_one_installation_is_one_gateway(url: str) -> None:
    store = await PostgresStore.open(url, origin="comptroller/1")
    with pytest.raises(UsageError, match="another `comptroller serve` of this installation"):
        await PostgresStore.open(url, origin="comptroller/1")
    other = await PostgresStore.open(url, origin="comptroller/2")
    assert other.number != store.number
    await store.close()
    store = await PostgresStore.open(url, origin="comptroller/1")
    await store.close()
    await other.close()


async def test_settling_and_dispatching_from_both_sides(url: str) -> None:
    """Settlements lock a reservation before its scopes, admissions only scopes: no circle, and the sums are right."""
    stores = [await PostgresStore.open(url, origin=f"comptroller/{n}") for n in range(2)]
    await write(stores[0], Changes(budgets=tuple(budget(scope, 10_000, Unit.USD_MICROS) for scope in SCOPES)))

    async def life(number: int) -> None:
        store, other = stores[number % 2], stores[(number + 1) % 2]
        assert (await store.commit(WANTS, dispatching(number, {Unit.USD_MICROS: 10}))).result

        def settle(facts: Facts) -> tuple[Changes, None]:
            assert facts.reservation is not None
            done = replace(facts.reservation, state=ReservationState.SETTLED, actual={Unit.USD_MICROS: 4})
            deltas = settle_deltas(facts.reservation, {Unit.USD_MICROS: 4})
            return Changes(entries=(draft("settled"),), reservations=(done,), accounts=deltas), None

        await other.commit(Wants(now=NOW, reservation=f"reservation-{number}", patient=True), settle)

    await asyncio.gather(*(life(number) for number in range(200)))
    for state in await stores[0].budgets(NOW):
        assert state.account == Account(settled=800)
    assert sum(store.attempts - store.batches for store in stores) == 0, "nothing had to be broken off"
    for store in stores:
        await check_log(store)
        await store.close()


async def test_a_change_elsewhere_is_heard(url: str) -> None:
    one = await PostgresStore.open(url, origin="comptroller/1")
    two = await PostgresStore.open(url, origin="comptroller/2")
    heard: asyncio.Queue[Notice] = asyncio.Queue()
    one.listen(heard.put_nowait)
    assert await asyncio.wait_for(heard.get(), 20) == Notice(anything=True)
    await write(one, Changes(approvals=(approval(1),)))
    await write(two, Changes(approvals=(approval(2), approval(3)), budgets=(budget("acme"),)))
    assert await asyncio.wait_for(heard.get(), 20) == Notice(approvals=("approval-2", "approval-3"), budgets=("acme",))
    given = EntryDraft(kind=EntryKind.STANDING_GRANTED, at=NOW, body={"standing": "grant-1"})
    await write(two, Changes(entries=(draft(), given)))
    assert await asyncio.wait_for(heard.get(), 20) == Notice(standings=("grant-1",))
    many = tuple(approval(n) for n in range(2000))
    await write(two, Changes(approvals=many))
    assert await asyncio.wait_for(heard.get(), 20) == Notice(anything=True)
    shared_server().psql(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE query LIKE 'LISTEN%' AND pid <> pg_backend_pid()"
    )
    assert await asyncio.wait_for(heard.get(), 20) == Notice(anything=True), "whatever was missed is looked for"
    await one.close()
    await two.close()


def test_a_notice_that_cannot_be_understood_may_mean_anything() -> None:
    for payload in (b"", b"{", b"[]", b'{"from": 1, "runs": 7}', b"{}", b"\xff"):
        assert notice_of(payload, 2) == Notice(anything=True)
    assert notice_of(b'{"from": 2}', 2) is None
    assert notice_of(b'{"from": 1, "runs": ["a"], "later": ["x"]}', 2) == Notice(runs=("a",))


async def test_recovery_touches_its_own_and_the_dead_alone(url: str) -> None:
    stores = [await PostgresStore.open(url, origin=f"comptroller/{n}") for n in range(3)]
    await write(stores[0], Changes(budgets=(budget("acme", 100),)))
    for number, store in enumerate(stores):
        await write(store, Changes(runs=(run(number + 1),)))
        await store.commit(WANTS, dispatching(number, {Unit.CALLS: 1}))

    async def found(store: PostgresStore, *, own: bool) -> tuple[set[str], set[str]]:
        stranded = await store.stranded(own=own)
        return {item.id for item in stranded.reservations}, {item.id for item in stranded.runs}

    assert await found(stores[0], own=True) == ({"reservation-0"}, {"run-1"})
    assert await found(stores[0], own=False) == (set(), set())
    # Every heartbeat looks old, and so does the server: only who holds its lock is alive.
    old = "UPDATE comptroller.installations SET seen_at = now() - interval '1 hour'"
    await stores[2].close()
    shared_server().psql(old)
    uptime = float(shared_server().psql("SELECT extract(epoch FROM now() - pg_postmaster_start_time())"))
    expected = ({"reservation-2"}, {"run-3"}) if uptime > 60 else (set(), set())
    assert await found(stores[0], own=False) == expected
    reader = PostgresReader(place_of(url), "comptroller/0")
    assert {item.id for item in reader.stranded(own=False, gone_seconds=0).reservations} == {"reservation-2"}
    reader.close()
    # A run that goes on elsewhere belongs to where it goes on.
    await write(stores[1], Changes(runs=(run(1),)))
    assert "run-1" not in (await found(stores[0], own=True))[1]
    for store in stores[:2]:
        await store.close()


# ---------------------------------------------------------------- logs


async def test_each_checkpoint_is_kept_where_its_own_log_cannot_take_it_back(url: str) -> None:
    one = await PostgresStore.open(url, origin="comptroller/1")
    two = await PostgresStore.open(url, origin="comptroller/2")
    await write(one, Changes(entries=(draft("a"), draft("b"))))
    await one.publish_checkpoint(Checkpoint(origin="comptroller/1", size=1, root=await one.root(1)), b"first")
    await one.publish_checkpoint(Checkpoint(origin="comptroller/1", size=2, root=await one.root(2)), b"second")
    assert await two.checkpoints_elsewhere() == {"comptroller/1": (2, b"second")}
    assert await one.checkpoints_elsewhere() == {}
    with pytest.raises(StoreError, match="over"):
        await one.publish_checkpoint(Checkpoint(origin="comptroller/1", size=2, root=b""), b"x" * 5000)
    await one.close()
    await two.close()


# ---------------------------------------------------------------- crashes


def test_nothing_acknowledged_is_lost_when_the_server_is_killed(server: PostgresServer) -> None:
    """`kill -9` of the whole server again and again in the middle of commits: what was acknowledged is there."""
    url = server.url

    async def prepare() -> None:
        store = await PostgresStore.open(url, origin="comptroller/prepare")
        await write(store, Changes(budgets=(budget("acme", 400),)))
        await store.close()

    asyncio.run(prepare())
    process = gateway(url, "comptroller/1", 0, 2000, 16)
    assert process.stdout is not None
    lines, kills = [], 0
    for line in process.stdout:
        lines.append(line)
        if len(lines) % 60 == 0 and kills < 4:
            server.kill()
            kills += 1
            server.start()
    process.stdout.close()
    assert process.wait(60) == 0 and kills == 4
    allowed, failed = said("".join(lines))

    async def look() -> None:
        store = await PostgresStore.open(url, origin="comptroller/1")
        held = {item.id for item in await store.open_reservations()}
        assert {f"reservation-{n}" for n in allowed} <= held, "an acknowledged reservation is lost"
        assert len(held) - len(allowed) <= failed, "only what nobody could be told of is held beyond it"
        (state,) = await store.budgets(NOW)
        assert state.account == Account(dispatched=len(held)) and len(held) <= 400
        by_index = {entry.index: entry.document["body"] for entry in await store.entries(limit=10_000)}
        assert all(by_index[index] == {"note": f"allowed {n}"} for n, index in allowed.items())
        await check_log(store)
        await store.close()

    asyncio.run(look())


async def test_a_cut_connection_is_made_again(url: str) -> None:
    store = await PostgresStore.open(url, origin="comptroller/1")
    cut = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'comptroller'"
    for number in range(3):
        assert await write(store, Changes(entries=(draft(str(number)),))) == (number,)
        assert await store.size() == number + 1
        shared_server().psql(cut)
    await check_log(store)
    await store.close()


async def test_a_server_that_is_gone_is_said_and_comes_back(server: PostgresServer) -> None:
    store = await PostgresStore.open(server.url, origin="comptroller/1")
    await write(store, Changes(entries=(draft("one"),)))
    server.kill()
    error = await raises_store_error(write(store, Changes(entries=(draft("two"),))))
    assert "tried again" in error.hint
    await raises_store_error(store.runs())
    server.start()
    assert await write(store, Changes(entries=(draft("three"),))) == (1,)
    assert await store.size() == 2
    await store.close()


async def test_a_commit_whose_answer_is_lost_is_asked_for(server: PostgresServer) -> None:
    """A synchronous standby that is not there: the commit waits. Its connection is cut; the change is there, once."""
    store = await PostgresStore.open(server.url, origin="comptroller/1")
    assert any("no synchronous standby" in text for text in store.cautions)
    await write(store, Changes(entries=(draft("one"),)))
    server.configure(synchronous_standby_names="nobody")
    found = "SELECT pid FROM pg_stat_activity WHERE wait_event = 'SyncRep'"
    for number in itertools.count(1):  # noqa: B007 - until the server has heard of it
        waiting = asyncio.ensure_future(write(store, Changes(entries=(draft("next"),), runs=(run(1),))))
        pid = ""
        while not waiting.done() and not pid:
            pid = await asyncio.to_thread(server.psql, found)
        if not waiting.done():
            break
    await asyncio.to_thread(server.psql, f"SELECT pg_terminate_backend({pid})")
    await asyncio.to_thread(lambda: server.configure(synchronous_standby_names=""))
    assert await waiting == (number,)
    assert await store.size() == number + 1 and len(await store.runs()) == 1
    await check_log(store)
    await store.close()


async def test_a_store_that_went_back_is_refused(url: str) -> None:
    """A failover to a standby that was behind: going on would contradict what was acknowledged."""
    store = await PostgresStore.open(url, origin="comptroller/1")
    await write(store, Changes(entries=(draft("one"), draft("two"))))
    server = shared_server()
    server.psql(
        "DELETE FROM comptroller.entries WHERE idx = 1; DELETE FROM comptroller.nodes WHERE position = 1 OR level > 0"
    )
    server.psql("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'comptroller'")
    error = await raises_store_error(write(store, Changes(entries=(draft("three"),))))
    assert "went back" in error.message and "restore" in error.hint
    await raises_store_error(write(store, Changes(entries=(draft("four"),))))
    assert server.psql("SELECT count(*) FROM comptroller.entries") == "1"
    await store.close()


# ---------------------------------------------------------------- what is refused


async def test_a_standby_is_refused_and_a_synchronous_one_counts(server: PostgresServer) -> None:
    with server.standby() as standby:
        with pytest.raises(StoreError, match="standby that follows another"):
            await PostgresStore.open(standby.url, origin="comptroller/1")
        server.configure(synchronous_standby_names="standby")
        while server.psql("SELECT sync_state FROM pg_stat_replication") != "sync":
            await asyncio.sleep(0.05)
        store = await PostgresStore.open(server.url, origin="comptroller/1")
        assert store.cautions == ()
        await store.close()
        both = f"{server.url}&target_session_attrs=read-write"
        await (await PostgresStore.open(both, origin="comptroller/1")).close()
        server.configure(synchronous_standby_names="")


async def test_a_server_that_forgets_is_refused() -> None:
    with PostgresServer(settings={"fsync": "off"}) as careless, pytest.raises(StoreError, match="fsync=off"):
        await PostgresStore.open(careless.url, origin="comptroller/1")


async def test_commits_are_durable_whatever_the_server_defaults_to(server: PostgresServer) -> None:
    server.configure(synchronous_commit="off", full_page_writes="off")
    store = await PostgresStore.open(server.url, origin="comptroller/1")
    assert any("full_page_writes" in text for text in store.cautions)
    assert store._connection is not None
    row = store._connection.execute("SHOW synchronous_commit").fetchone()
    assert row is not None and row[0] == "on"
    await store.close()


@pytest.mark.parametrize(
    ("url", "allowed"),
    [
        ("postgresql://db.example.com/comptroller", False),
        ("postgresql://db.example.com/comptroller?sslmode=prefer", False),
        ("postgresql://127.0.0.1,db.example.com/comptroller", False),
        ("postgresql://localhost/comptroller?hostaddr=203.0.113.9", False),
        ("postgresql:///comptroller?hostaddr=127.0.0.1,203.0.113.9", False),
        ("postgresql://db.example.com/comptroller?hostaddr=127.0.0.1", False),
        ("postgresql:///comptroller?service=somewhere", False),
        ("postgresql:///comptroller?service=somewhere&sslmode=verify-full", True),
        ("postgresql://db.example.com/comptroller?sslmode=verify-full", True),
        ("postgresql://db.example.com/comptroller?sslmode=verify-ca", True),
        ("postgresql://127.0.0.1/comptroller", True),
        ("postgresql://[::1]:5432/comptroller", True),
        ("postgresql://localhost/comptroller", True),
        ("postgresql:///comptroller?host=/run/postgresql", True),
        ("postgresql:///comptroller", True),
    ],
)
def test_over_a_network_the_server_is_verified(url: str, allowed: bool) -> None:
    if allowed:
        assert place_of(url).cautions == ()
        return
    with pytest.raises(ConfigError, match="nothing verifies") as caught:
        place_of(url)
    assert "sslmode=verify-full" in caught.value.hint


def test_an_unverified_server_is_a_deliberate_choice() -> None:
    for mode in ("disable", "require"):
        (caution,) = place_of(f"postgresql://db.example.com/x?sslmode={mode}").cautions
        assert "not verified" in caution
    with pytest.raises(ConfigError, match="cannot be read"):
        place_of("postgresql://db.example.com/x?no_such_option=1")


@pytest.fixture(scope="module")
def tls(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[PostgresServer, str]]:
    """A server that calls itself `db.acme.example`, and the file of the authority that says so too."""
    authority, certificate, key = issued("db.acme.example")
    root = tmp_path_factory.mktemp("tls") / "root.pem"
    root.write_bytes(authority)
    with socket.create_server(("127.0.0.1", 0)) as bound:
        port = bound.getsockname()[1]
    with PostgresServer(tcp_port=port, password="right-secret", tls=(certificate, key)) as made:
        yield made, str(root)


def over_tls(server: PostgresServer, root: str, *, host: str = "db.acme.example", mode: str = "verify-full") -> str:
    there = f"{host}:{server.tcp_port}/postgres?hostaddr=127.0.0.1"
    return f"postgresql://comptroller:right-secret@{there}&sslmode={mode}&sslrootcert={root}"


async def test_a_server_that_proves_its_name_is_used_over_tls(tls: tuple[PostgresServer, str]) -> None:
    store = await PostgresStore.open(over_tls(*tls), origin="comptroller/1")
    await write(store, Changes(entries=(draft("one"),)))
    assert store._connection is not None
    row = store._connection.execute("SELECT ssl, version FROM pg_stat_ssl WHERE pid = pg_backend_pid()").fetchone()
    assert row is not None and row[0] is True and row[1] in ("TLSv1.2", "TLSv1.3")
    # The other connections, that listen and that only read, are made the same way.
    assert await store.size() == 1
    plain = (
        "SELECT count(*) FROM pg_stat_ssl JOIN pg_stat_activity USING (pid) WHERE NOT ssl AND client_addr IS NOT NULL"
    )
    assert tls[0].psql(plain) == "0"
    await store.close()


@pytest.mark.parametrize("mode", ["verify-full", "verify-ca"])
async def test_a_server_that_another_authority_vouches_for_is_refused(
    tls: tuple[PostgresServer, str], tmp_path: Path, mode: str
) -> None:
    (tmp_path / "other.pem").write_bytes(issued("db.acme.example")[0])
    with pytest.raises(StoreError, match=r"certificate verify failed|signature failure") as caught:
        await PostgresStore.open(over_tls(tls[0], str(tmp_path / "other.pem"), mode=mode), origin="comptroller/1")
    assert "sslrootcert" in caught.value.hint and "right-secret" not in f"{caught.value}{caught.value.hint}"


async def test_a_server_of_another_name_is_refused(tls: tuple[PostgresServer, str]) -> None:
    with pytest.raises(StoreError, match=r"does not match host name|for \"db.acme.example\"") as caught:
        await PostgresStore.open(over_tls(*tls, host="db.other.example"), origin="comptroller/1")
    assert "sslrootcert" in caught.value.hint and "right-secret" not in f"{caught.value}{caught.value.hint}"


async def test_a_root_that_is_not_there_and_a_server_without_tls_are_refused(
    tls: tuple[PostgresServer, str], tmp_path: Path
) -> None:
    with pytest.raises(StoreError, match="certificate") as caught:
        await PostgresStore.open(over_tls(tls[0], str(tmp_path / "nowhere.pem")), origin="comptroller/1")
    assert "sslrootcert" in caught.value.hint
    server, root = tls
    server.configure(ssl="off")
    try:
        with pytest.raises(StoreError, match="SSL") as caught:
            await PostgresStore.open(over_tls(server, root), origin="comptroller/1")
        assert "right-secret" not in f"{caught.value}{caught.value.hint}"
    finally:
        server.configure(ssl="on")


async def test_no_password_is_ever_said(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.create_server(("127.0.0.1", 0)) as bound:
        port = bound.getsockname()[1]
    with PostgresServer(tcp_port=port, password="right-secret") as server:
        wrong = server.tcp_url_of("postgres", password="wrong-secret")
        with pytest.raises(StoreError) as caught:
            await PostgresStore.open(wrong, origin="comptroller/1")
        assert "wrong-secret" not in str(caught.value) and "passfile" in caught.value.hint
        monkeypatch.setenv("PGPASSWORD", "right-secret")
        store = await PostgresStore.open(server.tcp_url_of("postgres"), origin="comptroller/1")
        assert await store.size() == 0
        await store.close()
        with pytest.raises(StoreError) as caught:
            await PostgresStore.open(server.tcp_url_of("nowhere"), origin="comptroller/1")
        assert "right-secret" not in str(caught.value) and "createdb" in caught.value.hint


# ---------------------------------------------------------------- the kit


def test_what_a_killed_test_left_is_cleaned_by_the_next() -> None:
    code = (
        "from comptroller.testing.postgres_server import PostgresServer\n"
        "server = PostgresServer()\nprint(server.folder, server.pid, flush=True)\ninput()"
    )
    maker = subprocess.Popen([sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert maker.stdout is not None and maker.stdin is not None
    folder, pid = maker.stdout.readline().split()
    with PostgresServer() as other:
        assert os.path.exists(folder), "its maker lives"
        maker.kill()
        maker.communicate()
        assert os.path.exists(f"{folder}/data/postmaster.pid")
        with PostgresServer() as another:
            assert not os.path.exists(folder) and other.psql("SELECT 1") == another.psql("SELECT 1") == "1"
    deadline = time.monotonic() + 30
    while _alive(int(pid)):
        assert time.monotonic() < deadline, "its server lives on"
        time.sleep(0.02)


# ---------------------------------------------------------------- versions


async def test_a_newer_store_is_refused_and_an_older_one_brought_up_to_date(url: str) -> None:
    store = await PostgresStore.open(url, origin="comptroller/1")
    await write(store, Changes(entries=(draft("one"),)))
    await store.close()

    def add_colour(connection: psycopg.Connection[Any]) -> None:
        connection.execute("ALTER TABLE runs ADD COLUMN colour text NOT NULL DEFAULT ''")

    def break_midway(connection: psycopg.Connection[Any]) -> None:
        connection.execute("CREATE TABLE half (value int)")
        raise RuntimeError("broken")

    with pytest.raises(RuntimeError):
        await PostgresStore.open(url, origin="comptroller/1", migrations=(*MIGRATIONS, add_colour, break_midway))
    assert shared_server().psql("SELECT number FROM comptroller.schema_version") == str(len(MIGRATIONS))
    assert shared_server().psql("SELECT to_regclass('comptroller.half') IS NULL") == "t"
    newer = (*MIGRATIONS, add_colour)
    opened = await asyncio.gather(
        *(PostgresStore.open(url, origin=f"comptroller/{n}", migrations=newer) for n in range(4))
    )
    assert [await store.size() for store in opened[1:2]] == [1]
    for store in opened:
        await store.close()
    with pytest.raises(StoreVersionError, match="newer Comptroller"):
        await PostgresStore.open(url, origin="comptroller/1")
    reader = PostgresReader(place_of(url), "comptroller/1")
    with pytest.raises(StoreVersionError):
        reader.size()


async def test_many_first_gateways_make_one_store(url: str) -> None:
    opened = await asyncio.gather(*(PostgresStore.open(url, origin=f"comptroller/{n}") for n in range(5)))
    assert len({store.number for store in opened}) == 5
    assert shared_server().psql("SELECT number FROM comptroller.schema_version") == str(len(MIGRATIONS))
    for store in opened:
        await store.close()


async def test_what_is_not_ours_is_left_alone(url: str) -> None:
    shared_server().psql("CREATE SCHEMA comptroller; CREATE TABLE comptroller.theirs (value int)")
    with pytest.raises(StoreError, match="not a Comptroller store"):
        await PostgresStore.open(url, origin="comptroller/1")
    with PostgresReader(place_of(url), "comptroller/1") as reader, pytest.raises(StoreError, match="is empty"):
        reader.size()


# ---------------------------------------------------------------- what agents write


@pytest.mark.parametrize("text", ["", "plain", "\\", "\0", "\\0", "\\\0\\\\0", "a\\b\0c\1", "\1\1"])
def test_text_with_nul_comes_back(text: str) -> None:
    assert "\0" not in kept_text(text) and told_text(kept_text(text)) == text


async def test_what_an_agent_makes_long_or_strange_harms_nobody(url: str) -> None:
    store = await PostgresStore.open(url, origin="comptroller/1")
    strange = "t" * 100_000 + "\0\\"
    item = replace(reservation(1, (), {}), retry_token=strange)
    odd_run = replace(run(1), purpose="a\0b\\c")
    await write(store, Changes(reservations=(item,), runs=(odd_run,)))
    facts: Facts = (
        await store.commit(
            Wants(now=NOW, call=("run-1", "a1:00", strange), run="run-1"), lambda facts: (Changes(), facts)
        )
    ).result
    assert facts.calls == (item,) and facts.run == odd_run
    assert await store.runs() == (odd_run,)
    # An id too long for an index is one caller's mistake.
    late = NOW + timedelta(seconds=1)
    long_id = replace(reservation(2, (), {}), id=os.urandom(50_000).hex(), created_at=late)
    done = await asyncio.gather(
        write(store, Changes(entries=(draft("before"),))),
        write(store, Changes(entries=(draft("bad"),), reservations=(long_id,))),
        write(store, Changes(entries=(draft("after"),))),
        return_exceptions=True,
    )
    assert isinstance(done[1], StoreError)
    assert sorted([done[0], done[2]]) == [(0,), (1,)]
    await check_log(store)
    await store.close()
