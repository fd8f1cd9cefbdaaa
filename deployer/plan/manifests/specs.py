"""Checks the parts of single kinds that go wrong often: selectors, counts, ports, data."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Sequence

from deployer.model import Json
from deployer.plan.manifests import kinds
from deployer.plan.manifests.canonical import QUOTE_HINT
from deployer.plan.manifests.pods import labels_of_pods
from deployer.plan.manifests.source import Findings, SourceManifest

_SELECTING = frozenset({"DaemonSet", "Deployment", "ReplicaSet", "StatefulSet"})
_COUNTS = frozenset({"Deployment", "ReplicaSet", "ReplicationController", "StatefulSet"})
_DATA_LIMIT = 1_048_576


def check_spec(source: SourceManifest, findings: Findings) -> None:
    """What can be told of the object alone."""
    manifest = source.content
    if not kinds.is_builtin(manifest):
        return
    kind = manifest["kind"]
    if manifest.get("spec") is not None and not isinstance(manifest["spec"], dict):
        findings.error(source, ("spec",), "is not a mapping", "see the kind's reference for its shape")
        return
    if kind in _SELECTING:
        _check_selector(source, findings)
    if kind in _COUNTS:
        replicas = kinds.dig(manifest, ("spec", "replicas"))
        if replicas is not None and (isinstance(replicas, bool) or not isinstance(replicas, int) or replicas < 0):
            findings.error(
                source,
                ("spec", "replicas"),
                "is not a whole number of 0 or more",
                "a number without quotes; a template that is one expression keeps its type",
            )
    if kind in ("ConfigMap", "Secret"):
        _check_data(source, findings)


def check_together(sources: Sequence[SourceManifest], findings: Findings) -> None:
    """What shows only when all manifests are seen: a Service that chooses none of the app's pods."""
    pods = [labels for source in sources if (labels := labels_of_pods(source.content)) is not None]
    for source in sources:
        manifest = source.content
        selector = kinds.dig(manifest, ("spec", "selector")) if manifest["kind"] == "Service" else None
        if isinstance(selector, dict) and selector and pods and not any(_chosen(selector, labels) for labels in pods):
            findings.warn(
                source,
                ("spec", "selector"),
                "chooses none of this app's pods",
                "compare it with the labels of the pods",
            )


def _chosen(selector: Json, labels: Json) -> bool:
    return all(labels.get(key) == value for key, value in selector.items())


def _check_selector(source: SourceManifest, findings: Findings) -> None:
    manifest = source.content
    selector, labels = kinds.dig(manifest, ("spec", "selector")), labels_of_pods(manifest)
    path = ("spec", "selector")
    if not isinstance(selector, dict) or not (selector.get("matchLabels") or selector.get("matchExpressions")):
        findings.error(source, path, "is missing or empty", "matchLabels with the labels of the pod template")
        return
    wanted = selector.get("matchLabels") or {}
    if not isinstance(wanted, dict):
        findings.error(source, (*path, "matchLabels"), "is not a mapping")
        return
    for key, value in wanted.items():
        if not isinstance(value, str):
            findings.error(source, (*path, "matchLabels", key), "is not a text", QUOTE_HINT)
        elif labels is not None and labels.get(key) != value:
            findings.error(
                source,
                (*path, "matchLabels", key),
                "is not what the pod template's labels say",
                "spec.template.metadata.labels must have every label that the selector asks for",
            )
    expressions = selector.get("matchExpressions") or []
    if not isinstance(expressions, list):
        findings.error(source, (*path, "matchExpressions"), "is not a list")
        return
    for index, expression in enumerate(expressions):
        if isinstance(expression, dict) and labels is not None and not _holds(expression, labels):
            findings.error(
                source,
                (*path, "matchExpressions", index),
                "does not choose the pod template's own labels",
                "the selector must choose the pods that the template makes",
            )


def _holds(expression: Json, labels: Json) -> bool:
    key, values = str(expression.get("key")), expression.get("values")
    values = values if isinstance(values, list) else []
    match expression.get("operator"):
        case "In":
            return labels.get(key) in values
        case "NotIn":
            return labels.get(key) not in values
        case "Exists":
            return key in labels
        case "DoesNotExist":
            return key not in labels
        case _:
            return False


def _check_data(source: SourceManifest, findings: Findings) -> None:
    manifest, size = source.content, 0
    encoded = "data" if manifest["kind"] == "Secret" else "binaryData"
    for field in ("data", "stringData", "binaryData"):
        items = manifest.get(field)
        if items is None:
            continue
        if not isinstance(items, dict):
            findings.error(source, (field,), "is not a mapping of texts")
            continue
        for key, value in items.items():
            if not isinstance(value, str):
                findings.error(source, (field, key), "is not a text", QUOTE_HINT)
            elif field == encoded and (decoded := _base64(value)) is None:
                hint = "stringData takes plain text" if encoded == "data" else "data takes plain text"
                findings.error(source, (field, key), "is not base64", hint)
            else:
                size += len(decoded or b"") if field == encoded else len(value.encode())
    if size > _DATA_LIMIT:
        findings.error(
            source, (), f"holds {size:,} bytes; {_DATA_LIMIT:,} are allowed", "split it, or keep it elsewhere"
        )


def _base64(text: str) -> bytes | None:
    try:
        return base64.b64decode("".join(text.split()), validate=True)
    except (binascii.Error, ValueError):
        return None
