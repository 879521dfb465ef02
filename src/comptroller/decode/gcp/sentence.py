"""Plain sentences for people: what is made, changed or taken away, how much of it, where and for whom."""

from __future__ import annotations

import re
from collections.abc import Mapping

from comptroller.core.action import Action
from comptroller.decode.gcp.reading import Members, Reading, at, last, rows, table, text, whole, word

_VERBS: Mapping[str, str] = {
    "insert": "create", "create": "create", "delete": "delete", "patch": "change", "update": "change",
    "get": "look at", "list": "list", "aggregatedList": "list", "setIamPolicy": "change who may use",
    "getIamPolicy": "look at who may use", "testIamPermissions": "ask what may be done with",
}  # fmt: skip
_FORMS: Mapping[str, str] = {
    "secretmanager:versions.access": "read secret {path}",
    "iam:serviceAccounts.keys.create": "make a key for service account {parent}",
    "iam:serviceAccounts.create": "create service account {accountId}",
    "iamcredentials:serviceAccounts.generateAccessToken": "become service account {name}",
    "iamcredentials:serviceAccounts.generateIdToken": "get an identity token of service account {name}",
    "iamcredentials:serviceAccounts.signBlob": "sign as service account {name}",
    "iamcredentials:serviceAccounts.signJwt": "sign as service account {name}",
    "cloudresourcemanager:projects.delete": "delete project {name} and all in it",
    "cloudresourcemanager:projects.create": "create project {projectId}",
    "cloudbilling:projects.updateBillingInfo": "change who pays for project {name}",
    "cloudkms:cryptoKeyVersions.destroy": "destroy key {path}",
    "cloudkms:cryptoKeys.decrypt": "decrypt with key {name}",
    "container:clusters.delete": "delete Kubernetes cluster {name}",
    "compute:instances.delete": "delete machine {name}",
    "compute:instances.stop": "stop machine {name}",
    "compute:instances.start": "start machine {name} again",
    "compute:instances.reset": "restart machine {name} at once",
    "compute:instances.setMetadata": "change scripts and keys of machine {name}",
    "compute:projects.setCommonInstanceMetadata": "change scripts and keys of every machine of the project",
    "compute:instances.getSerialPortOutput": "read the console of machine {name}",
    "compute:disks.delete": "delete disk {name}",
    "compute:firewalls.insert": "add firewall rule {body.name}",
    "compute:firewalls.delete": "delete firewall rule {name}",
    "compute:regionCommitments.insert": "promise to pay for capacity ({body.plan})",
    "storage:objects.insert": "write object {query.name}",
    "storage:objects.delete": "delete object {name}",
    "storage:buckets.delete": "delete bucket {name}",
    "storage:buckets.insert": "create bucket {body.name}",
    "storage:objects.get": "read object {name}",
    "storage:projects.hmacKeys.create": "make an access key for {query.serviceAccountEmail}",
    "aiplatform:models.generateContent": "ask model {name}",
    "aiplatform:models.streamGenerateContent": "ask model {name}",
    "aiplatform:models.predict": "ask model {name}",
    "aiplatform:models.rawPredict": "ask model {name}",
    "aiplatform:endpoints.predict": "ask endpoint {name}",
    "bigquery:jobs.query": "run a query",
    "bigquery:jobs.insert": "start a BigQuery job",
    "bigquery:datasets.delete": "delete dataset {name}",
    "bigquery:tables.delete": "delete table {name}",
    "sqladmin:instances.delete": "delete database {name}",
    "gmail:messages.send": "send mail",
    "gmail:drafts.send": "send mail",
    "drive:permissions.create": "share file {parent}",
    "drive:files.delete": "delete file {name} for good",
    "calendar:events.insert": "put an event into calendar {parent}",
    "calendar:events.delete": "delete event {name}",
    "chat:messages.create": "post a message in {parent}",
    "logging:sinks.delete": "stop sending logs through {name}",
    "logging:sinks.update": "change where logs go ({name})",
    "logging:exclusions.create": "keep logs from being written ({body.name})",
    "serviceusage:services.enable": "switch on service {path}",
    "serviceusage:services.disable": "switch off service {path}",
    "pubsub:topics.publish": "publish to {name}",
    "domains:registrations.register": "buy a domain",
}
"""By service and the end of the name: `{name}` is the last part of the path, `{parent}` the one before it."""
_COLLECTION_VERBS = frozenset({"list", "aggregatedList", "insert", "create", "bulkInsert", "search", "batchCreate"})
_SPLIT = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")
_FIELD = re.compile(r"\{([A-Za-z.]+)\}")


def sentence(action: Action, call: Reading | None) -> str:
    """What an action does in plain words. Never raises."""
    if action.undecodable or call is None:
        return f"something nobody can read, to {word(action.endpoint)}: {word(action.reason)}"
    head = _machines(call) or _form(call) or _plain(call)
    where = f" in {word(action.region)}" if action.region else ""
    project = f" (project {word(action.account)})" if action.account and "/" not in action.account else ""
    more = "".join(f", {clause}" for clause in call.words)
    return f"{head}{where}{project}{more}"


def _machines(call: Reading) -> str:
    """The things people are asked about most: `start 8 x a2-highgpu-1g`."""
    members = call.members
    tail = ".".join(call.name.split(".")[-2:])
    match call.service, tail:
        case "compute", "instances.insert":
            return f"start 1 x {kind_of(members)}{_spot(members)}"
        case "compute", "instances.bulkInsert" | "regionInstances.bulkInsert":
            inner = table(members, "instanceProperties")
            return f"start {call.quantity} x {kind_of(inner)}{_spot(inner)}"
        case "compute", "instances.setMachineType":
            return f"change machine {word(_noun(call))} to {word(last(at(members, 'machineType')))}"
        case "compute", "reservations.insert":
            inner = table(members, "specificReservation", "instanceProperties")
            return f"reserve {call.quantity} x {kind_of(inner)}"
        case "compute", "instanceGroupManagers.resize" | "regionInstanceGroupManagers.resize":
            return f"set group {word(_noun(call))} to {call.quantity} machines"
        case "compute", "instanceGroupManagers.insert" | "regionInstanceGroupManagers.insert":
            template = word(last(at(members, "instanceTemplate")))
            return f"create group {word(text(members, 'name'))} of {call.quantity} machines from template {template}"
        case "compute", "disks.insert" | "regionDisks.insert":
            kind = last(at(members, "type")) or "pd-standard"
            return f"create a disk of {word(at(members, 'sizeGb'))} GB ({word(kind)})"
        case "container", "clusters.create":
            nodes = f" of up to {call.quantity} nodes" if call.quantity > 1 else ""
            return f"create Kubernetes cluster {word(text(members, 'cluster', 'name'))}{nodes}"
        case "container", "nodePools.create":
            kind = text(members, "nodePool", "config", "machineType") or "e2-medium"
            return f"add up to {call.quantity} x {word(kind)} to cluster {word(_before(call, 'nodePools'))}"
        case "sqladmin", "instances.insert":
            version = text(members, "databaseVersion") or "MySQL"
            tier = word(text(members, "settings", "tier"))
            return f"create {word(version)} database {word(text(members, 'name'))} on {tier}"
        case "aiplatform", "customJobs.create":
            pools = rows(members, "jobSpec", "workerPoolSpecs")
            return "train on " + " and ".join(_pool(pool) for pool in pools[:3]) if pools else ""
        case "aiplatform", "endpoints.deployModel":
            spec = table(members, "deployedModel", "dedicatedResources")
            return f"serve a model on up to {call.quantity} x {kind_of(table(spec, 'machineSpec'))}"
        case "tpu", "nodes.create":
            return f"start TPU {word(text(members, 'acceleratorType') or text(members, 'acceleratorConfig', 'type'))}"
    return ""


def kind_of(found: Members) -> str:
    """A machine type with what is attached: `n1-standard-4 with 2 x nvidia-tesla-t4`."""
    kind = word(last(at(found, "machineType")) or "machines of a template")
    cards = [
        f"{word(at(card, 'acceleratorCount') or 1)} x {word(last(at(card, 'acceleratorType')))}"
        for card in rows(found, "guestAccelerators")
    ]
    if text(found, "acceleratorType"):
        cards.append(f"{word(at(found, 'acceleratorCount') or 1)} x {word(text(found, 'acceleratorType'))}")
    return f"{kind} with {' and '.join(cards)}" if cards else kind


def _pool(pool: object) -> str:
    count = whole(at(pool, "replicaCount")) or 1
    return f"{count} x {kind_of(table(pool, 'machineSpec'))}"


def _spot(found: Members) -> str:
    spot = text(found, "scheduling", "provisioningModel") == "SPOT" or at(found, "scheduling", "preemptible") is True
    return " (spot)" if spot else ""


def _form(call: Reading) -> str:
    tail = ".".join(call.name.split(".")[-2:])
    form = _FORMS.get(f"{call.service}:{call.name}") or _FORMS.get(f"{call.service}:{tail}")
    longer = ".".join(call.name.split(".")[-3:])
    form = _FORMS.get(f"{call.service}:{longer}") or form
    return _FIELD.sub(lambda match: _field(call, match[1]), form) if form else ""


def _field(call: Reading, name: str) -> str:
    first, _, rest = name.partition(".")
    if first == "body":
        return word(at(call.members, rest) or "?")
    if first == "query":
        return word(next(iter(call.query.get(rest, ())), text(call.members, rest) or "?"))
    if first == "name":
        return word(_noun(call) or "?")
    if first == "path":
        return word(call.resource.rpartition(":")[0] or call.resource)
    if first == "parent":
        parts = call.resource.rpartition(":")[0] or call.resource
        pieces = parts.split("/")
        return word(pieces[-2] if len(pieces) > 1 else "?")
    return word(at(call.members, name) or "?")


def _noun(call: Reading) -> str:
    """The last thing that the path names; a list or a new thing has none yet."""
    verb = call.name.rpartition(".")[2]
    if call.values and verb not in _COLLECTION_VERBS:
        return call.values[-1]
    return ""


def _before(call: Reading, collection: str) -> str:
    parts = call.resource.split("/")
    position = parts.index(collection) if collection in parts else 0
    return parts[position - 1] if position else ""


def _plain(call: Reading) -> str:
    """`change who may use buckets my-bucket`, from the operation's own name."""
    *_, verb = call.name.split(".")
    collection = call.name.split(".")[-2] if "." in call.name else call.service
    words = _VERBS.get(verb) or " ".join(_SPLIT.split(verb)).lower()
    thing = text(call.members, "name") or _noun(call)
    noun = " ".join(_SPLIT.split(collection)).lower()
    return f"{words} {call.service} {noun}{' ' + word(thing) if thing else ''}"
