"""The test PostgreSQL server: real, synced, killed and started again; a standby follows it."""

from __future__ import annotations

import os

import pytest

from comptroller.testing.postgres_server import PostgresServer


def test_what_was_committed_outlives_a_kill() -> None:
    with PostgresServer() as server:
        assert server.psql("SHOW fsync") == "on" and server.psql("SHOW synchronous_commit") == "on"
        url = server.database("one")
        assert "/one?" in url
        server.psql("CREATE TABLE kept (value int); INSERT INTO kept VALUES (7)", database="one")
        first = server.pid
        server.kill()
        with pytest.raises(RuntimeError):
            server.pid
        with pytest.raises(RuntimeError):
            server.psql("SELECT 1")
        server.start()
        assert server.pid != first
        assert server.psql("SELECT value FROM kept", database="one") == "7"
        server.restart()
        assert server.psql("SELECT value FROM kept", database="one") == "7"
        folder, last = server.folder, server.pid
    assert not folder.exists()
    with pytest.raises(ProcessLookupError):
        os.kill(last, 0)


def test_a_standby_follows_and_takes_no_writes() -> None:
    with PostgresServer() as server, server.standby() as standby:
        assert standby.psql("SELECT pg_is_in_recovery()") == "t"
        assert server.psql("SELECT count(*) FROM pg_stat_replication WHERE application_name = 'standby'") == "1"
        with pytest.raises(RuntimeError, match="read-only"):
            standby.psql("CREATE TABLE refused (value int)")
