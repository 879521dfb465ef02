"""A typed method for every endpoint, written by `python -m tools.build_client` from their table."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Literal, NotRequired, TypedDict, cast

from comptroller.client.http import Http


class Applied(TypedDict):
    """What is in force now."""

    file: str
    policies: str
    policies_before: str


class Approval(TypedDict):
    """One question with everything a person needs to answer it. Amounts are upper bounds."""

    id: str
    state: str
    grant: str
    sentence: str
    operation: str
    classes: list[str]
    account: str
    region: str
    endpoint: str
    quantity: int
    usd_micros: int | None
    usd_micros_per_hour: int | None
    price_unknown: bool
    ceiling_usd_micros: int | None
    budget_after: list[RoomAfter]
    agent: str
    owner: str
    purpose: str
    run: str
    rules: list[Rule]
    votes: list[GivenVote]
    obstacle: str
    digest: str
    asked_at: str
    expires_at: str
    answered_at: str | None
    answered_by: str
    comment: str
    grant_expires_at: str | None
    progress: str
    assurance: str
    answerable_by: list[Group]
    excluded: list[str]
    answered_already: bool
    stands_for: list[str]
    self_approved: bool
    requester: str
    author: str
    delayed: bool
    delay_seconds: int
    usable_at: str | None
    taken_back_by: str
    taken_back_at: str | None
    taken_back_why: str


class Approvals(TypedDict):
    """Approvals, newest first."""

    approvals: list[Approval]
    next: NotRequired[str | None]


class Batch(TypedDict):
    """Questions that are alike: `common` is what all of them have, `differs` what they differ in."""

    key: str
    run: str
    agent: str
    operation: str
    count: int
    classes: list[str]
    usd_micros: int
    price_unknown: bool
    common: list[list[str]]
    differs: list[str]
    rows: list[BatchRow]


class BatchAnswer(TypedDict):
    """What became of one question; one that was not answered says why and stays as it is."""

    id: str
    answered: bool
    state: str
    sentence: str
    why: str


class BatchAnswers(TypedDict):
    """What became of each."""

    answers: list[BatchAnswer]
    answered: int
    asked: int


class BatchRow(TypedDict):
    """One question of a batch: `own` is what only it has."""

    id: str
    digest: str
    sentence: str
    resources: list[str]
    own: list[list[str]]
    usd_micros: int | None
    expires_at: str
    obstacle: str


class Batches(TypedDict):
    """What waits, the like of it together."""

    batches: list[Batch]


class Braked(TypedDict):
    """What was done to which scope."""

    scope: str
    did: str
    by: str
    reason: str


class Budget(TypedDict):
    """One limit and what its window holds, all in the row's unit: money in micro-dollars."""

    depth: int
    scope: str
    unit: str
    window: str
    start: str
    limit: int
    on_exceed: str
    settled: int
    dispatched: int
    reserved: int
    suspense: int
    room: int
    percent: int | None
    thresholds: list[int]


class Budgets(TypedDict):
    """The budget tree, parents before their children."""

    budgets: list[Budget]


class Changes(TypedDict):
    """The last changes of configuration and policies, newest first, as entries of the log."""

    changes: list[dict[str, Any]]


class ChannelStatus(TypedDict):
    """One channel. `why` is of what is tried again, `last_failure` of the newest failure; neither holds a secret."""

    channel: str
    kind: str
    sent: int
    failed: int
    overtaken: int
    waiting: int
    retrying: int
    why: str
    oldest_waiting_at: str
    next_due_at: str
    last_sent_at: str
    last_failure_at: str
    last_failure: str


class Channels(TypedDict):
    """Every channel, by name."""

    channels: list[ChannelStatus]
    waiting: int
    failed: int
    routes: int


class Checked(TypedDict):
    """What the loader that enforces says: every mistake with its place, and the rules that differ."""

    ok: bool
    problems: list[dict[str, Any]]
    changes: list[dict[str, Any]]


class Deputies(TypedDict):
    """Everyone who may answer for somebody, now or later."""

    deputies: list[Deputy]


Deputy = TypedDict(
    "Deputy",
    {
        "id": "str",
        "person": "str",
        "stands_for": "str",
        "from": "str",
        "until": "str",
        "groups": "list[str] | None",
        "configured": "bool",
        "holds": "bool",
    },
)


class Drift(TypedDict):
    """What providers list and the books do not, and the other way round."""

    drift: list[dict[str, Any]]


class Entries(TypedDict):
    """Entries in order. `next` is where the following ones begin: `after` of the next call."""

    entries: list[Entry]
    next: int
    size: int


class Entry(TypedDict):
    """One line of the log. `private` holds commitments; `beside` what of their values the caller may see."""

    index: int
    at: str
    kind: str
    agent: str
    run: str
    body: dict[str, Any]
    private: dict[str, str]
    beside: dict[str, Any]


class GivenVote(TypedDict):
    """One yes."""

    person: str
    by: str
    stands_for: str
    assurance: str
    at: str
    self_approved: bool
    comment: str


class Group(TypedDict):
    """A group that may answer now, and who of it has not."""

    group: str
    people: list[str]


class Holding(TypedDict):
    """One thing that lives and costs. Money in micro-dollars."""

    id: str
    kind: str
    resource: str
    account: str
    region: str
    endpoint: str
    agent: str
    run: str
    path: str
    owner: str
    approver: str
    operation: str
    state: str
    why: str
    opened_at: str
    state_at: str
    usd_micros_per_hour: int | None
    reserved_usd_micros: int
    spent_usd_micros: int | None
    paid_until: str | None
    tagged: bool


class Holdings(TypedDict):
    """What lives, and what all of it costs."""

    holdings: list[Holding]
    usd_micros_per_hour: int
    usd_micros_per_30_days: int
    rate_unknown: int
    lasts: list[Lasts]
    next: NotRequired[str | None]


class Lasts(TypedDict):
    """How long one limit lasts at today's rate."""

    scope: str
    window: str
    hours: float


class Later(TypedDict):
    """A group that may answer as well from a time on."""

    group: str
    at: str
    due: bool


class Offer(TypedDict):
    """Equal yeses of one run, and the approval from which a standing grant may be given."""

    approval: str
    run: str
    like: str
    yeses: int
    sentence: str


class Offers(TypedDict):
    """What the caller may be offered; nothing is granted by itself."""

    offers: list[Offer]


class OneBudget(TypedDict):
    """The limit that was set."""

    budget: Budget


class OpenApi(TypedDict):
    """An OpenAPI 3.1 document."""

    openapi: str
    info: dict[str, Any]
    paths: dict[str, Any]


class PeopleShown(TypedDict):
    """Everybody who is configured, or has an account still."""

    people: list[PersonShown]


class PersonShown(TypedDict):
    """One person: what they are to the installation, and how they can sign in."""

    name: str
    configured: bool
    roles: list[str]
    groups: list[str]
    ways: list[str]
    invited_until: str | None
    signed_in_at: str | None
    deputies: list[str]
    sessions: int
    tokens: int


class PlanItem(TypedDict):
    """One intended action. `why_not`: why it is not granted with the plan."""

    name: str
    count: int
    sentence: str
    operation: str
    classes: list[str]
    verdict: str
    rules: list[str]
    reasons: list[str]
    usd_micros: int | None
    usd_micros_per_hour: int | None
    price_unknown: bool
    like: str
    why_not: str


class PolicyFiles(TypedDict):
    """The files as they lie beside comptroller.yaml. `set` is what an edit of one of them has to name."""

    files: list[dict[str, str]]
    set: str
    in_force: str


class RoomAfter(TypedDict):
    """What one limit leaves after this action."""

    scope: str
    unit: str
    window: str
    limit: int
    room: int
    room_after: int | None
    fits: bool


class Rule(TypedDict):
    """One rule that asks for people, and whether it has them."""

    rule: str
    reason: str
    approvers: str
    quorum: int
    exclude: list[str]
    ttl_seconds: int
    met: bool
    assurance: str
    delay_seconds: int
    expires_seconds: int
    stage: int
    stages: list[Stage]
    groups_open: list[str]
    escalations: list[Later]


class Rules(TypedDict):
    """Every rule with what it did in the last week, by day, and whether it did anything in 30 days."""

    rules: list[dict[str, Any]]
    others: list[dict[str, Any]]
    days: list[str]
    read: int
    to_read: int
    policies: str
    warnings: list[dict[str, Any]]


class Run(TypedDict):
    """One execution of an agent in one box."""

    id: str
    agent: str
    owner: str
    path: str
    purpose: str
    state: str
    brake: str
    brake_scope: str | None
    brake_reason: str | None
    brake_by: str | None
    started_at: str
    ended_at: str | None
    exit_code: int | None
    observed: bool
    unboxed: bool


class Runs(TypedDict):
    """Runs, newest first."""

    runs: list[Run]
    next: NotRequired[str | None]


class SessionShown(TypedDict):
    """One signed-in browser."""

    id: str
    person: str
    how: str
    began_at: str
    seen_at: str
    expires_at: str
    address: str
    agent: str


class SessionsShown(TypedDict):
    """Sessions, newest first."""

    sessions: list[SessionShown]


class Settled(TypedDict):
    """What was settled."""

    settled: SettledRow


class SettledRow(TypedDict):
    """What was held and what it cost, by unit."""

    reservation: str
    operation: str
    agent: str
    run: str
    reserved: dict[str, int]
    actual: dict[str, int]


class Stage(TypedDict):
    """So many people of one group; a stage is asked once the one before it is full."""

    group: str
    quorum: int
    votes: list[str]
    met: bool
    open: bool


class Standing(TypedDict):
    """One standing grant. Money in micro-dollars; `sentence` is the whole of it, as its granter read it."""

    id: str
    state: str
    sentence: str
    agent: str
    run: str
    every_run: bool
    operation: str
    classes: list[str]
    account: str
    region: str
    endpoint: str
    equal: list[list[str]]
    at_most: dict[str, int]
    free: list[str]
    resources: list[str]
    match: str
    usd_micros_each: int | None
    usd_micros_per_hour_each: int | None
    count: int
    used: int
    left: int
    usd_micros: int
    spent_usd_micros: int
    left_usd_micros: int
    include: list[str]
    rules: list[str]
    granted_by: str
    granted_at: str
    expires_at: str
    self_approved: bool
    approval: str
    plan: str
    ended_by: str
    ended_why: str


class Standings(TypedDict):
    """Standing grants, oldest first."""

    standing: list[Standing]
    next: NotRequired[str | None]


class Status(TypedDict):
    """Who the caller is to this installation, and how much is going on."""

    version: str
    organization: str
    config: str
    person: str
    groups: list[str]
    roles: list[str]
    operator: bool
    runs_active: int
    pending: int
    entries: int


class Suspense(TypedDict):
    """What is in suspense, oldest first."""

    suspense: list[Unconfirmed]
    next: NotRequired[str | None]


class Tested(TypedDict):
    """The channel took a test message."""

    channel: str
    delivered: bool


class TokenShown(TypedDict):
    """One API token, without its text: nobody has that but who made it."""

    id: str
    person: str
    name: str
    rights: list[str]
    scopes: list[str]
    created_at: str
    expires_at: str
    used_on: str | None
    alive: bool
    revoked_by: str


class TokensShown(TypedDict):
    """API tokens."""

    tokens: list[TokenShown]


class TrialAnswer(TypedDict):
    """A look at the log: `found` is there once it is `done`."""

    id: str
    kind: Literal["what-if", "suggest"]
    by: str
    days: int
    file: str
    state: Literal["running", "done", "failed", "cancelled"]
    progress: str
    complaint: str
    found: dict[str, Any]


class Trusted(TypedDict):
    """A price, and whether it is believed."""

    key: str
    by: str
    trusted: bool


class Unconfirmed(TypedDict):
    """What was sent and whose outcome nobody knows. Amounts by unit."""

    reservation: str
    operation: str
    sentence: str
    agent: str
    run: str
    since: str
    age_seconds: int
    reserved: dict[str, int]
    why: str
    scopes: list[str]


class WeighedPlan(TypedDict):
    """A plan, weighed. `unread` is what nobody here can read as an action: it is not granted."""

    id: str
    agent: str
    run: str
    items: list[PlanItem]
    unread: list[str]
    granted: list[Standing]


class DeputiesEnded(TypedDict):
    """Those that were ended."""

    ended: list[Deputy]


class PeopleEnded(TypedDict):
    """How many sessions ended."""

    ended: int


class Calls(Http):
    """Every call of the API. Raises `ApiError`."""

    def status(self) -> Status:
        """Who asks, what runs, what waits. Takes the right `read`."""
        return cast(Status, self.call("GET", "/status"))

    def list_runs(self, *, limit: int | None = None, cursor: str | None = None) -> Runs:
        """Runs, newest first. Takes the right `read`."""
        return cast(Runs, self.call("GET", "/runs", query={"limit": limit, "cursor": cursor}))

    def iterate_runs(self) -> Iterator[Run]:
        """Runs, newest first: every row, page by page."""
        cursor: str | None = None
        while True:
            page = self.list_runs(cursor=cursor)
            yield from page["runs"]
            cursor = page.get("next")
            if cursor is None:
                return

    def get_run(self, id: str) -> Run:
        """One run. Takes the right `read`."""
        return cast(Run, self.call("GET", f"/runs/{self.part(id)}"))

    def freeze(self, *, scope: str, reason: str | None = None) -> Braked:
        """Let nothing new of a scope leave. Takes the right `stop`."""
        return cast(Braked, self.call("POST", "/freeze", body={"scope": scope, "reason": reason}))

    def thaw(self, *, scope: str, reason: str | None = None) -> Braked:
        """Let a frozen scope go on. Takes the right `operate`."""
        return cast(Braked, self.call("POST", "/thaw", body={"scope": scope, "reason": reason}))

    def kill(self, *, scope: str, reason: str | None = None) -> Braked:
        """Freeze a scope, end its processes, its credentials and what it brought about. Takes the right `stop`."""
        return cast(Braked, self.call("POST", "/kill", body={"scope": scope, "reason": reason}))

    def list_approvals(
        self,
        *,
        limit: int | None = None,
        cursor: str | None = None,
        state: Literal["", "pending", "approved", "rejected", "expired", "withdrawn"] | None = None,
    ) -> Approvals:
        """Approvals, newest first. Takes the right `read`."""
        return cast(Approvals, self.call("GET", "/approvals", query={"limit": limit, "cursor": cursor, "state": state}))

    def iterate_approvals(
        self, *, state: Literal["", "pending", "approved", "rejected", "expired", "withdrawn"] | None = None
    ) -> Iterator[Approval]:
        """Approvals, newest first: every row, page by page."""
        cursor: str | None = None
        while True:
            page = self.list_approvals(state=state, cursor=cursor)
            yield from page["approvals"]
            cursor = page.get("next")
            if cursor is None:
                return

    def get_approval(self, id: str) -> Approval:
        """One approval. Takes the right `read`."""
        return cast(Approval, self.call("GET", f"/approvals/{self.part(id)}"))

    def approve(
        self, id: str, *, ceiling_usd: str | None = None, comment: str | None = None, if_match: str = ""
    ) -> Approval:
        """Say yes to exactly this action, once. Takes the right `answer`."""
        return cast(
            Approval,
            self.call(
                "POST",
                f"/approvals/{self.part(id)}/approve",
                body={"ceiling_usd": ceiling_usd, "comment": comment},
                if_match=if_match,
            ),
        )

    def reject(self, id: str, *, comment: str | None = None, if_match: str = "") -> Approval:
        """Say no to it. Takes the right `answer`."""
        return cast(
            Approval,
            self.call("POST", f"/approvals/{self.part(id)}/reject", body={"comment": comment}, if_match=if_match),
        )

    def withdraw(self, id: str, *, comment: str | None = None, if_match: str = "") -> Approval:
        """Take the question back. Takes the right `answer`."""
        return cast(
            Approval,
            self.call("POST", f"/approvals/{self.part(id)}/withdraw", body={"comment": comment}, if_match=if_match),
        )

    def revoke(self, id: str, *, comment: str | None = None, if_match: str = "") -> Approval:
        """Take the unused yes back. Takes the right `answer`."""
        return cast(
            Approval,
            self.call("POST", f"/approvals/{self.part(id)}/revoke", body={"comment": comment}, if_match=if_match),
        )

    def list_deputies(self) -> Deputies:
        """Who may answer in whose place. Takes the right `read`."""
        return cast(Deputies, self.call("GET", "/deputies"))

    def set_deputy(
        self, *, person: str, until: str, since: str | None = None, groups: str | None = None, of: str | None = None
    ) -> Deputy:
        """Let somebody answer in one's place. Takes the right `answer`."""
        return cast(
            Deputy,
            self.call(
                "POST", "/deputies", body={"person": person, "until": until, "since": since, "groups": groups, "of": of}
            ),
        )

    def end_deputy(self, id: str) -> DeputiesEnded:
        """End a deputy. Takes the right `answer`."""
        return cast(DeputiesEnded, self.call("POST", f"/deputies/{self.part(id)}/end", body={}))

    def list_standing(
        self, *, limit: int | None = None, cursor: str | None = None, every: bool | None = None
    ) -> Standings:
        """Standing grants with what is left of each. Takes the right `read`."""
        return cast(Standings, self.call("GET", "/standing", query={"limit": limit, "cursor": cursor, "every": every}))

    def iterate_standing(self, *, every: bool | None = None) -> Iterator[Standing]:
        """Standing grants with what is left of each: every row, page by page."""
        cursor: str | None = None
        while True:
            page = self.list_standing(every=every, cursor=cursor)
            yield from page["standing"]
            cursor = page.get("next")
            if cursor is None:
                return

    def get_standing(self, id: str) -> Standing:
        """One of them. Takes the right `read`."""
        return cast(Standing, self.call("GET", f"/standing/{self.part(id)}"))

    def grant_standing(
        self,
        id: str,
        *,
        count: int,
        usd: str | None = None,
        until: str | None = None,
        every_run: bool | None = None,
        include: list[str] | None = None,
        free: list[str] | None = None,
        at_most: dict[str, int] | None = None,
        prefixes: list[str] | None = None,
        any_resource: bool | None = None,
        each_usd: str | None = None,
        preview: bool | None = None,
        sentence: str | None = None,
    ) -> Standing:
        """Say yes to the next N like this one. Takes the right `answer`."""
        return cast(
            Standing,
            self.call(
                "POST",
                f"/approvals/{self.part(id)}/standing",
                body={
                    "count": count,
                    "usd": usd,
                    "until": until,
                    "every_run": every_run,
                    "include": include,
                    "free": free,
                    "at_most": at_most,
                    "prefixes": prefixes,
                    "any_resource": any_resource,
                    "each_usd": each_usd,
                    "preview": preview,
                    "sentence": sentence,
                },
            ),
        )

    def narrow_approval(
        self,
        id: str,
        *,
        changes: dict[str, str],
        ceiling_usd: str | None = None,
        comment: str | None = None,
        if_match: str = "",
    ) -> Approval:
        """Say yes to less than was asked. Takes the right `answer`."""
        return cast(
            Approval,
            self.call(
                "POST",
                f"/approvals/{self.part(id)}/narrow",
                body={"changes": changes, "ceiling_usd": ceiling_usd, "comment": comment},
                if_match=if_match,
            ),
        )

    def revoke_standing(self, id: str, *, reason: str | None = None) -> Standing:
        """Take a standing grant back. Takes the right `answer`."""
        return cast(Standing, self.call("POST", f"/standing/{self.part(id)}/revoke", body={"reason": reason}))

    def list_offers(self) -> Offers:
        """Equal yeses that one could stand for. Takes the right `read`."""
        return cast(Offers, self.call("GET", "/offers"))

    def list_batches(self) -> Batches:
        """What waits, the like together. Takes the right `read`."""
        return cast(Batches, self.call("GET", "/batches"))

    def answer_batch(
        self, *, ids: list[str], yes: bool, comment: str | None = None, ceiling_usd: str | None = None
    ) -> BatchAnswers:
        """Answer several questions at once, each bound to its digest. Takes the right `answer`."""
        return cast(
            BatchAnswers,
            self.call(
                "POST", "/batches", body={"ids": ids, "yes": yes, "comment": comment, "ceiling_usd": ceiling_usd}
            ),
        )

    def weigh_plan(
        self,
        *,
        plan: dict[str, Any],
        agent: str | None = None,
        run: str | None = None,
        until: str | None = None,
        include: list[str] | None = None,
        approve: bool | None = None,
    ) -> WeighedPlan:
        """Weigh a plan before it starts, or approve it as a whole. Takes the right `answer`."""
        return cast(
            WeighedPlan,
            self.call(
                "POST",
                "/plans",
                body={"plan": plan, "agent": agent, "run": run, "until": until, "include": include, "approve": approve},
            ),
        )

    def list_budgets(self) -> Budgets:
        """The budget tree with the room each limit leaves. Takes the right `read`."""
        return cast(Budgets, self.call("GET", "/budgets"))

    def set_budget(
        self,
        *,
        scope: str,
        unit: str,
        limit: str,
        window: str | None = None,
        on_exceed: Literal["", "deny", "require_approval"] | None = None,
        if_match: str = "",
    ) -> OneBudget:
        """Set one limit. Takes the right `operate`."""
        return cast(
            OneBudget,
            self.call(
                "POST",
                "/budgets",
                body={"scope": scope, "unit": unit, "limit": limit, "window": window, "on_exceed": on_exceed},
                if_match=if_match,
            ),
        )

    def list_suspense(self, *, limit: int | None = None, cursor: str | None = None) -> Suspense:
        """What was sent and whose outcome nobody knows, oldest first. Takes the right `read`."""
        return cast(Suspense, self.call("GET", "/suspense", query={"limit": limit, "cursor": cursor}))

    def iterate_suspense(self) -> Iterator[Unconfirmed]:
        """What was sent and whose outcome nobody knows, oldest first: every row, page by page."""
        cursor: str | None = None
        while True:
            page = self.list_suspense(cursor=cursor)
            yield from page["suspense"]
            cursor = page.get("next")
            if cursor is None:
                return

    def settle_suspense(
        self,
        id: str,
        *,
        cost_usd: str,
        reason: str,
        amounts: str | None = None,
        source: Literal["person", "bill"] | None = None,
    ) -> Settled:
        """Settle what is in suspense at what it really cost. Takes the right `operate`."""
        return cast(
            Settled,
            self.call(
                "POST",
                f"/suspense/{self.part(id)}/settle",
                body={"cost_usd": cost_usd, "reason": reason, "amounts": amounts, "source": source},
            ),
        )

    def confirm_price(self, *, key: str, reason: str | None = None) -> Trusted:
        """Believe a price again that a real cost exceeded. Takes the right `operate`."""
        return cast(Trusted, self.call("POST", "/prices/confirm", body={"key": key, "reason": reason}))

    def list_holdings(
        self, *, limit: int | None = None, cursor: str | None = None, every: Literal["true", "false"] | None = None
    ) -> Holdings:
        """What agents brought about and still lives, with what it costs. Takes the right `read`."""
        return cast(Holdings, self.call("GET", "/holdings", query={"limit": limit, "cursor": cursor, "every": every}))

    def iterate_holdings(self, *, every: Literal["true", "false"] | None = None) -> Iterator[Holding]:
        """What agents brought about and still lives, with what it costs: every row, page by page."""
        cursor: str | None = None
        while True:
            page = self.list_holdings(every=every, cursor=cursor)
            yield from page["holdings"]
            cursor = page.get("next")
            if cursor is None:
                return

    def adopt_holding(
        self,
        *,
        kind: str,
        resource: str,
        agent: str,
        reason: str,
        account: str | None = None,
        region: str | None = None,
        endpoint: str | None = None,
    ) -> Holding:
        """Put something on the books that nobody here knows of. Takes the right `operate`."""
        return cast(
            Holding,
            self.call(
                "POST",
                "/holdings",
                body={
                    "kind": kind,
                    "resource": resource,
                    "agent": agent,
                    "reason": reason,
                    "account": account,
                    "region": region,
                    "endpoint": endpoint,
                },
            ),
        )

    def find_drift(self) -> Drift:
        """Ask every provider what is there, and compare. Takes the right `stop`."""
        return cast(Drift, self.call("POST", "/holdings/drift", body={}))

    def get_holding(self, id: str) -> Holding:
        """One holding. Takes the right `read`."""
        return cast(Holding, self.call("GET", f"/holdings/{self.part(id)}"))

    def stop_holding(
        self, id: str, *, reason: str | None = None, delete: Literal["true", "false"] | None = None, if_match: str = ""
    ) -> Holding:
        """Ask its provider to stop it, or to delete it. Takes the right `stop`."""
        return cast(
            Holding,
            self.call(
                "POST", f"/holdings/{self.part(id)}/stop", body={"reason": reason, "delete": delete}, if_match=if_match
            ),
        )

    def forget_holding(self, id: str, *, reason: str, if_match: str = "") -> Holding:
        """Take it off the books: nobody here pays for it or stops it any more. Takes the right `operate`."""
        return cast(
            Holding, self.call("POST", f"/holdings/{self.part(id)}/forget", body={"reason": reason}, if_match=if_match)
        )

    def list_entries(
        self, *, after: int | None = None, limit: int | None = None, run: str | None = None, wait: float | None = None
    ) -> Entries:
        """Entries of the log in order, waiting for new ones. Takes the right `read`."""
        return cast(
            Entries, self.call("GET", "/entries", query={"after": after, "limit": limit, "run": run, "wait": wait})
        )

    def people(self) -> PeopleShown:
        """Who there is, and how they sign in. Takes the right `administer`."""
        return cast(PeopleShown, self.call("GET", "/people"))

    def sign_out_person(self, id: str) -> PeopleEnded:
        """End every session of a person; others than oneself take an administrator. Takes the right `read`."""
        return cast(PeopleEnded, self.call("POST", f"/people/{self.part(id)}/sign-out", body={}))

    def sessions(self) -> SessionsShown:
        """Signed-in browsers. Takes the right `read`."""
        return cast(SessionsShown, self.call("GET", "/sessions"))

    def end_session(self, id: str) -> PeopleEnded:
        """End one session. Takes the right `read`."""
        return cast(PeopleEnded, self.call("POST", f"/sessions/{self.part(id)}/end", body={}))

    def tokens(self, *, every: bool | None = None) -> TokensShown:
        """API tokens. Takes the right `read`."""
        return cast(TokensShown, self.call("GET", "/tokens", query={"every": every}))

    def revoke_token(self, id: str) -> TokenShown:
        """End an API token. Takes the right `read`."""
        return cast(TokenShown, self.call("POST", f"/tokens/{self.part(id)}/revoke", body={}))

    def list_channels(self) -> Channels:
        """What each channel that reaches people sent, what waits for it, and why. Takes the right `read`."""
        return cast(Channels, self.call("GET", "/channels"))

    def test_channel(self, id: str) -> Tested:
        """Send a test message through a channel now. Takes the right `administer`."""
        return cast(Tested, self.call("POST", f"/channels/{self.part(id)}/test", body={}))

    def openapi(self) -> OpenApi:
        """This API as an OpenAPI 3.1 document. Takes the right `read`."""
        return cast(OpenApi, self.call("GET", "/openapi.json"))

    def get_policies(self) -> PolicyFiles:
        """The policy files, each with its hash. Takes the right `read`."""
        return cast(PolicyFiles, self.call("GET", "/policies"))

    def list_rules(self) -> Rules:
        """Every rule with what it did this week. Takes the right `read`."""
        return cast(Rules, self.call("GET", "/policies/rules"))

    def list_policy_changes(self) -> Changes:
        """The last changes of the policies, with author, reason and difference. Takes the right `read`."""
        return cast(Changes, self.call("GET", "/policies/changes"))

    def check_policies(self, *, file: str, text: str) -> Checked:
        """Check an edited file with the loader that enforces; changes nothing. Takes the right `author`."""
        return cast(Checked, self.call("POST", "/policies/check", body={"file": file, "text": text}))

    def try_policies(self, *, file: str, text: str, days: int | None = None) -> TrialAnswer:
        """Begin to replay the last days under an edited file. Takes the right `author`."""
        return cast(
            TrialAnswer, self.call("POST", "/policies/what-if", body={"file": file, "text": text, "days": days})
        )

    def suggest_policies(self, *, days: int | None = None) -> TrialAnswer:
        """Begin to look for rules that follow from what was denied and answered. Takes the right `author`."""
        return cast(TrialAnswer, self.call("POST", "/policies/suggest", body={"days": days}))

    def get_trial(self, id: str) -> TrialAnswer:
        """How far a trial is, or what it found. Takes the right `author`."""
        return cast(TrialAnswer, self.call("GET", f"/policies/trials/{self.part(id)}"))

    def cancel_trial(self, id: str) -> TrialAnswer:
        """End a trial. Takes the right `author`."""
        return cast(TrialAnswer, self.call("POST", f"/policies/trials/{self.part(id)}/cancel", body={}))

    def apply_policies(self, *, file: str, text: str, expected: str, reason: str, widen: bool | None = None) -> Applied:
        """Put an edited file in force, with an entry of who did it and why. Takes the right `author`."""
        return cast(
            Applied,
            self.call(
                "POST",
                "/policies/apply",
                body={"file": file, "text": text, "expected": expected, "reason": reason, "widen": widen},
            ),
        )
