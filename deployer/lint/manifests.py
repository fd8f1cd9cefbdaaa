"""Checks how an app's manifests fit together: ports, probes, backends, selectors, limits."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from deployer.lint.collecting import Findings
from deployer.model import Json
from deployer.plan.manifests import SourceManifest, is_hook
from deployer.plan.manifests.kinds import containers, dig, mappings, pod_template
from deployer.plan.manifests.pods import labels_of_pods
from deployer.plan.paths import Path, path_text

_SERVING = ("Deployment", "StatefulSet", "DaemonSet")
_PROBES = ("livenessProbe", "readinessProbe", "startupProbe")


def check(sources: Sequence[SourceManifest], findings: Findings, environment: str) -> None:
    """Everything that shows in the manifests of one target."""
    check_ = _Checks(sources, findings, environment)
    for source in sources:
        kind = source.content["kind"]
        if kind == "Service":
            check_.service(source)
        elif kind == "Ingress":
            check_.ingress(source)
        elif kind == "HorizontalPodAutoscaler":
            check_.autoscaler(source)
        elif kind in ("PodDisruptionBudget", "NetworkPolicy"):
            check_.selector(source, ("spec", "podSelector" if kind == "NetworkPolicy" else "selector"))
        for path, container in containers(source.content):
            if "initContainers" not in path:
                check_.container(source, path, container)


class _Checks:
    def __init__(self, sources: Sequence[SourceManifest], findings: Findings, environment: str) -> None:
        self._sources = sources
        self._findings = findings
        self._environment = environment
        self._pods = [(labels_of_pods(one.content) or {}, one.content) for one in sources if pod_template(one.content)]
        self._services = {one.content["metadata"]["name"]: one for one in sources if one.content["kind"] == "Service"}

    def _add(self, rule: str, source: SourceManifest, path: Path, what: str, hint: str) -> None:
        text = f"{source.title}: {path_text(path)} {what}"
        self._findings.add(rule, source.at(path), text, hint, environment=self._environment)

    def selector(self, source: SourceManifest, path: Path) -> None:
        """`matchLabels` chooses pods of the app."""
        labels = dig(source.content, (*path, "matchLabels"))
        if isinstance(labels, dict) and labels and self._pods and not any(self._chosen(labels)):
            self._add("selector-matches-nothing", source, path, "chooses none of this app's pods", _LABELS)

    def autoscaler(self, source: SourceManifest) -> None:
        """The workload that it scales leaves the number of its pods to it."""
        kind, name = (dig(source.content, ("spec", "scaleTargetRef", key)) for key in ("kind", "name"))
        for one in self._sources:
            named = one.content["kind"] == kind and one.content["metadata"]["name"] == name
            if named and dig(one.content, ("spec", "replicas")) is not None:
                what = f"is set, so every deployment undoes what {source.title} has made of it"
                self._add("replicas-and-autoscaler", one, ("spec", "replicas"), what, _REPLICAS)

    def _chosen(self, selector: Json) -> Iterator[Json]:
        for labels, manifest in self._pods:
            if all(labels.get(key) == value for key, value in selector.items()):
                yield manifest

    def service(self, source: SourceManifest) -> None:
        """Each port leads to one that a chosen pod has."""
        selector = dig(source.content, ("spec", "selector"))
        chosen = list(self._chosen(selector)) if isinstance(selector, dict) and selector else []
        ports = [port for manifest in chosen for _, one in containers(manifest) for port in mappings(one.get("ports"))]
        if not chosen:
            return
        names = {str(port.get("name")) for port in ports if port.get("name")}
        numbers = {port.get("containerPort") for port in ports}
        for index, port in enumerate(_items(source.content, ("spec", "ports"))):
            target = port.get("targetPort", port.get("port"))
            path: Path = ("spec", "ports", index, "targetPort" if "targetPort" in port else "port")
            if isinstance(target, str) and not target.isdigit() and target not in names:
                hint = f"the pods' ports are called {', '.join(sorted(names))}" if names else "name the pods' ports"
                self._add("service-port", source, path, f"{target} is the name of no port of its pods", hint)
            elif isinstance(target, int) and numbers and target not in numbers:
                shown = ", ".join(str(number) for number in sorted(filter(None, numbers), key=str))
                self._add("service-port", source, path, f"{target} is no port of its pods", f"they have {shown}")

    def ingress(self, source: SourceManifest) -> None:
        """Each backend that is one of the app's Services has the port."""
        spec = dig(source.content, ("spec",))
        backends: list[tuple[Path, Any]] = [(("spec", "defaultBackend"), dig(spec, ("defaultBackend",)))]
        for index, rule in enumerate(_items(source.content, ("spec", "rules"))):
            for number, path in enumerate(_items(rule, ("http", "paths"))):
                backends.append((("spec", "rules", index, "http", "paths", number, "backend"), path.get("backend")))
        for place, backend in backends:
            name, port = dig(backend, ("service", "name")), dig(backend, ("service", "port"))
            if not isinstance(name, str) or not isinstance(port, dict):
                continue
            service = self._services.get(name)
            if service is None:
                if self._services:
                    known = f"its Services are {', '.join(self._services)}"
                    self._add("ingress-backend", source, (*place, "service", "name"), f"{name} is none here", known)
                continue
            ports = _items(service.content, ("spec", "ports"))
            field = "number" if "number" in port else "name"
            values = [one.get("port" if field == "number" else "name") for one in ports]
            if port.get(field) not in values:
                shown = ", ".join(str(value) for value in values if value is not None)
                what = f"{port.get(field)} is no port of Service/{name}"
                self._add("ingress-backend", source, (*place, "service", "port", field), what, f"it has {shown}")

    def container(self, source: SourceManifest, path: Path, container: Json) -> None:
        """Probes ask ports that are there; limits and probes are given."""
        names = {str(port.get("name")) for port in mappings(container.get("ports")) if port.get("name")}
        for probe in _PROBES:
            for action in ("httpGet", "tcpSocket"):
                port = dig(container, (probe, action, "port"))
                if isinstance(port, str) and not port.isdigit() and port not in names:
                    hint = f"its ports are called {', '.join(sorted(names))}" if names else "name the container's port"
                    place = (*path, probe, action, "port")
                    self._add("probe-port", source, place, f"{port} is the name of no port of the container", hint)
        if is_hook(source.content):
            return
        limits, requests = dig(container, ("resources", "limits")), dig(container, ("resources", "requests"))
        if not isinstance(limits, dict) or "memory" not in limits:
            hint = "resources: {limits: {memory: 128Mi}, requests: {cpu: 50m, memory: 128Mi}}"
            self._add("missing-limits", source, path, "has no memory limit", hint)
        elif not isinstance(requests, dict) and "cpu" not in limits:
            self._add("missing-limits", source, path, "requests no resources", "resources: {requests: {cpu: 50m}}")
        if source.content["kind"] in _SERVING and container.get("ports"):
            lacking = [probe for probe in _PROBES[:2] if not container.get(probe)]
            if lacking:
                self._add("missing-probe", source, path, f"has no {' and no '.join(lacking)}", _PROBE)


_REPLICAS = "leave replicas out (null where a profile gives them), and set minReplicas of the autoscaler"
_LABELS = "compare it with the labels of the pods"
_PROBE = "readinessProbe: {httpGet: {path: /, port: http}}"


def _items(content: Any, path: Path) -> list[Json]:
    """The list at a path; items that are no mappings, which the schema refuses, as empty ones."""
    value = dig(content, path)
    return [item if isinstance(item, dict) else {} for item in value] if isinstance(value, list) else []
