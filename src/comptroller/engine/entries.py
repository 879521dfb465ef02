"""Drafts of log entries: what goes into the leaf, and what is kept salted beside it."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from datetime import datetime

from comptroller.core.action import Action, Payment, Uncanonical, canonical
from comptroller.core.audit import PRIVATE_FIELD_BYTES_MAX, EntryDraft, EntryKind, PrivateField
from comptroller.core.estimate import Estimate, Unit
from comptroller.core.jcs import NotJson
from comptroller.core.secrecy import redacted, scrubbed
from comptroller.core.verdict import Verdict
from comptroller.ports import Ids


class Scribe:
    """Drafts entries; `ids` gives the salts."""

    def __init__(self, ids: Ids) -> None:
        self._ids = ids

    def draft(
        self,
        kind: EntryKind,
        *,
        at: datetime,
        agent: str = "",
        run: str = "",
        body: Mapping[str, object] | None = None,
        private: Mapping[str, object] | None = None,
    ) -> EntryDraft:
        """One entry; members of `private` become salted hashes in the leaf."""
        fields = tuple(
            self._private(name, value) for name, value in sorted((private or {}).items()) if value not in (None, "", [])
        )
        return EntryDraft(kind=kind, at=at, agent=agent, run=run, body=body or {}, private=fields)

    def _private(self, name: str, value: object) -> PrivateField:
        """A value fit to lie beside a leaf: canonical JSON, replaced by hash and length where it is too large."""
        salt = self._ids.salt()
        try:
            item = PrivateField(name=name, salt=salt, value=canonical(value))
        except (Uncanonical, NotJson) as error:
            return PrivateField(name=name, salt=salt, value={"$uncanonical": str(error)})
        if len(item.encoded) <= PRIVATE_FIELD_BYTES_MAX:
            return item
        summary = {"$sha256": hashlib.sha256(item.encoded).hexdigest(), "$length": len(item.encoded)}
        return PrivateField(name=name, salt=salt, value=summary)


def action_body(action: Action, digest: str, estimate: Estimate, verdict: Verdict) -> dict[str, object]:
    """The leaf's account of one judged action: no parameter value, no free text of the agent's."""
    return {
        "operation": action.operation,
        "classes": sorted(action.classes),
        "service": action.service,
        "account": action.account,
        "region": action.region,
        "endpoint": action.endpoint,
        "resources": len(action.resources),
        "quantity": action.quantity,
        "digest": digest,
        "estimate": estimate_body(estimate),
        "verdict": verdict.kind.value,
        "rules": list(verdict.rules),
        "reasons": [{"code": reason.code, "text": reason.text, "rule": reason.rule} for reason in verdict.reasons],
    }


def action_private(action: Action, sentence: str) -> dict[str, object]:
    """What lies beside the leaf: parameters without their secrets, resources, sentence, payment, why it is unknown."""
    return {
        "parameters": redacted(action.parameters, action.sensitive),
        "resources": [scrubbed(name) for name in action.resources],
        "sentence": sentence,
        "undecodable": action.reason,
        "payment": None if action.payment is None else payment_body(action.payment),
    }


def payment_body(payment: Payment) -> dict[str, object]:
    """What is paid to whom, so that other policies can be asked about it later."""
    return {
        "amount_minor": payment.amount_minor,
        "currency": payment.currency,
        "payee": scrubbed(payment.payee),
        "direction": payment.direction,
        "reversible": payment.reversible,
    }


def estimate_body(estimate: Estimate) -> dict[str, object]:
    """Bounds as `{unit: [low, high]}`, with term and basis."""
    return {
        "bounds": {unit.value: [bound.low, bound.high] for unit, bound in estimate.bounds.items()},
        "term_seconds": estimate.term_seconds,
        "basis": estimate.basis,
    }


def amounts_body(amounts: Mapping[Unit, int]) -> dict[str, int]:
    """Amounts by unit name."""
    return {unit.value: amount for unit, amount in amounts.items()}
