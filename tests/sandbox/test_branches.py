"""Branches beside their app: releases, hosts, DNS and values of their own, and nothing of them left afterwards."""

from __future__ import annotations

import copy
import json
import time
from collections.abc import Iterator
from typing import Any

import pytest

from deployer.model.branches import branched, label
from deployer.sandbox.layout import INGRESS_PORT
from tests.sandbox.apps import hook, workload
from tests.sandbox.helpers import Project, only, with_image, write_yaml
from tests.sandbox.region import eventually
from tests.sandbox.route53 import Zone, zone_of_its_own
from tests.sandbox.surroundings import Json, Put, ask, unique

CLAIMED: Json = {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Mi"}}}


@pytest.fixture
def zone() -> Iterator[Zone]:
    with zone_of_its_own() as made:
        yield made


@pytest.fixture
def rich(project: Project, zone: Zone, put: Put) -> Project:
    """An app that makes all there is: image, hook, claims, lifted Secret, what Helm keeps, records in DNS."""
    project.stage |= {"DnsDomain": zone.name, "Dns": {"Manage": True}, "Branches": {"Expires": "3d"}}
    project.stage["HealthCheck"] |= {"Port": INGRESS_PORT, "Interval": 10, "FailureThreshold": 1}
    project.app["SubDomain"] = "app"
    with_image(project, put("site.tgz", {"page": unique("page")}))
    project.container["command"][2] = 'cd /www && printf %s "$GREETING" > index.html && exec httpd -f -p 80 -h /www'
    manifests = project.app["Helm"]
    rule = copy.deepcopy(manifests[2]["spec"]["rules"][0])
    manifests[2]["spec"]["rules"].append({**rule, "host": "{{ SubDomain }}.{{ DnsDomain }}"})
    template = {"metadata": {"name": "disk"}, "spec": CLAIMED}
    stateful = workload("StatefulSet", replicas=0, serviceName="{{ AppName }}", volumeClaimTemplates=[template])
    kept: Json = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "{{ AppName }}-kept"}}
    kept["metadata"]["annotations"] = {"helm.sh/resource-policy": "keep"}
    project.app["Helm"] += [stateful, kept, hook("true")]
    return project


def everything(project: Project, zone: Zone) -> Json:
    """All that a deployment may make: in the cluster, in DNS, among the health checks."""
    path = f"/api/v1/namespaces/{project.cluster.name}/persistentvolumeclaims"
    claims = [one["metadata"]["uid"] for one in project.cluster.request("GET", path)["items"]]
    leases = project.cluster.request("GET", f"/apis/coordination.k8s.io/v1/namespaces/{project.cluster.name}/leases")
    checks = zone.route53.list_health_checks(MaxItems="300")["HealthChecks"]
    return {
        "cluster": project.cluster.snapshot(),
        "claims": claims,
        "leases": [one["metadata"]["name"] for one in leases["items"]],
        "records": zone.records(),
        "checks": [one["Id"] for one in checks if zone.name in json.dumps(one, default=str)],
    }


def branches(project: Project, *words: str, code: int = 0) -> Any:
    return project.run("branches", *words, "--json").expect(code).document


def listed(project: Project) -> dict[str, Json]:
    """Branch → its entry."""
    found = branches(project, "list", "local", "london")["branches"]
    return {one["branch"]: one for one in found if one["application"] == project.name}


def test_a_branch_lives_beside_its_app_and_goes_without_a_trace(rich: Project, zone: Zone) -> None:
    project, name = rich, rich.name
    main = project.deploy("--json").expect(0).target
    before = everything(project, zone)
    write_yaml(project.root / "group_vars/branches.yml", {"Values": {name: {"GREETING": "from {{ BRANCH }}"}}})
    own = {"Values": {name: {"GREETING": "only {{ BRANCH }}, as {{ AppName }}"}}}
    write_yaml(project.root / f"group_vars/branches.{label('feature-x')}.yml", own)

    slash = project.deploy("--json", "--branch", "feature/x").expect(0).target
    assert (slash["application"], slash["branch"], slash["outcome"]) == (f"{name}@feature/x", "feature/x", "deployed")
    assert (slash["image"], slash["digest"]) == (main["image"], main["digest"])
    project.run("local", "london", f"{name}@feature-x", "--expires", "never").expect(0)

    host = branched("app", "feature/x", 63)
    path = f"/api/v1/namespaces/{project.cluster.name}/persistentvolumeclaims"
    disk = {"metadata": {"name": f"disk-{branched(name, 'feature/x', 53)}-0"}, "spec": CLAIMED}
    project.cluster.request("POST", path, disk)
    assert ask(f"{host}.london.{zone.name}", "london") == (200, "from feature/x")
    dashed = f"{branched('app', 'feature-x', 63)}.london.{zone.name}"
    assert ask(dashed, "london") == (200, f"only feature-x, as {branched(name, 'feature-x', 53)}")
    assert ask(f"app.london.{zone.name}", "london") == (200, project.values["GREETING"])
    assert {f"{host}.{zone.name}.", f"{host}.london.{zone.name}."} <= {one["Name"] for one in zone.records()}

    found = listed(project)
    assert found.keys() == {"feature/x", "feature-x"}
    assert found["feature/x"]["host"] == f"{host}.london.{zone.name}"
    assert (found["feature-x"]["expires"], found["feature-x"]["expired"]) == (None, False)
    assert [row["application"] for row in project.run("status", "local", "--json").document["notInApps"]] == []

    (project.root / f"apps/{name}.yml").rename(project.root / f"apps/{name}.gone")  # its file is not needed
    for words in (("delete", "local", "london", name, "feature/x"), ("delete", "local", "all", f"{name}@feature-x")):
        done = branches(project, *words, "--yes")
        assert [one["outcome"] for one in done["targets"]] == ["removed"]
    assert eventually(lambda: everything(project, zone) == before)  # a hook's pods go in the background


def test_a_first_deployment_that_fails_leaves_no_claim(project: Project) -> None:
    project.stage["Branches"] = {}
    template = {"metadata": {"name": "disk"}, "spec": CLAIMED}
    stateful = workload("StatefulSet", "exit 1", replicas=1, serviceName="x", volumeClaimTemplates=[template])
    stateful["spec"]["template"]["spec"]["containers"][0]["image"] = "{{ BaseImage }}-not"
    only(project, stateful)
    project.stage["Rollout"] |= {"Timeout": 10}
    project.write()
    before = project.cluster.snapshot()
    done = project.run("local", "london", project.name, "--branch", "broken", "--json").expect(1)
    assert done.target["outcome"] == "uninstalled"
    path = f"/api/v1/namespaces/{project.cluster.name}/persistentvolumeclaims"

    def claims() -> list[str]:
        items = project.cluster.request("GET", path)["items"]
        return [one["metadata"]["name"] for one in items if one["metadata"]["name"].startswith(f"disk-{project.name}-")]

    assert eventually(lambda: claims() == [])
    assert eventually(lambda: project.cluster.snapshot() == before)


def test_what_has_expired_goes_and_what_was_deployed_again_stays(project: Project) -> None:
    project.stage["Branches"] = {}
    project.deploy().expect(0)
    before = project.cluster.snapshot()
    for branch in ("old", "renewed", "fresh"):
        project.run("local", "london", project.name, "--branch", branch).expect(0)
    week = 7 * 24 * 3600
    for branch in ("old", "renewed"):
        secret = f"sh.helm.release.v1.{branched(project.name, branch, 53)}.v1"
        project.cluster.patch("Secret", secret, {"metadata": {"labels": {"expires": f"{int(time.time()) - 60}.1"}}})
    assert {branch for branch, one in listed(project).items() if one["expired"]} == {"old", "renewed"}

    again = project.run("local", "london", project.name, "--branch", "renewed", "--json").expect(0).target
    assert again["outcome"] == "unchanged"
    left = listed(project)["renewed"]["expires"]
    assert left > time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(time.time() + week - 600))

    planned = branches(project, "expire", "local", "london", "--plan")["targets"]
    assert [(one["application"], one["outcome"]) for one in planned] == [(f"{project.name}@old", "planned")]
    refused = branches(project, "expire", "local", "london", code=4)["errors"]
    assert "--yes" in refused[0]["hint"]
    gone = branches(project, "expire", "local", "london", "--yes")["targets"]
    assert [(one["application"], one["outcome"]) for one in gone] == [(f"{project.name}@old", "removed")]
    assert listed(project).keys() == {"renewed", "fresh"}

    for branch in ("renewed", "fresh", "fresh"):  # the second time there is nothing
        branches(project, "delete", "local", "london", project.name, branch, "--yes")
    assert project.cluster.snapshot() == before
    unknown = project.run("branches", "delete", "local", "london", "nothing", "fresh", "--yes", "--json").expect(0)
    assert unknown.document["targets"] == []
    assert "local has no branch fresh of nothing" in unknown.stderr


def test_the_commands_of_an_app_take_its_branches(project: Project) -> None:
    project.stage["Branches"] = {}
    project.container["env"] = [{"name": "GREETING", "value": "{{ Version }}"}]
    target = f"{project.name}@topic"
    project.write()
    project.run("local", "london", target).expect(0)
    project.run("local", "london", target, "--version", "2.0.0").expect(0)
    back = project.run("rollback", "local", "london", target, "--json").expect(0).target
    assert (back["outcome"], back["version"]) == ("restored", "1.0.0")
    assert listed(project)["topic"]["version"] == "1.0.0"
    assert listed(project)["topic"]["expires"] is not None
    versions = project.run("history", "local", "london", target, "--json").expect(0).document["regions"][0]
    assert [one["version"] for one in versions["revisions"]] == ["1.0.0", "2.0.0", "1.0.0"]
    assert project.run("recover", "local", "london", target, "--json").expect(0).target["outcome"] == "unchanged"
    assert project.run("remove", "local", "london", target, "--yes", "--json").expect(0).target["outcome"] == "removed"
    assert listed(project) == {}
