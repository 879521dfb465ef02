"""Writes the index of Azure's published resource-manager operations out of the installed `azure-mgmt-*` packages.

Run `python tools/build_azure_index.py` after an upgrade of the packages, and review the difference: a new type or
action that runs code, changes rights, shows a secret or guards something needs a line in
`comptroller/decode/azure/classes.py` or `actions.py`.
"""

from __future__ import annotations

import json
import re
import sys
from collections import Counter
from collections.abc import Iterator
from importlib.metadata import distributions
from importlib.util import find_spec
from pathlib import Path

TARGET = Path(__file__).parent.parent / "src/comptroller/decode/azure/data/operations.json"
BUILDER = re.compile(
    r"^def (build_\w+_request)\(.*?\) -> HttpRequest:(.*?)(?=^def |^class |\Z)", re.DOTALL | re.MULTILINE
)
URL = re.compile(r'_url\s*=\s*(?:kwargs\.pop\(\s*"template_url",\s*)?\(?\s*((?:"[^"]*"\s*)+)')
METHOD = re.compile(r'method="(\w+)"')
VERBS = {"GET": "read", "HEAD": "read", "PUT": "write", "PATCH": "write", "DELETE": "delete"}


def templates() -> Iterator[tuple[str, str]]:
    """(method, URL template) of every request builder in the installed packages."""
    spec = find_spec("azure.mgmt")
    if spec is None or spec.submodule_search_locations is None:
        sys.exit("no package `azure-mgmt-*` is installed")
    for folder in sorted(set(spec.submodule_search_locations)):
        for source in sorted(Path(folder).rglob("*.py")):
            if "aio" in source.parts:
                continue
            for _, body in BUILDER.findall(source.read_text(encoding="utf-8")):
                url, method = URL.search(body), METHOD.search(body)
                if url and method:
                    yield method[1], "".join(re.findall(r'"([^"]*)"', url[1]))


def operation(method: str, url: str) -> tuple[str, str, str] | None:
    """(provider, type, verb) of one template; None where the template does not name them."""
    segments = [segment for segment in url.split("/") if segment]
    marks = [place for place, segment in enumerate(segments) if segment.lower() == "providers"]
    if not marks or marks[-1] + 2 >= len(segments) or segments[marks[-1] + 1].startswith("{"):
        return None
    provider, rest = segments[marks[-1] + 1], segments[marks[-1] + 2 :]
    if any(segment.startswith("{") for segment in rest[::2]):
        return None
    if method != "POST":
        return provider, "/".join(rest[::2]), VERBS[method]
    last = rest[-1]
    if len(rest) % 2:
        return provider, "/".join(rest[:-1:2]), last
    return provider, "/".join(rest[::2]), "post" if last.startswith("{") else last


def build() -> dict[str, object]:
    """The whole index, sorted; of several spellings of a name the most frequent one."""
    spelled: Counter[str] = Counter()
    found: dict[str, set[str]] = {}
    for method, url in templates():
        named = operation(method, url)
        if named is None:
            continue
        provider, kind, verb = named
        spelled.update([provider, *kind.split("/"), verb])
        found.setdefault(f"{provider}/{kind}".rstrip("/").lower(), set()).add(verb.lower())
    best: dict[str, str] = {}
    for word, _ in sorted(spelled.items(), key=lambda item: (-item[1], item[0])):
        best.setdefault(word.lower(), word)
    packages = sorted(
        f"{found.metadata['Name']} {found.version}"
        for found in distributions()
        if str(found.metadata["Name"]).startswith("azure-mgmt-") and found.metadata["Name"] != "azure-mgmt-core"
    )
    types: dict[str, str] = {}
    for name, verbs in sorted(found.items()):
        types["/".join(best.get(part, part) for part in name.split("/"))] = " ".join(
            best.get(verb, verb) for verb in sorted(verbs)
        )
    return {"source": ", ".join(packages) + " (PyPI, MIT)", "types": types}


if __name__ == "__main__":
    TARGET.write_text(json.dumps(build(), indent=0) + "\n", encoding="utf-8")
