"""Chosen paths stay as they are, chosen files are placeholders, devices and variables are there only where granted."""

from __future__ import annotations

import json
import os
import select
import subprocess
from pathlib import Path

import pytest
from boxes import Boxes

SECRET = "sk-live-0123456789-the-real-one"


@pytest.fixture
def furnished(boxes: Boxes) -> Boxes:
    work = boxes.workspace
    (work / "data" / "inner").mkdir(parents=True)
    (work / "data" / "inner" / "kept").write_text("as it was")
    (work / "config" / "keys").mkdir(parents=True)
    (work / "config" / ".env").write_text(f"API_KEY={SECRET}\nDEBUG=1\n")
    (work / "config" / "keys" / "one.pem").write_text(SECRET)
    (work / "settings.json").write_text(json.dumps({"token": SECRET, "port": 80, "hosts": ["a"]}))
    boxes.give()
    return boxes


READ_ONLY_ATTACKS = """
    import os, shutil
    def attack(name, function):
        try:
            function()
        except OSError as error:
            print(name, "blocked")
        else:
            print(name, "ESCAPE")
    attack("write", lambda: open("data/inner/kept", "w"))
    attack("add", lambda: open("data/new", "w"))
    attack("remove", lambda: os.unlink("data/inner/kept"))
    attack("rename", lambda: os.rename("data", "x"))
    attack("rename below", lambda: os.rename("data/inner", "data/x"))
    attack("replace", lambda: os.rename("other", "data"))
    attack("link", lambda: os.link("data/inner/kept", "second"))
    attack("root", lambda: open(f"/proc/self/root{os.getcwd()}/data/inner/kept", "w"))
    attack("cwd", lambda: open("/proc/self/cwd/data/inner/kept", "w"))
    attack("mode", lambda: os.chmod("data/inner/kept", 0o777))
    attack("missing", lambda: open("later/on/x", "w"))
    attack("missing above", lambda: os.rename("later", "x"))
    print(open("data/inner/kept").read())
"""


def test_chosen_paths_stay_as_they_are(furnished: Boxes) -> None:
    (furnished.workspace / "other").mkdir()
    furnished.give()
    done = furnished.script(READ_ONLY_ATTACKS, fixed=["data", str(furnished.workspace / "later" / "on")])
    *attacks, text = done.stdout.splitlines()
    assert text == "as it was" and len(attacks) == 12, done.stdout + done.stderr
    assert [line for line in attacks if "blocked" not in line] == []
    assert not (furnished.workspace / "later").exists()


MASK_ATTACKS = """
    import os, shutil, subprocess
    def show(name, function):
        try:
            print(name, function())
        except OSError as error:
            print(name, "blocked", error.errno)
    names = ["config/.env", "settings.json", "config/keys/one.pem"]
    for name in names:
        show(name, lambda: open(name).read())
        show("root", lambda: open(f"/proc/self/root{os.getcwd()}/{name}").read())
        show("init", lambda: open(f"/proc/1/root{os.getcwd()}/{name}").read())
        show("write", lambda: open(name, "w"))
        show("unlink", lambda: os.unlink(name))
        show("rename", lambda: os.rename(name, "x"))
        show("over", lambda: os.rename("mine", name))
        show("link", lambda: os.link(name, "x"))
        show("copy", lambda: shutil.copy(name, "copied") and open("copied").read())
    show("above", lambda: os.rename("config", "moved") or open("moved/.env").read())
    show("around", lambda: subprocess.run("cp -r config c2; cat c2/.env c2/keys/*", shell=True, capture_output=True))
    show("umount", lambda: subprocess.run(["umount", "config/.env"], capture_output=True).returncode)
    show("everything", lambda: subprocess.run(["grep", "-rl", "the-real" + "-one", "."], capture_output=True).stdout)
"""


def test_a_masked_file_is_never_read(furnished: Boxes) -> None:
    (furnished.workspace / "mine").write_text("mine")
    furnished.give()
    masked = ["config/.env", str(furnished.workspace / "settings.json"), "config/keys"]
    done = furnished.script(MASK_ATTACKS, masked=masked)
    assert "API_KEY=comptroller-placeholder" in done.stdout, done.stdout + done.stderr
    assert '"token": "comptroller-placeholder"' in done.stdout
    assert SECRET not in done.stdout and "everything b''" in done.stdout
    assert (furnished.workspace / "config" / ".env").read_text().startswith(f"API_KEY={SECRET}")
    assert (furnished.workspace / "config" / "keys" / "one.pem").read_text() == SECRET
    assert {path.name for path in furnished.workspace.iterdir()} >= {"config", "mine", "settings.json"}


def test_a_masked_file_replaced_outside_ends_the_box(furnished: Boxes) -> None:
    place = furnished.workspace / "config" / ".env"
    code = "echo ready; while ! grep -q live config/.env; do :; done; echo SEEN; sleep 60"
    with furnished.start(["bash", "-c", code], masked=["config/.env"], news=True) as process:
        assert process.stdout is not None
        lines = [process.stdout.readline().strip() for _ in range(2)]
        assert sorted(lines) == ["guarded", "ready"]
        fresh = place.with_name("fresh")
        fresh.write_text(f"NEW={SECRET}")
        os.replace(fresh, place)
        assert select.select([process.stdout], [], [], 20)[0]
        assert process.wait(20) == 137
        assert f"lost {place}: it is masked" in process.stdout.read()


@pytest.mark.parametrize(
    ("asked", "why"),
    [
        ({"masked": ["link"]}, "is a symbolic link"),
        ({"masked": ["two"]}, "second name"),
        ({"fixed": ["link/x"]}, "is a symbolic link"),
        ({"fixed": ["."]}, "is the workspace itself"),
        ({"masked": ["/etc/hostname"]}, "is not in the workspace"),
        ({"masked": ["../home"]}, "is not in the workspace"),
        ({"fixed": ["/nowhere"]}, "is not there"),
    ],
)
def test_what_cannot_be_held_is_refused(furnished: Boxes, asked: dict[str, object], why: str) -> None:
    work = furnished.workspace
    (work / "link").symlink_to("config")
    os.link(work / "settings.json", work / "two")
    done = furnished.shell("echo ran", **asked)
    assert "ran" not in done.stdout and why in done.stderr


def test_a_path_elsewhere_is_shown_and_stays_as_it_is(furnished: Boxes) -> None:
    (furnished.root / "shared").mkdir()
    (furnished.root / "shared" / "set").write_text("data")
    furnished.give()
    place = furnished.root / "shared"
    done = furnished.shell(f"cat {place}/set; echo x > {place}/set", fixed=[str(place)])
    assert done.stdout == "data" and "Read-only" in done.stderr


def test_what_is_masked_but_not_there_is_no_matter(furnished: Boxes) -> None:
    assert furnished.shell("ls -A config", masked=["config/none", ".env"]).stdout.split() == [".env", "keys"]


def test_no_device_is_there_unless_granted(furnished: Boxes) -> None:
    look = "ls /dev | tr '\\n' ' '; test -e /dev/dri -o -e /dev/kfd && echo THERE; head -c 3 /dev/nvidia0 | od -An -tx1"
    without = furnished.shell(look)
    assert "nvidia" not in without.stdout and "THERE" not in without.stdout
    granted = furnished.shell(look, devices=[["/dev/zero", "/dev/nvidia0"], ["/dev/zero", "/dev/dri/renderD128"]])
    assert "nvidia0" in granted.stdout and "THERE" in granted.stdout and "00 00 00" in granted.stdout, granted.stderr
    made = furnished.shell("mknod /dev/nvidia1 c 195 1; touch /dev/new; ls /dev", devices=[["/dev/zero", "/dev/kfd"]])
    assert "nvidia1" not in made.stdout and "new" not in made.stdout


def test_variables_are_inherited_by_name_alone(furnished: Boxes) -> None:
    shown = "echo [$GITHUB_TOKEN] [$AWS_SECRET_ACCESS_KEY]"
    assert furnished.shell(shown).stdout == "[] []\n"
    assert furnished.shell(shown, inherit=["GITHUB_TOKEN"]).stdout == "[REAL-SECRET] []\n"
    refused = furnished.shell("true", inherit=["LD_PRELOAD"])
    assert refused.returncode != 0 and "cannot be set" in refused.stderr


def test_a_box_of_another_in_the_same_workspace_does_not_uncover(furnished: Boxes) -> None:
    """The mask belongs to the box: a second box without it changes nothing in the first."""
    with furnished.start(["bash", "-c", "echo up; read x; cat config/.env"], masked=["config/.env"]) as first:
        assert first.stdout is not None and first.stdout.readline() == "up\n"
        second = furnished.shell("cat config/.env")
        assert SECRET in second.stdout
        out, _ = first.communicate(timeout=30)
    assert SECRET not in out
    assert subprocess.run(["cat", Path(furnished.workspace, "config", ".env")], capture_output=True).stdout
