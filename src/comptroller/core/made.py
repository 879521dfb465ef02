"""What a response proves now exists and may cost while it lives, what can be done about it, and what became of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum


@dataclass(frozen=True, slots=True, kw_only=True)
class Made:
    """One thing that an action brought about.

    `kind` is the service's own word for it (`aws:ec2:instance`, `kubernetes:apps/deployments`,
    `azure:Microsoft.Compute/virtualMachines`); `resource` how that service names it (`i-0abc`, an ARN where only that
    works, `namespace/name`; where several names are needed they are joined by `/`). Account, region and endpoint are
    those of the action, never what a response claims. `share` is how many of the action's `quantity` it stands for; 0
    where its cost lies within that of another. `created` is False where it existed before and was only started or
    enlarged.
    """

    kind: str
    resource: str
    account: str
    region: str
    endpoint: str
    share: int = field(default=1, compare=False)
    created: bool = field(default=True, compare=False)

    @property
    def key(self) -> tuple[str, ...]:
        """What makes it the same thing as another: a cloud has several endpoints, a cluster is its endpoint."""
        place = self.endpoint if self.family not in ("aws", "gcp", "azure", "stripe") else ""
        return (self.kind, self.resource, self.account, self.region, place)

    @property
    def family(self) -> str:
        """The codec that knows it: `aws`, `kubernetes`, `gcp`, `azure`, `stripe`."""
        return self.kind.partition(":")[0]


class Way(StrEnum):
    """What can be asked about a thing. Stop: most of its cost ends and it can be started again; delete: it is gone."""

    STOP = "stop"
    DELETE = "delete"
    LOOK = "look"


class Liveness(StrEnum):
    """What an answer says about a thing. `GONE`: it is no more, or it has ended for good (a job that is done)."""

    LIVE = "live"
    STOPPED = "stopped"
    GONE = "gone"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True, kw_only=True)
class Ended:
    """Something that an agent's own action asked to stop or delete. Whether it ended, a look says: many take long."""

    made: Made
    way: Way


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """Something that a listing shows, and its tags: ours by our own keys, values as the service spells them."""

    made: Made
    tags: Mapping[str, str] = field(default_factory=dict)
