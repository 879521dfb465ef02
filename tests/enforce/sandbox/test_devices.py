"""Which devices a granted kind means, in a prepared `/dev`."""

from __future__ import annotations

from pathlib import Path

import pytest

from comptroller.core.errors import UsageError
from comptroller.enforce.sandbox import devices
from comptroller.enforce.sandbox.bwrap import Device


def test_the_devices_of_a_gpu(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("nvidia0", "nvidiactl", "nvidia-uvm", "kfd", "dri/renderD128", "dri/by-path", "sda", "kvm", "nvme0"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    with pytest.raises(UsageError, match="grants `gpu`, and this machine has none"):
        devices.granted(["gpu"], place=tmp_path)  # files, no devices
    monkeypatch.setattr(devices, "_is_device", lambda _: True)
    found = devices.granted(["gpu", "gpu"], place=tmp_path)
    targets = ["/dev/dri/renderD128", "/dev/kfd", "/dev/nvidia-uvm", "/dev/nvidia0", "/dev/nvidiactl"]
    assert [each.target for each in found] == targets
    assert found[0] == Device(source=str(tmp_path / "dri" / "renderD128"), target="/dev/dri/renderD128")


def test_nothing_is_granted_by_default_and_unknown_kinds_are_refused() -> None:
    assert devices.granted([]) == ()
    with pytest.raises(UsageError, match="there is no device `disk`"):
        devices.granted(["disk"])
