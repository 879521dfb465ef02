"""What a chat may do with a question: everything is checked here and in the engine, nothing in the chat."""

from __future__ import annotations

from typing import Protocol


class Answering(Protocol):
    """Takes answers out of a chat. Both may be called from any thread and block; both raise `ComptrollerError` with
    words for the person. `thread` is what the channel called the message whose button was pressed."""

    def approve(self, *, channel: str, thread: str, approval: str, member: str) -> str:
        """A yes of the chat's `member`. Returns what became of it, in words."""
        ...

    def reject(self, *, channel: str, thread: str, approval: str, member: str, comment: str) -> str:
        """A no, with its reason. Returns what became of it, in words."""
        ...
