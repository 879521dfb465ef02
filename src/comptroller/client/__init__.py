"""A typed client of the API, for scripts: a method for every endpoint, dictionaries whose members are known."""

from __future__ import annotations

from collections.abc import Iterator

from comptroller.client.calls import Calls, Entry
from comptroller.client.http import ApiError

__all__ = ["ApiError", "Client"]

STREAM_WAIT_SECONDS = 25.0


class Client(Calls):
    """One server: `Client(url, token=…)` over TCP, `Client.from_socket(path)` on its own machine."""

    def stream(self, *, after: int = -1, run: str | None = None) -> Iterator[Entry]:
        """Entries above index `after` (of one run), and then every new one as it comes. Never ends by itself."""
        while True:
            page = self.list_entries(after=after, run=run, wait=STREAM_WAIT_SECONDS)
            yield from page["entries"]
            after = page["next"]
