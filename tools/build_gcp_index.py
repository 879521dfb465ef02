"""Writes the index of Google Cloud's and Google's other published operations out of the discovery documents that
`google-api-python-client` bundles: hosts, paths, methods, classes.

Run `python tools/build_gcp_index.py` after an upgrade of that package and review the difference in
`tests/golden/gcp_classes.tsv.gz`: an operation that brings about, pays, entitles, destroys, blinds, runs or reveals
something needs a line in `comptroller/decode/gcp/reviewed.py`. With `--check` nothing is written.
"""

from __future__ import annotations

import gzip
import json
import re
import sys
import zlib
from collections.abc import Iterator, Mapping
from fnmatch import fnmatchcase
from functools import cache
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from comptroller.decode.gcp.reviewed import ALWAYS_READ, EXCEPTIONS, NEVER_READ, READ_VERBS, REVIEWED, Rule

ROOT = Path(__file__).parent.parent
DATA = ROOT / "src/comptroller/decode/gcp/data"
GOLDEN = ROOT / "tests/golden/gcp_classes.tsv.gz"
CLASSES = (
    "read",
    "write",
    "reveal",
    "provision",
    "pay",
    "entitle",
    "destroy",
    "execute",
    "communicate",
    "infer",
    "blind",
)
VERSION = re.compile(r"(?:v\d\w*(?:\.\d\w*)*|alpha|beta|dogfood)/")
SEGMENT = re.compile(r"[A-Za-z0-9_$.@-]+(?::[A-Za-z0-9_-]+)?|\*{1,2}(?::[A-Za-z0-9_-]+)?")
DRY = ("validateOnly", "dryRun", "validate_only", "dry_run")
NOTHING_DONE = re.compile(
    r"(?i)(?:not|n['’]t|without|instead of)\b[^.]{0,40}\b(?:actual|execut|post|persist|perform|creat|updat|delet|commit"
    r"|apply|alter|run|chang|mak|remov|sav|undelet|mutat|publish|happen)|no actual|only validate|validate only"
)
SOMETHING_DONE = re.compile(
    r"(?i)only (?:supported|works|for)|for psc|contacted|fake|dummy|evaluated|unsupported|deprecated|is ignored"
)

Document = Mapping[str, Any]


UNBUNDLED: tuple[Document, ...] = (
    {
        "name": "oauth2",
        "title": "OAuth 2.0 endpoints (RFC 6749, RFC 7009), published without a discovery document",
        "rootUrl": "https://oauth2.googleapis.com/",
        "servicePath": "",
        "batchPath": "batch",
        "methods": {
            name: {"id": f"oauth2.{name}", "path": name, "httpMethod": http}
            for name, http in (("token", "POST"), ("revoke", "POST"), ("tokeninfo", "GET"))
        },
    },
)
"""What belongs to a published API and stands in none of the bundled documents."""


def documents() -> Iterator[Document]:
    """Every bundled discovery document, by file name."""
    spec = find_spec("googleapiclient")
    if spec is None or spec.origin is None:
        sys.exit("the package `google-api-python-client` is not installed")
    for path in sorted((Path(spec.origin).parent / "discovery_cache/documents").glob("*.json")):
        if path.name != "index.json":
            yield json.loads(path.read_text(encoding="utf-8"))


def methods(node: Document) -> Iterator[Document]:
    """Every method of a document, in order."""
    yield from (node.get("methods") or {}).values()
    for resource in (node.get("resources") or {}).values():
        yield from methods(resource)


def method_name(service: str, identity: str) -> str:
    """`sql.instances.insert` of `sqladmin` -> `instances.insert`; the parts of `admin` keep theirs."""
    first, _, rest = identity.partition(".")
    return rest if first == service or service != "admin" else identity


def template(document: Document, method: Document) -> tuple[str, str]:
    """(prefix, template): service path and version, then segments that are literal, `*`, `**` or `*:verb`."""
    path = method["path"]

    def spread(match: re.Match[str]) -> str:
        pattern = method.get("parameters", {}).get(match[1], {}).get("pattern")
        if pattern is None:
            return "\0"
        inner = pattern.removeprefix("^").removesuffix("$").replace("[^/]+", "*").replace(".*", "**")
        parts = inner.split("/")
        if not all(re.fullmatch(r"[A-Za-z0-9_-]+|\*{1,2}", part) for part in parts):
            return "\0"
        return inner

    full = re.sub(r"\{\+([^}]*)\}", spread, path)
    if "\0" in full:
        full = method.get("flatPath", path)
    full = document["servicePath"] + re.sub(r"\{[^}]*\}", "*", full)
    prefix = document["servicePath"]
    if (found := VERSION.match(full, len(prefix))) is not None or (
        not prefix and (found := re.match(r"(?:[A-Za-z0-9_]+/)+?" + VERSION.pattern, full)) is not None
    ):
        prefix = full[: found.end()]
    rest = full[len(prefix) :]
    for segment in rest.split("/"):
        if segment and not SEGMENT.fullmatch(segment):
            raise ValueError(f"`{method['id']}` has the segment `{segment}`")
    return prefix, rest


def prefixes(prefix: str, method: Document) -> Iterator[str]:
    """The plain prefix and those under which media is sent and fetched."""
    yield prefix
    protocols = method.get("mediaUpload", {}).get("protocols", {})
    for name, protocol in protocols.items():
        if "path" in protocol:
            yield ("resumable/upload/" if name == "resumable" else "upload/") + prefix
            yield "upload/" + prefix
    if method.get("useMediaDownloadService") or method.get("supportsMediaDownload"):
        yield "download/" + prefix


def dry_member(document: Document, method: Document) -> str:
    """Where the API documents that nothing is done: `?validateOnly` in the query, `validateOnly` in the body, or ``.

    A member whose description restricts that to some cases, or says that something happens all the same, is none.
    """
    reference = method.get("request", {}).get("$ref")
    members = document.get("schemas", {}).get(reference, {}).get("properties", {})
    for mark, known in (("?", method.get("parameters", {})), ("", members)):
        for name in DRY:
            told = known.get(name, {})
            text = str(told.get("description", ""))
            if told.get("type") == "boolean" and NOTHING_DONE.search(text) and not SOMETHING_DONE.search(text):
                return mark + name
    return ""


def query_members(method: Document) -> Iterator[str]:
    """What a method that may have a body takes in its query."""
    known = method.get("parameters", {}).items() if method["httpMethod"] != "GET" else ()
    yield from (name for name, told in known if told.get("location") == "query")


# ---------------------------------------------------------------- classes


def _named(rule: Rule, service: str, name: str) -> bool:
    return any(fnmatchcase(service, pattern) for pattern in rule.services.split()) and any(
        fnmatchcase(name, pattern) for pattern in rule.operations.split()
    )


@cache
def _read_verbs() -> re.Pattern[str]:
    verbs = "|".join(sorted(READ_VERBS.split(), key=len, reverse=True))
    return re.compile(rf"(?:{verbs})(?![a-z])")


def base_class(service: str, name: str, http: str) -> str:
    """What the HTTP method and the verb say."""
    qualified = f"{service}:{name}"
    if http in ("GET", "HEAD"):
        return "read"
    if http == "DELETE":
        return "destroy"
    if any(fnmatchcase(qualified, pattern) for pattern in ALWAYS_READ.split()):
        return "read"
    if any(fnmatchcase("." + name, pattern) for pattern in NEVER_READ.split()):
        return "write"
    verb = name.rpartition(".")[2]
    return "read" if http == "POST" and _read_verbs().match(verb) else "write"


def classes_of(service: str, name: str, http: str) -> frozenset[str]:
    """The classes of one operation."""
    for rule in EXCEPTIONS:
        if _named(rule, service, name):
            return frozenset(rule.classes.split(","))
    base = base_class(service, name, http)
    found: set[str] = set()
    for rule in REVIEWED:
        if not _named(rule, service, name):
            continue
        classes = set(rule.classes.split(","))
        if http == "GET":
            classes &= {"reveal"} if rule.classes == "reveal" else set()
        elif base == "read":
            classes &= {"reveal", "infer", "execute", "provision", "pay", "communicate"}
            if rule.classes.startswith("entitle"):
                classes = set()
        found |= classes
    if base == "destroy":
        return frozenset({"destroy", *(found - {"provision", "execute", "pay", "communicate", "infer"})})
    return frozenset(found or {base})


# ---------------------------------------------------------------- gRPC


def rpc_names(document: Document, method: Document) -> Iterator[str]:
    """Names that the remote procedure behind a method probably has, from the types it takes and gives."""
    verb = method["id"].rpartition(".")[2]
    taken = str(method.get("request", {}).get("$ref", ""))
    given = str(method.get("response", {}).get("$ref", ""))
    known = {"insert": "Create", "create": "Create", "patch": "Update", "update": "Update", "get": "Get"}
    collection = method["id"].split(".")[-2] if method["id"].count(".") >= 2 else ""
    plural = collection[:1].upper() + collection[1:]
    single = re.sub(r"ies$", "y", plural) if plural.endswith("ies") else re.sub(r"(?<=[sxh])es$|s$", "", plural)
    if taken.endswith("Request"):
        yield re.sub(r"^Google.*?V\d\w*?(?=[A-Z])", "", taken).removesuffix("Request")
    if given.endswith("Response"):
        yield re.sub(r"^Google.*?V\d\w*?(?=[A-Z])", "", given).removesuffix("Response")
    if verb == "list":
        yield "List" + plural
    elif verb in known:
        made = taken if verb != "get" else given
        made = re.sub(r"^Google.*?V\d\w*?(?=[A-Z])", "", made)
        if made and not made.endswith(("Request", "Operation")):
            yield known[verb] + made
        yield known[verb] + single
    elif verb == "delete":
        yield "Delete" + single
    else:
        yield verb[:1].upper() + verb[1:]
        yield verb[:1].upper() + verb[1:] + single


# ---------------------------------------------------------------- the index


def services() -> dict[str, dict[str, Any]]:
    """Every service: hosts, prefixes, and per operation its HTTP method, classes, dry-run member and paths."""
    found: dict[str, dict[str, Any]] = {}
    for document in (*documents(), *UNBUNDLED):
        service = found.setdefault(
            document["name"],
            {"hosts": set(), "title": document["title"], "operations": {}, "batch": set(), "asks": set()},
        )
        service["asks"].update(document.get("parameters", {}))
        service["hosts"].add(str(urlsplit(document["rootUrl"]).hostname))
        service["batch"].add(document["batchPath"])
        for method in methods(document):
            name = method_name(document["name"], method["id"])
            operation = service["operations"].setdefault(
                name, {"paths": {}, "dry": set(), "rpc": set(), "media": False, "asks": set()}
            )
            prefix, rest = template(document, method)
            here = operation["paths"].setdefault((method["httpMethod"], rest), set())
            here.update(prefixes(prefix, method))
            operation["dry"].add(dry_member(document, method))
            operation["rpc"].update(rpc_names(document, method))
            operation["media"] |= "mediaUpload" in method
            operation["asks"].update(query_members(method))
    return found


def compact(name: str, service: Mapping[str, Any]) -> dict[str, Any]:
    """One service as it is shipped: lists and numbers only."""
    known = sorted({p for o in service["operations"].values() for ps in o["paths"].values() for p in ps})
    place = {prefix: number for number, prefix in enumerate(known)}
    sets: dict[tuple[int, ...], int] = {}
    rows: list[list[Any]] = []
    names = sorted(service["operations"])
    asked = sorted({name for found in service["operations"].values() for name in found["asks"]})
    number_of = {name: number for number, name in enumerate(asked)}
    for operation in names:
        found = service["operations"][operation]
        paths = []
        for (http, rest), where in sorted(found["paths"].items()):
            key = tuple(sorted(place[prefix] for prefix in where))
            paths.append([http, rest, sets.setdefault(key, len(sets))])
        http = strictest(found["paths"])
        dry = next(iter(found["dry"])) if len(found["dry"]) == 1 else ""
        asks = sorted(number_of[member] for member in found["asks"])
        rows.append([operation, sorted(classes_of(name, operation, http), key=CLASSES.index), dry, paths, asks])
    rpc: dict[str, list[int]] = {}
    for number, operation in enumerate(names):
        for procedure in service["operations"][operation]["rpc"]:
            rpc.setdefault(procedure, []).append(number)
    return {
        "prefixes": known,
        "sets": [list(key) for key in sets],
        "operations": rows,
        "asked": asked,
        "asks": sorted(service["asks"]),
        "rpc": dict(sorted(rpc.items())),
    }


def strictest(paths: Mapping[tuple[str, str], Any]) -> str:
    """The HTTP method that does most, where versions differ."""
    order = ("DELETE", "PUT", "PATCH", "POST", "GET")
    return min((http for http, _ in paths), key=order.index)


def build() -> tuple[bytes, bytes, bytes]:
    """(directory, container, golden table), each reproducible to the byte."""
    found = services()
    container = bytearray()
    directory: dict[str, Any] = {
        "source": f"google-api-python-client {version('google-api-python-client')} (PyPI, Apache-2.0)",
        "hosts": {},
        "shared": {},
        "services": {},
        "classes": {},
    }
    lines: list[str] = []
    for name in sorted(found):
        service = found[name]
        body = compact(name, service)
        blob = zlib.compress(json.dumps(body, separators=(",", ":")).encode("ascii"), 9)
        directory["services"][name] = [len(container), len(blob)]
        container += blob
        for host in sorted(service["hosts"]):
            directory["hosts"].setdefault(host.removesuffix(".googleapis.com"), []).append(name)
        firsts = {re.sub(r"^(?:resumable/)?(?:upload|download)/", "", p).split("/")[0] for p in body["prefixes"]}
        for first in sorted(firsts):
            if first and not VERSION.fullmatch(first + "/"):
                directory["shared"].setdefault(first, []).append(name)
        grouped: dict[str, list[str]] = {}
        for operation, classes, *_ in body["operations"]:
            grouped.setdefault(",".join(classes), []).append(operation)
            lines.append(f"gcp:{name}:{operation}\t{','.join(classes)}\n")
        directory["classes"][name] = {key: " ".join(value) for key, value in sorted(grouped.items())}
    for names in directory["shared"].values():
        names.sort(key=lambda name: ("www.googleapis.com" not in found[name]["hosts"], name))
    classes = zlib.compress(json.dumps(directory.pop("classes"), separators=(",", ":")).encode("ascii"), 9)
    directory["classes"] = [len(container), len(classes)]
    container += classes
    text = json.dumps(directory, separators=(",", ":")) + "\n"
    return text.encode("ascii"), bytes(container), "".join(sorted(lines)).encode("ascii")


def main() -> None:
    """Write, or with `--check` compare."""
    directory, container, golden = build()
    if "--check" in sys.argv[1:]:
        same = (
            (DATA / "directory.json").read_bytes() == directory
            and (DATA / "services.bin").read_bytes() == container
            and gzip.decompress(GOLDEN.read_bytes()) == golden
        )
        sys.exit(0 if same else "the shipped index differs from what the package gives: run tools/build_gcp_index.py")
    DATA.mkdir(exist_ok=True)
    (DATA / "directory.json").write_bytes(directory)
    (DATA / "services.bin").write_bytes(container)
    GOLDEN.write_bytes(gzip.compress(golden, 9, mtime=0))


if __name__ == "__main__":
    main()
