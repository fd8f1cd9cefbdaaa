import base64
import gzip
import json
import re
from datetime import UTC, datetime
from typing import Any

import pytest

from deployer.adapters.helm.encoding import expiry_label, pack, revision_of, unpack
from deployer.model import Json
from deployer.model.release import FOR_EVER
from tests.unit.adapters.helm.stand_ins import release, secret


def data(content: bytes) -> Json:
    return {"data": {"release": base64.b64encode(base64.b64encode(content)).decode()}}


def test_what_is_packed_can_be_unpacked() -> None:
    content = release(3, config={"a": "😀 \u2028"})
    assert unpack(secret(content)) == content


def test_releases_from_before_compression_are_read() -> None:
    assert unpack(data(b'{"version": 1}')) == {"version": 1}


@pytest.mark.parametrize(
    "broken",
    [
        {},
        {"data": None},
        {"data": {}},
        {"data": {"release": 1}},
        {"data": {"release": "!"}},
        {"data": {"release": base64.b64encode(b"!").decode()}},
        data(b""),
        data(b"[1]"),
        data(b"\xff\xfe"),
        data(b"[" * 100_000),
        data(gzip.compress(b'{"a": 1}')[:-9]),
        data(gzip.compress(b"\0" * 80_000_000, compresslevel=1)),
    ],
)
def test_what_cannot_be_unpacked_is_none(broken: Json) -> None:
    assert unpack(broken) is None


def test_a_revision_tells_all_that_is_stored() -> None:
    revision = revision_of(secret(release(3), 3, {"deployment-id": "d-3"}))
    assert revision
    assert (revision.number, revision.status, revision.chart) == (3, "deployed", "deployer-1.0.0")
    assert revision.deployment_id == "d-3"
    assert revision.manifests == ('{"kind":"ConfigMap"}',)
    assert revision.updated
    assert revision.updated.isoformat() == "2026-01-02T03:04:05.123456+00:00"
    assert revision.record
    assert (revision.record.who, revision.record.version) == ("anna@laptop", None)


@pytest.mark.parametrize(
    ("labels", "verified"),
    [
        ({}, False),
        ({"verified": "true"}, False),
        ({"verified": "true", "verified-revision": "2"}, False),
        ({"verified": "false", "verified-revision": "3"}, False),
        ({"verified": "true", "verified-revision": "3"}, True),
    ],
)
def test_a_mark_must_name_its_revision(labels: dict[str, str], verified: bool) -> None:
    revision = revision_of(secret(release(3), 3, labels))
    assert revision
    assert revision.verified is verified


@pytest.mark.parametrize(
    ("label", "until"),
    [
        ("1795276800.3", datetime(2026, 11, 21, 16, tzinfo=UTC)),
        ("0.3", datetime(1970, 1, 1, tzinfo=UTC)),
        ("never.3", FOR_EVER),
        ("1795276800.2", None),  # of another revision: Helm copies labels from one to the next
        ("never.2", None),
        ("1795276800", None),
        ("1795276800.", None),
        (".3", None),
        ("-1.3", None),
        ("1e9.3", None),
        ("²3.3", None),
        ("1795276800.3.3", None),
        ("Never.3", None),
        ("9" * 40 + ".3", None),
        ("9" * 5000 + ".3", None),
        (None, None),
        (3, None),
        ({"3": "3"}, None),
    ],
)
def test_until_when_it_is_kept_must_name_its_revision(label: Any, until: datetime | None) -> None:
    revision = revision_of(secret(release(3), 3, {"expires": label}))
    assert revision
    assert revision.kept_until == until


@pytest.mark.parametrize("until", [datetime(2026, 11, 21, 16, 59, 59, 999, UTC), None])
def test_until_when_it_is_kept_is_a_label_that_kubernetes_takes(until: datetime | None) -> None:
    label = expiry_label(until, 12)
    assert re.fullmatch(r"[A-Za-z0-9]([A-Za-z0-9._-]{0,61}[A-Za-z0-9])?", label)
    revision = revision_of(secret(release(12), 12, {"expires": label}))
    assert revision
    assert revision.kept_until == (until.replace(microsecond=0) if until else FOR_EVER)


@pytest.mark.parametrize("nonsense", [5, None, ["2026-11-21"], {"a": 1}])
def test_a_record_whose_expiry_is_nonsense_expires_nothing(nonsense: Any) -> None:
    record = {"deployment_id": "d", "application": "app@x", "stage": "dev", "region": "london"}
    revision = revision_of(secret(release(3, config={"record": {**record, "expires": nonsense}}), 3))
    assert revision
    assert revision.record
    assert revision.expires is None


def test_what_cannot_be_read_is_known_by_its_labels() -> None:
    revision = revision_of(secret("nonsense", 4))
    assert revision
    assert (revision.number, revision.status, revision.manifests, revision.record) == (4, "deployed", (), None)


@pytest.mark.parametrize("version", ["", "four", None])
def test_what_has_no_number_is_no_revision(version: Any) -> None:
    content = secret("nonsense")
    content["metadata"]["labels"]["version"] = version
    assert revision_of(content) is None
    assert revision_of({}) is None


@pytest.mark.parametrize(
    "foreign",
    [
        {"config": None},
        {"config": {"replicas": 2}},
        {"config": {"manifests": "text", "record": "text"}},
        {"config": {"manifests": [1, {}], "record": {"who": "somebody"}}},
        {"config": {"manifests": None, "record": []}},
        {"chart": None, "info": None, "manifest": None},
        {"info": {"status": "deployed", "last_deployed": "yesterday"}},
        {"info": {"status": "deployed", "last_deployed": 5}},
    ],
)
def test_releases_of_others_are_read_as_far_as_they_go(foreign: Json) -> None:
    content = {"version": 2, "info": {"status": "deployed"}} | foreign
    packed = {"metadata": {"labels": {"version": "2", "status": "deployed"}}, "data": {"release": pack(content)}}
    revision = revision_of(packed)
    assert revision
    assert (revision.number, revision.status) == (2, "deployed")
    assert (revision.manifests, revision.record, revision.updated) == ((), None, None)


def test_records_of_other_versions_of_the_tool_are_read() -> None:
    record = {"deployment_id": "d", "application": "a", "stage": "s", "region": "r", "later": "x", "version": 1}
    revision = revision_of(secret(release(config={"record": record})))
    assert revision
    assert revision.record
    assert (revision.record.deployment_id, revision.record.version) == ("d", None)


def test_packed_is_as_small_as_helm_makes_it() -> None:
    content = release(manifest="x" * 100_000)
    assert len(pack(content)) < len(json.dumps(content)) / 50
