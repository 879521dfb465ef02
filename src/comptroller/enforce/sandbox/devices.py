"""Devices that an agent may be granted. None is there by default: a box has the harmless ones of a minimal `/dev`."""

from __future__ import annotations

import stat
from collections.abc import Iterable, Mapping
from pathlib import Path

from comptroller.core.errors import UsageError
from comptroller.enforce.sandbox.bwrap import Device

DEVICES_MAX = 64
KINDS: Mapping[str, tuple[str, ...]] = {
    "gpu": (
        *("nvidia[0-9]*", "nvidiactl", "nvidia-uvm", "nvidia-uvm-tools", "nvidia-modeset", "nvidia-caps/*", "kfd"),
        *("dri/renderD[0-9]*", "dri/card[0-9]*"),
    ),
}
"""What `agents.NAME.devices` may grant -> the devices that are meant, below `/dev`."""


def granted(kinds: Iterable[str], *, place: Path = Path("/dev")) -> tuple[Device, ...]:
    """The devices of `kinds` that this machine has; `place` is its `/dev`. Raises `UsageError` for an unknown kind, or
    where a granted kind is not there at all: an agent that needs a GPU should not start without one."""
    found: list[Device] = []
    for kind in dict.fromkeys(kinds):
        if kind not in KINDS:
            raise UsageError(f"there is no device `{kind}`", hint=f"known: {', '.join(KINDS)}")
        paths = sorted({path for pattern in KINDS[kind] for path in place.glob(pattern) if _is_device(path)})
        if not paths:
            raise UsageError(
                f"`devices` grants `{kind}`, and this machine has none",
                hint=f"take `{kind}` out of `devices` in comptroller.yaml, or install its driver",
            )
        found += [Device(source=str(path), target=str(Path("/dev", path.relative_to(place)))) for path in paths]
    return tuple(found[:DEVICES_MAX])


def _is_device(path: Path) -> bool:
    return stat.S_ISCHR(path.lstat().st_mode)
