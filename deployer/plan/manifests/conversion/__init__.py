"""Converts objects of APIs that Kubernetes has removed into what it serves today.

Source: "Deprecated API Migration Guide" (kubernetes.io, docs/reference/using-api/deprecation-guide), and the defaults
that the old versions had, which are written out where they would change what the object does.
"""

from __future__ import annotations

from deployer.model import Json
from deployer.plan.manifests.canonical import copy
from deployer.plan.manifests.conversion.table import REMOVED, CannotConvert, Removal
from deployer.plan.manifests.kinds import dig
from deployer.plan.manifests.source import Findings, SourceManifest

__all__ = ["convert", "removal_of"]


def removal_of(manifest: Json) -> Removal | None:
    """What is known of the manifest's API version if Kubernetes has removed it."""
    return REMOVED.get((str(manifest.get("apiVersion")), str(manifest.get("kind"))))


def convert(source: SourceManifest, findings: Findings) -> Json | None:
    """A copy of the manifest, in today's API version; None when it cannot be converted, which is then a finding.

    What the conversion changed beyond the version is told in a warning.
    """
    manifest: Json = copy(source.content)
    removal = removal_of(manifest)
    if removal is None:
        if manifest["kind"] == "HorizontalPodAutoscaler":
            _mend_scale_target(manifest)
        return manifest
    said = f"{removal.old} was removed in Kubernetes {removal.removed_in}"
    if removal.new is None:
        findings.error(source, (), said, removal.hint)
        return None
    try:
        notes = tuple(note for step in removal.steps for note in step(manifest))
    except CannotConvert as problem:
        findings.error(source, problem.path, f"{problem.what}: {said} and cannot be converted as it is", problem.hint)
        return None
    manifest["apiVersion"] = removal.new
    findings.warn(
        source,
        (),
        f"{said}; converted to {removal.new}" + (f" ({'; '.join(notes)})" if notes else ""),
        hint=f"write it as {removal.new}",
    )
    if manifest["kind"] == "HorizontalPodAutoscaler":
        _mend_scale_target(manifest)
    return manifest


def _mend_scale_target(manifest: Json) -> None:
    """What an autoscaler scales is looked up by group: a removed API version there would find nothing."""
    target = dig(manifest, ("spec", "scaleTargetRef"))
    if isinstance(target, dict) and (removal := removal_of(target)) and removal.new:
        target["apiVersion"] = removal.new
