"""The shipped index of Google's operations: complete, reviewed, found by host and path, loaded a service at a time."""

from __future__ import annotations

import gzip
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

from bench import gcp_wire
from comptroller.core.action import ActionClass as C
from comptroller.decode.gcp import GcpCodec, index

ROOT = Path(__file__).resolve().parents[2]
GOLDEN = ROOT / "tests/golden/gcp_classes.tsv.gz"
CODEC = GcpCodec()

EXPECTED = {
    "compute:instances.insert": {C.PROVISION},
    "compute:instances.list": {C.READ},
    "compute:instances.aggregatedList": {C.READ},
    "compute:instances.delete": {C.DESTROY},
    "compute:instances.stop": {C.WRITE},
    "compute:instances.start": {C.PROVISION},
    "compute:instances.setMachineType": {C.PROVISION},
    "compute:instances.setMetadata": {C.ENTITLE, C.EXECUTE},
    "compute:instances.setIamPolicy": {C.ENTITLE},
    "compute:instances.getIamPolicy": {C.READ},
    "compute:instances.testIamPermissions": {C.READ},
    "compute:instances.getSerialPortOutput": {C.REVEAL},
    "compute:instanceGroupManagers.resize": {C.PROVISION},
    "compute:firewalls.insert": {C.ENTITLE},
    "compute:regionCommitments.insert": {C.PAY},
    "compute:projects.setUsageExportBucket": {C.BLIND},
    "container:projects.locations.clusters.create": {C.PROVISION},
    "container:projects.zones.clusters.nodePools.setSize": {C.PROVISION},
    "container:projects.zones.clusters.logging": {C.BLIND},
    "sqladmin:instances.insert": {C.PROVISION},
    "sqladmin:instances.executeSql": {C.EXECUTE},
    "sqladmin:sslCerts.createEphemeral": {C.ENTITLE, C.REVEAL},
    "secretmanager:projects.secrets.versions.access": {C.REVEAL},
    "secretmanager:projects.secrets.versions.destroy": {C.DESTROY},
    "secretmanager:projects.secrets.list": {C.READ},
    "iam:projects.serviceAccounts.keys.create": {C.ENTITLE, C.REVEAL},
    "iam:projects.serviceAccounts.keys.list": {C.READ},
    "iam:projects.roles.create": {C.ENTITLE},
    "iamcredentials:projects.serviceAccounts.generateAccessToken": {C.ENTITLE, C.REVEAL},
    "iamcredentials:projects.serviceAccounts.signBlob": {C.ENTITLE, C.REVEAL},
    "sts:token": {C.ENTITLE, C.REVEAL},
    "cloudkms:projects.locations.keyRings.cryptoKeys.decrypt": {C.REVEAL},
    "cloudkms:projects.locations.keyRings.cryptoKeys.cryptoKeyVersions.destroy": {C.DESTROY},
    "cloudresourcemanager:projects.setIamPolicy": {C.ENTITLE},
    "cloudresourcemanager:projects.delete": {C.DESTROY},
    "cloudresourcemanager:projects.setOrgPolicy": {C.BLIND, C.ENTITLE},
    "orgpolicy:projects.policies.patch": {C.BLIND, C.ENTITLE},
    "orgpolicy:projects.policies.list": {C.READ},
    "logging:projects.sinks.delete": {C.BLIND, C.DESTROY},
    "logging:projects.sinks.update": {C.BLIND},
    "logging:projects.exclusions.create": {C.BLIND},
    "logging:projects.exclusions.get": {C.READ},
    "logging:entries.list": {C.READ},
    "logging:entries.write": {C.WRITE},
    "monitoring:projects.alertPolicies.delete": {C.BLIND, C.DESTROY},
    "cloudbuild:projects.builds.create": {C.EXECUTE, C.PROVISION},
    "run:projects.locations.services.create": {C.EXECUTE, C.PROVISION},
    "run:projects.locations.jobs.run": {C.EXECUTE, C.PROVISION},
    "cloudfunctions:projects.locations.functions.create": {C.EXECUTE, C.PROVISION},
    "dataproc:projects.regions.jobs.submit": {C.EXECUTE, C.PROVISION},
    "batch:projects.locations.jobs.create": {C.EXECUTE, C.PROVISION},
    "bigquery:jobs.query": {C.EXECUTE, C.PROVISION},
    "bigquery:jobs.getQueryResults": {C.READ},
    "bigquery:tables.delete": {C.DESTROY},
    "bigquery:datasets.list": {C.READ},
    "aiplatform:projects.locations.publishers.models.generateContent": {C.INFER},
    "aiplatform:projects.locations.endpoints.predict": {C.INFER},
    "aiplatform:projects.locations.endpoints.deployModel": {C.PROVISION},
    "aiplatform:projects.locations.customJobs.create": {C.EXECUTE, C.PROVISION},
    "aiplatform:endpoints.countTokens": {C.READ},
    "cloudbilling:projects.updateBillingInfo": {C.DESTROY, C.PAY},
    "domains:projects.locations.registrations.register": {C.PAY},
    "storage:objects.get": {C.READ},
    "storage:objects.insert": {C.WRITE},
    "storage:objects.delete": {C.DESTROY},
    "storage:buckets.setIamPolicy": {C.ENTITLE},
    "storage:bucketAccessControls.insert": {C.ENTITLE},
    "storage:buckets.lockRetentionPolicy": {C.DESTROY},
    "storage:projects.hmacKeys.create": {C.ENTITLE, C.REVEAL},
    "pubsub:projects.topics.publish": {C.WRITE},
    "pubsub:projects.subscriptions.seek": {C.DESTROY},
    "firestore:projects.databases.documents.runQuery": {C.READ},
    "firestore:projects.databases.documents.commit": {C.WRITE},
    "gmail:users.messages.send": {C.COMMUNICATE},
    "gmail:users.messages.list": {C.READ},
    "gmail:users.settings.delegates.create": {C.ENTITLE},
    "drive:permissions.create": {C.COMMUNICATE, C.ENTITLE},
    "drive:files.list": {C.READ},
    "drive:files.create": {C.WRITE},
    "calendar:freebusy.query": {C.READ},
    "calendar:acl.insert": {C.ENTITLE},
    "chat:spaces.messages.create": {C.COMMUNICATE},
    "admin:directory.users.makeAdmin": {C.ENTITLE, C.REVEAL},
    "youtube:videos.insert": {C.COMMUNICATE},
    "translate:projects.translateText": {C.INFER},
    "vision:images.annotate": {C.INFER},
    "tpu:projects.locations.nodes.create": {C.EXECUTE, C.PROVISION},
}


@pytest.mark.parametrize("name", sorted(EXPECTED))
def test_classes_of_well_known_operations(name: str) -> None:
    assert CODEC.known()[f"gcp:{name}"] == EXPECTED[name]


def test_the_shipped_index_and_the_golden_table_are_what_the_package_gives() -> None:
    done = subprocess.run([sys.executable, "tools/build_gcp_index.py", "--check"], cwd=ROOT, capture_output=True)
    assert done.returncode == 0, done.stderr.decode()


def test_every_operation_has_classes_and_none_is_both_read_and_more() -> None:
    lines = gzip.decompress(GOLDEN.read_bytes()).decode().splitlines()
    known = CODEC.known()
    assert len(lines) == len(known) > 16_000
    for line in lines:
        operation, _, classes = line.partition("\t")
        assert known[operation] == frozenset(C(name) for name in classes.split(","))
        assert len(known[operation]) == 1 or not known[operation] & {C.READ, C.WRITE}
    seen = Counter(cls for classes in known.values() for cls in classes)
    assert C.UNKNOWN not in seen and min(seen[cls] for cls in C if cls is not C.UNKNOWN) > 50


def test_requests_of_the_real_client_are_read_as_what_they_were_built_for() -> None:
    right, total, wrong = gcp_wire.count(gcp_wire.QUICK_EVERY)
    assert total > 400 and right / total >= 0.99, wrong


@pytest.mark.parametrize(
    ("host", "services", "region"),
    [
        ("compute.googleapis.com", ("compute",), ""),
        ("compute.mtls.googleapis.com", ("compute",), ""),
        ("us-central1-aiplatform.googleapis.com", ("aiplatform",), "us-central1"),
        ("europe-west4-run.googleapis.com", ("run",), "europe-west4"),
        ("us-documentai.googleapis.com", ("documentai",), "us"),
        ("datastore.asia-east1.rep.googleapis.com", ("datastore",), "asia-east1"),
        ("content-storage.googleapis.com", ("storage",), ""),
        ("compute-myendpoint.p.googleapis.com", ("compute",), ""),
        ("sheets.clients6.google.com", ("sheets",), ""),
    ],
)
def test_hosts(host: str, services: tuple[str, ...], region: str) -> None:
    place = index.place(host)
    assert place is not None and place.services == services and place.region == region


@pytest.mark.parametrize(
    "host",
    ["x.googleapis.com", "googleapis.com", "compute.googleapis.com.evil.example", "evil-compute.googleapis.com",
     "compute.evil.rep.googleapis.com", "example.com", ".googleapis.com"],
)  # fmt: skip
def test_hosts_that_are_none(host: str) -> None:
    assert index.place(host) is None


def test_nothing_is_unpacked_before_it_is_needed_and_then_one_service_alone() -> None:
    script = (
        "import comptroller.decode.registry, comptroller.decode.gcp.index as i;"
        "assert i.service.cache_info().currsize == 0 and i.directory.cache_info().currsize == 0"
    )
    subprocess.run([sys.executable, "-c", script], check=True)
    index.service.cache_clear()
    assert index.service("compute") is not None
    assert index.service.cache_info().currsize == 1
    assert index.service("none") is None


def test_the_shipped_data_is_small() -> None:
    folder = ROOT / "src/comptroller/decode/gcp/data"
    assert sum(path.stat().st_size for path in folder.iterdir()) < 1_000_000
