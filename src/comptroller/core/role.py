"""Roles of people and the rights they carry. Who may answer a question is said by its rule besides."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from enum import StrEnum
from types import MappingProxyType


class Role(StrEnum):
    """What a person is to an installation."""

    VIEWER = "viewer"
    APPROVER = "approver"
    OPERATOR = "operator"
    POLICY_AUTHOR = "policy-author"
    ADMINISTRATOR = "administrator"
    AUDITOR = "auditor"


class Right(StrEnum):
    """What may be done.

    `read`: see what happens. `answer`: say yes or no to a question, as its rule allows. `stop`: freeze, kill, stop a
    holding. `operate`: let go on, set budgets, settle, confirm prices, adopt, forget and delete holdings. `author`: try
    and change policies. `administer`: people, roles, tokens of others, settings, the server itself. `audit`: what lies
    beside the leaves, proofs, samples, exports.
    """

    READ = "read"
    ANSWER = "answer"
    STOP = "stop"
    OPERATE = "operate"
    AUTHOR = "author"
    ADMINISTER = "administer"
    AUDIT = "audit"


ROLE_RIGHTS: Mapping[Role, frozenset[Right]] = MappingProxyType(
    {
        Role.VIEWER: frozenset({Right.READ}),
        Role.APPROVER: frozenset({Right.READ, Right.ANSWER, Right.STOP}),
        Role.OPERATOR: frozenset({Right.READ, Right.STOP, Right.OPERATE}),
        Role.POLICY_AUTHOR: frozenset({Right.READ, Right.AUTHOR}),
        Role.ADMINISTRATOR: frozenset({Right.READ, Right.STOP, Right.ADMINISTER}),
        Role.AUDITOR: frozenset({Right.READ, Right.AUDIT}),
    }
)
"""Nobody gains a right from a role that does not name it: an administrator who may answer is an approver too."""

ROLES_DEFAULT = (Role.APPROVER,)
"""Of a configured person whose roles are not written down."""


def rights_of(roles: Iterable[Role]) -> frozenset[Right]:
    """Everything that these roles together may do."""
    return frozenset(right for role in roles for right in ROLE_RIGHTS[role])
