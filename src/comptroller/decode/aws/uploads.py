"""A multipart upload is one action with parts: what begins it names it, and each part says which one it carries on."""

from __future__ import annotations

import re
from collections.abc import Mapping

from comptroller.core.action import Action, Value

BEGINS = "aws:s3:CreateMultipartUpload"
PARTS = frozenset(
    {"aws:s3:UploadPart", "aws:s3:UploadPartCopy", "aws:s3:CompleteMultipartUpload", "aws:s3:AbortMultipartUpload"}
)
UPLOAD_ID_BYTES_MAX = 1024

_UPLOAD_ID = re.compile(rb"<UploadId>([A-Za-z0-9._~+/=-]{1,1024})</UploadId>")


def part_of(operation: str, parameters: Mapping[str, Value]) -> str:
    """Which upload a request carries on; empty where it is no part of one."""
    return _name(parameters, parameters.get("UploadId")) if operation in PARTS else ""


def opened(action: Action, body: bytes) -> str:
    """Which upload an answer begins; empty where it begins none, or says so twice."""
    if action.operation != BEGINS:
        return ""
    found = _UPLOAD_ID.findall(body)
    return _name(action.parameters, found[0].decode("ascii")) if len(found) == 1 else ""


def _name(parameters: Mapping[str, Value], upload_id: Value) -> str:
    """Bucket, key and upload id, each with its length: no two uploads read alike."""
    parts = (parameters.get("Bucket"), parameters.get("Key"), upload_id)
    if not all(isinstance(part, str) and part for part in parts):
        return ""
    return "s3-upload:" + ":".join(f"{len(str(part))}:{part}" for part in parts)
