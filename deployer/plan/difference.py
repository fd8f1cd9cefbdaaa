"""What differs between manifests, or between a manifest and its live object: by path, never by value."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence

from deployer.model import Json, ObjectKey
from deployer.plan.diff.fields import differences
from deployer.plan.manifests.kinds import object_key
from deployer.plan.manifests.lifted import with_names_of
from deployer.plan.paths import path_text

_SERVERS_OWN = frozenset(
    {"creationTimestamp", "deletionTimestamp", "generation", "managedFields", "resourceVersion", "selfLink", "uid"}
)
_BOOKKEEPING = frozenset(
    {
        "app.kubernetes.io/managed-by",
        "deployment.kubernetes.io/revision",
        "deprecated.daemonset.template.generation",
        "kubectl.kubernetes.io/last-applied-configuration",
        "meta.helm.sh/release-name",
        "meta.helm.sh/release-namespace",
    }
)
"""Labels and annotations that Helm, kubectl and controllers write by themselves."""

_SHOWN = 6


def drifted(live: Json, preview: Json) -> tuple[str, ...]:
    """The fields that applying the manifest would change, as paths in sorted order.

    `preview` is what the API server would make of the live object (its dry run), so that defaults don't count. What
    only the server and its controllers write is left out.
    """
    return tuple(sorted({path_text(path) for path, _, _ in differences(theirs(live), theirs(preview))}))


def changes_between(
    old: Sequence[str], new: Sequence[str], secrets: Mapping[str, Json] | None = None
) -> tuple[str, ...]:
    """What a new revision changes, one line per object, for people: keys, never values.

    Both are manifests as JSON texts. `Deployment/myapp: containers[myapp].image, replicas`, `Service/myapp: added`.
    `secrets` are the lifted Secrets of both, by name: a variable whose value stays the same in another is no change.
    """
    before, after = _by_name(old), _by_name(new)
    lines = []
    for name, manifest in after.items():
        if name not in before:
            lines.append(f"{name}: added")
            continue
        left = with_names_of(before[name], manifest, secrets) if secrets else before[name]
        if paths := sorted({shortened(path_text(path)) for path, _, _ in differences(left, manifest)}):
            lines.append(f"{name}: {_listed(paths)}")
    return (*lines, *(f"{name}: removed" for name in before if name not in after))


def removed_objects(old: Sequence[str], new: Sequence[str], namespace: str | None = None) -> tuple[ObjectKey, ...]:
    """The objects of the old revision that the new one no longer has; `namespace` is the release's, where needed."""
    kept = _by_name(new)
    return tuple(object_key(manifest, namespace) for name, manifest in _by_name(old).items() if name not in kept)


def _by_name(texts: Iterable[str]) -> dict[str, Json]:
    manifests = (json.loads(text) for text in texts)
    return {f"{manifest['kind']}/{manifest['metadata']['name']}": manifest for manifest in manifests}


def theirs(content: Json) -> Json:
    """The object without what only the server and controllers write."""
    metadata = {key: value for key, value in (content.get("metadata") or {}).items() if key not in _SERVERS_OWN}
    for field in ("annotations", "labels"):
        items = {key: value for key, value in (metadata.get(field) or {}).items() if key not in _BOOKKEEPING}
        if items:
            metadata[field] = items
        else:
            metadata.pop(field, None)
    return {**{key: value for key, value in content.items() if key != "status"}, "metadata": metadata}


def shortened(text: str) -> str:
    """A path as text without the steps that every workload has in common."""
    for prefix in ("spec.jobTemplate.spec.template.spec.", "spec.template.spec.", "spec.", "metadata."):
        if text.startswith(prefix):
            return text.removeprefix(prefix)
    return text


def _listed(paths: Sequence[str]) -> str:
    rest = len(paths) - _SHOWN
    return ", ".join(paths[:_SHOWN]) + (f" and {rest} more" if rest > 0 else "")
