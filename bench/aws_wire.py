"""One valid request for every serialisable operation of every AWS service: written by botocore, read by our codec."""

from __future__ import annotations

import random
import time
from collections import Counter
from dataclasses import dataclass, field, replace

from comptroller.core.action import Action, ActionClass
from comptroller.decode.aws import AwsCodec, index
from comptroller.testing.aws_requests import AwsRequests, Sample

SEED = 7
QUICK_SERVICES = 40
QUICK_PER_SERVICE = 25
WARM_READS = 3

RENAMED = {
    "GetBucketLifecycle": "GetBucketLifecycleConfiguration",
    "PutBucketLifecycle": "PutBucketLifecycleConfiguration",
    "GetBucketNotification": "GetBucketNotificationConfiguration",
    "PutBucketNotification": "PutBucketNotificationConfiguration",
}
"""Operations that botocore keeps under an old name beside the new one: one and the same request."""
REPLACED = frozenset({"SourceRegion", "DestinationRegion", "PreSignedUrl", "PresignedUrl"})
"""Of a copy between regions: the client writes a signed address in place of the region it was told."""
ADDED = frozenset(
    {"ClientToken", "ChecksumAlgorithm", "ChecksumMode", "EncodingType", "ContentMD5", "ContentLength", "checksum"}
)
"""Members that a client adds by itself, or that are made anew on the way out."""


@dataclass(slots=True)
class Measured:
    """What was found. `operation` counts requests whose service and operation are right, `twins` those of them whose
    service another one shares host, signing scope and operation with: nothing on the wire tells the two apart."""

    total: int = 0
    operation: int = 0
    twins: int = 0
    parameters: int = 0
    classed: int = 0
    wrong: list[str] = field(default_factory=list)
    unequal: list[str] = field(default_factory=list)
    decode_us: list[float] = field(default_factory=list)


def measure(*, quick: bool = False, seed: int = SEED) -> Measured:
    """Every operation of every service; with `quick` some operations of some services, drawn by `seed`."""
    requests, codec, found = AwsRequests(seed=seed), AwsCodec(), Measured()
    services = requests.services()
    if quick:
        services = sorted(random.Random(seed).sample(services, QUICK_SERVICES))
    for service in services:
        names = requests.operations(service)
        if quick and len(names) > QUICK_PER_SERVICE:
            names = sorted(random.Random(seed).sample(names, QUICK_PER_SERVICE))
        for name in names:
            sample = requests.sample(service, name)
            if sample is not None:
                _judge(sample, codec, found)
    return found


def _judge(sample: Sample, codec: AwsCodec, found: Measured) -> None:
    found.total += 1
    action = codec.decode(sample.request)
    started = time.perf_counter()
    for _ in range(WARM_READS):
        codec.decode(sample.request)
    found.decode_us.append((time.perf_counter() - started) / WARM_READS * 1e6)
    if action.classes and ActionClass.UNKNOWN not in action.classes:
        found.classed += 1
    wanted = f"aws:{sample.service}:{RENAMED.get(sample.operation, sample.operation)}"
    if action.operation != wanted:
        if not _twins(sample, action):
            found.wrong.append(f"{wanted} read as {action.operation} {action.reason}".rstrip())
            return
        found.twins += 1
    found.operation += 1
    if _equal(sample, action):
        found.parameters += 1
    else:
        found.unequal.append(wanted)


def _twins(sample: Sample, action: Action) -> bool:
    """Whether both services answer this operation at this very host under this very scope."""
    _, service, name = action.operation.split(":")
    place = index.place(sample.request.host)
    known = index.load().services
    return (
        name == RENAMED.get(sample.operation, sample.operation)
        and place is not None
        and {service, sample.service} <= set(place.services)
        and known[service].signing_name == known[sample.service].signing_name
    )


def _equal(sample: Sample, action: Action) -> bool:
    tokens = action.call.idempotency.keys()
    wanted = {k: v for k, v in sample.parameters.items() if _counts(k) and k not in tokens}
    if "PreSignedUrl" in action.parameters or "PresignedUrl" in action.parameters:
        wanted = {k: v for k, v in wanted.items() if k not in REPLACED}
        action = replace(action, parameters={k: v for k, v in action.parameters.items() if k not in REPLACED})
    return _plain(wanted) == _plain({k: v for k, v in action.parameters.items() if _counts(k)})


def _counts(name: str) -> bool:
    return name not in ADDED and not name.startswith("SSE")


def _plain(value: object) -> object:
    """Without empty members, which several protocols cannot write."""
    if isinstance(value, dict):
        return {k: v for k, v in ((k, _plain(v)) for k, v in value.items()) if v not in ({}, [])}
    if isinstance(value, list):
        return [v for v in map(_plain, value) if v not in ({}, [])]
    return value


def summary(found: Measured, most: int = 20) -> str:
    """What went wrong, by service."""
    services = Counter(line.split(":")[1] for line in found.wrong)
    return "\n".join([*found.wrong[:most], f"by service: {dict(services.most_common(most))}", *found.unequal[:most]])
