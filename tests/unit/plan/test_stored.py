"""Manifests of revisions that were stored some time ago."""

from __future__ import annotations

import base64
import json

from deployer.model import DeploymentRecord, Image, Json
from deployer.plan.stored import own_images, prepared_again, secret_texts
from tests.fakes import make_revision

PREFIX = "registry.test/team"


def workload(*containers: Json, hook: str | None = None) -> Json:
    annotations = {"annotations": {"helm.sh/hook": hook}} if hook else {}
    pod = {"spec": {"containers": list(containers)}}
    metadata = {"name": f"work-{hook or 'here'}", **annotations}
    return {"apiVersion": "batch/v1", "kind": "Job", "metadata": metadata, "spec": {"template": pod}}


def test_only_the_hooks_of_a_rollback_are_applied() -> None:
    contents = [workload(hook=hook) for hook in (None, "pre-upgrade", "post-upgrade, post-rollback", "pre-rollback")]
    revision = make_revision(3, manifests=tuple(map(json.dumps, contents)))
    prepared = prepared_again(revision, "here", "prod.london")
    assert [one["metadata"]["name"] for one in prepared.objects] == [
        "work-here",
        "work-post-upgrade, post-rollback",
        "work-pre-rollback",
    ]
    assert [json.loads(text) for text in prepared.texts] == list(prepared.objects)
    assert prepared.sources[0].at(("metadata",)) == "prod.london, revision 3"


def test_what_another_tool_stored_is_brought_to_todays_apis() -> None:
    manifest = """\
apiVersion: extensions/v1beta1
kind: Ingress
metadata: {name: theirs}
spec: {rules: [{host: h, http: {paths: [{path: /, backend: {serviceName: s, servicePort: 80}}]}}]}
---
apiVersion: v1
kind: Pod
metadata: {generateName: nobody-}
"""
    (ingress,) = prepared_again(make_revision(1, manifest=manifest), "here", "prod.london").objects
    assert ingress["apiVersion"] == "networking.k8s.io/v1"


def test_images_under_our_prefix_are_our_own() -> None:
    names = ["registry.test/team/app:1@sha256:a", "registry.test/team/app:1@sha256:a", "registry.test/other/app:1"]
    objects = [workload(*({"image": name} for name in [*names, "busybox:1", "registry.test/teamwork/app:1"]))]
    assert own_images(objects, f"{PREFIX}/") == (Image("registry.test", "team/app", "1", "sha256:a"),)
    assert own_images([workload({})], PREFIX) == ()


def test_what_may_have_been_secret_is_named_but_not_what_the_record_shows() -> None:
    secret = {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": "s"},
        "data": {"a": base64.b64encode(b"old password").decode(), "b": "no base64 at all"},
        "stringData": {"c": "plain password"},
    }
    env = [{"name": "A", "value": "token-of-its-time"}, {"name": "V", "value": "1.2.3"}, {"name": "F", "valueFrom": {}}]
    record = DeploymentRecord("d", "myapp", "prod", "london", version="1.2.3")
    revision = make_revision(1, record=record, manifests=(json.dumps(secret), json.dumps(workload({"env": env}))))
    assert set(secret_texts(revision)) == {"old password", "no base64 at all", "plain password", "token-of-its-time"}
