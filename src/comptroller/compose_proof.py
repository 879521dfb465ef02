"""A new version proves on a copy of an installation's state that it can go on with it; what serves is not touched."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import Sequence
from contextlib import closing, suppress
from dataclasses import dataclass
from pathlib import Path

from comptroller import __version__, price
from comptroller.boundary import CedarBoundary
from comptroller.compose import Engine, build_engine, build_gateway, load_boundary, policy_texts
from comptroller.compose_state import (
    SQLITE,
    SystemClock,
    has_store,
    installation_origin,
    open_store,
    store_of,
    waiting_restore,
)
from comptroller.core.approval import ApprovalState
from comptroller.core.audit import EntryKind
from comptroller.core.brake import BrakeState
from comptroller.core.budget import scopes_of
from comptroller.core.checkpoint import Checkpoint, parse_verifier_key, sign, verify_any_epoch
from comptroller.core.config import Config
from comptroller.core.errors import RefusedError, StoreError, UsageError
from comptroller.core.request import Header, Request
from comptroller.core.verdict import Conflict
from comptroller.decode.described import Service
from comptroller.engine.gatekeeper import Refused
from comptroller.server.descriptions import described_services
from comptroller.server.place import CONFIG_NAME, Paths, load_config
from comptroller.server.prices import load_prices
from comptroller.stores import backup as backups
from comptroller.stores import migrations
from comptroller.stores.database import explaining, open_for_reading
from comptroller.stores.log_key_unsafe import load_log_key, write_private

COPIED = ("log.pub", "checkpoint", "ca.key", "ca.pem")
"""What is copied beside the store; the log key is only read. The checkpoint goes first, so that the store covers it."""
HOST_OF_NOBODY = "proof.invalid"
ENTRIES_READ_MAX = 50


@dataclass(frozen=True, slots=True, kw_only=True)
class Proof:
    """What this version did with the copy. `store_version` is what the store has, `migrated_to` what it would get."""

    version: str
    store_version: int
    migrated_to: int
    entries: int
    pending: int
    suspended: int

    def as_dict(self) -> dict[str, object]:
        """JSON values, for `--json`."""
        names = ("version", "store_version", "migrated_to", "entries", "pending", "suspended")
        return {name: getattr(self, name) for name in names}


def prove(config_path: Path) -> Proof:
    """Load what is configured, then migrate, recover, judge with and verify a copy of the state; all beside a running
    `serve`, whose files are only read. Nothing is sent anywhere.

    Raises a `ComptrollerError` that says what this version cannot do.
    """
    config = load_config(config_path)
    described = described_services(config_path)
    boundary = load_boundary(config, config_path, described=described, texts=policy_texts(config_path))
    paths = Paths.of(config_path)
    if not has_store(paths):
        raise UsageError("nothing to go on with: this installation has no state yet", hint="comptroller serve")
    if config.store != SQLITE or store_of(paths) != SQLITE:
        raise UsageError(
            "the store is a PostgreSQL database: a proof has no copy of it to try",
            hint="restore a pg_dump into another database, and start this version there",
        )
    if waiting_restore(paths) is not None:
        raise RefusedError("a restore waits for the next start", hint="start and end `comptroller serve` first")
    with explaining(paths.folder):
        copy = Paths(backups.scratch_beside(paths.folder))
    try:
        signed, before = _copy(paths, copy)
        return asyncio.run(_go_on(config, config_path, boundary, described, paths, copy, signed, before))
    finally:
        shutil.rmtree(copy.folder, ignore_errors=True)


def _copy(paths: Paths, copy: Paths) -> tuple[Checkpoint, int]:
    """Copy the state. Returns its newest checkpoint, and the store's version. Raises `StoreError`, `RefusedError`."""
    with explaining(paths.folder):
        for name in COPIED:
            with suppress(FileNotFoundError):
                write_private(copy.folder / name, (paths.folder / name).read_bytes())
        if not copy.checkpoint.exists():
            raise RefusedError(
                "there is no signed checkpoint: nothing vouches for the log",
                hint="comptroller serve signs one when it starts",
            )
        backups.copy_store(paths.store, copy.store)
        with closing(open_for_reading(copy.store)) as connection:
            version = migrations.check(connection, paths.store)
    signed = verify_any_epoch(
        copy.checkpoint.read_bytes(), parse_verifier_key(copy.log_public.read_text("utf-8").strip())
    )
    return signed, version


async def _go_on(
    config: Config,
    config_path: Path,
    boundary: CedarBoundary,
    described: Sequence[Service],
    paths: Paths,
    copy: Paths,
    signed: Checkpoint,
    before: int,
) -> Proof:
    """Begin on the copy as `serve` would, have a frozen agent denied, and verify the whole log over the seam."""
    key = load_log_key(paths.log_key)
    store = await open_store(SQLITE, copy)
    try:
        if await store.size() < signed.size or await store.root(signed.size) != signed.root:
            raise StoreError(
                f"the log in `{paths.store}` is not the one that was signed last ({signed.size} entries)",
                hint="comptroller audit verify shows where it differs; nothing was changed",
            )
        entries = await store.size()
        engine = build_engine(config, store, lambda: boundary, described=described, newer=load_prices(paths.prices))
        gateway = build_gateway(config, config_path, copy, engine, described)
        try:
            await asyncio.to_thread(price.warm)
            await engine.trust.load()
            suspended = await engine.settler.recover()
            await engine.holdings.load()
            await engine.runs.recover()
            pending = len(await store.approvals(ApprovalState.PENDING))
            await store.budgets(SystemClock().now())
            await _hold_back(engine, config)
        finally:
            await gateway.close()
            await engine.gatekeeper.close()
        size = await store.size()
        now = Checkpoint(origin=installation_origin(copy), size=size, root=await store.root(size))
    finally:
        await store.close()
    verifier = parse_verifier_key(copy.log_public.read_text("utf-8").strip())
    backups.check_store(copy.store, verify_any_epoch(sign(now, key), verifier))
    return Proof(
        version=__version__,
        store_version=before,
        migrated_to=len(migrations.MIGRATIONS),
        entries=entries,
        pending=pending,
        suspended=suspended,
    )


async def _hold_back(engine: Engine, config: Config) -> None:
    """Freeze a run of an agent that may run now, and see that what it asks for is denied and recorded."""
    braked = {brake.scope for brake in await engine.store.brakes() if brake.state is not BrakeState.FREE}
    agent = next((name for name in config.agents if not braked & set(scopes_of(engine.runbook.path_of(name)))), None)
    if agent is None:
        return
    run = await engine.runs.start(
        agent=agent, purpose=None, resume=None, per_run=config.agents[agent].per_run.amounts()
    )
    await engine.brakes.freeze(run.path, by=CONFIG_NAME, reason="proof on a copy")
    answer = await engine.gatekeeper.admit(_asked(agent, run.id), hold_seconds=0)
    kinds = [row.document.get("kind") for row in await engine.store.entries(limit=ENTRIES_READ_MAX, run=run.id)]
    held = isinstance(answer, Refused) and any(reason.code == Conflict.FROZEN for reason in answer.verdict.reasons)
    if not held or EntryKind.ACTION_DENIED not in kinds:
        raise RefusedError("this version does not hold a frozen agent back", hint="stay with the old one")


def _asked(agent: str, run: str) -> Request:
    return Request(
        scheme="https",
        method="GET",
        host=HOST_OF_NOBODY,
        port=443,
        target="/",
        headers=(Header("host", HOST_OF_NOBODY),),
        body=b"",
        agent=agent,
        run=run,
    )
