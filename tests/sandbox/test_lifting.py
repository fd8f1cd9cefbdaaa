"""Secrets outside the Helm release, on a real cluster: what pods get, what restarts, what stays and what goes."""

from __future__ import annotations

import base64
import gzip
import json
from typing import Any

from tests.sandbox.apps import workload
from tests.sandbox.helpers import Project
from tests.sandbox.region import eventually
from tests.sandbox.surroundings import Json, ask, unique

LABELS = "app.kubernetes.io/managed-by=deployer"
ECHO = 'mkdir -p /www && printf %s "$GREETING|$(cat /secrets/app.ini)|$URL|$ESCAPED" > /www/index.html && exec '
ECHO += "httpd -f -p 80 -h /www"


def lifted(project: Project) -> dict[str, dict[str, str]]:
    """The lifted Secrets that there are, by name, with their texts."""
    found = project.cluster.all("Secret", f"{LABELS},deployer/release={project.name}")
    decoded = {
        one["metadata"]["name"]: {key: base64.b64decode(value).decode() for key, value in one["data"].items()}
        for one in found
    }
    assert all(one["immutable"] is True for one in found)
    return decoded


def releases(project: Project) -> str:
    """Everything that Helm has stored of the release, decoded."""
    found = project.cluster.all("Secret", f"owner=helm,name={project.name}")
    return "\n".join(
        gzip.decompress(base64.b64decode(base64.b64decode(one["data"]["release"]))).decode() for one in found
    )


def uids(project: Project, kind: str) -> set[str]:
    """The uids of the pods of one of the app's workloads."""
    pods = project.cluster.pods()
    return {pod["metadata"]["uid"] for pod in pods if pod["metadata"]["labels"].get("kind", "web") == kind}


def with_files(project: Project) -> None:
    """An app that shows what it was given, and a worker with a secret of its own."""
    project.container["command"] = ["sh", "-c", ECHO]
    project.container["env"] += [
        {"name": "URL", "value": "db://$(GREETING)@host"},
        {"name": "ESCAPED", "value": "{{ Values[Name].DOLLARS }}-$(URL)"},
    ]
    pod: Json = project.deployment["spec"]["template"]["spec"]
    project.container["volumeMounts"] = [{"name": "files", "mountPath": "/secrets"}]
    text = "pw={{ Values[Name].FILE }}"
    pod["volumes"] = [{"name": "files", "secret": {"stringData": {"app.ini": text}, "defaultMode": 0o400}}]
    worker: Any = workload("Deployment")
    worker["metadata"]["name"] = "{{ AppName }}-worker"
    for labels in (worker["spec"]["selector"]["matchLabels"], worker["spec"]["template"]["metadata"]["labels"]):
        labels["kind"] = "worker"
    container = worker["spec"]["template"]["spec"]["containers"][0]
    container["env"] = [{"name": "TOKEN", "value": "{{ Values[Name].TOKEN }}"}]
    project.app["Helm"].append(worker)
    project.values |= {"DOLLARS": "a$$b$(NOTHING)", "FILE": unique("file"), "TOKEN": unique("token")}


def shown(project: Project) -> str:
    """What the app's page has to show."""
    greeting, values = project.values["GREETING"], project.values
    url = f"db://{greeting}@host"
    return f"{greeting}|pw={values['FILE']}|{url}|a$b$(NOTHING)-{url}"


def test_the_whole_life_of_lifted_secrets(project: Project) -> None:
    with_files(project)
    project.values["GREETING"] = first = unique("first")
    project.deploy().expect(0)
    assert project.answers(shown(project))
    kept = lifted(project)
    assert sorted(len(texts) for texts in kept.values()) == [1, 1, 2]
    for secret in project.values.values():
        assert secret not in releases(project)
        assert base64.b64encode(secret.encode()).decode() not in releases(project)

    # Nothing to do; then a Secret removed by hand comes back, and no pod is restarted for it.
    project.deploy("--json").expect(0)
    assert project.deploy("--json").expect(0).target["outcome"] == "unchanged"
    before = uids(project, "web") | uids(project, "worker")
    gone = next(name for name in kept if "worker" in name)
    project.cluster.delete("Secret", gone)
    target = project.deploy("--json").expect(0).target
    assert target["reasons"] == [f"Secret/{gone} is missing in the cluster"]
    assert lifted(project) == kept
    assert uids(project, "web") | uids(project, "worker") == before

    # A changed secret restarts the workload that uses it alone.
    project.values["GREETING"] = unique("second")
    worker = uids(project, "worker")
    done = project.deploy("--json").expect(0)
    assert done.target["changes"] == [
        f"Deployment/{project.name}: containers[main].env[ESCAPED].valueFrom.secretKeyRef.name, "
        "containers[main].env[GREETING].valueFrom.secretKeyRef.name"
    ]
    assert project.answers(shown(project))
    assert uids(project, "worker") == worker
    assert len(lifted(project)) == 4

    # The way back finds the old one still there.
    project.run("rollback", "local", "london", project.name).expect(0)
    old = {**project.values, "GREETING": first}
    assert eventually(lambda: ask(project.host, "london") == (200, shown_with(project, old)))

    # A deployment whose Secrets somebody has taken away cannot be gone back to.
    newer = next(name for name in lifted(project) if name not in kept)
    texts = lifted(project)[newer]
    project.cluster.delete("Secret", newer)
    refused = project.run("rollback", "local", "london", project.name, "--to", "3", "--json").expect(2)
    assert f"Secret/{newer}" in refused.stderr
    assert not any(text in refused.output for text in texts.values())

    # All of it goes with the app.
    project.run("remove", "local", "london", project.name, "--yes").expect(0)
    assert lifted(project) == {}


def shown_with(project: Project, values: Json) -> str:
    """What the page shows with other values."""
    before, project.values = project.values, values
    try:
        return shown(project)
    finally:
        project.values = before


def test_what_no_revision_and_no_pod_names_goes(project: Project) -> None:
    project.deployment["spec"]["revisionHistoryLimit"] = 0
    project.deploy().expect(0)
    (first,) = lifted(project)
    project.values["GREETING"] = unique("second")
    project.deploy().expect(0)
    assert set(lifted(project)) > {first}
    stranger: Json = {"metadata": {"name": unique("web"), "labels": {"deployer/release": project.name}}}
    project.cluster.create("Secret", stranger)
    project.cluster.delete("Secret", f"sh.helm.release.v1.{project.name}.v1")
    project.values["GREETING"] = unique("third")
    project.deploy().expect(0)
    assert first not in lifted(project)
    assert len(lifted(project)) == 2
    assert project.cluster.get("Secret", stranger["metadata"]["name"])


def test_without_a_key_the_cluster_keeps_one(project: Project) -> None:
    project.fingerprint_key = None
    project.container["env"][0]["value"] = "{{ Values[Name].GREETING }}"
    done = project.deploy("--json").expect(0)
    assert sum("has no FingerprintKey" in text for text in done.target["warnings"]) == 1
    key = project.cluster.live("Secret", "deploy-fingerprint-key")
    assert key["immutable"] is True
    names = set(lifted(project))
    assert project.deploy("--json").expect(0).target["outcome"] == "unchanged"
    assert set(lifted(project)) == names
    assert project.cluster.live("Secret", "deploy-fingerprint-key") == key


def test_a_release_that_held_its_secrets_gets_rid_of_them(project: Project) -> None:
    text = project.values["GREETING"]
    project.container["env"][0]["value"] = text
    project.deploy().expect(0)
    assert text in releases(project)
    project.container["env"][0]["value"] = "{{ Values[Name].GREETING }}"
    project.deploy().expect(0)
    assert project.answers(text)
    assert text not in json.dumps(project.cluster.live("Deployment", project.name))

    # And back: what the old revision held is there again, and goes with the next deployment.
    project.run("rollback", "local", "london", project.name).expect(0)
    assert text in json.dumps(project.cluster.live("Deployment", project.name))
    project.deploy().expect(0)
    assert text not in json.dumps(project.cluster.live("Deployment", project.name))
