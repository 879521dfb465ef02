"""Blots a credential out of an answer that gives back what it was sent, as echo and debug endpoints do."""

from __future__ import annotations

MASKED_CHARACTERS_MIN = 8
"""A shorter secret would be found in answers by chance."""


class Mask:
    """Every occurrence of `secret` becomes as many asterisks: lengths stay true. Nothing is masked for an empty one."""

    def __init__(self, secret: str) -> None:
        self._secret = secret.encode("latin-1") if len(secret) >= MASKED_CHARACTERS_MIN else b""
        self._stars = b"*" * len(self._secret)
        self._held = b""

    def whole(self, text: str) -> str:
        """`text`, which is not continued."""
        return self.once(text.encode("latin-1")).decode("latin-1")

    def once(self, data: bytes) -> bytes:
        """`data`, which is not continued."""
        return data.replace(self._secret, self._stars) if self._secret else data

    def feed(self, data: bytes) -> bytes:
        """The next bytes of a body; an end that may be the beginning of the secret is kept until more comes."""
        if not self._secret:
            return data
        data = self.once(self._held + data)
        kept = self._begun(data)
        self._held = data[len(data) - kept :]
        return data[: len(data) - kept]

    def flush(self) -> bytes:
        """The body is at its end: what was kept was no secret."""
        rest, self._held = self._held, b""
        return rest

    def _begun(self, data: bytes) -> int:
        """How many bytes at the end of `data` could be continued to the secret."""
        at = data.find(self._secret[0], max(0, len(data) - len(self._secret) + 1))
        while at >= 0:
            if self._secret.startswith(data[at:]):
                return len(data) - at
            at = data.find(self._secret[0], at + 1)
        return 0
