"""Checks labels, annotations and Helm's hook annotations, and takes away what only the server may write."""

from __future__ import annotations

import difflib

from deployer.plan.manifests import kinds
from deployer.plan.manifests.canonical import QUOTE_HINT
from deployer.plan.manifests.names import ANNOTATIONS_LIMIT, key_problem, label_value_problem
from deployer.plan.manifests.source import Findings, SourceManifest
from deployer.plan.paths import Path

_SERVERS_OWN = ("creationTimestamp", "generation", "managedFields", "resourceVersion", "selfLink", "uid")


def check_metadata(source: SourceManifest, findings: Findings) -> None:
    """Labels and annotations of the object and of its pods are texts that Kubernetes accepts."""
    manifest = source.content
    _check_labels_and_annotations(source, ("metadata",), findings)
    found = kinds.pod_template(manifest)
    if found is not None and found[0]:
        _check_labels_and_annotations(source, (*found[0], "metadata"), findings)
    _check_hook(source, findings)


def drop_servers_fields(source: SourceManifest, findings: Findings) -> None:
    """Remove what a manifest copied from a cluster still carries; kept, it would make later updates fail."""
    manifest = source.content
    dropped = [field for field in _SERVERS_OWN if manifest["metadata"].pop(field, None) is not None]
    if kinds.is_builtin(manifest) and manifest.pop("status", None) is not None:
        dropped.append("status")
    if dropped:
        findings.warn(source, (), f"{', '.join(dropped)} left out: only the server writes them", "remove them")


def _check_labels_and_annotations(source: SourceManifest, path: Path, findings: Findings) -> None:
    metadata = kinds.dig(source.content, path)
    if metadata is None:
        return
    if not isinstance(metadata, dict):
        findings.error(source, path, "is not a mapping")
        return
    for field in ("labels", "annotations"):
        items = metadata.get(field)
        if items is None:
            continue
        if not isinstance(items, dict):
            findings.error(source, (*path, field), "is not a mapping of texts")
            continue
        for key, value in items.items():
            here = (*path, field, key)
            if problem := key_problem(key):
                findings.error(source, here, f"is not a valid key: it {problem}")
            if not isinstance(value, str):
                findings.error(source, here, "is not a text", QUOTE_HINT)
            elif field == "labels" and (problem := label_value_problem(value)):
                findings.error(source, here, f"{problem}", "an annotation may hold any text")
        if field == "annotations":
            size = sum(len(str(key).encode()) + len(str(value).encode()) for key, value in items.items())
            if size > ANNOTATIONS_LIMIT:
                findings.error(source, (*path, field), f"has {size:,} bytes; {ANNOTATIONS_LIMIT:,} are allowed")


def _check_hook(source: SourceManifest, findings: Findings) -> None:
    annotations = source.content["metadata"].get("annotations")
    if not isinstance(annotations, dict):
        return
    for key, allowed in ((kinds.HOOK, kinds.HOOK_EVENTS), (f"{kinds.HOOK}-delete-policy", kinds.HOOK_DELETE_POLICIES)):
        value = annotations.get(key)
        for word in value.split(",") if isinstance(value, str) else ():
            if word.strip() not in allowed:
                close = difflib.get_close_matches(word.strip(), sorted(allowed), 1, 0.6)
                hint = f"did you mean {close[0]}?" if close else f"one of {', '.join(sorted(allowed))}"
                findings.error(source, ("metadata", "annotations", key), f"{word.strip()} is nothing Helm knows", hint)
    weight = annotations.get(f"{kinds.HOOK}-weight")
    if isinstance(weight, str) and not weight.strip().lstrip("+-").isdecimal():
        findings.error(
            source, ("metadata", "annotations", f"{kinds.HOOK}-weight"), "is not a whole number", 'for instance "-5"'
        )
