"""How many requests of the real `azure-mgmt-*` packages are read off the wire as what they are."""

from __future__ import annotations

import ast
import random
import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from bench.report import Result
from comptroller.core.action import Action
from comptroller.core.request import Header, Request
from comptroller.decode.azure import AzureCodec

HOST = "management.azure.com"
SEED = 4
SUBSCRIPTION = "5a1b2c3d-0000-4000-8000-0123456789ab"
SCOPES = (
    f"subscriptions/{SUBSCRIPTION}",
    f"/subscriptions/{SUBSCRIPTION}/resourceGroups/Team-A",
    f"subscriptions/{SUBSCRIPTION}/resourceGroups/team_b/providers/Microsoft.Compute/virtualMachines/vm-1",
    "providers/Microsoft.Management/managementGroups/Root",
)
NAMES = ("web-01", "A_b.c", "providers1", "subscriptions", "x", "Ünïcode (1)", "start")
VERBS = {"GET": "read", "HEAD": "read", "PUT": "write", "PATCH": "write", "DELETE": "delete"}
NO_TYPE = frozenset({"{resourceId}", "{roleAssignmentId}", "{roleDefinitionId}", "{roleId}", "{denyAssignmentId}"})
"""Templates that are all of an id: what they are is in the value alone."""

_SERIALIZED = re.compile(r"_SERIALIZER\.\w+\('\w+', (\w+), '([^']+)'")
_KINDS: dict[str, object] = {
    "int": 3,
    "float": 0.5,
    "bool": True,
    "iso-8601": datetime(2026, 11, 1, tzinfo=UTC),
    "rfc-1123": datetime(2026, 11, 1, tzinfo=UTC),
    "[str]": ["a", "b"],
    "duration": timedelta(hours=1),
    "long": 3,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """One built request and what it must be read as: `operation` in lower case, and the id it is about."""

    builder: str
    request: Request
    operation: str
    resource: str


def calls(seed: int = SEED, share: float = 1.0) -> Iterator[Call]:
    """One request of every request builder in the installed packages, or in a random `share` of their files."""
    from azure.core.rest import HttpRequest
    from azure.core.utils import case_insensitive_dict
    from azure.mgmt.keyvault._utils.serialization import Serializer

    serializer = Serializer()
    serializer.client_side_validation = False
    space = {
        "HttpRequest": HttpRequest,
        "case_insensitive_dict": case_insensitive_dict,
        "_SERIALIZER": serializer,
        "_format_url_section": str.format,
        "prep_if_match": lambda *_: None,
        "prep_if_none_match": lambda *_: None,
    }
    rng = random.Random(seed)
    for source in _sources():
        if share < 1 and rng.random() > share:
            continue
        for node in ast.parse(source.read_text(encoding="utf-8")).body:
            if not isinstance(node, ast.FunctionDef) or not node.name.startswith("build_"):
                continue
            call = _call(node, dict(space), rng)
            if call is not None:
                yield call


def right(call: Call, action: Action) -> bool:
    """True where operation and resource are what the builder was asked for."""
    return action.operation.lower() == call.operation and action.resources[0] == call.resource


def measure(quick: bool = False) -> list[Result]:
    """`azure_right`: the share of built requests read off the wire with the right operation and resource."""
    codec = AzureCodec()
    marks = [right(call, codec.decode(call.request)) for call in calls(share=0.5 if quick else 1.0)]
    return [Result(name="azure_right", value=sum(marks) / len(marks), unit="fraction")]


def _sources() -> Iterator[Path]:
    spec = find_spec("azure.mgmt")
    if spec is None or spec.submodule_search_locations is None:
        sys.exit("no package `azure-mgmt-*` is installed")
    for folder in sorted(set(spec.submodule_search_locations)):
        for source in sorted(Path(folder).rglob("*.py")):
            if "aio" not in source.parts and "def build_" in source.read_text(encoding="utf-8"):
                yield source


class _Plain(ast.NodeTransformer):
    """Takes annotations off, so that a builder runs without the package's models."""

    def visit_AnnAssign(self, node: ast.AnnAssign) -> ast.AST:
        assert node.value is not None
        return ast.copy_location(ast.Assign(targets=[node.target], value=node.value), node)

    def visit_arg(self, node: ast.arg) -> ast.AST:
        node.annotation = None
        return node


def _call(node: ast.FunctionDef, space: dict[str, Any], rng: random.Random) -> Call | None:
    node.returns = None
    plain = ast.fix_missing_locations(_Plain().visit(node))
    exec(compile(ast.Module(body=[plain], type_ignores=[]), node.name, "exec"), space)
    wanted = dict(_SERIALIZED.findall(ast.unparse(node)))
    arguments: dict[str, object] = {
        argument.arg: _value(argument.arg, wanted.get(argument.arg, "str"), rng)
        for argument, default in [
            *zip(node.args.args, [None] * len(node.args.args), strict=False),
            *zip(node.args.kwonlyargs, node.args.kw_defaults, strict=True),
        ]
        if default is None
    }
    if "kwargs.pop('content_type'" in ast.unparse(node):
        arguments.setdefault("content_type", "application/json")
        arguments["content"] = b"{}"
    built = space[node.name](**arguments)
    template = _template(node)
    if template is None or template.strip("/").split("/")[0] in NO_TYPE:
        return None
    operation, resource = _expected(built.method, template, str(built.url))
    return Call(builder=node.name, request=_request(built), operation=operation, resource=resource)


def _value(name: str, kind: str, rng: random.Random) -> object:
    if kind in _KINDS:
        return _KINDS[kind]
    if name == "subscription_id":
        return SUBSCRIPTION
    if name in ("scope", "resource_scope", "resource_uri", "resource_id"):
        return rng.choice(SCOPES)
    if name == "resource_provider_namespace":
        return "Microsoft.Compute"
    if name == "parent_resource_path":
        return "virtualMachines/vm-1"
    if name == "resource_type":
        return "extensions"
    return rng.choice(NAMES)


def _method(node: ast.FunctionDef) -> str:
    found = re.search(r"method='(\w+)'", ast.unparse(node))
    assert found is not None
    return found[1]


def _template(node: ast.FunctionDef) -> str | None:
    for statement in ast.walk(node):
        if isinstance(statement, ast.Assign) and ast.unparse(statement.targets[0]) == "_url":
            value = statement.value
            if isinstance(value, ast.Call) and len(value.args) == 2:
                value = value.args[1]
            if isinstance(value, ast.Constant):
                return str(value.value)
    return None


def _expected(method: str, template: str, url: str) -> tuple[str, str]:
    """What the template says, where the literal words are types and the gaps are names."""
    from urllib.parse import unquote

    path = unquote(url.partition("?")[0]).strip("/").lower()
    resource = "/" + path
    shape = template.strip("/").split("/")
    marks = [place for place, word in enumerate(shape) if word.lower() == "providers"]
    if not marks or marks[-1] + 1 >= len(shape):
        return _without_provider(method, shape, marks), resource
    given = resource.split("/providers/")[-1].split("/")
    provider, literal = given[0], shape[marks[-1] + 2 :]
    words = given[1:]
    if not literal or not words:
        return f"azure:{provider}:{VERBS[method]}" if words else _without_provider(method, shape, marks), resource
    if method == "POST" and not literal[-1].startswith("{"):
        kind = words[:-1:2] if len(words) % 2 else words[::2]
        return f"azure:{'/'.join([provider, *kind])}:{words[-1]}", resource
    return f"azure:{'/'.join([provider, *words[::2]])}:{VERBS.get(method, 'post')}", resource


def _without_provider(method: str, shape: list[str], marks: list[int]) -> str:
    words = [word.lower() for word in shape if not word.startswith("{")]
    if marks:
        kind = (
            "microsoft.resources/subscriptions/providers"
            if words[0] == "subscriptions"
            else "microsoft.resources/providers"
        )
        return f"azure:{kind}:{VERBS[method]}"
    if method == "POST":
        return f"azure:microsoft.resources/{'/'.join(words[:-1])}:{words[-1]}"
    return f"azure:microsoft.resources/{'/'.join(words)}:{VERBS[method]}"


def _request(built: Any) -> Request:
    from requests.utils import requote_uri

    return Request(
        scheme="https",
        method=built.method,
        host=HOST,
        port=443,
        target="/" + requote_uri(str(built.url)).lstrip("/"),
        headers=tuple(Header(name.lower(), str(value)) for name, value in built.headers.items()),
        body=built.content or b"",
        agent="researcher",
        run="run-1",
    )
