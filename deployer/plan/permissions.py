"""What deploying a release needs to be allowed in its cluster."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from deployer.model import ObjectKey, Permission
from deployer.plan.manifests import PreparedManifests, is_hook
from deployer.plan.readiness import OWNED

_MEMBER = ("get", "create", "patch", "delete")
_HOOK = ("get", "list", "watch", "create", "delete")
"""Helm follows its hooks, and makes them anew."""

_ALWAYS: Sequence[tuple[str, str, str, tuple[str, ...]]] = (
    # Helm keeps its releases in Secrets; we mark and repair them.
    ("v1", "Secret", "", ("get", "list", "create", "update", "patch", "delete")),
    # The lock of a release.
    ("coordination.k8s.io/v1", "Lease", "", ("get", "create", "update", "delete")),
    # Following a rollout, and the evidence of one that fails.
    ("v1", "Pod", "", ("list",)),
    ("v1", "Pod", "log", ("get",)),
    ("v1", "Event", "", ("list",)),
)


def needed(
    namespace: str, prepared: PreparedManifests | None = None, deleted: Iterable[ObjectKey] = ()
) -> tuple[Permission, ...]:
    """Every permission that a deployment uses, each once.

    `prepared` are the manifests, None where only the release itself is to be asked about; `deleted` are objects that
    the new revision no longer has.
    """
    return tuple(dict.fromkeys(_needed(namespace, prepared, deleted)))


def _needed(namespace: str, prepared: PreparedManifests | None, deleted: Iterable[ObjectKey]) -> Iterator[Permission]:
    for api_version, kind, subresource, verbs in _ALWAYS:
        for verb in verbs:
            yield Permission(api_version, kind, verb, namespace, subresource)
    for key, manifest in zip(prepared.keys, prepared.objects, strict=True) if prepared else ():
        for verb in _HOOK if is_hook(manifest) else _MEMBER:
            yield Permission(key.api_version, key.kind, verb, key.namespace)
        if key.kind in OWNED:
            yield Permission(*OWNED[key.kind], "list", namespace)
    for key in deleted:
        yield Permission(key.api_version, key.kind, "delete", key.namespace or namespace)


def listed(permissions: Iterable[Permission]) -> str:
    """The permissions for people, by what they are about: `Deployment (apps): create, patch; Event: list`."""
    verbs: dict[str, list[str]] = {}
    for one in permissions:
        verbs.setdefault(one.resource, []).append(one.verb)
    return "; ".join(f"{resource}: {', '.join(names)}" for resource, names in verbs.items())
