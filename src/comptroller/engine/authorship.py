"""Who last changed the policies, so that a rule can exclude them: written down by whoever takes the change over."""

from __future__ import annotations

from datetime import datetime

from comptroller.core.document import Document, DocumentKind
from comptroller.ports import Store

AUTHORSHIP = "policy-author"
"""The document's id and scope."""


def authored(by: str, *, policy_hash: str, at: datetime) -> Document:
    """The document that says so: part of the same commit as the entry of the change."""
    body = {"v": 1, "by": by, "policies": policy_hash}
    return Document(id=AUTHORSHIP, kind=DocumentKind.SETTING, scope=AUTHORSHIP, open=True, at=at, body=body)


async def author_of(store: Store) -> str:
    """Their name; empty while nobody is known."""
    document = await store.document(AUTHORSHIP)
    return str(document.body.get("by", "")) if document is not None else ""
