"""Tells what becomes of a workload's pods: replaced by new ones, more or fewer, or left alone."""

from __future__ import annotations

from deployer.model import Json, ObjectKey
from deployer.model.changes import PodsChange
from deployer.plan.diff.describing import replicas
from deployer.plan.diff.fields import differences
from deployer.plan.manifests.kinds import POD_TEMPLATES, dig

_COUNTED = ("Deployment", "ReplicaSet", "ReplicationController", "StatefulSet")
_LEFT_ALONE = ("ReplicaSet", "ReplicationController")
"""Kinds whose pods stay when their template changes."""


def pods_change(key: ObjectKey, old: Json, new: Json) -> PodsChange | None:
    """What a change of an object means for its pods; None for one that has none.

    They are replaced exactly when their template differs.
    """
    if key.kind == "DaemonSet":
        before = after = int(dig(old, ("status", "desiredNumberScheduled")) or 0)
    elif key.kind in _COUNTED:
        before, after = replicas(old), replicas(new)
    elif key.kind == "CronJob":
        return (
            PodsChange(key, False, 0, 0, "its next run is of the new kind")
            if _template_differs(key, old, new)
            else None
        )
    else:
        return None
    if not _template_differs(key, old, new):
        return PodsChange(key, False, before, after)
    strategy = dig(new, ("spec", "updateStrategy", "type"))
    if strategy == "OnDelete" or key.kind in _LEFT_ALONE:
        return PodsChange(key, False, before, after, "its pods change only when somebody deletes them")
    if key.kind == "Deployment" and dig(new, ("spec", "strategy", "type")) == "Recreate":
        return PodsChange(key, True, before, after, "all at once: the old ones end first (strategy Recreate)")
    return PodsChange(key, True, before, after)


def _template_differs(key: ObjectKey, old: Json, new: Json) -> bool:
    path = POD_TEMPLATES[key.kind]
    return any(differences(dig(old, path), dig(new, path), path))
