"""What differs between manifests, or between a manifest and its live object: by path, never by value."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from deployer.model import Json, ObjectKey
from deployer.plan.diff.fields import differences
from deployer.plan.manifests.kinds import is_builtin_group, is_hook, object_key, stays
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
    old: Sequence[str],
    new: Sequence[str],
    secrets: Mapping[str, Json] | None = None,
    *,
    namespace: str | None = None,
) -> tuple[str, ...]:
    """What a new revision changes, one line per object, for people: keys, never values.

    Both are manifests as JSON texts. `Deployment/myapp: containers[myapp].image, replicas`, `Service/myapp: added`.
    `secrets` are the lifted Secrets of both, by name: a variable whose value stays the same in another is no change.
    `namespace` is the release's.
    """
    before, after = _by_identity(old, namespace), _by_identity(new, namespace)
    lines = []
    for identity, manifest in after.items():
        if identity not in before:
            lines.append(f"{_name(identity, after)}: added")
            continue
        left = with_names_of(before[identity], manifest, secrets) if secrets else before[identity]
        if paths := sorted({shortened(path_text(path)) for path, _, _ in differences(left, manifest)}):
            lines.append(f"{_name(identity, after)}: {_listed(paths)}")
    gone = [(identity, manifest) for identity, manifest in before.items() if identity not in after]
    ends = [
        f"{_name(identity, before)}: {'kept, but no longer of the release' if stays(one) else 'removed'}"
        for identity, one in gone
    ]
    return (*lines, *ends)


@dataclass(frozen=True)
class Gone:
    """The objects of an old revision that the new one no longer has: Helm deletes them, or leaves them as they ask."""

    deleted: tuple[ObjectKey, ...] = ()
    kept: tuple[ObjectKey, ...] = ()


def removed_objects(old: Sequence[str], new: Sequence[str], namespace: str | None = None) -> Gone:
    """What becomes of the objects that are no longer in the release; `namespace` is the release's, where needed.

    Hooks are no part of it: one that goes is left alone, and an object that becomes a hook has left the release.
    """
    left = {identity for identity, manifest in _by_identity(new, namespace).items() if not is_hook(manifest)}
    gone = [
        manifest
        for identity, manifest in _by_identity(old, namespace).items()
        if identity not in left and not is_hook(manifest)
    ]
    return Gone(
        tuple(object_key(manifest, namespace) for manifest in gone if not stays(manifest)),
        tuple(object_key(manifest, namespace) for manifest in gone if stays(manifest)),
    )


_Identity = tuple[str, str, str | None, str]
"""What tells objects apart: group ("" for all of Kubernetes' own, which has moved kinds between them), kind, namespace
and name."""


def _by_identity(texts: Iterable[str], namespace: str | None) -> dict[_Identity, Json]:
    found = {}
    for manifest in map(json.loads, texts):
        key, version = object_key(manifest, namespace), manifest["apiVersion"]
        group = "" if is_builtin_group(version) else version.rpartition("/")[0]
        found[group, key.kind, key.namespace, key.name] = manifest
    return found


def _name(identity: _Identity, among: Iterable[_Identity]) -> str:
    """`Role/reader`; with its namespace where another one has the same kind and name."""
    _, kind, namespace, name = identity
    several = sum((other[1], other[3]) == (kind, name) for other in among) > 1
    return f"{kind}/{name}" + (f" in {namespace}" if several and namespace else "")


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
