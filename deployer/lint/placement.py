"""Checks what becomes of workloads on spot nodes, which go away two minutes after their notice."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from deployer.lint.collecting import Findings
from deployer.model import Json
from deployer.plan.manifests import SourceManifest
from deployer.plan.manifests.kinds import dig, mappings, pod_template
from deployer.plan.paths import Path, path_text

NOTICE = 120
"""Seconds from the notice until a spot instance is gone."""

SPOT = "spot"
"""The name of a profile that stands for spot nodes, whatever its affinity says."""

LABELS: Mapping[str, str] = {
    "eks.amazonaws.com/capacityType": "spot",
    "karpenter.sh/capacity-type": "spot",
    "node.kubernetes.io/lifecycle": "spot",
    "node-lifecycle": "spot",
    "lifecycle": "ec2spot",
    "cloud.google.com/gke-spot": "true",
    "kubernetes.azure.com/scalesetpriority": "spot",
}
"""Labels and taints of spot nodes (EKS, Karpenter, kops, termination handlers, GKE, AKS), values in lower case."""

_AFFINITY = ("affinity", "nodeAffinity")
_HINT = "an enduring node group keeps its nodes; Profiles in the manifest chooses for it alone"


def check(source: SourceManifest, profiles: Sequence[str], findings: Findings, environment: str) -> None:
    """A workload on spot nodes claims no volume and ends within the notice; `profiles` are those of the manifest."""
    found = pod_template(source.content)
    if found is None:
        return
    path, template = found
    spec = dig(template, ("spec",))
    if not isinstance(spec, dict) or not on_spot(spec, profiles):
        return

    def add(rule: str, where: Path, what: str, hint: str) -> None:
        text = f"{source.title}: {path_text(where)} {what}"
        findings.add(rule, source.at(where), text, hint, environment=environment)

    for where in _volumes(source.content, (*path, "spec"), spec):
        add("volume-on-spot", where, "claims a volume, which keeps pods of spot nodes to its zone", _HINT)
    grace = spec.get("terminationGracePeriodSeconds")
    if isinstance(grace, int) and grace > NOTICE:
        where = (*path, "spec", "terminationGracePeriodSeconds")
        add("grace-on-spot", where, f"is {grace}: a spot node is gone after {NOTICE} seconds", _HINT)


def on_spot(spec: Json, profiles: Sequence[str] = ()) -> bool:
    """Whether pods of this spec may run on spot nodes, so far as it shows.

    Its nodeSelector, or the node affinity that it requires, has the last word; else a toleration for spot nodes, a
    preference for them, or the profile `spot` tells.
    """
    selector = spec.get("nodeSelector")
    demanded = [_asks(key, [value]) for key, value in (selector.items() if isinstance(selector, dict) else ())]
    affinity: Any = dig(spec, _AFFINITY) or {}
    terms = mappings(dig(affinity, ("requiredDuringSchedulingIgnoredDuringExecution", "nodeSelectorTerms")))
    alternatives = [[*demanded, *_expressions(term)] for term in terms] or [demanded]
    said = [[one for one in alternative if one is not None] for alternative in alternatives]
    if all(alternative and not all(alternative) for alternative in said):
        return False
    if any(alternative and all(alternative) for alternative in said):
        return True
    preferred = mappings(dig(affinity, ("preferredDuringSchedulingIgnoredDuringExecution",)))
    wished = (one for term in preferred for one in _expressions(dig(term, ("preference",)) or {}))
    tolerated = (_tolerates(one) for one in mappings(spec.get("tolerations")))
    return SPOT in profiles or any(wished) or any(tolerated)


def _expressions(term: Json) -> Iterator[bool | None]:
    for one in mappings(term.get("matchExpressions")):
        values = one.get("values") if isinstance(one.get("values"), list) else []
        asks = _asks(one.get("key"), values or [])
        operator = one.get("operator")
        if asks is not None and operator in ("In", "NotIn"):
            yield asks if operator == "In" else not asks


def _asks(key: Any, values: Sequence[Any]) -> bool | None:
    """Whether spot is among the values of a label that tells it; None for any other label."""
    spot = LABELS.get(str(key))
    return None if spot is None else any(str(value).lower() == spot for value in values)


def _tolerates(toleration: Json) -> bool:
    key = str(toleration.get("key"))
    if key == SPOT:
        return True
    return key in LABELS and (toleration.get("operator") == "Exists" or bool(_asks(key, [toleration.get("value")])))


def _volumes(manifest: Json, path: Path, spec: Json) -> Iterator[Path]:
    volumes = spec.get("volumes")
    for index, volume in enumerate(volumes if isinstance(volumes, list) else ()):
        if isinstance(volume, dict) and volume.get("persistentVolumeClaim"):
            yield (*path, "volumes", index, "persistentVolumeClaim")
    if manifest.get("kind") == "StatefulSet" and dig(manifest, ("spec", "volumeClaimTemplates")):
        yield ("spec", "volumeClaimTemplates")
