"""What `run` keeps of a checked configuration is what the configuration says, or is not used."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from comptroller.core.errors import ConfigError
from comptroller.server import run_settings
from comptroller.server.place import Paths, load_config
from comptroller.server.run_settings import load_run_settings, run_settings_of

CONFIG = """
version: 1
organization: acme
teams: {ml: {}}
people: {ann: {}}
credentials: {k: {source: file, service: stripe, path: keys/stripe}}
agents:
  trainer:
    team: ml
    owner: ann
    purpose: train
    workspace: work
    environment: {MODE: slow}
    limits: {processes: 40}
    files: {read_only: [data], masked: [.env]}
    inherit: [CUDA_HOME]
    devices: [gpu]
"""


@pytest.fixture
def path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    path = tmp_path / "project" / "comptroller.yaml"
    path.parent.mkdir()
    path.write_text(CONFIG)
    Paths.of(path).folder.mkdir(parents=True)
    return path


def never(path: Path) -> None:
    raise AssertionError(f"{path} was read anew")


def test_it_is_read_once(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fresh = run_settings_of(load_config(path))
    assert load_run_settings(path) == fresh
    kept = Paths.of(path).run_settings
    assert kept.stat().st_mode & 0o777 == 0o600
    monkeypatch.setattr(run_settings, "load_config", never)
    assert load_run_settings(path) == fresh
    trainer = fresh.agents["trainer"]
    assert (trainer.masked, trainer.limits, fresh.credential_files) == ((".env",), {"processes": 40}, ("keys/stripe",))


def test_every_change_is_read(path: Path) -> None:
    load_run_settings(path)
    path.write_text(CONFIG.replace("masked: [.env]", "masked: [.env, .netrc]"))
    assert load_run_settings(path).agents["trainer"].masked == (".env", ".netrc")
    path.write_text(CONFIG.replace("purpose: train", "purpose: "))
    with pytest.raises(ConfigError, match="purpose"):
        load_run_settings(path)
    path.unlink()
    with pytest.raises(ConfigError, match="cannot read"):
        load_run_settings(path)


def test_a_service_beside_it_is_looked_at_again(path: Path) -> None:
    load_run_settings(path)
    (path.parent / "services").mkdir()
    (path.parent / "services" / "Not A Name.yaml").write_text("")
    with pytest.raises(ConfigError, match="cannot be the name"):
        load_run_settings(path)


@pytest.mark.parametrize("how", ["others may write", "a link"])
def test_what_others_may_have_written_is_not_used(path: Path, how: str) -> None:
    fresh = load_run_settings(path)
    kept = Paths.of(path).run_settings
    forged = kept.read_text().replace('"masked": [".env"]', '"masked": []')
    assert forged != kept.read_text()
    if how == "a link":
        other = path.parent / "forged"
        other.write_text(forged)
        kept.unlink()
        kept.symlink_to(other)
    else:
        kept.write_text(forged)
        os.chmod(kept, 0o666)
    assert load_run_settings(path) == fresh


def test_without_a_folder_nothing_is_kept(path: Path) -> None:
    Paths.of(path).folder.rmdir()
    assert load_run_settings(path).agents
    assert not Paths.of(path).folder.exists()


def test_nothing_lies_beside_it_when_the_disk_is_full(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(run_settings.os, "replace", full)
    assert load_run_settings(path).agents
    assert list(Paths.of(path).folder.iterdir()) == []


@given(cut=st.integers(0, 400), put=st.sampled_from([b"", b"}", b"[]", b"null", b'{"a": 1}', b"\xff", b'""']))
def test_damage_is_never_used(tmp_path_factory: pytest.TempPathFactory, cut: int, put: bytes) -> None:
    folder = tmp_path_factory.mktemp("kept")
    path = folder / "comptroller.yaml"
    path.write_text(CONFIG)
    fresh = run_settings_of(load_config(path))
    file = folder / "run.settings"
    key = run_settings._key(path)
    run_settings._keep(file, key, fresh)
    whole = file.read_bytes()
    assert run_settings._kept(file, key) == fresh
    file.write_bytes(whole[:cut] + put)
    assert run_settings._kept(file, key) in ((None, fresh) if whole[:cut] + put == whole else (None,))
