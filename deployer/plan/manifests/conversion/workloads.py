"""Deployments, ReplicaSets, DaemonSets and StatefulSets of `extensions` and of the beta versions of `apps`.

Where today's defaults merely roll out more gently (25 % instead of 1 pod, a progress deadline, a shorter history) they
are taken; where they would replace pods that the old version left alone, the old default is written out.
"""

from __future__ import annotations

from collections.abc import Iterator

from deployer.model import Json
from deployer.plan.manifests.conversion.problem import CannotConvert, mapping


def selector_from_template(manifest: Json) -> Iterator[str]:
    """`apps/v1` demands a selector, which used to be the template's labels when it was left out."""
    spec = mapping(manifest, "spec")
    if spec.get("selector"):
        return
    template = spec.get("template")
    metadata = template.get("metadata") if isinstance(template, dict) else None
    labels = metadata.get("labels") if isinstance(metadata, dict) else None
    if not isinstance(labels, dict) or not labels:
        raise CannotConvert(
            ("spec", "selector"),
            "is missing and the template has no labels",
            "give the template labels and select them",
        )
    spec["selector"] = {"matchLabels": dict(labels)}
    yield "selector taken from the template's labels"
    if not mapping(manifest, "metadata").get("labels"):
        manifest["metadata"]["labels"] = dict(labels)


def update_on_delete(manifest: Json) -> Iterator[str]:
    """The old default left pods as they were until someone deleted them."""
    strategy = mapping(mapping(manifest, "spec"), "updateStrategy")
    if not strategy.get("type"):
        strategy["type"] = "OnDelete"
        yield "updateStrategy OnDelete written out, as it was the default: pods change only when they are deleted"


def drop_rollback_to(manifest: Json) -> Iterator[str]:
    """`rollbackTo` was an instruction rather than a state and has no successor."""
    if mapping(manifest, "spec").pop("rollbackTo", None) is not None:
        yield "rollbackTo dropped: it does not exist any more"


def drop_template_generation(manifest: Json) -> Iterator[str]:
    """`templateGeneration` is kept by the server alone."""
    if mapping(manifest, "spec").pop("templateGeneration", None) is not None:
        yield "templateGeneration dropped: it does not exist any more"
