"""Options that the AWS command line adds to an operation for comfort, as the parameters it makes of them."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from comptroller.core.action import Value
from comptroller.decode.records.arguments import Given
from comptroller.decode.records.case import Unread
from comptroller.decode.records.shorthand import Malformed, parse

Parameters = dict[str, Value]
Comfort = Callable[[Given, Parameters], None]
"""Puts what an option says into the parameters."""

LOCAL = frozenset(
    {"outfile", "bootstrap-method", "priv-launch-key", "certificate-pem-outfile", "private-key-outfile"}
    | {"public-key-outfile"}
)
"""Options that only say where an answer goes on the caller's own machine."""


def comfort(service: str, operation: str, option: str) -> Comfort | None:
    """What an option that is no member does; None where nobody knows it."""
    if option in LOCAL:
        return _nothing
    return _BY_OPERATION.get((service, operation, option)) or _BY_OPERATION.get((service, "", option))


def _nothing(given: Given, parameters: Parameters) -> None:
    return None


def _count(given: Given, parameters: Parameters) -> None:
    low, _, high = given.text.partition(":")
    parameters["MinCount"] = _kept(given, low)
    parameters["MaxCount"] = _kept(given, high or low)


def _kept(given: Given, text: str) -> Value:
    """A piece of an option's text, still unread where the whole is."""
    return Unread(text) if isinstance(given.text, Unread) else text


def _interface(parameters: Parameters) -> Parameters:
    """The one network interface that run-instances' address options speak of."""
    found = parameters.setdefault("NetworkInterfaces", [{"DeviceIndex": 0}])
    first = found[0] if isinstance(found, list) and found and isinstance(found[0], dict) else {}
    return first


def _public(wanted: bool) -> Comfort:
    def put(given: Given, parameters: Parameters) -> None:
        _interface(parameters)["AssociatePublicIpAddress"] = wanted

    return put


def _secondary(given: Given, parameters: Parameters) -> None:
    texts: list[Value] = [{"PrivateIpAddress": text, "Primary": False} for text in given.texts]
    _interface(parameters)["PrivateIpAddresses"] = texts


def _secondary_count(given: Given, parameters: Parameters) -> None:
    _interface(parameters)["SecondaryPrivateIpAddressCount"] = given.text


def _permission(parameters: Parameters) -> Parameters:
    found = parameters.setdefault("IpPermissions", [{}])
    first = found[0] if isinstance(found, list) and found and isinstance(found[0], dict) else {}
    return first


def _protocol(given: Given, parameters: Parameters) -> None:
    _permission(parameters)["IpProtocol"] = _kept(given, "-1" if given.text == "all" else given.text)


def _port(given: Given, parameters: Parameters) -> None:
    low, _, high = given.text.removeprefix("-").partition("-")
    first = f"-{low}" if given.text.startswith("-") else low
    if given.text == "all":
        first = high = "-1"
    _permission(parameters)["FromPort"] = _kept(given, first)
    _permission(parameters)["ToPort"] = _kept(given, high or first)


def _cidr(given: Given, parameters: Parameters) -> None:
    _permission(parameters)["IpRanges"] = [{"CidrIp": given.text}]


def _group(name: str) -> Comfort:
    def put(given: Given, parameters: Parameters) -> None:
        pairs = _permission(parameters).setdefault("UserIdGroupPairs", [{}])
        if isinstance(pairs, list) and isinstance(pairs[0], dict):
            pairs[0]["GroupId" if name == "GroupId" and given.text.startswith("sg-") else name] = given.text

    return put


def _inside(*path: str, wrap: bool = False) -> Comfort:
    """The value goes to a member inside a member."""

    def put(given: Given, parameters: Parameters) -> None:
        here = parameters
        for name in path[:-1]:
            inner = here.setdefault(name, {})
            if not isinstance(inner, dict):
                return
            here = inner
        here[path[-1]] = list(given.texts) if wrap else given.text

    return put


def _structured(*path: str) -> Comfort:
    """As `_inside`, for a value in shorthand."""

    def put(given: Given, parameters: Parameters) -> None:
        _inside(*path)(given, parameters)
        here: Value = parameters
        for name in path[:-1]:
            here = here.get(name) if isinstance(here, Mapping) else None
        if isinstance(here, dict) and not isinstance(given.text, Unread):
            try:
                here[path[-1]] = parse(given.text)
            except Malformed:
                here[path[-1]] = Unread(given.text)

    return put


def _location(kind: str, member: str) -> Comfort:
    def put(given: Given, parameters: Parameters) -> None:
        revision: Value
        try:
            revision = Unread(given.text) if isinstance(given.text, Unread) else parse(given.text)
        except Malformed:
            revision = Unread(given.text)
        parameters["revision"] = {"revisionType": kind, member: revision}

    return put


def _metric(name: str) -> Comfort:
    def put(given: Given, parameters: Parameters) -> None:
        data = parameters.setdefault("MetricData", [{}])
        if isinstance(data, list) and data and isinstance(data[0], dict):
            value: Value = given.text
            if name in ("Dimensions", "StatisticValues") and not isinstance(given.text, Unread):
                value = _dimensions(given.text) if name == "Dimensions" else _pairs(given.text)
            data[0][name] = value

    return put


def _pairs(text: str) -> Value:
    try:
        return parse(text)
    except Malformed:
        return Unread(text)


def _dimensions(text: str) -> Value:
    found = _pairs(text)
    if not isinstance(found, dict):
        return found
    return [{"Name": name, "Value": value} for name, value in found.items()]


def _states(*states: str) -> Comfort:
    def put(given: Given, parameters: Parameters) -> None:
        known = parameters.setdefault("ClusterStates", [])
        if isinstance(known, list):
            known.extend(states)

    return put


def _paths(given: Given, parameters: Parameters) -> None:
    texts = list(given.texts)
    batch = {"Paths": {"Quantity": len(texts), "Items": texts}, "CallerReference": "cli"}
    parameters["InvalidationBatch"] = batch


def _origin(given: Given, parameters: Parameters) -> None:
    origins = {"Quantity": 1, "Items": [{"Id": given.text, "DomainName": given.text}]}
    _config(parameters)["Origins"] = origins


def _root(given: Given, parameters: Parameters) -> None:
    _config(parameters)["DefaultRootObject"] = given.text


def _config(parameters: Parameters) -> Parameters:
    found = parameters.setdefault("DistributionConfig", {})
    return found if isinstance(found, dict) else {}


def _objects(given: Given, parameters: Parameters) -> None:
    parameters["pipelineObjects"] = Unread(given.text)


def _values(given: Given, parameters: Parameters) -> None:
    parameters["parameterValues"] = Unread(given.text)


_INGRESS = ("AuthorizeSecurityGroupIngress", "RevokeSecurityGroupIngress")
_EGRESS = ("AuthorizeSecurityGroupEgress", "RevokeSecurityGroupEgress")
_SECURITY: Mapping[str, Comfort] = {
    "protocol": _protocol,
    "port": _port,
    "cidr": _cidr,
    "source-group": _group("GroupId"),
    "group-owner": _group("UserId"),
}
_METRICS = {
    name: _metric(member)
    for name, member in (
        ("metric-name", "MetricName"),
        ("timestamp", "Timestamp"),
        ("unit", "Unit"),
        ("value", "Value"),
        ("dimensions", "Dimensions"),
        ("statistic-values", "StatisticValues"),
        ("storage-resolution", "StorageResolution"),
    )
}
_SEND: Mapping[str, Comfort] = {
    "to": _inside("Destination", "ToAddresses", wrap=True),
    "cc": _inside("Destination", "CcAddresses", wrap=True),
    "bcc": _inside("Destination", "BccAddresses", wrap=True),
    "subject": _inside("Message", "Subject", "Data"),
    "text": _inside("Message", "Body", "Text", "Data"),
    "html": _inside("Message", "Body", "Html", "Data"),
}
_BUNDLE = {
    name: _inside("Storage", "S3", member)
    for name, member in (
        ("bucket", "Bucket"),
        ("prefix", "Prefix"),
        ("owner-akid", "AWSAccessKeyId"),
        ("policy", "UploadPolicy"),
    )
}

_BY_OPERATION: Mapping[tuple[str, str, str], Comfort] = {
    ("ec2", "RunInstances", "count"): _count,
    ("ec2", "RunInstances", "associate-public-ip-address"): _public(True),
    ("ec2", "RunInstances", "no-associate-public-ip-address"): _public(False),
    ("ec2", "RunInstances", "secondary-private-ip-addresses"): _secondary,
    ("ec2", "RunInstances", "secondary-private-ip-address-count"): _secondary_count,
    **{("ec2", name, option): put for name in (*_INGRESS, *_EGRESS) for option, put in _SECURITY.items()},
    **{("ec2", "BundleInstance", option): put for option, put in _BUNDLE.items()},
    ("ec2", "BundleInstance", "owner-sak"): _nothing,
    ("lambda", "CreateFunction", "zip-file"): _inside("Code", "ZipFile"),
    ("lambda", "PublishLayerVersion", "zip-file"): _inside("Content", "ZipFile"),
    **{("cloudwatch", "PutMetricData", option): put for option, put in _METRICS.items()},
    **{("ses", "SendEmail", option): put for option, put in _SEND.items()},
    **{
        ("codedeploy", name, option): put
        for name in ("CreateDeployment", "GetApplicationRevision", "RegisterApplicationRevision")
        for option, put in (
            ("s3-location", _location("S3", "s3Location")),
            ("github-location", _location("GitHub", "gitHubLocation")),
        )
    },
    ("emr", "ListClusters", "active"): _states("STARTING", "BOOTSTRAPPING", "RUNNING", "WAITING", "TERMINATING"),
    ("emr", "ListClusters", "terminated"): _states("TERMINATED"),
    ("emr", "ListClusters", "failed"): _states("TERMINATED_WITH_ERRORS"),
    ("cloudfront", "CreateInvalidation", "paths"): _paths,
    ("cloudfront", "CreateDistribution", "origin-domain-name"): _origin,
    ("cloudfront", "CreateDistribution", "default-root-object"): _root,
    ("cloudfront", "UpdateDistribution", "default-root-object"): _root,
    ("rekognition", "", "image-bytes"): _inside("Image", "Bytes"),
    ("rekognition", "", "source-image-bytes"): _inside("SourceImage", "Bytes"),
    ("rekognition", "", "target-image-bytes"): _inside("TargetImage", "Bytes"),
    ("translate", "ImportTerminology", "data-file"): _inside("TerminologyData", "File"),
    ("translate", "TranslateDocument", "document-content"): _inside("Document", "Content"),
    ("quicksight", "StartAssetBundleImportJob", "asset-bundle-import-source-bytes"): _inside(
        "AssetBundleImportSource", "Body"
    ),
    ("config", "PutConfigurationRecorder", "recording-group"): _structured("ConfigurationRecorder", "recordingGroup"),
    ("datapipeline", "PutPipelineDefinition", "pipeline-definition"): _objects,
    ("datapipeline", "PutPipelineDefinition", "parameter-values-uri"): _values,
    ("datapipeline", "ActivatePipeline", "parameter-values-uri"): _values,
}
"""(service, operation, option) -> what it does; an empty operation means any of the service."""
