"""`console.oidc` of `comptroller.yaml`: an OpenID provider at which people sign in, and what its groups mean here."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from ipaddress import ip_address
from typing import Annotated, Literal, Self
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, field_validator, model_validator

from comptroller.core.role import Role

_Name = Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9-]{0,62}$")]
_Text = Annotated[str, StringConstraints(min_length=1, max_length=500, pattern=r"^[^\x00-\x1f]+$")]
GROUPS_MAX = 200
SUBJECTS_MAX = 10_000


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)


class OidcSecretConfig(_Part):
    """Where the client's secret lies: never in this file, which agents can read."""

    source: Literal["env", "file"]
    variable: str | None = None
    path: str | None = None

    @model_validator(mode="after")
    def _source(self) -> Self:
        needed = {"env": "variable", "file": "path"}[self.source]
        if getattr(self, needed) is None:
            raise ValueError(f"source `{self.source}` needs `{needed}`")
        return self


class OidcGroupConfig(_Part):
    """What membership in one of the provider's groups gives: our groups, and roles."""

    groups: tuple[_Name, ...] = Field(default=(), strict=False)
    roles: tuple[Annotated[Role, Field(strict=False)], ...] = Field(default=(), strict=False)


class OidcConfig(_Part):
    """An OpenID provider. Who somebody is: by `subjects`, its own identifiers (`sub`), which it never gives to another;
    or by `people_claim`, one that people cannot change themselves. `groups_claim` lists their groups there, `groups`
    says what those mean here. Who is neither named in `people` nor in one of `groups` is not let in."""

    issuer: str
    client_id: _Text
    client_secret: OidcSecretConfig
    subjects: Mapping[_Text, _Name] = Field(default_factory=dict, max_length=SUBJECTS_MAX)
    people_claim: _Text | None = None
    groups_claim: _Text = "groups"
    scopes: tuple[_Text, ...] = Field(default=("openid", "profile"), strict=False, max_length=20)
    groups: Mapping[_Text, OidcGroupConfig] = Field(default_factory=dict, max_length=GROUPS_MAX)

    @field_validator("issuer")
    @classmethod
    def _issuer(cls, value: str) -> str:
        parts = urlsplit(value)
        if parts.query or parts.fragment or not parts.hostname or parts.username is not None:
            raise ValueError(f"`{value}` is no issuer such as https://id.example.com")
        if parts.scheme != "https" and not (parts.scheme == "http" and _loopback(parts.hostname)):
            raise ValueError(f"`{value}`: an issuer is reached by https")
        return value

    @field_validator("scopes")
    @classmethod
    def _scopes(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        return value if "openid" in value else ("openid", *value)

    @model_validator(mode="after")
    def _who(self) -> Self:
        if (self.people_claim is None) is not bool(self.subjects):
            raise ValueError(
                "say who somebody is, in one way: `subjects` (the provider's `sub` -> a person), or `people_claim`, "
                "a claim that people cannot change (with many providers they can change `preferred_username`)"
            )
        return self

    def means(self, said: Sequence[str]) -> tuple[frozenset[str], frozenset[Role]]:
        """Our groups and roles of somebody who is in the provider's groups `said`."""
        known = [self.groups[name] for name in said if name in self.groups]
        groups = frozenset(group for each in known for group in each.groups)
        return groups, frozenset(role for each in known for role in each.roles)


def _loopback(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
