"""Writes the operation tables of OpenAI, Anthropic and Gemini from the installed SDKs' sources and the rules below.

    python tools/build_llm_index.py [--check]

`--check` writes nothing and fails where a table is not what SDKs and rules give. A request that changes something and
that no rule names makes the tool fail: its classes are to be thought about.
"""

from __future__ import annotations

import argparse
import ast
import csv
import importlib.util
import io
import re
import sys
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

FOLDER = Path(__file__).parents[1] / "src" / "comptroller" / "decode" / "llm" / "data"
VERBS = {"_get": "GET", "_post": "POST", "_delete": "DELETE", "_put": "PUT", "_patch": "PATCH", "_get_api_list": "GET"}


class Row(NamedTuple):
    """One operation. `body` is one of `routes.BodyKind`."""

    method: str
    path: str
    operation: str
    body: str
    classes: str


class Rule(NamedTuple):
    """The classes of what a pattern of `METHOD path` names; the first that fits decides."""

    pattern: str
    classes: str
    why: str


OPENAI: Sequence[Rule] = (
    Rule(r"GET /v1/(agents/)?vaults/.*", "reveal", "what a vault keeps are credentials"),
    Rule(r"GET .*", "read", "a GET here changes nothing"),
    Rule(r"DELETE /v1/organization/(projects/\{\}/)?spend_(limit|alerts).*", "blind destroy", "takes a guardrail away"),
    Rule(r"DELETE /v1/(organization|projects)/.*", "destroy entitle", "takes keys, people or rights away for good"),
    Rule(r"DELETE .*/permissions/.*", "destroy entitle", "takes a right away"),
    Rule(r"DELETE .*", "destroy", "what is deleted is gone"),
    # Asking models.
    Rule(r"POST /v1/responses/(compact)?$", "infer", "asks a model"),
    Rule(r"POST /v1/(chat/completions|completions|responses|responses/compact|embeddings|decisions)", "infer", "asks"),
    Rule(r"POST /v1/responses/input_tokens", "read", "counts tokens, free of charge"),
    Rule(r"POST /v1/moderations", "infer", "asks a model, free of charge"),
    Rule(r"POST /v1/images/.*", "infer", "makes pictures, paid by size and quality"),
    Rule(r"POST /v1/audio/(speech|transcriptions|translations)", "infer", "asks a model"),
    Rule(r"POST /v1/videos(/edits|/extensions|/\{\}/remix)?", "infer", "makes films, paid by the second"),
    Rule(r"POST /v1/videos/characters", "write", "keeps a character for later films"),
    Rule(r"POST /v1/batches", "infer", "every line of a file is a call"),
    Rule(r"POST /v1/evals/\{\}/runs", "infer", "asks models once per item and grader"),
    Rule(r"POST /v1/fine_tuning/alpha/graders/run", "infer execute", "a grader may be a model, or Python"),
    Rule(r"POST /v1/fine_tuning/alpha/graders/validate", "read", "checks a grader without running it"),
    Rule(r"POST /v1/content_provenance_checks", "infer", "looks a file over, at a price nobody states"),
    Rule(r"POST /v1/fine_tuning/jobs(/\{\}/resume)?", "provision", "trains, paid by tokens and epochs"),
    Rule(r"POST /v1/fine_tuning/checkpoints/\{\}/permissions", "entitle", "shares a model with projects"),
    # Assistants and agents that run at OpenAI, with tools this request does not name.
    Rule(r"POST /v1/threads/runs", "infer execute", "runs an assistant with tools of its own"),
    Rule(r"POST /v1/threads/\{\}/runs(/\{\}/submit_tool_outputs)?", "infer execute", "runs an assistant"),
    Rule(r"POST /v1/agents/sessions(/\{\}|/\{\}/events)?", "infer execute communicate", "an agent acts elsewhere"),
    Rule(r"POST /v1/agents/automations(/.*)?", "infer execute communicate provision", "an agent acts again and again"),
    Rule(r"POST /v1/agents/environments", "provision execute", "a machine for an agent"),
    Rule(r"POST /v1/(agents/)?vaults/\{\}/credentials.*", "write entitle", "lets an agent use a credential"),
    Rule(r"POST /v1/containers", "provision", "a sandbox that is paid by the session"),
    Rule(r"POST /v1/chatkit/sessions", "reveal infer execute", "returns a secret with which a browser runs a workflow"),
    # Voice: what is said there passes no gateway.
    Rule(r"POST /v1/realtime/(client_secrets|sessions|transcription_sessions|translations/client_secrets)",
         "reveal infer", "returns a secret that opens a connection which is paid by the minute"),
    Rule(r"POST /v1/(realtime/calls|live/sessions)(/\{\}/(accept|fork))?", "infer communicate", "speaks to somebody"),
    Rule(r"POST /v1/(realtime/calls|live/sessions)/\{\}/refer", "communicate", "sends a caller to another number"),
    Rule(r"POST /v1/(realtime/calls|live/sessions)/\{\}/(hangup|reject)", "write", "ends a call"),
    # Files and stores.
    Rule(r"POST /v1/vector_stores/\{\}/search", "read", "searches, paid by the call"),
    Rule(r"POST /v1/vector_stores(/\{\}/files|/\{\}/file_batches)?", "provision", "storage, paid by the day"),
    # Webhooks.
    Rule(r"POST /v1/webhook_endpoints/\{\}/rotate_secret", "reveal write", "returns a new signing secret"),
    Rule(r"POST /v1/webhook_endpoints/\{\}/test", "communicate", "sends to the endpoint"),
    Rule(r"POST /v1/webhook_endpoints", "communicate reveal", "sends what happens to an address; returns its secret"),
    Rule(r"POST /v1/webhook_endpoints/\{\}", "communicate", "sends what happens to another address"),
    # The organisation.
    Rule(r"POST /v1/organization/admin_api_keys", "entitle reveal", "returns a key that governs the organisation"),
    Rule(r"POST /v1/organization/(projects/\{\}/)?service_accounts.*", "entitle reveal", "returns a key"),
    Rule(r"POST /v1/organization/invites", "entitle communicate", "lets a person in, by mail"),
    Rule(r"POST /v1/organization/(projects/\{\}/)?(spend_limit|spend_alerts|data_retention|rate_limits).*",
         "blind entitle", "may loosen a limit, an alert or what is kept"),
    Rule(r"POST /v1/organization/(projects/\{\}/)?service_tier_settings", "entitle", "what every call costs changes"),
    Rule(r"POST /v1/organization/external_(keys|storage)/\{\}/validate", "read", "tries access, changes nothing"),
    Rule(r"POST /v1/(organization|projects)(/.*)?", "entitle", "changes who may do what"),
    # What only keeps, changes or stops something.
    Rule(r"POST /v1/(assistants|threads|conversations|evals|files)(/.*)?", "write", "keeps or stops something"),
    Rule(r"POST /v1/(uploads|skills|agents|vaults)(/.*)?", "write", "keeps or changes something"),
    Rule(r"POST /v1/(chat/completions|vector_stores|containers)/\{\}(/.*)?", "write", "changes what is kept"),
    Rule(r"POST /v1/(batches|responses|fine_tuning/jobs|evals/\{\}/runs|chatkit/sessions)/\{\}/.*", "write", "stops"),
    Rule(r"POST /v1/audio/(voices|voice_consents)(/\{\})?", "write", "keeps a voice or somebody's consent"),
)  # fmt: skip

_ORG = r"/v1/organizations"
ANTHROPIC: Sequence[Rule] = (
    Rule(r"GET /v1/vaults/.*", "reveal", "what a vault keeps are credentials"),
    Rule(r"GET .*/work/poll", "write", "takes the next piece of work off a queue"),
    Rule(r"GET .*", "read", "a GET here changes nothing"),
    Rule(rf"DELETE {_ORG}/(spend_limits|telemetry_destinations|claude_code).*", "blind destroy", "a guardrail goes"),
    Rule(rf"DELETE {_ORG}/.*", "destroy entitle", "takes keys, people or rights away for good"),
    Rule(r"DELETE .*", "destroy", "what is deleted is gone"),
    Rule(r"POST /v1/messages/count_tokens", "read", "counts tokens, free of charge"),
    Rule(r"POST /v1/(messages|complete|messages/batches)", "infer", "asks a model"),
    Rule(r"POST /v1/messages/batches/\{\}/cancel", "write", "stops"),
    Rule(r"POST /v1/sessions(/\{\}|/\{\}/events)?", "infer execute communicate", "an agent acts elsewhere"),
    Rule(r"POST /v1/deployments(/\{\}/(run|unpause))?", "infer execute communicate provision", "acts again and again"),
    Rule(r"POST /v1/dreams", "infer", "a model works over what is remembered"),
    Rule(r"POST /v1/environments", "provision execute", "a machine for an agent"),
    Rule(r"POST /v1/environments/\{\}/work/.*", "write", "says how far a piece of work is"),
    Rule(r"POST /v1/vaults/\{\}/credentials/\{\}/mcp_oauth_validate", "communicate", "tries a credential elsewhere"),
    Rule(r"POST /v1/vaults/\{\}/credentials.*", "write entitle", "lets an agent use a credential"),
    Rule(r"POST /v1/tunnels/\{\}/(reveal|rotate)_token", "reveal entitle", "returns the key to a way in"),
    Rule(r"POST /v1/tunnels(/.*)?", "entitle", "a way into a network"),
    Rule(r"POST /v1/user_profiles/\{\}/(enrollment_url|action_urls)", "reveal entitle", "returns a link that lets in"),
    Rule(rf"POST {_ORG}/(spend_limits|telemetry_destinations|compliance_settings|claude_code).*", "blind entitle",
         "may loosen a limit or what is recorded"),
    Rule(rf"POST {_ORG}/workspaces/\{{\}}/rate_limits/.*", "blind entitle", "may loosen a limit"),
    Rule(rf"POST {_ORG}/spend_limit_increase_requests/.*", "blind entitle", "raises a limit"),
    Rule(rf"POST {_ORG}/invites", "entitle communicate", "lets a person in, by mail"),
    Rule(rf"POST {_ORG}/webhooks/\{{\}}/regenerate_signing_secret", "reveal entitle", "returns a new secret"),
    Rule(rf"POST {_ORG}/webhooks", "communicate reveal entitle", "sends what happens elsewhere; returns its secret"),
    Rule(rf"POST {_ORG}/webhooks/.*", "communicate entitle", "sends what happens elsewhere"),
    Rule(rf"POST {_ORG}/claude_tag/.*", "entitle communicate", "who speaks to an agent, and where it answers"),
    Rule(rf"POST {_ORG}/(external_keys/.*/validate|plugin_marketplaces/validate_.*)", "read", "checks only"),
    Rule(rf"POST {_ORG}(/.*)?", "entitle", "changes who may do what"),
    Rule(r"POST /v1/memory_stores/.*/redact", "destroy", "what is redacted is gone"),
    Rule(r"POST /v1/(agents|deployments|dreams|environments|files)(/.*)?", "write", "keeps or stops something"),
    Rule(r"POST /v1/(memory_stores|sessions|skills|user_profiles|vaults)(/.*)?", "write", "keeps or changes something"),
)  # fmt: skip

ANTHROPIC_MORE: Sequence[Row] = (
    Row("GET", "/v1/messages/batches/{}/results", "messages.batches:results", "none", ""),
    Row("POST", "/v1/complete", "completions:create", "model", ""),
    Row("GET", "/v1/organizations/usage_report/messages", "organization.usage_report:messages", "none", ""),
    Row("GET", "/v1/organizations/usage_report/claude_code", "organization.usage_report:claude_code", "none", ""),
    Row("GET", "/v1/organizations/cost_report", "organization.cost_report:list", "none", ""),
)
_R, _W, _D, _E, _P = "read", "write", "destroy", "entitle", "provision"
GEMINI: Sequence[Row] = (
    # Paths begin after the version; `/upload` and `/download` stand before it.
    *(
        Row("POST", f"/{kind}/{{}}:{verb}", f"{kind}:{verb}", "json", classes)
        for kind in ("models", "tunedModels", "dynamic")
        for verb, classes in (
            ("generateContent", "infer"),
            ("streamGenerateContent", "infer"),
            ("countTokens", _R),
            ("embedContent", "infer"),
            ("batchEmbedContents", "infer"),
            ("asyncBatchEmbedContent", "infer"),
            ("batchGenerateContent", "infer"),
            ("generateAnswer", "infer"),
            ("predict", "infer"),
            ("predictLongRunning", "infer"),
        )
    ),
    Row("GET", "/models", "models:list", "none", _R),
    Row("GET", "/models/{}", "models:get", "none", _R),
    Row("GET", "/models/{}/operations", "models.operations:list", "none", _R),
    Row("GET", "/models/{}/operations/{}", "models.operations:get", "none", _R),
    Row("GET", "/operations/{}", "operations:get", "none", _R),
    Row("POST", "/operations/{}:cancel", "operations:cancel", "json", _W),
    Row("GET", "/tunedModels", "tunedModels:list", "none", _R),
    Row("POST", "/tunedModels", "tunedModels:create", "json", _P),
    Row("GET", "/tunedModels/{}", "tunedModels:get", "none", _R),
    Row("PATCH", "/tunedModels/{}", "tunedModels:patch", "json", _W),
    Row("DELETE", "/tunedModels/{}", "tunedModels:delete", "none", _D),
    Row("POST", "/tunedModels/{}:transferOwnership", "tunedModels:transferOwnership", "json", _E),
    Row("GET", "/tunedModels/{}/operations/{}", "tunedModels.operations:get", "none", _R),
    Row("GET", "/tunedModels/{}/permissions", "tunedModels.permissions:list", "none", _R),
    Row("POST", "/tunedModels/{}/permissions", "tunedModels.permissions:create", "json", _E),
    Row("GET", "/tunedModels/{}/permissions/{}", "tunedModels.permissions:get", "none", _R),
    Row("PATCH", "/tunedModels/{}/permissions/{}", "tunedModels.permissions:patch", "json", _E),
    Row("DELETE", "/tunedModels/{}/permissions/{}", "tunedModels.permissions:delete", "none", "destroy entitle"),
    Row("GET", "/cachedContents", "cachedContents:list", "none", _R),
    Row("POST", "/cachedContents", "cachedContents:create", "json", _P),
    Row("GET", "/cachedContents/{}", "cachedContents:get", "none", _R),
    Row("PATCH", "/cachedContents/{}", "cachedContents:patch", "json", _P),
    Row("DELETE", "/cachedContents/{}", "cachedContents:delete", "none", _D),
    Row("GET", "/files", "files:list", "none", _R),
    Row("POST", "/files", "files:create", "json", _W),
    Row("POST", "/files:register", "files:register", "json", _W),
    Row("GET", "/files/{}", "files:get", "none", _R),
    Row("DELETE", "/files/{}", "files:delete", "none", _D),
    Row("GET", "/files/{}:download", "files:download", "none", _R),
    Row("GET", "/download/files/{}:download", "files:media", "none", _R),
    Row("POST", "/upload/files", "files:upload", "raw", _W),
    Row("GET", "/generatedFiles", "generatedFiles:list", "none", _R),
    Row("GET", "/generatedFiles/{}", "generatedFiles:get", "none", _R),
    Row("GET", "/batches", "batches:list", "none", _R),
    Row("GET", "/batches/{}", "batches:get", "none", _R),
    Row("POST", "/batches/{}:cancel", "batches:cancel", "json", _W),
    Row("DELETE", "/batches/{}", "batches:delete", "none", _D),
    Row("PATCH", "/batches/{}:updateGenerateContentBatch", "batches:updateGenerateContentBatch", "json", "infer"),
    Row("PATCH", "/batches/{}:updateEmbedContentBatch", "batches:updateEmbedContentBatch", "json", "infer"),
    Row("GET", "/fileSearchStores", "fileSearchStores:list", "none", _R),
    Row("POST", "/fileSearchStores", "fileSearchStores:create", "json", _P),
    Row("GET", "/fileSearchStores/{}", "fileSearchStores:get", "none", _R),
    Row("DELETE", "/fileSearchStores/{}", "fileSearchStores:delete", "none", _D),
    Row("POST", "/fileSearchStores/{}:importFile", "fileSearchStores:importFile", "json", "infer write"),
    Row("POST", "/upload/fileSearchStores/{}:uploadToFileSearchStore", "fileSearchStores:upload", "raw", "infer write"),
    Row("GET", "/fileSearchStores/{}/documents", "fileSearchStores.documents:list", "none", _R),
    Row("GET", "/fileSearchStores/{}/documents/{}", "fileSearchStores.documents:get", "none", _R),
    Row("DELETE", "/fileSearchStores/{}/documents/{}", "fileSearchStores.documents:delete", "none", _D),
    Row("GET", "/fileSearchStores/{}/operations/{}", "fileSearchStores.operations:get", "none", _R),
    Row("GET", "/fileSearchStores/{}/upload/operations/{}", "fileSearchStores.upload:get", "none", _R),
    Row("POST", "/auth_tokens", "auth_tokens:create", "json", "infer reveal"),
    Row("POST", "/interactions", "interactions:create", "json", "infer"),
    Row("GET", "/interactions/{}", "interactions:get", "none", _R),
    Row("DELETE", "/interactions/{}", "interactions:delete", "none", _D),
    Row("POST", "/interactions/{}/cancel", "interactions:cancel", "json", _W),
    Row("POST", "/decisions", "decisions:create", "json", "infer"),
    Row("GET", "/agents", "agents:list", "none", _R),
    Row("POST", "/agents", "agents:create", "json", _W),
    Row("GET", "/agents/{}", "agents:get", "none", _R),
    Row("DELETE", "/agents/{}", "agents:delete", "none", _D),
    Row("GET", "/environments", "environments:list", "none", _R),
    Row("POST", "/environments", "environments:create", "json", "execute provision"),
    Row("GET", "/environments/{}", "environments:get", "none", _R),
    Row("DELETE", "/environments/{}", "environments:delete", "none", _D),
    Row("GET", "/environments/{}/files/{}", "environments.files:get", "none", _R),
    Row("PUT", "/upload/environments/{}/files/{}", "environments.files:upload", "raw", "execute write"),
    Row("GET", "/triggers", "triggers:list", "none", _R),
    Row("POST", "/triggers", "triggers:create", "json", "communicate execute infer provision"),
    Row("GET", "/triggers/{}", "triggers:get", "none", _R),
    Row("PATCH", "/triggers/{}", "triggers:patch", "json", "communicate execute infer provision"),
    Row("DELETE", "/triggers/{}", "triggers:delete", "none", _D),
    Row("GET", "/triggers/{}/executions", "triggers.executions:list", "none", _R),
    Row("POST", "/triggers/{}/executions", "triggers.executions:create", "json", "communicate execute infer"),
    Row("GET", "/credentials", "credentials:list", "none", "reveal"),
    Row("POST", "/credentials", "credentials:create", "json", "entitle write"),
    Row("GET", "/credentials/{}", "credentials:get", "none", "reveal"),
    Row("PATCH", "/credentials/{}", "credentials:patch", "json", "entitle write"),
    Row("DELETE", "/credentials/{}", "credentials:delete", "none", "destroy entitle"),
    Row("GET", "/voices", "voices:list", "none", _R),
    Row("POST", "/voices", "voices:create", "json", _W),
    Row("GET", "/voices/{}", "voices:get", "none", _R),
    Row("DELETE", "/voices/{}", "voices:delete", "none", _D),
    Row("GET", "/webhooks", "webhooks:list", "none", _R),
    Row("POST", "/webhooks", "webhooks:create", "json", "communicate reveal"),
    Row("GET", "/webhooks/{}", "webhooks:get", "none", _R),
    Row("PATCH", "/webhooks/{}", "webhooks:patch", "json", "communicate"),
    Row("DELETE", "/webhooks/{}", "webhooks:delete", "none", _D),
    Row("POST", "/webhooks/{}:ping", "webhooks:ping", "json", "communicate"),
    Row("POST", "/webhooks/{}:rotateSigningSecret", "webhooks:rotateSigningSecret", "json", "reveal write"),
)
"""Written down by hand from the API reference and the SDK: it builds its paths at run time."""
MODELLED = frozenset(
    {"/v1/chat/completions", "/v1/completions", "/v1/embeddings", "/v1/audio/speech"}
    | {"/v1/responses/compact", "/v1/decisions", "/v1/messages", "/v1/messages/count_tokens", "/v1/complete"}
)
"""Whose body must name a model."""
OPTIONAL_FORM = frozenset(
    {"/v1/videos", "/v1/images/edits", "/v1/agents/environments/{}/files", "/v1/containers/{}/files", "/v1/skills"}
    | {"/v1/skills/{}/versions", "/v1/organizations/plugin_marketplaces/validate_archive"}
    | {"/v1/organizations/plugins", "/v1/organizations/plugins/{}/versions"}
)
"""Whose body may be a form or JSON."""


def main(arguments: Sequence[str]) -> int:
    """Write or check every table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="fail where a table is not what this tool writes")
    options = parser.parse_args(arguments)
    tables = {
        "openai.csv": table(_sdk("openai", "resources"), OPENAI, prefix="/v1"),
        "anthropic.csv": table([*_sdk("anthropic", "resources"), *ANTHROPIC_MORE], ANTHROPIC),
        "gemini.csv": _text(GEMINI),
    }
    stale = [name for name, text in tables.items() if _old(name) != text]
    for name in stale if not options.check else ():
        (FOLDER / name).write_text(tables[name], "utf-8")
    for name in stale:
        print(f"{name}: {'is not what the SDK and the rules give' if options.check else 'written'}")
    return 1 if stale and options.check else 0


def table(rows: Sequence[Row], rules: Sequence[Rule], prefix: str = "") -> str:
    """The CSV text. Exits where a row has no rule."""
    best: dict[tuple[str, str], Row] = {}
    for row in rows:
        path = prefix + row.path if not row.path.startswith(prefix or "\0") else row.path
        kind = _body(row.method, path, row.body)
        classes = next((rule.classes for rule in rules if re.fullmatch(rule.pattern, f"{row.method} {path}")), None)
        if classes is None:
            sys.exit(f"no rule says what `{row.method} {path}` ({row.operation}) is")
        found = Row(row.method, path, row.operation, kind, " ".join(sorted(classes.split())))
        key = (row.method, path)
        if key not in best or (best[key].operation.startswith("beta.") and not row.operation.startswith("beta.")):
            best[key] = found
    taken = {row.operation for row in best.values()}
    plain = {row: row.operation.removeprefix("beta.") for row in best.values()}
    return _text(row._replace(operation=name) if name not in taken else row for row, name in plain.items())


def _text(rows: Iterable[Row]) -> str:
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(Row._fields)
    writer.writerows(sorted(rows, key=lambda row: (row.path, row.method)))
    return out.getvalue()


def _body(method: str, path: str, kind: str) -> str:
    if method in ("GET", "DELETE"):
        return "none"
    if path in OPTIONAL_FORM:
        return "any"
    if path == "/v1/realtime/calls":
        return "raw"
    if path == "/v1/responses":
        return "named"
    return "model" if path in MODELLED else kind


def _sdk(package: str, folder: str) -> list[Row]:
    spec = importlib.util.find_spec(package)
    assert spec is not None and spec.submodule_search_locations
    root = Path(spec.submodule_search_locations[0]) / folder
    return [row for file in sorted(root.rglob("*.py")) for row in _calls(file, root)]


def _calls(file: Path, root: Path) -> Iterator[Row]:
    module = ".".join(file.relative_to(root).with_suffix("").parts)
    parts = module.split(".")
    resource = ".".join(part for at, part in enumerate(parts) if at == 0 or part != parts[at - 1])
    resource = resource.removeprefix("admin.").replace("organization.organization", "organization")
    for node in ast.walk(ast.parse(file.read_text("utf-8"))):
        if not isinstance(node, ast.ClassDef) or node.name.startswith("Async") or "With" in node.name:
            continue
        for function in node.body:
            if isinstance(function, ast.FunctionDef):
                nodes = list(ast.walk(function))
                form = any("multipart/form-data" in ast.unparse(node) for node in nodes if isinstance(node, ast.Dict))
                for call in nodes:
                    found = _call(call)
                    if found is not None:
                        yield Row(*found, f"{resource}:{function.name}", "form" if form else "json", "")


def _call(node: ast.AST) -> tuple[str, str] | None:
    if not (isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in VERBS):
        return None
    keywords = {keyword.arg: keyword.value for keyword in node.keywords}
    path = _path(node.args[0] if node.args else keywords["path"])
    if path is None:
        return None
    method = keywords.get("method")
    verb = method.value if isinstance(method, ast.Constant) else VERBS[node.func.attr]
    return str(verb).upper(), path.partition("?")[0]


def _path(node: ast.AST) -> str | None:
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return re.sub(r"\{[^}]*\}", "{}", node.value)
    if isinstance(node, ast.Call) and node.args:
        return _path(node.args[0])
    if isinstance(node, ast.IfExp):
        return _path(node.body)
    return None


def _old(name: str) -> str:
    path = FOLDER / name
    return path.read_text("utf-8") if path.exists() else ""


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
