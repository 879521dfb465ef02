"""Where programs live: the folders a command and the interpreter need to be seen, and nothing around them."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

LINKS_MAX = 16
SYSTEM_FOLDERS = ("/usr", "/bin", "/sbin", "/lib", "/lib32", "/lib64", "/libx32")
_PARTS = ("bin", "lib", "lib64", "include", "libexec", "pyvenv.cfg")
_SIGNS = ("pyvenv.cfg", "lib", "lib64", "libexec", "include", "conda-meta")


def own() -> tuple[Path, ...]:
    """The folders that Comptroller itself runs from: its environment, the base interpreter, its source."""
    source = Path(__file__).resolve().parents[2]
    return tuple(dict.fromkeys((Path(sys.prefix), Path(sys.base_prefix), source)))


def interpreter() -> Path:
    """The real file of the running interpreter, outside any virtual environment: what the init runs on."""
    return Path(os.path.realpath(sys.executable))


def find(name: str, *, directory: Path, path: str) -> Path | None:
    """The program that `name` means from `directory`, not resolved; None where there is none."""
    if "/" in name:
        place = Path(os.path.normpath(directory / name))
        return place if place.is_file() else None
    found = shutil.which(name, path=path)
    return Path(os.path.abspath(found)) if found else None


def needed_by(program: Path) -> tuple[Path, ...]:
    """Files and folders without which `program` does not run: each link on its way, the prefixes, a script's
    interpreter."""
    found: dict[Path, None] = {}
    for place in _ways(program):
        found.setdefault(place)
        found.update(dict.fromkeys(_prefixes(place)))
    shebang = _shebang(program)
    if shebang is not None:
        for place in _ways(shebang):
            found.setdefault(place)
            found.update(dict.fromkeys(_prefixes(place)))
    return tuple(found)


def narrow(places: Iterable[Path], *, private: Iterable[Path]) -> tuple[Path, ...]:
    """`places` without system folders, which are in view anyway; one that holds something private is shown only in
    its parts that programs need."""
    hidden = [Path(os.path.realpath(path)) for path in private]
    result: dict[Path, None] = {}
    for place in places:
        if any(place.is_relative_to(system) for system in SYSTEM_FOLDERS) or place == Path("/"):
            continue
        if place.is_dir() and any(path.is_relative_to(place.resolve()) for path in hidden):
            parts = [place / part for part in _PARTS if (place / part).exists()]
            result.update(dict.fromkeys(part for part in parts if not _holds(part, hidden)))
        elif place.exists() and not any(place.resolve().is_relative_to(path) for path in hidden if path != Path.home()):
            result.setdefault(place)
    return tuple(result)


def reachable_path(inherited: Mapping[str, str], seen: Iterable[Path]) -> tuple[str, ...]:
    """The entries of PATH that the box can see, and the folder of the interpreter Comptroller runs on at the end."""
    places = [*seen, *(Path(name) for name in SYSTEM_FOLDERS)]
    entries = [entry for entry in inherited.get("PATH", "").split(":") if entry.startswith("/")]
    kept = [entry for entry in entries if any(Path(os.path.normpath(entry)).is_relative_to(p) for p in places)]
    return (*kept, *(entry for entry in (str(Path(sys.prefix) / "bin"),) if entry not in kept))


def _holds(place: Path, hidden: list[Path]) -> bool:
    real = place.resolve()
    return any(path.is_relative_to(real) or (real.is_relative_to(path) and path != Path.home()) for path in hidden)


def _ways(program: Path) -> Iterator[Path]:
    """The program and each file its links lead to."""
    current = program
    for _ in range(LINKS_MAX):
        yield current
        if not current.is_symlink():
            return
        current = Path(os.path.normpath(current.parent / current.readlink()))


def _prefixes(program: Path) -> Iterator[Path]:
    folder = program.parent
    if folder.name == "shims" and (folder.parent / "versions").is_dir():
        yield folder.parent  # pyenv and its kin: the shim starts a version that lies beside it
        return
    if folder.name != "bin" or not any((folder.parent / sign).exists() for sign in _SIGNS):
        return
    prefix = folder.parent
    yield prefix
    try:
        lines = (prefix / "pyvenv.cfg").read_text("utf-8").splitlines()
    except OSError:
        return
    for line in lines:
        key, _, value = line.partition("=")
        if key.strip() == "home" and value.strip().startswith("/"):
            yield Path(os.path.realpath(value.strip())).parent


def _shebang(program: Path) -> Path | None:
    try:
        with program.open("rb") as stream:
            first = stream.read(512).split(b"\n", 1)[0]
    except OSError:
        return None
    words = first[2:].decode("utf-8", "replace").split() if first.startswith(b"#!") else []
    return Path(words[0]) if words and words[0].startswith("/") else None
