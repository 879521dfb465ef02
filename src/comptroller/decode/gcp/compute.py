"""Machines: what instances, groups, reservations, disks and firewalls bring about, run and let in."""

from __future__ import annotations

from collections.abc import Mapping

from comptroller.core.action import ActionClass as C
from comptroller.core.action import Value
from comptroller.decode.gcp.reading import Reading, at, last, rows, some, table, text, whole, word

HARMLESS_METADATA = frozenset(
    {"enable-oslogin", "block-project-ssh-keys", "enable-osconfig", "enable-guest-attributes", "serial-port-enable"}
    | {"disable-legacy-endpoints", "google-logging-enabled", "google-monitoring-enabled", "vmdnssetting"}
    | {"enable-os-inventory", "google-logging-use-fluentbit", "serial-port-logging-enable", "enable-oslogin-2fa"}
)
"""Metadata that no image runs. Any other key may be a script, a container or a key for somebody."""
KEYS = frozenset({"ssh-keys", "sshkeys", "windows-keys"})
ANYWHERE = frozenset({"0.0.0.0/0", "::/0", "0.0.0.0/1", "128.0.0.0/1", "0::/0"})


def instance(call: Reading, found: Mapping[str, Value]) -> None:
    """What one instance (or the properties of many) runs and acts as."""
    keys = [text(item, "key").lower() for item in rows(found, "metadata", "items")]
    metadata(call, keys)
    identity(call, found)
    for interface in rows(found, "networkInterfaces"):
        if rows(interface, "accessConfigs") or rows(interface, "ipv6AccessConfigs"):
            call.say("with a public address")
            break
    for name in ("sourceInstanceTemplate", "sourceMachineImage"):
        if at(found, name):
            hidden(call, at(found, name))
    if at(found, "keyRevocationActionType") or at(found, "partnerMetadata"):
        call.add(C.EXECUTE)


def hidden(call: Reading, template: Value) -> None:
    """A template may hold any script and any account: nobody can see from here."""
    call.add(C.EXECUTE, C.ENTITLE)
    call.names(template)
    call.say(f"from {word(last(template))}, whose scripts and accounts are not in the request")


def metadata(call: Reading, keys: list[str]) -> None:
    """Start-up scripts, containers and keys."""
    if any(key in KEYS for key in keys):
        call.add(C.ENTITLE, C.EXECUTE)
        call.say("with keys to log in")
    scripts = [key for key in keys if key not in KEYS and key not in HARMLESS_METADATA]
    if scripts:
        call.add(C.EXECUTE)
        call.say(f"running {some(scripts)}")


def identity(call: Reading, found: Value) -> None:
    """As whom machines or code act."""
    accounts = [text(account, "email") for account in rows(found, "serviceAccounts")]
    one = at(found, "serviceAccount")
    if isinstance(one, str) and one:
        accounts.append(one)
    if accounts:
        call.add(C.ENTITLE)
        call.names(*accounts)
        call.say(f"as {some(account or 'the default account' for account in accounts)}")


def insert(call: Reading) -> None:
    """`instances.insert`: one machine."""
    instance(call, call.members)
    template = call.asked("sourceInstanceTemplate") or call.asked("sourceMachineImage")
    if template:
        hidden(call, template)


def bulk_insert(call: Reading) -> None:
    """`instances.bulkInsert`: as many machines as `count` says."""
    call.count(whole(at(call.members, "count")))
    call.count(len(table(call.members, "perInstanceProperties")))
    instance(call, table(call.members, "instanceProperties"))
    if at(call.members, "sourceInstanceTemplate"):
        hidden(call, at(call.members, "sourceInstanceTemplate"))
    for override in table(call.members, "perInstanceProperties").values():
        instance(call, override if isinstance(override, Mapping) else {})


def template(call: Reading) -> None:
    """`instanceTemplates.insert`: nothing runs yet, all that will is in it."""
    instance(call, table(call.members, "properties"))
    if at(call.members, "sourceInstance"):
        hidden(call, at(call.members, "sourceInstance"))


def group(call: Reading) -> None:
    """Instance groups: their target size is what they start, and start again."""
    call.count(whole(at(call.members, "targetSize")))
    call.count(whole(call.asked("size")))
    call.count(whole(at(call.members, "resizeBy")))
    call.count(len(rows(call.members, "instances")))
    call.names(at(call.members, "instanceTemplate"))


def autoscaler(call: Reading) -> None:
    """An autoscaler's maximum."""
    call.count(whole(at(call.members, "autoscalingPolicy", "maxNumReplicas")))
    call.say(f"up to {call.quantity} machines")


def reservation(call: Reading) -> None:
    """Reserved machines cost as if they ran."""
    call.count(whole(at(call.members, "specificReservation", "count")))
    call.count(whole(at(call.members, "specificSkuProperties", "totalCount")))
    call.count(whole(at(call.members, "specificSkuCount")))


def firewall(call: Reading) -> None:
    """Who is let in, where to."""
    sources = [*rows(call.members, "sourceRanges"), *rows(call.members, "match", "srcIpRanges")]
    allowed = [*rows(call.members, "allowed"), *rows(call.members, "match", "layer4Configs")]
    opened = some(
        f"{text(rule, 'IPProtocol') or text(rule, 'ipProtocol') or 'all'}"
        + (f":{some(rows(rule, 'ports'))}" if rows(rule, "ports") else "")
        for rule in allowed
    )
    if any(isinstance(source, str) and source in ANYWHERE for source in sources) or (allowed and not sources):
        call.say(f"letting the whole internet reach {opened or 'it'}")
    elif opened:
        call.say(f"letting {some(sources)} reach {opened}")
    log = at(call.members, "logConfig", "enable")
    if log is False or at(call.members, "enableLogging") is False or at(call.members, "disabled") is True:
        call.add(C.BLIND)


def set_metadata(call: Reading) -> None:
    """`setMetadata`, for one machine or the whole project."""
    metadata(call, [text(item, "key").lower() for item in rows(call.members, "items")])


def update_instance(call: Reading) -> None:
    """`instances.update` replaces what it names."""
    instance(call, call.members)


EFFECTS = {
    "instances.insert": insert,
    "instances.bulkInsert": bulk_insert,
    "regionInstances.bulkInsert": bulk_insert,
    "instances.update": update_instance,
    "instances.setMetadata": set_metadata,
    "instances.setServiceAccount": lambda call: identity(call, {"serviceAccount": at(call.members, "email")}),
    "projects.setCommonInstanceMetadata": set_metadata,
    "instanceTemplates.insert": template,
    "regionInstanceTemplates.insert": template,
    **{
        f"{kind}.{verb}": group
        for kind in ("instanceGroupManagers", "regionInstanceGroupManagers")
        for verb in ("insert", "patch", "update", "resize", "resizeAdvanced", "createInstances", "setInstanceTemplate")
    },
    "instanceGroupManagerResizeRequests.insert": group,
    "regionInstanceGroupManagerResizeRequests.insert": group,
    **{
        f"{kind}.{verb}": autoscaler
        for kind in ("autoscalers", "regionAutoscalers")
        for verb in ("insert", "patch", "update")
    },
    "reservations.insert": reservation,
    "reservations.resize": reservation,
    "reservations.update": reservation,
    "futureReservations.insert": reservation,
    "futureReservations.update": reservation,
    "firewalls.insert": firewall,
    "firewalls.patch": firewall,
    "firewalls.update": firewall,
    **{
        f"{kind}.{verb}": firewall
        for kind in ("firewallPolicies", "networkFirewallPolicies", "regionNetworkFirewallPolicies")
        for verb in ("addRule", "patchRule")
    },
    "nodeGroups.insert": lambda call: call.count(whole(call.asked("initialNodeCount"))),
    "nodeGroups.addNodes": lambda call: call.count(whole(at(call.members, "additionalNodeCount"))),
}
"""What the members of a call add, by its name in service `compute`."""
