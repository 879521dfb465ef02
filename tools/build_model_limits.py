"""Writes `price/data/model_limits.csv`: how long an answer of each model may get, by the names of `genai-prices`.

    python tools/build_model_limits.py litellm/model_prices_and_context_window_backup.json --as-of 2026-11-01 [--check]

The figures are out of the MIT-licensed package litellm, which collects what providers publish; the most that any entry
for a model says counts. Rows with another source were written down by hand and stay.
"""

from __future__ import annotations

import argparse
import csv
import io
import json
import re
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from genai_prices.data_snapshot import get_snapshot

PATH = Path(__file__).parents[1] / "src" / "comptroller" / "price" / "data" / "model_limits.csv"
FIELDS = ("provider", "model", "max_output_tokens", "context_window", "as_of", "source")
SOURCE = "litellm (MIT)"
PROVIDERS: Mapping[str, tuple[str, ...]] = {
    "openai": ("openai",),
    "anthropic": ("anthropic",),
    "google": ("gemini", "vertex_ai-language-models"),
    "aws": ("bedrock", "bedrock_converse"),
    "groq": ("groq",),
    "together": ("together_ai",),
    "mistral": ("mistral",),
    "deepseek": ("deepseek",),
    "x-ai": ("xai",),
    "fireworks": ("fireworks_ai",),
    "cerebras": ("cerebras",),
}
"""Provider of `genai-prices` -> what litellm calls it."""
GENERATING = frozenset({"chat", "responses", "completion", "audio_transcription"})
TOKENS_MAX = 10_000_000


def main(arguments: Sequence[str]) -> int:
    """Write or check the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("source", type=Path, help="litellm's JSON of models")
    parser.add_argument("--as-of", required=True, help="the day of that file")
    parser.add_argument("--check", action="store_true", help="write nothing; fail where the table differs")
    options = parser.parse_args(arguments)
    old = PATH.read_text("utf-8")
    text = table(json.loads(options.source.read_text("utf-8")), old, options.as_of)
    if text != old and not options.check:
        PATH.write_text(text, "utf-8")
    return 1 if text != old and options.check else 0


def table(entries: Mapping[str, Any], old: str, as_of: str) -> str:
    """The CSV text."""
    rows: dict[tuple[str, str], dict[str, object]] = {}
    snapshot = {provider.id: provider for provider in get_snapshot().providers}
    for ours, theirs in PROVIDERS.items():
        models = snapshot[ours].models
        for name, entry in entries.items():
            if entry.get("litellm_provider") not in theirs or entry.get("mode") not in GENERATING:
                continue
            written, window = (_tokens(entry.get(key)) for key in ("max_output_tokens", "max_input_tokens"))
            model = next((model for model in models if model.is_match(_bare(name, theirs))), None)
            if model is None or written is None:
                continue
            row = rows.setdefault((ours, model.id), dict.fromkeys(FIELDS, ""))
            row |= {"provider": ours, "model": model.id, "as_of": as_of, "source": SOURCE}
            row["max_output_tokens"] = max(written, int(str(row["max_output_tokens"] or 0)))
            known = max(window or 0, model.context_window or 0, int(str(row["context_window"] or 0)))
            row["context_window"] = known or ""
    for kept in csv.DictReader(old.splitlines()):
        key = (kept["provider"], kept["model"])
        row = rows.get(key, {})
        if kept["source"] != SOURCE and int(kept["max_output_tokens"]) >= int(str(row.get("max_output_tokens") or 0)):
            rows[key] = {**kept, "context_window": kept.get("context_window") or row.get("context_window", "")}
    makers = snapshot["anthropic"].models
    for (provider, name), row in rows.items():
        # What Bedrock's entries say of Claude is often older than what its maker says.
        maker = re.search(r"anthropic\.(claude-[a-z0-9-]*?)(?:-v[0-9].*)?$", name) if provider == "aws" else None
        same = next((model for model in makers if maker and model.is_match(maker[1])), None)
        known = rows.get(("anthropic", same.id)) if same is not None else None
        if known is not None:
            most = max(int(str(known["max_output_tokens"])), int(str(row["max_output_tokens"])))
            row["max_output_tokens"] = most
    out = io.StringIO()
    writer = csv.DictWriter(out, FIELDS, lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows[key] for key in sorted(rows))
    return out.getvalue()


def _bare(name: str, providers: tuple[str, ...]) -> str:
    for provider in providers:
        name = name.removeprefix(f"{provider}/")
    return name.lower()


def _tokens(value: object) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) and 0 < value <= TOKENS_MAX else None


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
