"""`comptroller.yaml` as text: plain YAML only, duplicate keys and aliases refused, every mistake with its line."""

from __future__ import annotations

from collections.abc import Collection, Mapping

import yaml

from comptroller.core.config import Config, parse_config
from comptroller.core.errors import ConfigError

CONFIG_BYTES_MAX = 1 << 20


class _Loader(yaml.SafeLoader):
    """Plain data only; a key may not appear twice."""


def _mapping(loader: yaml.SafeLoader, node: yaml.MappingNode) -> dict[object, object]:
    seen: set[object] = set()
    for key_node, _ in node.value:
        key = loader.construct_object(key_node, deep=True)
        line = key_node.start_mark.line + 1
        if not isinstance(key, str | int):
            raise ConfigError(f":{line}: a key must be text")
        if key in seen:
            raise ConfigError(f":{line}: `{key}` appears twice")
        seen.add(key)
    return loader.construct_mapping(node, deep=True)


_Loader.add_constructor(yaml.resolver.BaseResolver.DEFAULT_MAPPING_TAG, _mapping)


def parse_config_text(raw: bytes, *, origin: str, services: Collection[str] = ()) -> Config:
    """Parse and check the bytes of a configuration file named `origin`. Raises `ConfigError` with file and line.

    `services` are the names that `services/NAME.yaml` beside it add to the known ones.
    """
    document, lines = parse_yaml(raw, origin=origin, bytes_max=CONFIG_BYTES_MAX)
    return parse_config(document, origin=origin, lines=lines, services=services)


def parse_yaml(raw: bytes, *, origin: str, bytes_max: int) -> tuple[object, Mapping[str, int]]:
    """Plain YAML as a value, and dotted path -> line of every key and item. Raises `ConfigError` with file and line."""
    if len(raw) > bytes_max:
        raise ConfigError(f"{origin}: larger than {bytes_max} bytes")
    try:
        text = raw.decode("utf-8")
        for event in yaml.parse(text, Loader=yaml.SafeLoader):
            if isinstance(event, yaml.AliasEvent):
                raise ConfigError(
                    f":{event.start_mark.line + 1 if event.start_mark else 1}: YAML aliases are not supported",
                    hint="write the values out",
                )
        document = yaml.load(text, Loader=_Loader)  # noqa: S506 - a subclass of SafeLoader
        node = yaml.compose(text, Loader=yaml.SafeLoader)
    except ConfigError as error:
        raise ConfigError(f"{origin}{error.message}", hint=error.hint) from error
    except UnicodeDecodeError as error:
        raise ConfigError(f"{origin}: not UTF-8 text") from error
    except (yaml.YAMLError, RecursionError, ValueError) as error:
        mark = getattr(error, "problem_mark", None)
        line = f":{mark.line + 1}" if mark else ""
        problem = getattr(error, "problem", None) or "it cannot be read"
        raise ConfigError(f"{origin}{line}: not YAML: {problem}", hint="check indentation and quotes there") from error
    return document, _lines(node)


def _lines(node: yaml.Node | None, path: str = "") -> dict[str, int]:
    """Dotted path -> line number of every key and item."""
    found: dict[str, int] = {}
    if isinstance(node, yaml.MappingNode):
        for key_node, value_node in node.value:
            child = f"{path}.{key_node.value}" if path else str(key_node.value)
            found[child] = key_node.start_mark.line + 1
            found |= _lines(value_node, child)
    elif isinstance(node, yaml.SequenceNode):
        for number, item in enumerate(node.value):
            child = f"{path}.{number}"
            found[child] = item.start_mark.line + 1
            found |= _lines(item, child)
    return found
