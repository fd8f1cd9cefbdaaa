"""Manifests that take fields away: what is shown beforehand is what Helm 3 then makes of the live objects."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from deployer.errors import ConfigurationError
from deployer.plan.difference import drifted
from tests.sandbox import region
from tests.sandbox.helpers import Project, deploy_refused
from tests.sandbox.surroundings import Json, unique
from tests.sandbox.test_helm import DEPLOYMENT, Bench

Pair = tuple[Json, Json]
HTTP: Json = {"httpGet": {"port": 80}}
TCP: Json = {"tcpSocket": {"port": 80}}
BACKEND: Json = {"service": {"name": "s", "port": {"number": 80}}}


def deployment(container: Json | None = None, spec: Json | None = None, **pod: Any) -> Json:
    made = copy.deepcopy(DEPLOYMENT)
    made["spec"] |= spec or {}
    made["spec"]["template"]["spec"] |= pod
    made["spec"]["template"]["spec"]["containers"][0] |= container or {}
    return made


def variables(*names: str) -> list[Json]:
    return [{"name": name, "value": name.lower()} for name in names]


def variable(**source: Any) -> Json:
    return deployment({"env": [{"name": "A", **source}, *variables("B")]})


def probe(content: Json) -> Json:
    return deployment({"readinessProbe": content})


def volume(**source: Any) -> Json:
    return deployment({"volumeMounts": [{"name": "v", "mountPath": "/v"}]}, volumes=[{"name": "v", **source}])


def strategy(**content: Any) -> Json:
    return deployment(spec={"strategy": content})


def other(api_version: str, kind: str, **content: Any) -> Json:
    return {"apiVersion": api_version, "kind": kind, "metadata": {"name": "app"}, **content}


def budget(**spec: Any) -> Json:
    return other("policy/v1", "PodDisruptionBudget", spec={"selector": {"matchLabels": {"app": "app"}}, **spec})


def ingress(**spec: Any) -> Json:
    return other("networking.k8s.io/v1", "Ingress", spec=spec)


def service(*ports: Json, **spec: Any) -> Json:
    return other("v1", "Service", spec={"selector": {"app": "app"}, "ports": list(ports), **spec})


def autoscaler(**spec: Any) -> Json:
    target = {"apiVersion": "apps/v1", "kind": "Deployment", "name": "app"}
    return other("autoscaling/v2", "HorizontalPodAutoscaler", spec={"scaleTargetRef": target, "maxReplicas": 3, **spec})


SECRET: Json = {"valueFrom": {"secretKeyRef": {"name": "s", "key": "k"}}}
DNS = ({"port": 53, "name": "t", "protocol": "TCP"}, {"port": 53, "name": "u", "protocol": "UDP"})
PAIRS: dict[str, Pair] = {
    "from-a-secret": (variable(**SECRET), variable(value="1")),
    "lifted-no-more": (variable(value="", **SECRET), variable(value="1")),
    "lifted": (variable(value="1"), variable(value="", **SECRET)),
    "to-a-config-map": (variable(**SECRET), variable(valueFrom={"configMapKeyRef": {"name": "s", "key": "k"}})),
    "variables": (deployment({"env": variables("A", "B", "C")}), deployment({"env": variables("D", "C", "A")})),
    "probe-tcp": (probe({**HTTP, "periodSeconds": 3}), probe(TCP)),
    "probe-exec": (probe(TCP), probe({"exec": {"command": ["true"]}})),
    "no-probe": (probe(HTTP), deployment()),
    "stopping": (
        deployment({"lifecycle": {"preStop": {"exec": {"command": ["true"]}}}}),
        deployment({"lifecycle": {"preStop": HTTP}}),
    ),
    "volume": (volume(emptyDir={}), volume(configMap={"name": "c"})),
    "recreate": (strategy(type="RollingUpdate", rollingUpdate={"maxSurge": 1}), strategy(type="Recreate")),
    "recreate-after-defaults": (deployment(), strategy(type="Recreate")),
    "roll": (strategy(type="Recreate"), deployment()),
    "one-container-less": (
        deployment(initContainers=[{"name": "a", "image": "x"}, {"name": "b", "image": "x"}]),
        deployment(initContainers=[{"name": "b", "image": "x"}]),
    ),
    "budget": (budget(minAvailable=1), budget(maxUnavailable=1)),
    "backend": (ingress(defaultBackend=BACKEND), ingress(defaultBackend={"resource": {"kind": "X", "name": "y"}})),
    "rules": (ingress(defaultBackend=BACKEND), ingress(rules=[{"host": "a.test"}])),
    "port": (service({"port": 80, "name": "a"}), service({"port": 81, "name": "a"})),
    "both-protocols": (service(*DNS, sessionAffinity="ClientIP"), service(*DNS)),
    "type": (service({"port": 80}, type="NodePort"), service({"port": 80})),
    "fewest": (autoscaler(minReplicas=2), autoscaler()),
    "data": (other("v1", "ConfigMap", data={"a": "1", "b": "2"}), other("v1", "ConfigMap", data={"a": "1"})),
}


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    with region.namespace() as namespace:
        made = Bench("helm", namespace, tmp_path)
        yield made
        made.cluster.close()


def test_a_preview_is_what_helm_makes_of_it(bench: Bench) -> None:
    pairs = copy.deepcopy(PAIRS)
    for name, pair in pairs.items():
        for manifest in pair:
            manifest["metadata"]["name"] = name
    bench.upgrade(*(old for old, _ in pairs.values()))
    previews = {name: bench.cluster.preview(new, bench.live(new), old) for name, (old, new) in pairs.items()}
    bench.upgrade(*(new for _, new in pairs.values()), by="d-2")
    differs = {name: drifted(bench.live(new) or {}, previews[name]) for name, (_, new) in pairs.items()}
    assert {name: paths for name, paths in differs.items() if paths} == {}


@pytest.mark.parametrize(
    ("new", "words"),
    [
        (probe({**HTTP, **TCP}), "readinessProbe.tcpSocket: Forbidden: may not specify more than 1 handler"),
        (probe({"tcpSocket": {"port": 80, "prot": 1}}), "readinessProbe.tcpSocket.prot: field not declared"),
        (deployment({"image": ""}), "containers[0].image: Required value"),
    ],
)
def test_what_is_wrong_is_refused_as_ever(bench: Bench, new: Json, words: str) -> None:
    old = probe({**HTTP, "periodSeconds": 3})
    bench.upgrade(old)
    with pytest.raises(ConfigurationError) as caught:
        bench.cluster.preview(new, bench.live(new), old)
    assert words in str(caught.value.why)


def test_kinds_that_are_not_built_in_have_their_lists_replaced(bench: Bench) -> None:
    plural, group = unique("gadgets").replace("-", ""), "test.example"
    schema = {"openAPIV3Schema": {"type": "object", "x-kubernetes-preserve-unknown-fields": True}}
    names = {"plural": plural, "singular": plural, "kind": plural.capitalize()}
    version = {"name": "v1", "served": True, "storage": True, "schema": schema}
    definition: Json = {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"{plural}.{group}"},
        "spec": {"group": group, "scope": "Namespaced", "names": names, "versions": [version]},
    }

    def gadget(**spec: Any) -> Json:
        return other(f"{group}/v1", names["kind"], spec=spec)

    old, new = gadget(a=1, env=variables("A", "B")), gadget(b={"c": 1}, env=variables("B"))
    bench.cluster.create(definition)
    try:
        region.eventually(lambda: _is_served(bench, definition))
        bench.upgrade(old)
        preview = bench.cluster.preview(new, bench.live(new), old)
        assert preview["spec"] == new["spec"]
        bench.upgrade(new, by="d-2")
        assert drifted(bench.live(new) or {}, preview) == ()
    finally:
        bench.cluster.delete(bench.key(definition))


def _is_served(bench: Bench, definition: Json) -> bool:
    live = bench.live(definition) or {}
    conditions = (live.get("status") or {}).get("conditions") or ()  # null at first
    return any(one["type"] == "Established" and one["status"] == "True" for one in conditions)


def budget_of(project: Project) -> Json:
    path = f"/apis/policy/v1/namespaces/{project.cluster.name}/poddisruptionbudgets/{project.name}"
    found: Json = project.cluster.request("GET", path)["spec"]
    return found


def told(project: Project) -> dict[str, tuple[Any, Any]]:
    """What a plan shows of the app's fields."""
    project.write()
    done = project.run("plan", "local", "london", project.name, "--json").expect(0)
    fields = [field for one in done.target["plan"]["objects"] for field in one["fields"]]
    return {field["field"].rpartition("containers")[2]: (field["old"], field["new"]) for field in fields}


def test_an_app_that_changes_what_excludes_itself_and_back(project: Project) -> None:
    """From values in the open to lifted ones, another probe, another strategy, another budget; and all of it back."""
    budget: Json = other("policy/v1", "PodDisruptionBudget", spec={"selector": {"matchLabels": {"app": "none"}}})
    budget["metadata"]["name"] = "{{ AppName }}"
    project.app["Helm"].append(budget)
    secret = project.values["GREETING"]
    text, http = project.container["env"][0]["value"], project.container["readinessProbe"]

    def as_before() -> None:
        project.container["env"][0]["value"] = "in the open"
        project.container["readinessProbe"] = http
        project.deployment["spec"].pop("strategy", None)
        budget["spec"] = {"selector": budget["spec"]["selector"], "minAvailable": 1}

    as_before()
    project.deploy().expect(0)

    project.container["env"][0]["value"] = text
    project.container["readinessProbe"] = {"tcpSocket": {"port": "http"}, "periodSeconds": 1}
    project.deployment["spec"]["strategy"] = {"type": "Recreate"}
    budget["spec"] = {"selector": budget["spec"]["selector"], "maxUnavailable": 1}
    assert told(project) == {
        "[main].env[GREETING]": (None, None),
        "[main].readinessProbe.httpGet": (http["httpGet"], None),
        "[main].readinessProbe.tcpSocket": (None, {"port": "http"}),
        "spec.strategy.rollingUpdate": ({"maxSurge": "25%", "maxUnavailable": "25%"}, None),
        "spec.strategy.type": ("RollingUpdate", "Recreate"),
        "spec.maxUnavailable": (None, 1),
        "spec.minAvailable": (1, None),
    }
    project.deploy().expect(0)
    assert project.answers(secret)
    assert "minAvailable" not in budget_of(project)
    assert project.deploy("--json").expect(0).target["outcome"] == "unchanged"

    # Both ways at once are wrong for Helm, too: told where the file has it, and nothing is changed.
    project.container["readinessProbe"] |= http
    (error,) = deploy_refused(project, 2)
    assert "may not specify more than 1 handler type" in error["why"]
    file, line, *_ = error["where"].split(":")
    assert "tcpSocket" in (project.root / file).read_text().splitlines()[int(line) - 1]

    as_before()
    project.deploy().expect(0)
    assert project.answers("in the open")
    assert project.deploy("--json").expect(0).target["outcome"] == "unchanged"
    project.run("rollback", "local", "london", project.name).expect(0)
    assert project.answers(secret)
    assert budget_of(project)["maxUnavailable"] == 1
