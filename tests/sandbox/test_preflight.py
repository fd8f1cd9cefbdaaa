"""Everything that is wrong in any region is told in one report, before anything is changed in any of them."""

from __future__ import annotations

import base64
import json
import random
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

import pytest
import yaml

from tests.sandbox.clusters import Namespace
from tests.sandbox.helpers import Project, with_image, write_yaml
from tests.sandbox.surroundings import ACCESS, CLOSED, Json, Put, unique

REGIONS = ("london", "virginia", "seoul")


@pytest.fixture
def everywhere(project: Project) -> Project:
    """An app for all three regions, not deployed yet, whose ingress class a region may choose."""
    project.app["Helm"][2]["spec"]["ingressClassName"] = "{{ IngressClass | default('nginx') }}"
    return project


def refused(project: Project, code: int, *options: str, region: str = "all") -> list[Json]:
    """The errors of a deployment that leaves no trace in any cluster."""
    before = [cluster.snapshot() for cluster in project.clusters.values()]
    done = project.deploy("--json", *options, region=region).expect(code)
    assert [cluster.snapshot() for cluster in project.clusters.values()] == before
    assert project.channel_messages == []
    errors: list[Json] = done.document["errors"]
    assert all(error["what"] in done.stderr for error in errors)
    return errors


def in_region(errors: list[Json], region: str) -> list[Json]:
    return [error for error in errors if region in error["regions"]]


def kubeconfig(project: Project, region: str, **changes: Json) -> None:
    """Give a region a kubeconfig of its own, with other fields of its `cluster` or `user`."""
    content = json.loads((ACCESS / "kubeconfig").read_text())
    (context,) = [each["context"] for each in content["contexts"] if each["name"] == region]
    for section, fields in changes.items():
        for each in content[f"{section}s"]:
            if each["name"] == context[section]:
                each[section] = fields if section == "user" else each[section] | fields
    (project.root / f"kubeconfig-{region}").write_text(json.dumps(content))
    project.regions[region]["Cluster"]["Kubeconfig"] = f"kubeconfig-{region}"


def undecryptable(project: Project, region: str) -> None:
    """Give a region secrets whose data key no KMS key opens any more."""
    project.write()
    content = yaml.safe_load((project.root / "group_vars/secrets_local.yml").read_text())
    for key in content["sops"]["kms"]:
        key["enc"] = key["enc"][:-12] + "A" * 8 + key["enc"][-4:]
    write_yaml(project.root / f"group_vars/secrets_local.{region}.yml", content)


def test_three_regions_with_three_different_troubles(everywhere: Project) -> None:
    undecryptable(everywhere, "london")
    kubeconfig(everywhere, "virginia", cluster={"server": f"https://{CLOSED}"})
    everywhere.regions["seoul"]["IngressClass"] = "ngnix"
    errors = refused(everywhere, 2)
    (secrets,), (silent,), (ingress,) = (in_region(errors, region) for region in REGIONS)
    assert len(errors) == 3
    assert "KMS key" in secrets["what"]
    assert "group_vars/secrets_local.london.yml" in secrets["where"]
    assert (silent["exitCode"], silent["what"], silent["where"]) == (
        5,
        "the cluster does not answer",
        f"https://{CLOSED}",
    )
    assert ingress["exitCode"] == 2
    assert "names the IngressClass ngnix, which the cluster does not have" in ingress["what"]
    assert ingress["where"].startswith(f"apps/{everywhere.name}.yml:")
    assert ingress["hint"] == "did you mean nginx? (the cluster has nginx)"


def test_the_command_for_the_regions_in_which_all_is_well(everywhere: Project) -> None:
    everywhere.regions["seoul"]["IngressClass"] = "ngnix"
    options = ("--timeout", "60s", "--version", "2.0.0")
    (error,) = refused(everywhere, 2, *options)
    told = f"go on without seoul: deploy local london,virginia {everywhere.name} --json {' '.join(options)}"
    assert error["hint"].endswith(f"nothing was changed anywhere; to {told}")
    command = error["hint"].rpartition(": deploy ")[2].split()
    assert {each["outcome"] for each in everywhere.run(*command).expect(0).document["targets"]} == {"deployed"}
    assert [each["regions"] for each in in_region(refused_again(everywhere), "seoul")] == [["seoul"]]


def refused_again(project: Project) -> list[Json]:
    errors: list[Json] = project.deploy("--json", region="all").expect(2).document["errors"]
    return errors


def test_everything_of_one_region_at_once(everywhere: Project) -> None:
    """A class of pods that is missing, a manifest that is refused, a volume that is warned of."""
    pod = everywhere.deployment["spec"]["template"]["spec"]
    pod["priorityClassName"] = "urgent"
    pod["serviceAccountName"] = "nobody"
    pod["imagePullSecrets"] = [{"name": "absent"}]
    everywhere.app["Helm"][1]["spec"]["ports"][0]["port"] = 70000
    errors = refused(everywhere, 2)
    assert [error["regions"] for error in errors] == [list(REGIONS)] * len(errors)
    words = [f"{error['what']} {error['why']}" for error in errors]
    assert sum("names the PriorityClass urgent, which the cluster does not have" in one for one in words) == 1
    assert sum("70000" in one or "between 1 and 65535" in one for one in words) == 1
    assert len(errors) == 2


def test_what_the_namespace_lacks_is_warned_of(everywhere: Project) -> None:
    pod = everywhere.deployment["spec"]["template"]["spec"]
    pod["serviceAccountName"] = "nobody"
    everywhere.container["envFrom"] = [
        {"secretRef": {"name": "absent"}},
        {"configMapRef": {"name": "maybe", "optional": True}},
    ]
    done = everywhere.deploy("--plan", "--json").expect(0)
    warnings = " ".join(done.target["warnings"])
    assert "names the ServiceAccount/nobody, which the namespace does not have yet" in warnings
    assert "names the Secret/absent" in warnings
    assert "maybe" not in warnings


def test_a_namespace_that_is_missing_is_told_once(everywhere: Project) -> None:
    everywhere.stage["Namespace"] = unique("absent")
    (error,) = refused(everywhere, 2)
    assert (error["what"], error["regions"]) == (
        f"there is no namespace {everywhere.stage['Namespace']}",
        list(REGIONS),
    )


def test_a_user_with_too_few_rights(everywhere: Project, clusters: dict[str, Namespace]) -> None:
    account = unique("reader")
    rules = [
        {"apiGroups": [""], "resources": ["secrets", "services", "pods", "pods/log"], "verbs": ["*"]},
        {"apiGroups": ["apps"], "resources": ["deployments", "replicasets"], "verbs": ["get", "list"]},
    ]
    restrict(everywhere, clusters["london"], account, rules)
    (error,) = refused(everywhere, 5)
    assert (error["regions"], error["exitCode"]) == (["london"], 5)
    assert error["why"] == (
        "missing: Lease (coordination.k8s.io): get, create, update, delete; Event: list; "
        "Deployment (apps): create, patch, delete; Ingress (networking.k8s.io): get, create, patch, delete"
    )
    assert "docs/iam.md" in error["hint"]


def test_the_documented_role_is_enough(everywhere: Project, clusters: dict[str, Namespace]) -> None:
    """Kubernetes' own role `edit`, which may not see what belongs to the whole cluster."""
    restrict(everywhere, clusters["london"], unique("editor"), None)
    done = everywhere.deploy("--json").expect(0)
    assert done.target["outcome"] == "deployed"
    assert "we may not see which the cluster has" in " ".join(done.target["warnings"])


def restrict(project: Project, cluster: Namespace, account: str, rules: list[Json] | None) -> None:
    """Let the project reach a cluster as a service account with these rights in its namespace (None: role `edit`)."""
    core, rbac = f"/api/v1/namespaces/{cluster.name}", f"/apis/rbac.authorization.k8s.io/v1/namespaces/{cluster.name}"
    cluster.request("POST", f"{core}/serviceaccounts", {"metadata": {"name": account}})
    group = "rbac.authorization.k8s.io"
    role = {"apiGroup": group, "kind": "ClusterRole", "name": "edit"}
    if rules is not None:
        cluster.request("POST", f"{rbac}/roles", {"metadata": {"name": account}, "rules": rules})
        role = {"apiGroup": group, "kind": "Role", "name": account}
    subjects = [{"kind": "ServiceAccount", "name": account, "namespace": cluster.name}]
    body = {"metadata": {"name": account}, "roleRef": role, "subjects": subjects}
    cluster.request("POST", f"{rbac}/rolebindings", body)
    made = cluster.request("POST", f"{core}/serviceaccounts/{account}/token", {"spec": {"expirationSeconds": 3600}})
    kubeconfig(project, cluster.region, user={"token": made["status"]["token"]})


def test_a_login_that_the_registry_refuses_shows_before_the_build(everywhere: Project, put: Put) -> None:
    with_image(everywhere, put("site.tgz", {"page": unique("page")}))
    log = everywhere.spied()
    with wrong_login() as endpoint:
        config = (
            f"{(ACCESS / 'aws-config').read_text()}services = own\n[services own]\necr =\n  endpoint_url = {endpoint}\n"
        )
        (everywhere.root / "own-aws-config").write_text(config)
        everywhere.regions["seoul"]["AwsConfigFile"] = "own-aws-config"
        (error,) = refused(everywhere, 5)
    assert (error["regions"], error["what"]) == (["seoul"], "the registry does not let us in")
    assert "buildx" not in log.read_text()


@contextmanager
def wrong_login() -> Iterator[str]:
    """An ECR whose logins its registries do not take; its address."""
    token = base64.b64encode(b"AWS:wrong").decode()
    answer = json.dumps({"authorizationData": [{"authorizationToken": token, "expiresAt": time.time() + 43200}]})

    class Ecr(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["Content-Length"]))
            self.send_response(200)
            self.send_header("Content-Type", "application/x-amz-json-1.1")
            self.end_headers()
            self.wfile.write(answer.encode())

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Ecr) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


def test_an_artefact_that_is_missing_does_not_hide_the_rest(everywhere: Project, put: Put) -> None:
    with_image(everywhere, put("site.tgz", {"page": unique("page")}).replace("site.tgz", "absent.tgz"))
    everywhere.regions["seoul"]["IngressClass"] = "ngnix"
    errors = refused(everywhere, 2)
    assert len(errors) == 2
    assert any("absent.tgz" in f"{error['what']} {error['where']} {error['why']}" for error in errors)
    assert [error["regions"] for error in errors if "IngressClass" in error["what"]] == [["seoul"]]


def test_a_release_that_is_too_large_is_named_with_its_largest_manifest(everywhere: Project) -> None:
    noise = random.Random(1).randbytes(500_000).hex()
    config = {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": "{{ AppName }}-large"},
        "data": {"a": noise},
    }
    everywhere.app["Helm"].append(config)
    everywhere.regions["seoul"]["IngressClass"] = "ngnix"
    errors = refused(everywhere, 2)
    (large,) = [error for error in errors if "bytes" in error["what"] and "Helm can store" in error["what"]]
    assert large["regions"] == list(REGIONS)
    assert large["where"].startswith(f"apps/{everywhere.name}.yml:")
    assert f"ConfigMap/{everywhere.name}-large" in large["hint"]
    assert any("IngressClass" in error["what"] for error in errors)


def lease(project: Project, renewed: datetime) -> Json:
    """A lock as another deployment on another machine has it."""
    holder = {
        "deployment_id": "20260101-x",
        "who": "anna@elsewhere",
        "machine": "elsewhere",
        "since": renewed.isoformat(timespec="seconds"),
        "action": "deploy",
        "process": "",
    }
    stamp = renewed.strftime("%Y-%m-%dT%H:%M:%S.%fZ")
    return {
        "apiVersion": "coordination.k8s.io/v1",
        "kind": "Lease",
        "metadata": {"name": f"deploy-{project.name}", "annotations": {"deployer/holder": json.dumps(holder)}},
        "spec": {
            "holderIdentity": "20260101-x/1",
            "leaseDurationSeconds": 30,
            "acquireTime": stamp,
            "renewTime": stamp,
        },
    }


def test_a_lock_that_somebody_holds_is_told_with_the_rest(everywhere: Project, clusters: dict[str, Namespace]) -> None:
    everywhere.deploy("--json", region="london").expect(0)
    leases = f"/apis/coordination.k8s.io/v1/namespaces/{clusters['london'].name}/leases"
    name = f"{leases}/deploy-{everywhere.name}"
    clusters["london"].request("DELETE", name)
    clusters["london"].request("POST", leases, lease(everywhere, datetime.now(UTC) + timedelta(seconds=60)))
    told = len(everywhere.channel_messages)
    done = everywhere.deploy("--json", region="london").expect(0)
    assert done.target["outcome"] == "unchanged", "who has nothing to do needs no lock"
    everywhere.values["GREETING"] = "again"
    (error,) = everywhere.deploy("--json", region="london").expect(4).document["errors"]
    assert "anna@elsewhere" in error["why"]
    everywhere.regions["seoul"]["IngressClass"] = "ngnix"
    errors = everywhere.deploy("--json", region="all").expect(2).document["errors"]
    assert {(error["exitCode"], *error["regions"]) for error in errors} == {(4, "london"), (2, "seoul")}
    assert len(everywhere.channel_messages) == told
    clusters["london"].request("DELETE", name)
    clusters["london"].request("POST", leases, lease(everywhere, datetime.now(UTC) - timedelta(seconds=60)))
    assert everywhere.deploy("--json", region="london").expect(0).target["outcome"] == "deployed", "it had expired"
