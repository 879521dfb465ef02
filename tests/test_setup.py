"""Setting up: what the lock files hold, and that a machine which lacks something is told the one command that helps."""

from __future__ import annotations

import itertools
import os
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).resolve().parent.parent
REQUIREMENTS = ROOT / "requirements"
LOCKS = ("run", "demo", "dev")
PIN = re.compile(r"^([a-z0-9._-]+)==([^ ;]+)( ; [^\\]+)? \\$")
HASH = re.compile(r"^    --hash=sha256:[0-9a-f]{64}( \\)?$")


def _pins(name: str) -> dict[str, set[str]]:
    """Package -> its pinned versions (several where they depend on the platform)."""
    found: dict[str, set[str]] = {}
    for line in (REQUIREMENTS / f"{name}.txt").read_text("utf-8").splitlines():
        if match := PIN.match(line):
            found.setdefault(canonicalize_name(match[1]), set()).add(match[2])
    return found


@pytest.mark.parametrize("name", LOCKS)
def test_a_lock_holds_pins_and_hashes_and_nothing_else(name: str) -> None:
    lines = (REQUIREMENTS / f"{name}.txt").read_text("utf-8").splitlines()
    assert lines[1] == "#    make lock"
    for before, line in itertools.pairwise(lines[1:]):
        assert PIN.match(line) or HASH.match(line), line
        if PIN.match(before):
            assert HASH.match(line), f"no hash after {before}"


def test_one_environment_can_serve_all_three() -> None:
    run, demo, dev = (_pins(name) for name in LOCKS)
    for smaller, larger in ((run, demo), (demo, dev)):
        assert all(versions <= larger.get(package, set()) for package, versions in smaller.items())
    assert {"hatchling", "editables"} <= demo.keys()
    assert "pytest" in dev.keys() - demo.keys()


def test_the_locks_follow_the_project_file() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    wanted = {
        "run": project["dependencies"],
        "demo": project["optional-dependencies"]["demo"],
        "dev": project["optional-dependencies"]["dev"],
    }
    for name, lines in wanted.items():
        pins = _pins(name)
        for requirement in map(Requirement, lines):
            if requirement.name == project["name"]:
                continue
            versions = pins.get(canonicalize_name(requirement.name), set())
            assert versions, f"{requirement.name} is missing in {name}.txt: make lock"
            assert all(requirement.specifier.contains(version) for version in versions), f"{requirement}: make lock"


# ---------------------------------------------------------------- install.sh


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A folder with what the set-up needs."""
    shutil.copytree(REQUIREMENTS, tmp_path / "requirements")
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    return tmp_path


def _install(checkout: Path, what: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["/bin/sh", "requirements/install.sh", what],
        cwd=checkout,
        env={"PATH": os.environ["PATH"], **environment},
        capture_output=True,
        text=True,
        timeout=60,
    )


def _stub(folder: Path, name: str, text: str) -> Path:
    path = folder / name
    path.write_text(f"#!/bin/sh\n{text}\n", "utf-8")
    path.chmod(0o755)
    return path


def test_no_python_that_is_new_enough(checkout: Path) -> None:
    old = _stub(checkout, "python-old", "exit 1")
    done = _install(checkout, "demo", PYTHON=str(old))
    assert done.returncode == 2
    assert "Python 3.11 or newer is needed" in done.stderr
    assert done.stderr.splitlines()[-1].strip().endswith("apt-get install -y python3")
    assert not (checkout / ".venv").exists()


def test_a_python_that_cannot_make_environments_names_its_own_package(checkout: Path) -> None:
    text = f'case "$2" in "import ensurepip, venv") exit 1;; esac\nexec {sys.executable} "$@"'
    crippled = _stub(checkout, "python-without-venv", text)
    done = _install(checkout, "dev", PYTHON=str(crippled))
    package = f"python{sys.version_info[0]}.{sys.version_info[1]}-venv"
    prefix = "" if os.getuid() == 0 else "sudo "
    assert done.returncode == 2
    assert done.stderr.splitlines()[-1].strip() == f"{prefix}apt-get install -y {package}"
    assert not (checkout / ".venv").exists()


def test_no_network_is_said_plainly_and_leaves_no_stamp(checkout: Path) -> None:
    nowhere = "http://127.0.0.1:9/simple"
    done = _install(
        checkout,
        "demo",
        PYTHON=sys.executable,
        HOME=str(checkout),
        PIP_CONFIG_FILE="/dev/null",
        PIP_INDEX_URL=nowhere,
        PIP_NO_CACHE_DIR="1",
        PIP_RETRIES="0",
    )
    assert done.returncode == 2
    assert "could not be installed" in done.stderr
    assert "make setup" in done.stderr.splitlines()[-1]
    assert list(checkout.glob(".venv/.made-*")) == []


def test_an_environment_that_fits_is_left_alone(checkout: Path) -> None:
    """A stamp that names place, interpreter, lock and project file makes the next run instant; any change undoes it."""
    script = (checkout / "requirements" / "install.sh").read_text("utf-8")
    (checkout / "requirements" / "install.sh").write_text(
        script.replace("run_pip install --", 'echo "asked pip" #'), "utf-8"
    )
    arguments = {"PYTHON": sys.executable, "HOME": str(checkout)}
    first, second = _install(checkout, "dev", **arguments), _install(checkout, "dev", **arguments)
    demo = _install(checkout, "demo", **arguments)
    assert (first.returncode, first.stdout.count("asked pip")) == (0, 2)
    assert (second.returncode, second.stdout, second.stderr) == (0, "", "")
    assert (demo.returncode, demo.stdout) == (0, "")
    with (checkout / "pyproject.toml").open("a", encoding="utf-8") as file:
        file.write("# changed\n")
    assert "asked pip" in _install(checkout, "dev", **arguments).stdout


def test_an_unknown_word_is_a_usage_error(checkout: Path) -> None:
    assert _install(checkout, "everything").returncode == 2


def test_a_server_outside_the_path_is_found_and_a_missing_one_is_named(checkout: Path) -> None:
    """`system` knows Debian's folder of PostgreSQL's programs; where nothing is there, the package is named."""
    script = (checkout / "requirements" / "install.sh").read_text("utf-8")
    programs = checkout / "postgresql" / "15" / "bin"
    text = script.replace("/usr/lib/postgresql/", f"{checkout}/postgresql/").replace("command -v initdb", "false")
    text = text.replace("may_install() {", "may_install() { return 1;")
    (checkout / "requirements" / "install.sh").write_text(text, "utf-8")
    missing = _install(checkout, "system", PYTHON=sys.executable)
    assert missing.returncode == 2 and missing.stderr.splitlines()[-1].split()[-1] == "postgresql"
    programs.mkdir(parents=True)
    _stub(programs, "initdb", "exit 0")
    assert _install(checkout, "system", PYTHON=sys.executable).returncode == 0
