"""Writes `docs/comptroller.schema.json`, the JSON Schema of `comptroller.yaml`, out of `core/config.py`.

What each setting means is taken from the tables of `docs/configuration.md`, so that editors show the same words. Run
`python tools/build_config_schema.py` after a change of either. `--check` writes nothing, and ends with 1 where the file
is not current.
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Mapping
from pathlib import Path

from comptroller.core.config import Config

DOCS = Path(__file__).parent.parent / "docs"
TARGET = DOCS / "comptroller.schema.json"
PAGE = DOCS / "configuration.md"
DRAFT = "https://json-schema.org/draft/2020-12/schema"

SECTIONS: Mapping[str, str] = {
    "Config": "The whole file",
    "TeamConfig": "teams",
    "PersonConfig": "people",
    "DeputyConfig": "deputies",
    "AgentConfig": "agents",
    "QuestionsConfig": "questions",
    "LimitConfig": "per_run",
    "FilesConfig": "files",
    "TcpConfig": "tcp",
    "BudgetConfig": "budgets",
    "CredentialConfig": "credentials",
    "ServiceConfig": "services",
    "HoldingsConfig": "holdings",
    "PricesConfig": "prices",
    "FxConfig": "fx",
    "ApprovalsConfig": "approvals",
    "NotifyConfig": "notify",
    "ConsoleConfig": "console",
    "ConsoleTlsConfig": "console tls",
    "OidcConfig": "console oidc",
    "OidcSecretConfig": "console oidc secret",
    "OidcGroupConfig": "console oidc groups",
    "AppriseChannelConfig": "apprise channels",
    "WebhookChannelConfig": "webhook channels",
    "SlackChannelConfig": "slack channels",
    "SecretConfig": "secrets of channels",
    "RouteConfig": "routes",
    "QuietConfig": "quiet_hours",
    "WeeklyConfig": "weekly",
    "RetentionConfig": "retention",
}
"""Configuration class -> the heading of the page that describes it."""


def meanings(heading: str) -> dict[str, str]:
    """Setting -> what the table under `heading` says of it, as plain text. Raises `ValueError` without the heading."""
    found = re.search(rf"^## {re.escape(heading)}\n(.*?)(?=^## |\Z)", PAGE.read_text("utf-8"), re.MULTILINE | re.DOTALL)
    if found is None:
        raise ValueError(f"{PAGE} has no heading `{heading}`")
    rows = re.findall(r"^\| `([a-z0-9_]+)` \| (.*) \|$", found[1], re.MULTILINE)
    return {name: re.sub(r"\[([^]]*)\]\([^)]*\)", r"\1", text) for name, text in rows}


def build() -> str:
    """The schema as the file's text."""
    document = {"$schema": DRAFT, **Config.model_json_schema(), "title": "comptroller.yaml"}
    for name, heading in SECTIONS.items():
        part = document if name == "Config" else document["$defs"][name]
        for setting, meaning in meanings(heading).items():
            part["properties"][setting]["description"] = meaning
    return json.dumps(document, indent=2, ensure_ascii=True) + "\n"


def main(arguments: list[str]) -> int:
    """Write the file, or say whether it is current; the exit code."""
    if arguments not in ([], ["--check"]):
        print("usage: build_config_schema.py [--check]", file=sys.stderr)
        return 2
    if not arguments:
        TARGET.write_text(build(), encoding="utf-8")
        return 0
    if TARGET.is_file() and TARGET.read_text(encoding="utf-8") == build():
        return 0
    print(f"{TARGET} is not current: python tools/build_config_schema.py", file=sys.stderr)
    return 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
