"""Power that stands in the parameters, however deep: policies, roles, code, shares and accounts of others."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from comptroller.core.action import ActionClass, Value
from comptroller.decode.aws.model_source import Shape, members

VALUES_WALKED_MAX = 20_000
"""A request with more values than this may hold anything."""
FOUND_MAX = 8

POLICY_MEMBERS = frozenset(
    {"policy", "policydocument", "resourcepolicy", "policytext", "accesspolicies", "assumerolepolicydocument"}
    | {"repositorypolicy", "bucketpolicy", "modelpolicy", "keypolicy", "filesystempolicy", "newpolicydocument"}
    | {"resourcepolicydocument", "templatepolicy", "inlinepolicy", "policydocuments", "policies", "policytemplate"}
    | {"sessionpolicy", "accesspolicy", "accesspointpolicy", "vpcendpointpolicy", "delegationpolicy"}
)
"""Members that hold a policy document where they hold text or an object."""
NO_POLICY = frozenset(
    {"aws:logs:PutDataProtectionPolicy", "aws:dlm:CreateLifecyclePolicy", "aws:ecr:PutLifecyclePolicy"}
    | {"aws:sns:PutDataProtectionPolicy", "aws:network-firewall:PutResourcePolicy"}
    | {"aws:application-autoscaling:PutScalingPolicy", "aws:autoscaling:PutScalingPolicy"}
)
"""Operations whose `policy` says nothing about who may do what, or where the operation's own class says it already."""

_ROLE = re.compile(r".*(?:role|roles|rolearn|rolearns|rolename|instanceprofile|instanceprofile(?:name|arn|identifier))")
_NO_ROLE = frozenset(
    {"participantrole", "masterbackendrole", "snowflakerole", "userrole", "userrolename", "targetrole", "keyrole"}
    | {"channelrole", "columndatarole", "geographicalrole", "columngeographicrole", "geographicrole", "propertyrole"}
    | {"databaseaccesscontrolrole", "selfupgradeuserrole", "firmwareupdaterole", "grafanarole", "noderolename"}
    | {"captiondashroles", "audiodashroles", "resourcerole", "rolesearchmatching", "approverroles"}
)
_ROLE_OF_PERSON = tuple(
    f"aws:{name}"
    for name in (
        *("chime", "connect", "bedrock-agent", "bedrock-runtime:", "quicksight:", "medialive:", "identitystore:"),
        *("iot-managed-integrations:", "auditmanager:"),
    )
)
"""Services where a plain `role` is that of a speaker or a machine, not one of IAM; an IAM ARN is found all the same."""
_OTHER_PROFILES = ("aws:dms:", "aws:devicefarm:")
"""Services whose instance profiles are machines, not roles."""
_PLAIN_ROLES = frozenset({"role", "roles"})
_ROLE_ARN = re.compile(r"arn:aws[a-z-]*:iam::[0-9]{12}:(?:role|instance-profile)/.+", re.ASCII | re.DOTALL)

CODE_MEMBERS = frozenset(
    {"userdata", "launchtemplate", "launchtemplateid", "launchtemplatename", "launchtemplatespecification"}
    | {"launchtemplateconfigs", "launchconfigurationname", "bootstrapactions", "buildspec", "buildspecoverride"}
    | {"containerdefinitions", "containeroverrides", "containerproperties", "zipfile", "entrypoint"}
    | {"containerentrypoint", "containerarguments", "command", "commands", "startcommand", "buildcommand"}
    | {"scriptlocation", "initscript", "inlinecode", "functioncode", "imageuri", "trainingimage", "containerimage"}
    | {"primarycontainer", "algorithmspecification", "appspecification", "onstart", "oncreate", "trainingjobdefinition"}
    | {"trainingjobdefinitions", "lifecycleconfigname", "lifecyclescripts", "studiolifecycleconfigcontent"}
    | {"pipelinedefinition", "pipelinedefinitions3location", "statemachinedefinition", "imageidentifier"}
    | {"userdatascript", "setupscriptdetails", "postsetupscriptdetails", "lambdaarn", "lambdafunctionarn"}
    | {"containerconfig", "modelpackagename", "startupscript", "jobcommand", "sparksubmitjobdriver", "jobdriver"}
    | {"instanceuserdata", "baseimage", "containeruri", "functionarn", "lambdafunction"}
)
"""Members that decide which code runs somewhere."""

_REMOVING = ("Delete", "Disassociate", "Remove", "Deregister", "Cancel", "Detach", "Tag", "Untag", "Stop", "Terminate")
"""Verbs that name code without letting any run."""

_ARN = re.compile(r"arn:aws[a-z-]*:[a-z0-9-]+:[a-z0-9-]*:([0-9]{12}):", re.ASCII)
_QUEUE_URL = re.compile(r"https?://[^/]{1,253}/([0-9]{12})/[^/]+", re.ASCII)
_ACCOUNT = re.compile(r"[0-9]{12}", re.ASCII)
_ACCOUNT_MEMBERS = frozenset(
    {"expectedbucketowner", "registryid", "catalogid", "accountid", "awsaccountid", "targetaccountid", "bucketowner"}
    | {"destinationaccountid", "owneraccountid", "owneraccount", "bucketaccountid", "s3bucketowner", "account"}
)
_TAGS = frozenset({"tag", "tags", "tagset", "tagging", "taglist", "tagspecifications"})
_PUBLIC = frozenset({"publiclyaccessible", "public", "ispublic", "publicaccess", "internetaccess", "isinternetfacing"})


_SHOWING = ("visibility", "access", "accesscontrol", "accesstype", "permission", "exposure", "accesslevel")
_PUBLIC_WORD = re.compile(r"(?i)public(?:[-_]?read)?(?:[-_]?write)?|everyone|anonymous|internet")


@dataclass(slots=True, kw_only=True)
class Found:
    """What a walk over the parameters found. `whole` is False where there was too much to see."""

    policies: list[Value] = field(default_factory=list)
    roles: list[str] = field(default_factory=list)
    code: bool = False
    public: bool = False
    accounts: list[str] = field(default_factory=list)
    whole: bool = True

    def classes(self) -> frozenset[ActionClass]:
        """The classes that what was found adds."""
        gives = self.policies or self.roles or self.public or self.accounts or not self.whole
        entitle = {ActionClass.ENTITLE} if gives else set()
        return frozenset(entitle | ({ActionClass.EXECUTE} if self.code or not self.whole else set()))


def find(operation: str, parameters: Mapping[str, Value], account: str, shape: Shape | None = None) -> Found:
    """Everything in the parameters of a changing operation that is worth more than its name says. Never raises.

    `account` is the credential's own, empty where nobody knows it. `shape` is the model of the parameters: a key of a
    map is the caller's own word there and names nothing; without a model every key counts.
    """
    found = Found()
    person = operation.startswith(_ROLE_OF_PERSON)
    profile = operation.startswith(_OTHER_PROFILES)
    judged = operation not in NO_POLICY
    runs = not operation.rpartition(":")[2].startswith(_REMOVING)
    for seen, (name, value) in enumerate(_walk(parameters, shape)):
        if seen > VALUES_WALKED_MAX:
            found.whole = False
            break
        if name in POLICY_MEMBERS and judged and _document(value):
            _add(found.policies, value)
        elif name in CODE_MEMBERS and runs and value not in (None, "", [], {}):
            found.code = True
        elif name in _PUBLIC and value is True:
            found.public = True
        if isinstance(value, str):
            _text(found, name, value, account, person, profile)
        elif isinstance(value, Mapping) and name == "iaminstanceprofile" and value:
            _add(found.roles, str(value.get("Name") or value.get("Arn") or "an instance profile"))
    return found


def _text(found: Found, name: str, value: str, account: str, person: bool, other_profile: bool) -> None:
    named = value and _ROLE.fullmatch(name) and name not in _NO_ROLE and not (person and name in _PLAIN_ROLES)
    named = named and not (other_profile and name.startswith("instanceprofile"))
    if named or _ROLE_ARN.fullmatch(value):
        _add(found.roles, value)
    if name.endswith(_SHOWING) and _PUBLIC_WORD.fullmatch(value):
        found.public = True
    other = foreign(name, value, account)
    if other:
        _add(found.accounts, other)


def foreign(name: str, value: str, account: str) -> str:
    """The account of somebody else that a value names, empty where it names none. `name` is in lower case."""
    if name in _ACCOUNT_MEMBERS and _ACCOUNT.fullmatch(value):
        unknown = not account and name == "expectedbucketowner"
        return value if unknown or (account and value != account) else ""
    if not account or len(value) < len(account):
        return ""
    fit = _ARN.match(value) if value.startswith("arn:") else _QUEUE_URL.match(value) if value[:4] == "http" else None
    return fit[1] if fit is not None and fit[1] != account else ""


def _add(items: list[Any], value: Value) -> None:
    if len(items) < FOUND_MAX and value not in items:
        items.append(value)


def _document(value: Value) -> bool:
    """Whether a member named like a policy holds one: text that is no mere name, or an object."""
    if isinstance(value, str | bytes | bytearray):
        return bool(value)
    return isinstance(value, Mapping) and "Statement" in value


def _walk(parameters: Mapping[str, Value], shape: Shape | None) -> Iterator[tuple[str, Value]]:
    """Every value with the name it stands under, in lower case (a list's members under the list's own)."""
    stack: list[tuple[str, Value, Shape | None, bool]] = [("", parameters, shape, shape is None)]
    while stack:
        name, value, model, free = stack.pop()
        yield name, value
        if name in _TAGS:
            continue
        kind = model.type_name if model is not None else ""
        if isinstance(value, Mapping):
            if model is not None and kind == "structure" and not model.is_document_type:
                inner = members(model)
                stack.extend((str(key).lower(), member, inner.get(key), False) for key, member in value.items())
                if (pair := _attribute(value)) is not None:
                    stack.append((*pair, None, False))
                continue
            below = model.value if model is not None and kind == "map" else None
            words = free or name == "attributes"
            stack.extend((str(key).lower() if words else "", member, below, free) for key, member in value.items())
        elif isinstance(value, Sequence) and not isinstance(value, str | bytes | bytearray):
            below = model.member if model is not None and kind == "list" else None
            stack.extend((name, member, below, free) for member in value)


def _attribute(value: Mapping[str, Value]) -> tuple[str, Value] | None:
    """A member given as `AttributeName` and `AttributeValue`, as that member."""
    name, given = value.get("AttributeName"), value.get("AttributeValue")
    return (name.lower(), given) if isinstance(name, str) and given is not None else None
