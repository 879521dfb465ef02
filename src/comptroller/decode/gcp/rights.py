"""Rights, publicity and people: IAM policies, access lists, shared files, guests, mail."""

from __future__ import annotations

import binascii
from base64 import urlsafe_b64decode
from collections.abc import Callable, Mapping
from email import message_from_bytes

from comptroller.core.action import ActionClass as C
from comptroller.core.action import Value
from comptroller.decode.gcp.reading import EVERYONE, Reading, at, last, rows, some, table, text, word

PUBLIC_ACLS = frozenset({"publicread", "publicreadwrite", "authenticatedread"})
OWNERS = frozenset({"roles/owner", "roles/editor"})
ANYBODY = "anybody on the internet"
ANY_ACCOUNT = "anybody with a Google account"
MAIL_BYTES_MAX = 64 << 10
RECIPIENT_HEADERS = ("to", "cc", "bcc")
WHO_IS_TOLD = frozenset({"all", "externalonly"})

Effect = Callable[[Reading], None]


def _whom(member: str) -> str:
    return {"allusers": ANYBODY, "allauthenticatedusers": ANY_ACCOUNT}.get(member.lower(), member)


def policy(call: Reading) -> None:
    """`setIamPolicy`: who gains which role. `auditConfigs` decide what is logged."""
    document = table(call.members, "policy") or call.members
    told: list[str] = []
    for binding in [*rows(document, "bindings"), *rows(call.members, "bindings")]:
        role = text(binding, "role")
        members = [member for member in rows(binding, "members") if isinstance(member, str)]
        call.names(role, *members)
        said = f"{word(role)} to {some(_whom(member) for member in members)}"
        if role in OWNERS or any(member.lower() in EVERYONE for member in members):
            told.insert(0, said)
        else:
            told.append(said)
    if told:
        call.say("giving " + some(dict.fromkeys(told)))
    mask = f"{text(call.members, 'updateMask')},{','.join(call.query.get('updateMask', ()))}".lower()
    if at(document, "auditConfigs") is not None or "audit" in mask or "*" in mask:
        call.add(C.BLIND)
        call.say("changing what is logged")


def bucket(call: Reading) -> None:
    """Buckets: who may read them, what they delete by themselves, what they log."""
    acl(call)
    found = call.members
    for name in ("acl", "defaultObjectAcl"):
        if at(found, name) is not None:
            call.add(C.ENTITLE)
    configuration = table(found, "iamConfiguration")
    if configuration:
        call.add(C.ENTITLE)
        if text(configuration, "publicAccessPrevention").lower() not in ("", "enforced"):
            call.say("letting it be made public")
    if "lifecycle" in found and at(found, "lifecycle") is not None:
        call.add(C.DESTROY)
        call.say("letting it delete objects by itself")
    if any(name in found for name in ("retentionPolicy", "softDeletePolicy", "versioning", "objectRetention")):
        call.add(C.DESTROY)
    if "logging" in found:
        call.add(C.BLIND)
    call.names(*(f"gs://{name}" for name in [text(found, "name")] if name))


def acl(call: Reading) -> None:
    """Access lists sent along with an object or a bucket."""
    for name in ("predefinedAcl", "predefinedDefaultObjectAcl", "destinationPredefinedAcl"):
        wish = call.asked(name)
        if wish is not None:
            call.add(C.ENTITLE)
            if wish.lower() in PUBLIC_ACLS:
                call.say(f"readable by {ANYBODY}")
    for name in ("acl", "defaultObjectAcl"):
        entries = rows(call.members, name)
        if entries:
            call.add(C.ENTITLE)
        if any(text(entry, "entity").lower() in EVERYONE for entry in entries):
            call.say(f"readable by {ANYBODY}")


def access_control(call: Reading) -> None:
    """One line of an access list."""
    entity, role = text(call.members, "entity") or last(call.resource), text(call.members, "role")
    call.names(entity)
    call.say(f"giving {word(role or 'access')} to {word(_whom(entity))}")


def share(call: Reading) -> None:
    """Files in Drive."""
    kind, role = text(call.members, "type"), text(call.members, "role")
    whom = text(call.members, "emailAddress") or text(call.members, "domain") or text(call.members, "value")
    call.names(whom)
    call.say(f"giving {word(role or 'access')} to {word(ANYBODY if kind == 'anyone' else whom or kind)}")


def guests(call: Reading) -> None:
    """Events: guests are told, unless nobody is."""
    found = [text(guest, "email") for guest in rows(call.members, "attendees")]
    if found:
        call.add(C.COMMUNICATE)
        call.names(*found)
        call.say(f"with {some(found)}")
    if any(value.lower() in WHO_IS_TOLD for value in call.query.get("sendUpdates", ())) or call.asks(
        "sendNotifications"
    ):
        call.add(C.COMMUNICATE)
        call.say("telling the guests")


def mail(call: Reading) -> None:
    """Mail: to whom, out of the message itself."""
    raw = text(call.members, "raw") or text(call.members, "message", "raw")
    if not raw:
        return
    try:
        head = urlsafe_b64decode(raw[: MAIL_BYTES_MAX // 3 * 4] + "=" * (-len(raw[: MAIL_BYTES_MAX // 3 * 4]) % 4))
    except (binascii.Error, ValueError):
        return
    message = message_from_bytes(head.partition(b"\r\n\r\n")[0].partition(b"\n\n")[0])
    found = [str(value) for name in RECIPIENT_HEADERS for value in message.get_all(name, [])]
    call.names(*found)
    if found:
        call.say(f"to {some(found)}")


def sink(call: Reading) -> None:
    """Where logs go."""
    call.names(at(call.members, "destination"))
    if text(call.members, "destination"):
        call.say(f"sending logs to {word(text(call.members, 'destination'))}")
    if rows(call.members, "exclusions") or at(call.members, "disabled") is True:
        call.add(C.BLIND)


def dataset(call: Reading) -> None:
    """Who may read a dataset."""
    for entry in rows(call.members, "access"):
        special = text(entry, "specialGroup") or text(entry, "iamMember")
        if special.lower() in EVERYONE:
            call.say(f"readable by {ANYBODY}" if special.lower() == "allusers" else f"readable by {ANY_ACCOUNT}")


def billing(call: Reading) -> None:
    """Which account pays."""
    account = text(call.members, "billingAccountName")
    call.names(account)
    call.say(f"paid by {word(account)}" if account else "paid by nobody: what runs in it stops")


def push(call: Reading) -> None:
    """Where messages are sent."""
    address: Value = at(call.members, "pushConfig", "pushEndpoint")
    call.names(address)
    if address:
        call.say(f"pushing to {word(address)}")


EFFECTS: Mapping[str, Mapping[str, Effect]] = {
    "storage": {
        "buckets.insert": bucket,
        "buckets.patch": bucket,
        "buckets.update": bucket,
        "objects.insert": acl,
        "objects.copy": acl,
        "objects.rewrite": acl,
        "objects.compose": acl,
        "objects.patch": acl,
        "objects.update": acl,
        **{
            f"{kind}.{verb}": access_control
            for kind in ("bucketAccessControls", "defaultObjectAccessControls", "objectAccessControls")
            for verb in ("insert", "patch", "update")
        },
    },
    "drive": {f"permissions.{verb}": share for verb in ("create", "insert", "update", "patch")},
    "calendar": {
        f"events.{verb}": guests for verb in ("insert", "update", "patch", "import", "delete", "quickAdd", "move")
    },
    "gmail": {"messages.send": mail, "drafts.send": mail, "drafts.create": mail, "drafts.update": mail},
    "logging": {"sinks.create": sink, "sinks.update": sink, "sinks.patch": sink},
    "bigquery": {"datasets.insert": dataset, "datasets.patch": dataset, "datasets.update": dataset},
    "cloudbilling": {"projects.updateBillingInfo": billing},
    "pubsub": {"subscriptions.create": push, "subscriptions.modifyPushConfig": push, "subscriptions.patch": push},
    "*": {"setIamPolicy": policy},
}
"""What the members of a call add: by service, then by the end of its name."""
