"""The console's own files: under an address that names their content, compressed once, kept by browsers for good."""

from __future__ import annotations

import gzip
import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from importlib import resources
from importlib.resources.abc import Traversable

from starlette.requests import Request
from starlette.responses import Response

from comptroller.server.problem import problem

TYPES = {
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
    ".wasm": "application/wasm",
}
FOREVER = "public, max-age=31536000, immutable"
COMPRESSED_BYTES_MIN = 512
VERSION_CHARS = 16


@dataclass(frozen=True, slots=True)
class File:
    """One file, as it is and compressed (empty where that is not worth it)."""

    content: bytes
    compressed: bytes
    media_type: str


class Static:
    """Every file of `server/static`. `version` changes with the content of any of them."""

    def __init__(self) -> None:
        self._files = {name: _file(name, content) for name, content in _found()}
        digest = hashlib.sha256()
        for name, file in sorted(self._files.items()):
            digest.update(f"{name}\0{len(file.content)}\0".encode() + file.content)
        self.version = digest.hexdigest()[:VERSION_CHARS]

    @property
    def names(self) -> tuple[str, ...]:
        """Every file's name."""
        return tuple(sorted(self._files))

    async def answer(self, request: Request) -> Response:
        """`GET …/static/VERSION/NAME`. An older version gets the file of today, and is not kept."""
        file = self._files.get(request.path_params["name"])
        if file is None:
            return problem(404, "there is no such file")
        headers = {"vary": "accept-encoding"}
        if request.path_params["version"] == self.version:
            headers["cache-control"] = FOREVER
        if file.compressed and "gzip" in request.headers.get("accept-encoding", ""):
            return Response(
                file.compressed, media_type=file.media_type, headers={**headers, "content-encoding": "gzip"}
            )
        return Response(file.content, media_type=file.media_type, headers=headers)


def _found() -> Iterator[tuple[str, bytes]]:
    def walk(folder: Traversable, before: str) -> Iterator[tuple[str, bytes]]:
        for item in folder.iterdir():
            if item.is_dir():
                yield from walk(item, f"{before}{item.name}/")
            elif any(item.name.endswith(ending) for ending in TYPES):
                yield f"{before}{item.name}", item.read_bytes()

    yield from walk(resources.files("comptroller.server") / "static", "")


def _file(name: str, content: bytes) -> File:
    compressed = gzip.compress(content, mtime=0) if len(content) >= COMPRESSED_BYTES_MIN else b""
    return File(
        content=content,
        compressed=compressed if len(compressed) < len(content) else b"",
        media_type=TYPES[name[name.rindex(".") :]],
    )
