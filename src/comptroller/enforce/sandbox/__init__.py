"""The box: one command that sees only its workspace and whose only way out are sockets that are ours."""

from __future__ import annotations

from comptroller.enforce.sandbox.box import Box, BoxSocket
from comptroller.enforce.sandbox.external_unsafe import External
from comptroller.enforce.sandbox.probe import preflight
from comptroller.enforce.sandbox.unboxed_unsafe import Unboxed
from comptroller.enforce.sandbox.view import BoxSpec, check_workspace

__all__ = ["Box", "BoxSocket", "BoxSpec", "External", "Unboxed", "check_workspace", "preflight"]
