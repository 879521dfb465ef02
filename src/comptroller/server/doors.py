"""The doors of one run, as entries: each when it opens, before the command starts, and when it closes."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from comptroller.core.audit import EntryKind
from comptroller.core.brake import Run
from comptroller.core.doors import HOST_SERVICES_MAX, HostService, parse_host_services
from comptroller.core.errors import UsageError
from comptroller.engine.recorder import Recorder
from comptroller.server.channel import ChannelError

PUBLISHED_MAX = 16


class Published(BaseModel):
    """One published port; `wide` where others than this machine may reach it."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    listen: str = Field(max_length=64)
    wide: bool


class Wanted(BaseModel):
    """The doors that a run's start message asks for."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    publish: list[Published] = Field(default_factory=list, max_length=PUBLISHED_MAX)
    host_services: list[str] = Field(default_factory=list, max_length=HOST_SERVICES_MAX)


class _Used(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    connections: int = Field(ge=0)
    failed: int = Field(ge=0)
    in_bytes: int = Field(ge=0)
    out_bytes: int = Field(ge=0)


class RunDoors:
    """What was asked for, and what became of it."""

    def __init__(self, recorder: Recorder, wanted: Wanted, *, own_ports: Collection[int] = ()) -> None:
        """Raises `UsageError` for a host service that is not written as one, or whose port is one of `own_ports`."""
        self.host_services: Sequence[HostService] = parse_host_services(wanted.host_services)
        for service in self.host_services:
            if service.port in own_ports:
                raise UsageError(
                    f"`{service.text}` leads to Comptroller itself, which no agent reaches",
                    hint="name the port of another server",
                )
        self._recorder = recorder
        self._wanted = wanted
        self._used: dict[str, _Used] = {}
        self._opened: list[dict[str, object]] = []

    async def open(self, run: Run) -> None:
        """Record every door. Raises `StoreError`: then none may be opened."""
        doors: list[dict[str, object]] = [
            {"door": "publish", "listen": each.listen, "wide": each.wide} for each in self._wanted.publish
        ]
        doors += [
            {
                "door": "host-service",
                "host": each.host,
                "to": f"127.0.0.1:{each.port}",
                "protocol": "tcp" if each.tcp else "http",
            }
            for each in self.host_services
        ]
        for door in doors:
            await self._recorder.record(EntryKind.DOOR_OPENED, agent=run.agent, run=run.id, body=door)
            self._opened.append(door)

    def heard(self, message: Mapping[str, object]) -> None:
        """Keep what the run counted at its published ports. Raises `ChannelError`."""
        counted = message.get("published")
        known = {each.listen for each in self._wanted.publish}
        try:
            if not isinstance(counted, dict) or counted.keys() - known:
                raise ChannelError("`doors` counts what was not opened")
            self._used = {listen: _Used.model_validate(used) for listen, used in counted.items()}
        except ValidationError as error:
            raise ChannelError("`doors` is not as expected") from error

    async def close(self, run: Run) -> None:
        """Record that they are closed, with what was counted last."""
        opened, self._opened = self._opened, []
        for door in opened:
            used = self._used.get(str(door.get("listen", "")))
            body = {**door, **(used.model_dump() if used is not None else {})}
            await self._recorder.record(EntryKind.DOOR_CLOSED, agent=run.agent, run=run.id, body=body)
