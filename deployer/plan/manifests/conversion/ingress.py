"""Ingresses of `extensions/v1beta1` and `networking.k8s.io/v1beta1`."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from deployer.model import Json
from deployer.plan.manifests.conversion.problem import CannotConvert, mapping
from deployer.plan.manifests.kinds import mappings
from deployer.plan.manifests.names import name_problem

CLASS_ANNOTATION = "kubernetes.io/ingress.class"


def convert_rules(manifest: Json) -> Iterator[str]:
    """Backends name `service.name` and `service.port`; a path says how it matches, as it did by default."""
    spec = mapping(manifest, "spec")
    if "backend" in spec:
        spec.setdefault("defaultBackend", spec.pop("backend"))
        _convert_backend(spec["defaultBackend"], ("spec", "backend"))
    matched = False
    for rule_index, rule in enumerate(mappings(spec.get("rules"))):
        http = rule.get("http")
        for path_index, path in enumerate(mappings(http.get("paths")) if isinstance(http, dict) else ()):
            if not path.get("pathType"):
                path["pathType"] = "ImplementationSpecific"
                matched = True
            here = ("spec", "rules", rule_index, "http", "paths", path_index, "backend")
            _convert_backend(path.get("backend"), here)
    if matched:
        yield "pathType ImplementationSpecific written out, as it was the default"


def _convert_backend(backend: Any, path: tuple[str | int, ...]) -> None:
    if not isinstance(backend, dict) or not {"serviceName", "servicePort"} & backend.keys():
        return
    name, port = backend.pop("serviceName", None), backend.pop("servicePort", None)
    if not name or port in (None, ""):
        missing = "servicePort" if name else "serviceName"
        raise CannotConvert(path, f"has no {missing}", f"name the Service's {missing.removeprefix('service').lower()}")
    backend["service"] = {"name": name, "port": _port(port)}


def _port(port: Any) -> Json:
    """A port by number or by name; digits in quotes can only have meant a number, since a name must have a letter."""
    if isinstance(port, str) and not (port.isascii() and port.isdigit()):
        return {"name": port}
    return {"number": int(port) if isinstance(port, str) else port}


def class_from_annotation(manifest: Json) -> Iterator[str]:
    """`spec.ingressClassName` replaces the annotation; where both stand, they are left for the server to compare."""
    annotations = manifest["metadata"].get("annotations")
    spec = mapping(manifest, "spec")
    if not isinstance(annotations, dict) or spec.get("ingressClassName"):
        return
    name = annotations.get(CLASS_ANNOTATION)
    if not isinstance(name, str) or not name or name_problem("IngressClass", name):
        return
    spec["ingressClassName"] = name
    del annotations[CLASS_ANNOTATION]
    if not annotations:
        del manifest["metadata"]["annotations"]
    yield f"the annotation {CLASS_ANNOTATION} became ingressClassName"
