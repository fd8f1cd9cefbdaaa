"""The Secrets that were lifted out of manifests: looked for beforehand, made before the release, cleared up after it.

They are no part of the Helm release, so that no revision holds their texts. A Secret stays as long as a revision that
Helm keeps, or anything in the namespace that runs pods, names it; only those with our labels for the release are ever
deleted.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from functools import partial

from deployer.errors import ConfigurationError, DeployError, DeploymentFailed, raise_all
from deployer.execute.attempt import Attempt
from deployer.execute.fingerprint_key import NAME, save
from deployer.execute.parallel import values_of
from deployer.execute.ports import Cluster
from deployer.model import Json, ObjectKey, Revision
from deployer.plan.manifests import PreparedManifests, object_key
from deployer.plan.manifests.lifted import is_ours, labels, looks_lifted, same_secret, secrets_named

_USERS = (
    ("v1", "Pod"),
    ("apps/v1", "ReplicaSet"),
    ("apps/v1", "StatefulSet"),
    ("apps/v1", "DaemonSet"),
    ("apps/v1", "Deployment"),
    ("apps/v1", "ControllerRevision"),
    ("batch/v1", "Job"),
    ("batch/v1", "CronJob"),
)
"""What may still make pods that need a Secret."""

_MADE_BY_OTHERS = frozenset({"ReplicaSet", "ControllerRevision"})


@dataclass(frozen=True)
class Lifted:
    """What was lifted for a release, wanted or in the cluster, by name; and which of it the cluster does not have."""

    secrets: Mapping[str, Json] = field(default_factory=dict, repr=False)
    missing: tuple[ObjectKey, ...] = ()


def look(cluster: Cluster, prepared: PreparedManifests, release: str) -> Lifted:
    """What is there of the lifted Secrets, where any are wanted. Changes nothing.

    Raises everything that stands in the way of making them: what the API server refuses, and objects of others.
    """
    if not prepared.lifted:
        return Lifted()
    there = stored(cluster, prepared.namespace, release)
    lacking: list[ObjectKey] = []
    refused: list[DeployError] = []
    for wanted in prepared.lifted:
        key = object_key(wanted, prepared.namespace)
        try:
            live = there.get(key.name) or cluster.get(key)
            if live is None:
                lacking.append(key)
                cluster.preview(wanted, None)
            else:
                _refuse_other(live, wanted, release)
        except DeployError as error:
            refused += error.leaves()
    raise_all(refused)
    return Lifted(there | {str(one["metadata"]["name"]): one for one in prepared.lifted}, tuple(lacking))


def stored(cluster: Cluster, namespace: str, release: str) -> dict[str, Json]:
    """The Secrets in the cluster that were lifted for a release, by name."""
    found = cluster.list("v1", "Secret", namespace, labels(release))
    return {str(one["metadata"]["name"]): one for one in found if is_ours(one, release)}


def provide(attempt: Attempt) -> None:
    """Make each Secret that is missing. Raises a DeployError where one cannot be had as it must be."""
    work, cluster = attempt.work, attempt.work.ports.cluster
    if work.prepared.lifted and work.prepared.unsaved_key is not None:
        attempt.about_to_change()
        if not save(cluster, work.prepared.unsaved_key):
            attempt.warn(f"Secret/{NAME} was made by somebody else meanwhile: the next deployment restarts pods once")
    for wanted in work.prepared.lifted:
        attempt.about_to_change()
        if cluster.create(wanted) is None:
            live = cluster.get(object_key(wanted, work.namespace))
            if live is None:
                raise DeploymentFailed(
                    f"Secret/{wanted['metadata']['name']} was deleted while it was needed",
                    where=work.place,
                    hint="run the same command again",
                )
            _refuse_other(live, wanted, work.app.app_name)


def clear_up(attempt: Attempt, *, uninstalled: bool = False) -> None:
    """Delete the release's Secrets that nothing needs any more. What goes wrong is a warning.

    `uninstalled`: an installation has failed and was taken away; its pods are ending, and need nothing any more.
    """
    work = attempt.work
    try:
        _clear_up(attempt, uninstalled)
    except DeployError as error:
        attempt.warn(f"Secrets that {work.app.app_name} no longer uses could not be cleared up: {error}")


def _clear_up(attempt: Attempt, uninstalled: bool) -> None:
    work, cluster = attempt.work, attempt.work.ports.cluster
    name, namespace = work.app.app_name, work.namespace
    runs = attempt.revision is not None and not uninstalled
    used = {secret["metadata"]["name"] for secret in work.prepared.lifted} if runs else set()
    found = stored(cluster, namespace, name).keys()
    if found - used:
        used |= _named_by(work.ports.releases.revisions(name, namespace))
    if found - used:
        # Of what is removed the cluster itself clears up the rest.
        cleared = _MADE_BY_OTHERS if uninstalled or work.removal is not None else frozenset()
        ending = {"Pod"} if uninstalled else set()
        users = [one for one in _USERS if one[1] not in cleared | ending]
        listings = values_of([partial(cluster.list, *kind, namespace) for kind in users])
        used |= {one for listing in listings for content in listing for one in _named_in(content)}
    for one in sorted(found - used):
        attempt.about_to_change()
        cluster.delete(ObjectKey("v1", "Secret", namespace, one))


def _named_by(revisions: Collection[Revision]) -> set[str]:
    return {name for revision in revisions for content in revision.objects() for name in _named_in(content)}


def _named_in(content: Json) -> set[str]:
    """The Secrets that an object's pods use; items of a list, as the API server gives them, have no kind."""
    kinds = (str(content["kind"]),) if content.get("kind") else tuple(kind for _, kind in _USERS)
    return {name for kind in kinds for name in secrets_named({**content, "kind": kind})}


def _refuse_other(live: Json, wanted: Json, release: str) -> None:
    """Raises a ConfigurationError for a live Secret that is not the one that is wanted."""
    name = wanted["metadata"]["name"]
    if not is_ours(live, release):
        why = f"it does not have the labels of what is lifted for {release}"
    elif not same_secret(live, wanted):
        why = "somebody has made it with another content, or so that it may be changed"
    else:
        return
    raise ConfigurationError(
        f"Secret/{name} exists already and is not ours",
        where=f"namespace {wanted['metadata']['namespace']}",
        why=why,
        hint=f"it is named by its content, so nobody else needs it: kubectl delete secret {name} --namespace "
        f"{wanted['metadata']['namespace']}",
    )


def refuse_gone(cluster: Cluster, prepared: PreparedManifests, revision: str) -> None:
    """Raises a ConfigurationError for each Secret of ours that an old revision's pods need and that is gone."""
    names = sorted({name for one in prepared.objects for name in secrets_named(one) if looks_lifted(name)})
    keys = [ObjectKey("v1", "Secret", prepared.namespace, name) for name in names]
    found = values_of([partial(cluster.get, key) for key in keys])
    raise_all(
        [
            ConfigurationError(
                f"{key} of {revision} is gone from the cluster",
                where=f"namespace {prepared.namespace}",
                why="its pods could not start without their secrets, which no revision holds",
                hint="choose another revision, or deploy that version anew",
            )
            for key, live in zip(keys, found, strict=True)
            if live is None
        ]
    )
