"""The environment of a box, made by an allow-list: nothing the person's shell holds is inherited by accident."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping

from comptroller.core.errors import UsageError
from comptroller.enforce.sandbox import trust

HOME = "/home/agent"
SYSTEM_PATH = ("/usr/local/sbin", "/usr/local/bin", "/usr/sbin", "/usr/bin", "/sbin", "/bin")
_INHERITED = re.compile(
    r"^(LANG|LANGUAGE|LC_[A-Z]+|TERM|COLORTERM|NO_COLOR|FORCE_COLOR|CLICOLOR|TZ|COLUMNS|LINES|CI|EDITOR|PAGER"
    r"|PYTHON(UNBUFFERED|DONTWRITEBYTECODE|HASHSEED|IOENCODING|UTF8|WARNINGS|OPTIMIZE|FAULTHANDLER|NODEBUGRANGES)"
    r"|VIRTUAL_ENV|CONDA_PREFIX|CONDA_DEFAULT_ENV|AWS_REGION|AWS_DEFAULT_REGION)$"
)
_NAME = re.compile(r"^[A-Za-z_][A-Za-z0-9_]*$")
VALUE_CHARACTERS_MAX = 32768
_OURS = frozenset({"LD_PRELOAD", "LD_LIBRARY_PATH", "LD_AUDIT"})


def build(
    inherited: Mapping[str, str], given: Mapping[str, str], *, path: Iterable[str], named: Collection[str] = ()
) -> dict[str, str]:
    """The box's whole environment: what is harmless or `named` of `inherited`, our trust, then `given`, which wins.

    Raises `UsageError` for a name or value that no environment can hold.
    """
    for name in (*named, *given):
        if not _NAME.match(name) or name in _OURS:
            raise UsageError(f"`{name}` cannot be set in the box's environment")
    for name, value in given.items():
        if "\0" in value or len(value) > VALUE_CHARACTERS_MAX:
            raise UsageError(f"the value of `{name}` cannot be set in the box's environment")
    kept = {
        name: value
        for name, value in inherited.items()
        if (_INHERITED.match(name) or name in named) and "\0" not in value and len(value) <= VALUE_CHARACTERS_MAX
    }
    ours = {
        "PATH": ":".join(dict.fromkeys((*path, *SYSTEM_PATH))),
        "HOME": HOME,
        "USER": "agent",
        "LOGNAME": "agent",
        "SHELL": "/bin/sh",
        "TMPDIR": "/tmp",  # noqa: S108  the box's own
        "HOSTNAME": "box",
        "COMPTROLLER": "1",
        "AWS_EC2_METADATA_DISABLED": "true",
        **trust.ENVIRONMENT,
    }
    return {"LANG": "C.UTF-8", **kept, **ours, **given}


def aws_files(environment: Mapping[str, str]) -> dict[str, str]:
    """Files below the home that hold the AWS placeholders of `environment`, for programs that read only files."""
    key, secret = environment.get("AWS_ACCESS_KEY_ID"), environment.get("AWS_SECRET_ACCESS_KEY")
    if not key or not secret:
        return {}
    lines = ["[default]", f"aws_access_key_id = {key}", f"aws_secret_access_key = {secret}"]
    if token := environment.get("AWS_SESSION_TOKEN"):
        lines.append(f"aws_session_token = {token}")
    files = {".aws/credentials": "\n".join(lines) + "\n"}
    if region := environment.get("AWS_REGION") or environment.get("AWS_DEFAULT_REGION"):
        files[".aws/config"] = f"[default]\nregion = {region}\n"
    return files
