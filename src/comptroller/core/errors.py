"""The one error tree. A verdict is a value, never an exception: these are for what could not be done at all.

ComptrollerError
├── UsageError            the caller asked for something that cannot be (exit 2)
│   ├── ConfigError       `comptroller.yaml`, policies or credentials are wrong
│   │   └── PolicyError   (boundary) every mistake in the Cedar files, with file and line
│   └── MissingError      the machine lacks something; the hint is the command that helps
├── RefusedError          a check failed or the state forbids it (exit 1)
│   ├── ConflictError     an answer or a grant came too late or does not fit; carries its `kind`
│   └── VerificationError the audit log does not prove what it claims
└── StoreError            the store could not make something durable: nothing was released
    ├── StoreLostError    it cannot be reached, or cannot write: others will not fare better
    └── StoreVersionError written by a newer Comptroller
"""

from __future__ import annotations


class ComptrollerError(Exception):
    """Base of all errors; `hint` is the next step for a person, `exit_code` what the CLI ends with."""

    exit_code = 1

    def __init__(self, message: str, *, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint

    def __str__(self) -> str:
        return f"{self.message}\n  {self.hint}" if self.hint else self.message


class UsageError(ComptrollerError):
    """The request itself is wrong."""

    exit_code = 2


class ConfigError(UsageError):
    """Configuration that cannot be used; the message names file and line where they are known."""


class MissingError(UsageError):
    """Something is not installed or not permitted on this machine; the hint is the one command that helps."""


class RefusedError(ComptrollerError):
    """A check failed, or the present state forbids the request."""


class ConflictError(RefusedError):
    """An answer or a grant does not fit; `kind` is one of `comptroller.core.verdict.Conflict`."""

    def __init__(self, message: str, *, kind: str, hint: str = "") -> None:
        super().__init__(message, hint=hint)
        self.kind = kind


class VerificationError(RefusedError):
    """The log, a proof or a signature does not verify."""


class StoreError(ComptrollerError):
    """The store could not make a change durable; whoever asked was not allowed anything."""


class StoreLostError(StoreError):
    """The store cannot be reached, or cannot write. `beside` tells an agent what may go on, and why this does not."""

    def __init__(self, message: str, *, hint: str = "", beside: str = "") -> None:
        super().__init__(message, hint=hint)
        self.beside = beside


class StoreVersionError(StoreError):
    """The store was written by a newer Comptroller and is left untouched."""

    exit_code = 2
