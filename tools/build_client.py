"""Writes src/comptroller/client/calls.py: a typed method for every endpoint served over TCP. `--check`: compares."""

from __future__ import annotations

import keyword
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from comptroller.server.api.endpoint import Endpoint
from comptroller.server.api.openapi import document
from comptroller.server.api.table import ENDPOINTS

ROOT = Path(__file__).resolve().parent.parent
TARGET = ROOT / "src" / "comptroller" / "client" / "calls.py"
HEAD = '''"""A typed method for every endpoint, written by `python -m tools.build_client` from their table."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Literal, NotRequired, TypedDict, cast

from comptroller.client.http import Http

'''
_PLAIN = {"string": "str", "integer": "int", "number": "float", "boolean": "bool", "null": "None"}


def text() -> str:
    """The module."""
    whole = document(ENDPOINTS)
    schemas = {name: each for name, each in whole["components"]["schemas"].items() if name != "Problem"}
    served = {endpoint.name: endpoint for endpoint in ENDPOINTS if not endpoint.socket_only}
    answers = _reachable([endpoint.answer.__name__ for endpoint in served.values()], whole)
    parts = [HEAD]
    parts += [_typed_dict(name, schemas[name]) for name in sorted(answers)]
    parts.append('\nclass Calls(Http):\n    """Every call of the API. Raises `ApiError`."""\n')
    for path, methods in whole["paths"].items():
        for method, operation in methods.items():
            parts.append(_method(served[operation["operationId"]], method, path, operation, schemas))
    return "".join(parts)


def _reachable(_: list[str], whole: Mapping[str, Any]) -> set[str]:
    """Schemas that an answer is made of."""
    schemas, found = whole["components"]["schemas"], set[str]()

    def walk(value: object) -> None:
        if isinstance(value, list):
            for each in value:
                walk(each)
        elif isinstance(value, dict):
            name = str(value.get("$ref", "")).rpartition("/")[2]
            if name and name not in found:
                found.add(name)
                walk(schemas[name])
            for each in value.values():
                walk(each)

    for methods in whole["paths"].values():
        for operation in methods.values():
            walk(operation["responses"]["200"])
    return found


def _name(schema: str) -> str:
    return "".join(part[:1].upper() + part[1:] for part in schema.split("__")[-2:])


def _typed_dict(name: str, schema: Mapping[str, Any]) -> str:
    needed = set(schema.get("required", ()))
    members = schema.get("properties", {})
    if any(keyword.iskeyword(member) for member in members):
        rows = ", ".join(f'"{member}": "{_type(each)}"' for member, each in members.items())
        return f'\n{_name(name)} = TypedDict("{_name(name)}", {{{rows}}})\n\n'
    lines = [f"\nclass {_name(name)}(TypedDict):"]
    if schema.get("description"):
        lines += [f'    """{" ".join(schema["description"].split())}"""', ""]
    for member, each in schema.get("properties", {}).items():
        kind = _type(each)
        lines.append(f"    {member}: {kind if member in needed else f'NotRequired[{kind}]'}")
    if not schema.get("properties"):
        lines.append("    pass")
    return "\n".join(lines) + "\n\n"


def _type(schema: Mapping[str, Any]) -> str:
    if "$ref" in schema:
        return _name(schema["$ref"].rpartition("/")[2])
    if "anyOf" in schema:
        return " | ".join(dict.fromkeys(_type(each) for each in schema["anyOf"]))
    if "enum" in schema or "const" in schema:
        values = schema.get("enum", [schema.get("const")])
        return f"Literal[{', '.join(map(_literal, values))}]"
    match schema.get("type"):
        case "array":
            return f"list[{_type(schema.get('items', {}))}]"
        case "object":
            more = schema.get("additionalProperties")
            return f"dict[str, {_type(more) if isinstance(more, dict) else 'Any'}]"
        case str(kind):
            return _PLAIN[kind]
    return "Any"


def _literal(value: object) -> str:
    return f'"{value}"' if isinstance(value, str) else repr(value)


def _method(
    endpoint: Endpoint, method: str, path: str, operation: Mapping[str, Any], schemas: Mapping[str, Any]
) -> str:
    places = [each for each in operation["parameters"] if each["in"] == "path"]
    queries = [each for each in operation["parameters"] if each["in"] == "query"]
    body: Mapping[str, Any] = {}
    if "requestBody" in operation:
        body = schemas[operation["requestBody"]["content"]["application/json"]["schema"]["$ref"].rpartition("/")[2]]
    needed = set(body.get("required", ()))
    given = [(each["name"], each["schema"], each["required"]) for each in queries]
    given += [(name, each, name in needed) for name, each in body.get("properties", {}).items()]
    for name, _, _ in given:
        assert not keyword.iskeyword(name), name
    given.sort(key=lambda each: not each[2])
    arguments = ["self", *(f"{each['name']}: str" for each in places)]
    options = [f"{name}: {_type(kind)}" + ("" if must else " | None = None") for name, kind, must in given]
    options = [option.replace(" | None | None", " | None") for option in options]
    if endpoint.about and method != "get":
        options.append('if_match: str = ""')
    signature = ", ".join([*arguments, *(["*"] if options else []), *options])
    answer = _type(operation["responses"]["200"]["content"]["application/json"]["schema"])
    filled = path
    for each in places:
        filled = filled.replace("{" + each["name"] + "}", "{self.part(" + each["name"] + ")}")
    passed = ", ".join(f'"{name}": {name}' for name, _, _ in given)
    kind = "body" if method != "get" else "query"
    extra = [f"{kind}={{{passed}}}"] if given or method != "get" else []
    extra += ["if_match=if_match"] if endpoint.about and method != "get" else []
    extra += ["keyed=False"] if endpoint.secret else []
    call = ", ".join([f'"{method.upper()}"', f'f"{filled}"' if places else f'"{filled}"', *extra])
    lines = [
        f"\n    def {endpoint.name}({signature}) -> {answer}:",
        f'        """{endpoint.summary}. Takes the right `{endpoint.right.value}`."""',
        f"        return cast({answer}, self.call({call}))",
        "",
    ]
    if endpoint.listing:
        row = _type(schemas[answer]["properties"][endpoint.listing]["items"])
        named = ", ".join(f"{name}={name}" for name, _, _ in given if name not in ("limit", "cursor"))
        own = [option for option in options if not option.startswith(("limit:", "cursor:"))]
        asked = ", ".join(["self", *arguments[1:], *(["*"] if own else []), *own])
        path_names = "".join(f"{each['name']}, " for each in places)
        lines += [
            f"    def iterate_{endpoint.name.removeprefix('list_')}({asked}) -> Iterator[{row}]:",
            f'        """{endpoint.summary}: every row, page by page."""',
            "        cursor: str | None = None",
            "        while True:",
            f"            page = self.{endpoint.name}({path_names}{named}{', ' if named else ''}cursor=cursor)",
            f'            yield from page["{endpoint.listing}"]',
            '            cursor = page.get("next")',
            "            if cursor is None:",
            "                return",
            "",
        ]
    return "\n".join(lines)


def formatted() -> str:
    """The module as `ruff format` leaves it."""
    import subprocess

    command = [sys.executable, "-m", "ruff", "format", "--stdin-filename", str(TARGET), "-"]
    return subprocess.run(command, input=text(), capture_output=True, text=True, check=True).stdout


def main(arguments: list[str]) -> int:
    """Write or compare; 1 where the module is not as it should be."""
    if arguments not in ([], ["--check"]):
        print("usage: python -m tools.build_client [--check]", file=sys.stderr)
        return 2
    wanted = formatted()
    if TARGET.exists() and TARGET.read_text("utf-8") == wanted:
        return 0
    if arguments:
        print(f"{TARGET.relative_to(ROOT)} is stale: python -m tools.build_client", file=sys.stderr)
        return 1
    TARGET.write_text(wanted, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
