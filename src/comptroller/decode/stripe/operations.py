"""Stripe's operations by method and path, and their classes: what moves money, changes rights or shows a secret.

Paths and names come from the index in `data/` (see `tools/build_stripe_index.py`); the classes are reviewed by hand
against Stripe's API reference of version 2026-10-28.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from types import MappingProxyType

from comptroller.core.action import ActionClass

READ, WRITE, PAY = ActionClass.READ, ActionClass.WRITE, ActionClass.PAY
ENTITLE, REVEAL, DESTROY = ActionClass.ENTITLE, ActionClass.REVEAL, ActionClass.DESTROY
COMMUNICATE, BLIND = ActionClass.COMMUNICATE, ActionClass.BLIND

PATH_SEGMENTS_MAX = 10

_PAY = """
application_fees.refunds:create billing.credit_grants:create charges:capture charges:create climate.orders:create
coupons:create credit_notes:create customers.balance_transactions:create disputes:close invoiceitems:create
invoiceitems:update invoices.lines:update invoices:add_lines invoices:attach_payment invoices:create invoices:finalize
invoices:pay invoices:update invoices:update_lines issuing.authorizations:approve payment_intents:apply_customer_balance
payment_intents:capture payment_intents:confirm payment_intents:create payment_intents:increment_authorization
payment_intents:update payouts:create payouts:reverse promotion_codes:create quotes:accept refunds:create
subscription_items:create subscription_items:update subscription_schedules:create subscription_schedules:update
subscriptions:create subscriptions:migrate subscriptions:resume subscriptions:update
terminal.readers:collect_payment_method terminal.readers:confirm_payment_intent terminal.readers:process_payment_intent
terminal.readers:refund_payment topups:create transfers.reversals:create transfers:create
treasury.credit_reversals:create treasury.debit_reversals:create treasury.inbound_transfers:create
treasury.outbound_payments:create treasury.outbound_transfers:create
v2.money_management.inbound_transfers:create v2.money_management.outbound_payments:create
v2.money_management.payout_intents:create v2.money_management.payout_intents:update
v2.money_management.payout_intents:confirm v2.money_management.payout_intents:refresh_fx_quote
v2.core.vault.us_bank_accounts:send_microdeposits
"""
_ENTITLE = """
account_links:create account_sessions:create accounts.capabilities:update accounts.external_accounts:create
accounts.external_accounts:update accounts.login_links:create accounts.persons:create accounts.persons:update
accounts:create accounts:reject accounts:unreject accounts:update apple_pay.domains:create apps.installs:create
apps.installs:update balance_settings:update billing_portal.configurations:create billing_portal.configurations:update
billing_portal.sessions:create customer_sessions:create customers.cash_balance:update ephemeral_keys:create
issuing.cardholders:create issuing.cardholders:update issuing.cards:create issuing.cards:update issuing.tokens:update
payment_method_configurations:create payment_method_configurations:update payment_method_domains:create
terminal.connection_tokens:create terminal.onboarding_links:create treasury.financial_accounts.features:update
treasury.financial_accounts:create treasury.financial_accounts:update webhook_endpoints:create
webhook_endpoints:update oauth:token
v2.core.account_links:create v2.core.account_tokens:create v2.core.accounts:create v2.core.accounts:update
v2.core.accounts:close v2.core.accounts.person_tokens:create v2.core.accounts.persons:create
v2.core.accounts.persons:update v2.core.event_destinations:create v2.core.event_destinations:update
v2.core.event_destinations:enable v2.core.vault.gb_bank_accounts:create v2.core.vault.gb_bank_accounts:unarchive
v2.core.vault.us_bank_accounts:create v2.core.vault.us_bank_accounts:update
v2.core.vault.us_bank_accounts:confirm_microdeposits v2.core.vault.us_bank_accounts:unarchive
v2.money_management.financial_accounts:update v2.money_management.financial_addresses:create
v2.money_management.outbound_setup_intents:create v2.money_management.outbound_setup_intents:update
v2.money_management.payout_methods:unarchive
"""
_REVEAL = """
account_links:create account_sessions:create accounts.login_links:create apps.secrets:find
billing_portal.sessions:create customer_sessions:create ephemeral_keys:create file_links:create
forwarding.requests:create
terminal.connection_tokens:create terminal.onboarding_links:create webhook_endpoints:create oauth:token
v2.billing.meter_event_session:create v2.core.account_links:create v2.core.event_destinations:create
"""
_DESTROY = """
accounts:reject apps.installs:uninstall apps.secrets:delete billing.credit_grants:void credit_notes:void disputes:close
identity.verification_sessions:redact invoices:mark_uncollectible invoices:void subscription_schedules:cancel
treasury.financial_accounts:close oauth:deauthorize v2.core.accounts:close
"""
_COMMUNICATE = "forwarding.requests:create invoices:send quotes:finalize"
_BLIND = """
billing.alerts:archive billing.alerts:deactivate radar.value_list_items:create radar.value_list_items:delete
radar.value_lists:delete radar.value_lists:update reviews:approve webhook_endpoints:delete webhook_endpoints:update
v2.core.event_destinations:delete v2.core.event_destinations:disable v2.core.event_destinations:update
v2.money_management.recipient_verifications:acknowledge
"""
_ADDED: tuple[tuple[ActionClass, str], ...] = (
    (PAY, _PAY),
    (ENTITLE, _ENTITLE),
    (REVEAL, _REVEAL),
    (DESTROY, _DESTROY),
    (COMMUNICATE, _COMMUNICATE),
    (BLIND, _BLIND),
)
MOVING_MEMBERS = frozenset(
    {"transfer_data", "on_behalf_of", "application_fee", "application_fee_amount", "application_fee_percent", "balance"}
)
"""Members, however deep, that say who receives money later, or give it: an operation with one is no plain write."""
_NOT_A_WRITE = frozenset({"stripe:invoices:create_preview"})
"""POST requests that change nothing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Operation:
    """One operation. `shape` has `{}` for each id in the path."""

    name: str
    method: str
    shape: str
    classes: frozenset[ActionClass]


@cache
def operations() -> Mapping[str, Operation]:
    """Every known operation by name (`stripe:transfers:create`)."""
    document = json.loads((files(__package__) / "data/operations.json").read_text("utf-8"))
    added: dict[str, set[ActionClass]] = {}
    for cls, names in _ADDED:
        for name in names.split():
            added.setdefault(f"stripe:{name}", set()).add(cls)
    found: dict[str, Operation] = {}
    for method, shape, name in document["operations"]:
        found[name] = Operation(name=name, method=method, shape=shape, classes=_classes(method, name, added))
    return MappingProxyType(found)


def _classes(method: str, name: str, added: Mapping[str, set[ActionClass]]) -> frozenset[ActionClass]:
    more = added.get(name, set())
    if method == "GET" or name in _NOT_A_WRITE:
        return frozenset({READ, *more})
    if method == "DELETE":
        return frozenset({DESTROY, *more})
    # A change of who may do what, or a payment, is not also a plain write that a wide permit would let through.
    return frozenset(more) if more & {PAY, ENTITLE, DESTROY, COMMUNICATE} else frozenset({WRITE, *more})


def with_members(classes: frozenset[ActionClass], names: Iterable[str]) -> frozenset[ActionClass]:
    """The classes of a request that changes something, given every member it names: some decide where money goes."""
    if WRITE not in classes or MOVING_MEMBERS.isdisjoint(names):
        return classes
    return classes - {WRITE} | {PAY}


@cache
def _by_path() -> Mapping[tuple[str, int], tuple[tuple[tuple[str, ...], Operation], ...]]:
    table: dict[tuple[str, int], list[tuple[tuple[str, ...], Operation]]] = {}
    for operation in operations().values():
        segments = tuple(operation.shape.split("/")[1:])
        table.setdefault((operation.method, len(segments)), []).append((segments, operation))
    for rows in table.values():
        rows.sort(key=lambda row: [segment == "{}" for segment in row[0]])
    return {key: tuple(rows) for key, rows in table.items()}


def find_operation(method: str, path: str) -> tuple[Operation, tuple[str, ...]] | None:
    """The operation of a method and path, with the ids in it; a literal segment wins over an id."""
    segments = path.split("/")[1:]
    if len(segments) > PATH_SEGMENTS_MAX:
        return None
    for shape, operation in _by_path().get((method, len(segments)), ()):
        if all(wanted in ("{}", segment) for wanted, segment in zip(shape, segments, strict=True)):
            return operation, tuple(s for w, s in zip(shape, segments, strict=True) if w == "{}")
    return None
