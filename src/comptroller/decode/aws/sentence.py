"""What an action does in plain words: a reviewed sentence, or one made of the operation's own verb and noun."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cache

from comptroller.core.action import Action, ActionClass, Value
from comptroller.decode.aws import capacity, index, indirect, stack
from comptroller.decode.aws.classes import LOOKING, dry
from comptroller.decode.aws.model_source import Shape, members, operation
from comptroller.decode.aws.policy_document import gains
from comptroller.decode.aws.resources import naming
from comptroller.decode.aws.sentence_forms import FORMS
from comptroller.decode.aws.words import named, quoted, word

SHOWN_MAX = 4
SENTENCE_CHARACTERS_MAX = 1200
VALUES_MAX = 1000
PARTS_SHOWN_MAX = 8
POLICIES_SHOWN_MAX = 2
HIDDEN = "(secret)"
INNER = "(…)"
"""What stands for bytes and objects."""

_GROUP = re.compile(r"\{[^}]+\}(?: \{[^}]+\})*")
_WORDS = re.compile(r"[A-Z]+(?=[A-Z][a-z])|[A-Z]?[a-z]+|[A-Z]+|[0-9]+", re.ASCII)
_UPPER = frozenset(
    {
        "vpc",
        "acl",
        "ip",
        "arn",
        "kms",
        "iam",
        "db",
        "vpn",
        "dns",
        "url",
        "sms",
        "ssh",
        "ssl",
        "tls",
        "mfa",
        "nat",
        "ebs",
    }
    | {"ami", "waf", "api", "saml", "oidc", "ssm", "sns", "sqs", "aws", "csv", "json", "pca", "ttl", "hsm", "ca", "id"}
)
_STEM = re.compile(r"(?:Arns?|ARNs?|Ids?|Identifiers?|Names?|Url|URL)$")
_EMPTY_STEMS = frozenset({"", "resource", "resources"})
_GLOBAL = frozenset(
    {"iam", "route53", "route53domains", "organizations", "cloudfront", "budgets", "ce", "savingsplans"}
)
"""Services without regions of their own."""


def sentence(action: Action) -> str:
    """What an action does in plain words, in one line. Never raises."""
    if action.undecodable:
        return f"something nobody can read, to {word(action.endpoint)}: {word(action.reason)}"
    try:
        text = _sentence(action)
    except Exception:  # noqa: BLE001  a sentence that fails must not hide what is asked
        text = f"`{word(action.operation.removeprefix(index.PREFIX))}`"
    return text if len(text) <= SENTENCE_CHARACTERS_MAX else text[: SENTENCE_CHARACTERS_MAX - 1] + "…"


def sentences() -> tuple[str, ...]:
    """Operations that have a reviewed sentence."""
    own = (f"{index.PREFIX}{name}" for name in _OWN)
    return (*own, *(f"{index.PREFIX}{service}:{name}" for service, forms in FORMS.items() for name in forms))


def _sentence(action: Action) -> str:
    name = action.operation.removeprefix(index.PREFIX)
    service, _, call = name.partition(":")
    where = f" in {word(action.region)}" if action.region and service not in _GLOBAL else ""
    own = _OWN.get(name)
    form = FORMS.get(service, {}).get(call)
    first = own(action) if own else _filled(form, action) if form else _generic(action, service, call)
    asked = dry(action.operation, action.parameters)
    text = f"{'dry run: ' if asked else ''}{first}{where}"
    if asked or action.classes <= LOOKING or action.operation in stack.STACKS:
        return text
    return text + _power(action, roles=name != "ec2:RunInstances")


def _filled(form: str, action: Action) -> str:
    """`delete bucket {Bucket}`: groups of members in braces become their values, a group without any `?`."""

    def values(fit: re.Match[str]) -> str:
        paths = fit[0][1:-1].split("} {")
        shown = [str(action.quantity) if path == "#" else _shown(action, path) for path in paths]
        return ", ".join(one for one in shown if one) or "?"

    return _GROUP.sub(values, form)


def _shown(action: Action, path: str) -> str:
    """The values of a member, a few of them; `(secret)` for what no log may keep."""
    steps = path.split(".")
    found = list(_values(action.parameters, steps))
    if found and steps[0] in action.sensitive and _secret(action, steps):
        return HIDDEN
    unique = list(dict.fromkeys(named(one) for one in found))
    text = ", ".join(unique[:SHOWN_MAX])
    return f"{text} and {len(unique) - SHOWN_MAX} more" if len(unique) > SHOWN_MAX else text


def _values(value: Value, path: Sequence[str]) -> Iterator[Value]:
    """Every value at a path, through lists."""
    stack_: list[tuple[Value, int]] = [(value, 0)]
    seen = 0
    while stack_ and seen < VALUES_MAX:
        one, step = stack_.pop()
        seen += 1
        if isinstance(one, Sequence) and not isinstance(one, str | bytes):
            stack_ += [(item, step) for item in reversed(one[:VALUES_MAX])]
        elif step < len(path):
            if isinstance(one, Mapping) and path[step] in one:
                stack_.append((one[path[step]], step + 1))
        elif one is not None and one != "":
            yield INNER if isinstance(one, bytes | bytearray | Mapping) else one


def _secret(action: Action, path: Sequence[str]) -> bool:
    """Whether the model calls a member on this path a secret; so where there is no model."""
    try:
        service, _, name = action.operation.removeprefix(index.PREFIX).partition(":")
        shape: Shape | None = operation(service, name).input
        for step in path:
            while shape is not None and shape.type_name == "list":
                shape = shape.member
            shape = members(shape)[step]
            if shape.metadata.get("sensitive"):
                return True
    except (KeyError, AttributeError):
        return True
    return shape is None or bool(shape.metadata.get("sensitive"))


def _generic(action: Action, service: str, call: str) -> str:
    """`DeleteTable` -> "delete dynamodb table `x`", with what it names."""
    verb, noun = phrase(call)
    text = f"{verb} {service} {noun}".strip() if noun else f"{verb} ({service})"
    target = _target(action, call)
    count = f" (up to {action.quantity})" if capacity.known(action.operation) and action.quantity != 1 else ""
    return f"{text}{count}{target}"


@cache
def phrase(call: str) -> tuple[str, str]:
    """Verb and noun of an operation: `DescribeDBInstances` -> ("describe", "DB instances")."""
    words = [part if part.isupper() and len(part) > 1 else part.lower() for part in _WORDS.findall(call)]
    words = [part.upper() if part in _UPPER else part for part in words] or [call]
    cut = 2 if words[0].lower() in ("batch", "bulk", "admin") and len(words) > 2 else 1
    return " ".join(words[:cut]).lower(), " ".join(words[cut:])


def _target(action: Action, call: str) -> str:
    """The member that names what the operation is about, in words: one named like its noun, else any other name."""
    low = call.lower()
    known = naming(action.operation)
    ranked: list[tuple[int, int, str]] = []
    for position, (member, value) in enumerate(action.parameters.items()):
        stem = _STEM.sub("", member[:1].upper() + member[1:]).lower()
        names = stem != member.lower() or (bool(stem) and stem in low) or stem in _EMPTY_STEMS or member in known
        if names and isinstance(value, str | list) and member not in action.sensitive:
            ranked.append((0 if stem and stem in low else 1 if stem in _EMPTY_STEMS else 2, position, member))
    for rank, _, member in sorted(ranked):
        given = [one for one in _values(action.parameters, [member]) if isinstance(one, str) and one != INNER]
        if given:
            more = f" and {len(given) - SHOWN_MAX} more" if len(given) > SHOWN_MAX else ""
            text = ", ".join(quoted(one) for one in given[:SHOWN_MAX]) + more
            label = " ".join(part.lower() for part in _WORDS.findall(_STEM.sub("", member)))
            return f" ({label} {text})" if rank == 2 and label else f" {text}"
    return ""


def _power(action: Action, *, roles: bool) -> str:
    """What an action gives beyond its own name: roles, policies, accounts of others, the internet, code."""
    found = indirect.find(action.operation, action.parameters, action.account, _shape(action))
    visible = {name: value for name, value in action.parameters.items() if name not in action.sensitive}
    shown = found
    if len(visible) < len(action.parameters):
        shown = indirect.find(action.operation, visible, action.account, _shape(action))
    out: list[str] = []
    service = action.operation.split(":")[1]
    given = [_short(role) for role in shown.roles] if roles and service not in ("iam", "sts") else []
    if given:
        out.append("with role " + ", ".join(dict.fromkeys(given)))
    out += [gains(policy, _holder(action)) for policy in shown.policies[:POLICIES_SHOWN_MAX]]
    if found.accounts:
        whose = "not the agent's own" if action.account else "whose account the agent's is, nobody says"
        out.append(f"account {', '.join(found.accounts)} is named ({whose})")
    if found.public:
        out.append("open to the internet")
    acl = action.parameters.get("ACL")
    if isinstance(acl, str) and acl.lower() != "private" and "ACL" not in FORMS.get("s3", {}).get(_call(action), ""):
        out.append(f"open to {named(acl)}")
    if not found.whole:
        out.append("with more parameters than anybody can look at")
    return "".join(f", {one}" for one in out)


def _shape(action: Action) -> Shape | None:
    try:
        return operation(*action.operation.removeprefix(index.PREFIX).split(":", 1)).input
    except (KeyError, TypeError):
        return None


def _call(action: Action) -> str:
    return action.operation.rpartition(":")[2]


def _short(role: str) -> str:
    return named(role.rpartition("/")[2] or role) if role.startswith("arn:") else named(role)


def _holder(action: Action) -> str:
    """Whom an IAM policy is written for."""
    for kind in ("Role", "User", "Group"):
        if action.operation.startswith("aws:iam:") and isinstance(name := action.parameters.get(f"{kind}Name"), str):
            return f"{kind.lower()} {named(name)}"
    return ""


def _first(action: Action, *paths: str) -> str:
    return next((text for path in paths if (text := _shown(action, path))), "")


def _run_instances(action: Action) -> str:
    least = action.parameters.get("MinCount", action.quantity)
    count = f"{action.quantity}" if least == action.quantity else f"{word(least)} to {action.quantity}"
    kind = action.parameters.get("InstanceType")
    template = action.parameters.get("LaunchTemplate")
    what = named(kind) if kind else "machines of a launch template" if template else "m1.small (the default type)"
    code = " with a start-up script" if action.parameters.get("UserData") else ""
    role = _first(action, "IamInstanceProfile.Name", "IamInstanceProfile.Arn")
    return f"start {count} x {what}{f' as role {role}' if role else ''}{code}"


def _load_balancer(action: Action) -> str:
    kind, name = action.parameters.get("Type"), action.parameters.get("Name")
    return f"create {named(kind or 'application')} load balancer {named(name or '?')}"


def _modify_instance(action: Action) -> str:
    kind = _first(action, "InstanceType.Value")
    who = _shown(action, "InstanceId")
    if action.parameters.get("Attribute") == "instanceType":
        kind = _shown(action, "Value")
    if kind:
        return f"change {who} to {kind}"
    code = ActionClass.EXECUTE in action.classes
    return f"change {'the start-up script' if code else 'settings'} of instance {who}"


def _sharing(thing: str, member: str, permission: str) -> Callable[[Action], str]:
    """Who is added to those that may use a snapshot or an image, and who is taken off."""

    def tell(action: Action) -> str:
        kind = action.parameters.get("OperationType")
        old = ("GroupNames", "UserGroups", "UserIds", "OrganizationArns", "OrganizationalUnitArns")
        groups = {
            verb: [
                f"{permission}.{verb}.{name}"
                for name in ("Group", "UserId", "OrganizationArn", "OrganizationalUnitArn")
            ]
            for verb in ("Add", "Remove")
        }
        groups["Remove" if kind == "remove" else "Add"] += old
        added, removed = (", ".join(t for p in groups[v] if (t := _shown(action, p))) for v in ("Add", "Remove"))
        said = [f"let {added} use {thing}" if added else "", f"no longer let {removed} use {thing}" if removed else ""]
        which = _shown(action, member) or "?"
        return " and ".join(f"{one} {which}" for one in said if one) or f"change settings of {thing} {which}"

    return tell


def _stack(verb: str) -> Callable[[Action], str]:
    """A stack is told by what it makes: how many of what, most costly first."""

    def tell(action: Action) -> str:
        name = _first(action, "StackName", "ChangeSetName", "TypeName")
        return f"{verb} {name or '?'}{_made(action.parts)}"

    return tell


def _made(parts: Sequence[Action]) -> str:
    machines: Counter[str] = Counter()
    others: Counter[str] = Counter()
    dark: Counter[str] = Counter()
    for part in parts:
        if part.operation == stack.UNPRICED:
            dark[word(part.parameters.get("TypeName"))] += 1
        elif part.operation == stack.RUN_INSTANCES:
            machines[named(part.parameters.get("InstanceType") or "a machine")] += part.quantity
        else:
            _, noun = phrase(part.operation.rpartition(":")[2])
            size = part.quantity if capacity.known(part.operation) else 1
            label = f"{noun} of up to {size}" if size != 1 else noun
            others[label] += 1
    told = [f"{count} x {kind}" for kind, count in machines.most_common()]
    told += [f"{count} {label}" if count == 1 else f"{count} x {label}" for label, count in others.most_common()]
    shown = told[:PARTS_SHOWN_MAX]
    if len(told) > PARTS_SHOWN_MAX:
        shown.append(f"{len(told) - PARTS_SHOWN_MAX} other kinds of things")
    if dark:
        kinds = ", ".join(quoted(kind) for kind in list(dark)[:SHOWN_MAX])
        shown.append(f"{sum(dark.values())} that nobody can price ({kinds})")
    rights = sum(1 for part in parts if ActionClass.ENTITLE in part.classes and part.operation != stack.UNPRICED)
    code = sum(1 for part in parts if ActionClass.EXECUTE in part.classes and part.operation != stack.UNPRICED)
    extra = [f"{rights} change who may do what"] if rights else []
    extra += [f"{code} run code"] if code else []
    return (": " + ", ".join(shown) if shown else "") + (f" ({', '.join(extra)})" if extra else "")


_OWN: Mapping[str, Callable[[Action], str]] = {
    "ec2:RunInstances": _run_instances,
    "ec2:ModifyInstanceAttribute": _modify_instance,
    "elbv2:CreateLoadBalancer": _load_balancer,
    "ec2:ModifySnapshotAttribute": _sharing("snapshot", "SnapshotId", "CreateVolumePermission"),
    "ec2:ModifyImageAttribute": _sharing("image", "ImageId", "LaunchPermission"),
    "cloudformation:CreateStack": _stack("create stack"),
    "cloudformation:UpdateStack": _stack("change stack"),
    "cloudformation:CreateChangeSet": _stack("plan a change of stack"),
    "cloudcontrol:CreateResource": _stack("create"),
}
