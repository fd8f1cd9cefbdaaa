"""Compares an app's manifests with what is live, by showing each to the API server as a dry run."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property

from deployer.errors import ConfigurationError, DeployError, NotPermitted, raise_all
from deployer.execute.ports import Cluster
from deployer.model import Json, ObjectKey, Revision
from deployer.plan.adoption import ReleaseName
from deployer.plan.difference import drifted
from deployer.plan.facts import Comparison
from deployer.plan.manifests import (
    PreparedManifests,
    SourceManifest,
    foreign_object,
    immutable_changes,
    is_hook,
    object_key,
)
from deployer.plan.manifests.ownership import owner_of
from deployer.plan.paths import path_in
from deployer.plan.stored import members_of


class Owned:
    """Knows which live objects are the release's own: those that Helm has deployed with it, or would adopt.

    With `adopt` none is refused: `taken` then names those of others, each with its release (None: made by hand).
    `revisions` are newest first. A rollback goes on from the newest, whatever became of it; an upgrade does not.
    """

    def __init__(
        self,
        name: str,
        namespace: str,
        revisions: Sequence[Revision],
        *,
        adopt: bool = False,
        rollback: bool = False,
    ) -> None:
        self.taken: dict[ObjectKey, ReleaseName | None] = {}
        self._adopt = adopt
        self._name = name
        self._namespace = namespace
        self._revisions = revisions
        self._rollback = rollback

    def refusal(self, source: SourceManifest, key: ObjectKey, live: Json) -> DeployError | None:
        """Why a live object cannot be taken; None where it is the release's, or is to be taken over."""
        foreign = foreign_object(source, live, self._name, self._namespace)
        if foreign is None:
            return None
        if self._adopt:
            self.taken[key] = owner_of(live)
            return None
        return None if (key.kind, key.namespace, key.name) in self._known else foreign

    def before(self, key: ObjectKey, text: str) -> Json | None:
        """The object in the revision that Helm goes on from; None where it is not in it, or just as in `text`."""
        return None if text in self._texts else self._members.get((key.kind, key.namespace, key.name))

    @cached_property
    def _origin(self) -> Revision | None:
        """What Helm compares with: what it has deployed last, else its last try."""
        deployed = None if self._rollback else next((one for one in self._revisions if one.status == "deployed"), None)
        return deployed or next((one for one in self._revisions[:1] if one.status != "uninstalled"), None)

    @cached_property
    def _texts(self) -> frozenset[str]:
        origin = self._origin
        return frozenset(origin.manifests if origin and not origin.is_unfinished_rollback else ())

    @cached_property
    def _members(self) -> dict[tuple[str, str | None, str], Json]:
        found = members_of(self._origin, self._namespace) if self._origin else {}
        return {(key.kind, key.namespace, key.name): content for key, content in found.items()}

    @cached_property
    def _known(self) -> set[tuple[str, str | None, str]]:
        """What Helm takes for its own without looking: the objects of what it has deployed, else of its last try."""
        deployed = [revision for revision in self._revisions if revision.status == "deployed"]
        contents = (content for revision in deployed or self._revisions[:1] for content in revision.objects())
        keys = (object_key(content, self._namespace) for content in contents)
        return {(key.kind, key.namespace, key.name) for key in keys}


def compare(cluster: Cluster, prepared: PreparedManifests, owned: Owned, *, tell: bool = False) -> Comparison:
    """The manifests beside what is live.

    Each manifest is shown to the API server as a dry run, so that what it refuses is known before anything changes, and
    told with its place in the app file. What an author has taken out of a manifest is gone in its preview, as Helm
    takes it away. With `tell`, fields that may not change are part of the answer and not raised. Hooks are shown too,
    but live only while Helm runs them.
    """
    live: dict[ObjectKey, Json | None] = {}
    previews: dict[ObjectKey, Json] = {}
    drift: dict[ObjectKey, tuple[str, ...]] = {}
    refused: list[DeployError] = []
    told: list[ConfigurationError] = []
    for index, (key, manifest) in enumerate(zip(prepared.keys, prepared.objects, strict=True)):
        source = prepared.sources[index] if prepared.sources else SourceManifest(manifest)
        try:
            present = None if is_hook(manifest) else cluster.get(key)
        except NotPermitted as error:
            refused.append(error)
            continue
        if not is_hook(manifest):
            live[key] = present
        if present is not None and (foreign := owned.refusal(source, key, present)):
            refused.append(foreign)
            continue
        if present is not None and (forbidden := immutable_changes(manifest, present, source)):
            (told if tell else refused).extend(forbidden)
            continue
        try:
            preview = cluster.preview(manifest, present, owned.before(key, prepared.texts[index]) if present else None)
        except ConfigurationError as error:
            error.where = source.at(path_in(error.why or "")) or error.where
            refused.append(error)
            continue
        except NotPermitted as error:
            refused.append(error)
            continue
        if present is not None:
            previews[key] = preview
            if paths := drifted(present, preview):
                drift[key] = paths
    raise_all(refused)
    return Comparison(live, previews, drift, tuple(told))
