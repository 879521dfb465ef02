"""Pictures, films and speech: priced by the piece, the second and the character, where the request says how many."""

from __future__ import annotations

import csv
from collections.abc import Callable, Mapping
from decimal import Decimal, InvalidOperation
from functools import cache
from importlib.resources import files
from types import MappingProxyType

from comptroller.core.action import Action, Value
from comptroller.core.estimate import USD_MICROS_PER_USD
from comptroller.price.catalogue import whole_micros
from comptroller.price.model_lists import find_model, price_lists, rates

PICTURES_MAX = 16
SECONDS_MAX = 60
IMAGE_INPUT_TOKENS = 50_000
DOLLARS_A_PARTIAL = Decimal("0.01")
"""Each picture that is shown while it is made adds 100 tokens of output: at most this much."""
DEFAULT_MODELS = {"images:create_variation": "dall-e-2", "videos:create": "sora-2"}
SAMPLES_DEFAULT = 4
SECONDS_DEFAULT = 8

UNKNOWN_BASIS = "no bound on what this costs is known"
Priced = tuple[int | None, str]


def media_micros(action: Action) -> Priced:
    """(micro-dollars at most, where from) of a call that makes or reads pictures, films or speech; (None, why) where
    the request does not bound it."""
    family, _, operation = action.operation.partition(":")
    price = _FORMULAS.get(operation.removeprefix("openai."))
    if price is None or family not in ("openai", "gemini"):
        return None, UNKNOWN_BASIS
    return price(action, family, operation.removeprefix("openai."))


def _pictures(action: Action, family: str, operation: str) -> Priced:
    members = action.parameters
    model = str(members.get("model") or DEFAULT_MODELS.get(operation, ""))
    count, partial = _count(members.get("n"), 1, PICTURES_MAX), _count(members.get("partial_images"), 0, PICTURES_MAX)
    unit = _unit("openai", model, "image", str(members.get("quality") or ""), str(members.get("size") or ""))
    known = frozenset(members) <= _PICTURE_MEMBERS | {name for name in members if name.startswith("@")}
    if family != "openai" or unit is None or count is None or partial is None or not known:
        return None, f"no price for a picture by `{model}` is known"
    usd = (unit + DOLLARS_A_PARTIAL * partial) * count
    if model.startswith("gpt-image"):
        read = _image_input_usd(model, action)
        if read is None:
            return None, f"no price for what `{model}` reads is known"
        usd += read
    return whole_micros(usd * USD_MICROS_PER_USD), f"OpenAI, {count} pictures by {model}"


def _image_input_usd(model: str, action: Action) -> Decimal | None:
    """What the prompt and the pictures that go in may cost."""
    found = find_model("openai", model)
    pairs = [rates(prices) for prices in price_lists(found, "openai", {})] if found is not None else []
    dear = max((pair[0] for pair in pairs if pair is not None), default=None)
    if dear is None:
        return None
    uploads = sum(1 for name in action.parameters if name.startswith("@content."))
    if any(name in action.parameters for name in ("images", "@body")):
        return None
    uploaded = sum(len(value) for value in action.parameters.values() if isinstance(value, bytes))
    text = max(0, action.call.payload_bytes - uploaded)
    return dear * (text + 1024 + IMAGE_INPUT_TOKENS * uploads) / 1_000_000


_PICTURE_MEMBERS = frozenset(
    {"model", "prompt", "n", "quality", "size", "style", "response_format", "user", "background", "moderation", "image"}
    | {"output_compression", "output_format", "partial_images", "stream", "mask", "input_fidelity", "image[]", "mask[]"}
)


def _speech(action: Action, family: str, operation: str) -> Priced:
    members = action.parameters
    model, text = str(members.get("model") or ""), members.get("input")
    unit = _unit("openai", model, "character", "", "")
    if family != "openai" or unit is None or not isinstance(text, str):
        return None, f"no price for speech by `{model}` is known"
    return whole_micros(unit * len(text) * USD_MICROS_PER_USD), f"OpenAI, {len(text):,} characters by {model}"


def _transcription(action: Action, family: str, operation: str) -> Priced:
    model = str(action.parameters.get("model") or "")
    unit = _unit("openai", model, "call", "", "")
    if family != "openai" or unit is None:
        return None, f"nobody can say how long the recording for `{model}` is"
    return whole_micros(unit * USD_MICROS_PER_USD), f"OpenAI, the longest recording that {model} takes"


def _film(action: Action, family: str, operation: str) -> Priced:
    members = action.parameters
    model = str(members.get("model") or DEFAULT_MODELS[operation])
    seconds = _count(members.get("seconds"), 4, SECONDS_MAX)
    unit = _unit("openai", model, "second", "", str(members.get("size") or ""))
    if family != "openai" or unit is None or seconds is None or "@body" in members:
        return None, f"no price for a film by `{model}` is known"
    return whole_micros(unit * seconds * USD_MICROS_PER_USD), f"OpenAI, {seconds} seconds by {model}"


def _predict(action: Action, family: str, operation: str) -> Priced:
    """Imagen by the picture, Veo by the second of each film."""
    model = action.resources[0] if action.resources else ""
    instances, wanted = action.parameters.get("instances"), action.parameters.get("parameters")
    options: Mapping[str, Value] = wanted if isinstance(wanted, Mapping) else {}
    films = operation.endswith("LongRunning")
    unit = _unit("gemini", model, "second" if films else "image", "", "")
    samples = _count(options.get("sampleCount", options.get("sample_count")), SAMPLES_DEFAULT, PICTURES_MAX)
    seconds = _count(options.get("durationSeconds", options.get("duration_seconds")), SECONDS_DEFAULT, SECONDS_MAX)
    if unit is None or samples is None or seconds is None or not isinstance(instances, list):
        return None, f"no price for `{model}` is known"
    pieces = samples * max(1, len(instances)) * (seconds if films else 1)
    return whole_micros(unit * pieces * USD_MICROS_PER_USD), f"Gemini, {pieces} {'seconds' if films else 'pictures'}"


_FORMULAS: Mapping[str, Callable[[Action, str, str], Priced]] = {
    "images:generate": _pictures,
    "images:edit": _pictures,
    "images:create_variation": _pictures,
    "audio.speech:create": _speech,
    "audio.transcriptions:create": _transcription,
    "videos:create": _film,
    "models:predict": _predict,
    "models:predictLongRunning": _predict,
}


def _unit(provider: str, model: str, unit: str, quality: str, size: str) -> Decimal | None:
    """Dollars a unit: the row of this very quality and size, else the one for any, which is the dearest."""
    known = _units()
    for key in ((quality, size), (quality, ""), ("", size), ("", "")):
        found = known.get((provider, model, unit, *key))
        if found is not None:
            return found
    return None


@cache
def _units() -> Mapping[tuple[str, str, str, str, str], Decimal]:
    text = (files(__package__) / "data" / "model_units.csv").read_text("utf-8")
    return MappingProxyType(
        {
            (row["provider"], row["model"], row["unit"], row["quality"], row["size"]): Decimal(row["usd"])
            for row in csv.DictReader(text.splitlines())
        }
    )


def _count(value: Value, default: int, most: int) -> int | None:
    """A count as JSON or a form writes it; None where it is none, or more than anybody sells."""
    if value is None:
        return default
    if isinstance(value, bool) or not isinstance(value, int | str | Decimal):
        return None
    try:
        number = Decimal(str(value))
    except InvalidOperation:
        return None
    if not number.is_finite() or number % 1 or not 0 <= number <= most:
        return None
    return int(number)
