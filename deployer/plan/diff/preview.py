"""Puts together what a plan would change in one region, from what was seen there."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from deployer.model import Json, ObjectKey, Revision
from deployer.model.changes import ImageChange, ObjectChange, PodsChange, Preview, SecretUse
from deployer.plan.diff import objects
from deployer.plan.diff.fields import laid_over, without
from deployer.plan.diff.pods import pods_change
from deployer.plan.diff.secrets import Contents
from deployer.plan.diff.visible import Mask, Sides
from deployer.plan.facts import Comparison
from deployer.plan.manifests import PreparedManifests, is_hook
from deployer.plan.manifests.immutable import immutable_fields
from deployer.plan.manifests.kinds import HOOK
from deployer.plan.steps import TargetPlan
from deployer.plan.stored import members_of

_DNS = "dns: "

Identity = tuple[str, str | None, str]
"""Kind, namespace and name: an object is the same at another API version."""


@dataclass(frozen=True)
class Seen:
    """What was seen of a release: its wanted manifests, their comparison with what is live, its newest revision.

    `contents` has the Secrets that pods are given, of the manifests and of what is live.
    """

    prepared: PreparedManifests
    comparison: Comparison
    current: Revision | None
    version: str | None = None
    contents: Contents = field(default_factory=lambda: Contents({}), repr=False)


def preview(plan: TargetPlan, seen: Seen, mask: Mask) -> Preview:
    """What carrying the plan out would change, with nothing in it that `mask` knows to be secret."""
    dns = tuple(line.removeprefix(_DNS) for line in plan.changes if line.startswith(_DNS))
    taken = (*map(str, plan.adoption.objects), *map(str, plan.adoption.predecessors))
    members = [pair for pair in zip(seen.prepared.keys, seen.prepared.objects, strict=True) if not is_hook(pair[1])]
    if plan.release_action in ("none", "verify"):
        uses = [use for _, manifest in members for use in seen.contents.uses(manifest, manifest).values()]
        image = image_change(plan, seen)
        return Preview(unchanged=len(members), image=image, secrets=_each_once(uses), taken=taken, dns=dns)
    changes: list[ObjectChange] = []
    pods: list[PodsChange] = []
    secrets: list[SecretUse] = []
    wrote = _by_identity(seen)
    for key, manifest in members:
        live = seen.comparison.live.get(key)
        if live is None:
            changes.append(objects.created(key, manifest))
            secrets += seen.contents.uses(None, manifest).values()
            continue
        before = wrote.get(_identity(key))
        wanted = _wanted(key, manifest, live, before, seen)
        pods_secrets = seen.contents.uses(live, wanted)
        secrets += pods_secrets.values()
        sides = Sides(live, wanted, before, manifest, mask, pods_secrets)
        refused = tuple(objects.refusal(*found) for found in immutable_fields(manifest, live))
        if (change := objects.changed(key, sides, refused)) is not None:
            changes.append(change)
            if (effect := pods_change(key, live, wanted)) is not None and not refused:
                pods.append(effect)
    unchanged = len(members) - len(changes)
    changes += [objects.deleted(key, _written(key, wrote, seen)) for key in (*plan.deletions, *plan.kept)]
    return Preview(
        objects=tuple(changes),
        unchanged=unchanged,
        pods=tuple(pods),
        image=image_change(plan, seen),
        secrets=_each_once(secrets),
        hooks=tuple(_hooks(seen.prepared.hooks, plan)),
        taken=taken,
        dns=dns,
    )


def _each_once(uses: Iterable[SecretUse]) -> tuple[SecretUse, ...]:
    return tuple(sorted(set(uses), key=lambda use: (use.name, use.change)))


def image_change(plan: TargetPlan, seen: Seen) -> ImageChange | None:
    """The app's own image, where that or the app's version is another than that of the newest revision."""
    record = seen.current.record if seen.current else None
    old = (record.tag, record.version) if record else (None, None)
    if plan.image is None:
        return None
    if (plan.image.tag, seen.version) == old and plan.image_action in ("none", "present"):
        return None
    return ImageChange(plan.image_action, plan.image.tag, old[0], seen.version, old[1])


def same_basis(shown: Preview, now: Preview) -> bool:
    """Whether what was shown would still be done to the same: no object has come, gone or changed meanwhile."""
    return _basis(shown) == _basis(now)


def _basis(preview: Preview) -> list[tuple[str, str, list[tuple[str, str]]]]:
    return [
        (str(one.key), one.action, [(field.path, repr(field.old)) for field in one.fields]) for one in preview.objects
    ]


def _wanted(key: ObjectKey, manifest: Json, live: Json, before: Json | None, seen: Seen) -> Json:
    """The object as it would be afterwards: as the server says, or, where it would refuse, as the manifest says."""
    shown = seen.comparison.previews.get(key)
    if shown is not None:
        return shown
    result: Json = laid_over(live, manifest)
    return without(result, before, manifest) if before is not None else result


def _by_identity(seen: Seen) -> dict[Identity, Json]:
    """The manifests of the newest revision."""
    if seen.current is None:
        return {}
    found = members_of(seen.current, seen.prepared.namespace)
    return {_identity(key): content for key, content in found.items()}


def _written(key: ObjectKey, wrote: dict[Identity, Json], seen: Seen) -> Json | None:
    """The manifest of an object that goes; its key need not know the release's namespace."""
    return wrote.get(_identity(key)) or wrote.get((key.kind, seen.prepared.namespace, key.name))


def _hooks(hooks: Iterable[Json], plan: TargetPlan) -> Iterator[str]:
    """The hooks that Helm runs for this action, each with its moments."""
    for hook in hooks:
        moments = [moment.strip() for moment in hook["metadata"]["annotations"][HOOK].split(",")]
        due = [moment for moment in moments if moment.endswith(f"-{plan.release_action}")]
        if due:
            yield f"{hook['kind']}/{hook['metadata']['name']} ({', '.join(due)})"


def _identity(key: ObjectKey) -> Identity:
    return key.kind, key.namespace, key.name
