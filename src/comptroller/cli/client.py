"""The command line's end of the control socket: HTTP and JSON, problems turned back into our errors."""

from __future__ import annotations

import json
import socket
from collections.abc import Callable, Mapping
from http import HTTPStatus
from pathlib import Path
from typing import Any, TypeVar

import click

from comptroller.core.errors import (
    ComptrollerError,
    ConflictError,
    MissingError,
    RefusedError,
    StoreError,
    UsageError,
)
from comptroller.server.place import Paths, find_config

TIMEOUT_SECONDS = 60.0
F = TypeVar("F", bound=Callable[..., Any])


def config_option(command: F) -> F:
    """`--config`: which installation is meant."""
    return click.option(
        "--config",
        "config",
        type=click.Path(path_type=Path),
        envvar="COMPTROLLER_CONFIG",
        help="Path of comptroller.yaml; by default the nearest one here or above.",
    )(command)


def json_option(command: F) -> F:
    """`--json`: for scripts."""
    return click.option("--json", "as_json", is_flag=True, help="Print JSON.")(command)


def config_path(config: Path | None) -> Path:
    """The configuration that is meant. Raises `ConfigError` where there is none."""
    return config.resolve() if config is not None and config.is_file() else find_config(config)


class Client:
    """Talks to the `serve` of one installation. Use it as a context manager."""

    def __init__(self, config: Path | None) -> None:
        self._config = config_path(config)
        path = str(Paths.of(self._config).control_socket)
        self._reach(path)
        import httpx  # a third of the time `comptroller run` takes to start, which has no use for it

        self._http = httpx.Client(
            transport=httpx.HTTPTransport(uds=path), base_url="http://comptroller", timeout=TIMEOUT_SECONDS
        )

    def __enter__(self) -> Client:
        return self

    def __exit__(self, *failure: object) -> None:
        self._http.close()

    def get(self, path: str, **query: str | int | float) -> Mapping[str, Any]:
        """The JSON object at `path`. Raises the error the server had."""
        return self._ask("GET", path, params=query)

    def post(self, path: str, **body: object) -> Mapping[str, Any]:
        """What `POST path` answers; members that are None are left out."""
        return self._ask("POST", path, json={name: value for name, value in body.items() if value is not None})

    def _reach(self, path: str) -> None:
        """Connect once: what is wrong shows here in the kernel's own words. Raises `MissingError`."""
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
            try:
                probe.connect(path)
            except PermissionError as error:
                raise self._away("may not be used by you") from error
            except (FileNotFoundError, ConnectionRefusedError) as error:
                raise self._away("is not running") from error
            except OSError as error:
                raise self._away(f"cannot be reached ({error})") from error

    def _ask(self, method: str, path: str, **options: Any) -> Mapping[str, Any]:
        import httpx

        try:
            response = self._http.request(method, path, **options)
            answer = response.json()
        except httpx.ConnectError as error:
            raise self._away("is not running") from error
        except (httpx.HTTPError, json.JSONDecodeError) as error:
            raise RefusedError(
                f"the server did not answer as expected ({type(error).__name__})",
                hint="see what it says: comptroller serve in the foreground",
            ) from error
        if response.is_success and isinstance(answer, dict):
            return answer
        raise _error(response.status_code, answer if isinstance(answer, dict) else {})

    def _away(self, how: str) -> MissingError:
        return MissingError(
            f"the server of `{self._config}` {how}",
            hint="comptroller serve   (comptroller run starts it by itself)",
        )


def _error(status: int, answer: Mapping[str, Any]) -> ComptrollerError:
    title, hint, kind = (str(answer.get(name) or "") for name in ("title", "hint", "kind"))
    title = title or f"the server answered with status {status}"
    if kind:
        return ConflictError(f"{title} ({kind})", kind=kind, hint=hint)
    if answer.get("exit_code") == UsageError.exit_code:
        return UsageError(title, hint=hint)
    return StoreError(title, hint=hint) if status == HTTPStatus.SERVICE_UNAVAILABLE else RefusedError(title, hint=hint)


def print_json(value: object) -> None:
    """One JSON document on standard output, ASCII only: harmless on any terminal."""
    click.echo(json.dumps(value, indent=2, ensure_ascii=True))
