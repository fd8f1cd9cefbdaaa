"""Adds to a plan what it would change, value by value: only where somebody is to see that."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace

from deployer.errors import NotPermitted
from deployer.execute.observe import Observation
from deployer.execute.ports import Cluster
from deployer.execute.restore import Restorable
from deployer.execute.services import Services
from deployer.model import Json, ObjectKey, Settings
from deployer.plan.diff.preview import Seen, preview
from deployer.plan.diff.secrets import Contents
from deployer.plan.facts import Comparison
from deployer.plan.manifests import PreparedManifests
from deployer.plan.manifests.lifted import looks_lifted, secrets_named, texts_of
from deployer.plan.steps import TargetPlan


def with_preview(plan: TargetPlan, observation: Observation, services: Services) -> TargetPlan:
    """A deployment's plan with its preview."""
    subject, release = observation.subject, observation.facts.release
    contents = _contents(subject.ports.cluster, subject.settings, observation.prepared, release.comparison, services)
    seen = Seen(observation.prepared, release.comparison, release.current, subject.app.version, contents)
    return replace(plan, preview=preview(plan, seen, services.mask))


def with_way_back(found: Restorable, services: Services) -> Restorable:
    """A rollback's plan with its preview."""
    record, place = found.choice.revision.record, found.place
    contents = _contents(place.ports.cluster, place.settings, found.prepared, found.comparison, services)
    seen = Seen(found.prepared, found.comparison, found.current, record.version if record else None, contents)
    return replace(found, plan=replace(found.plan, preview=preview(found.plan, seen, services.mask)))


def _contents(
    cluster: Cluster, settings: Settings, prepared: PreparedManifests, comparison: Comparison, services: Services
) -> Contents:
    """The Secrets that were lifted: those of the manifests, and those in the cluster that pods name by now."""
    wanted = {str(one["metadata"]["name"]): one for one in prepared.lifted}
    live = [one for one in comparison.live.values() if one is not None]
    named = {name for one in (*live, *prepared.objects) for name in secrets_named(one) if looks_lifted(name)}
    found = {str(one["metadata"]["name"]): one for one in _read(cluster, settings.namespace, named - wanted.keys())}
    services.keep_secret(texts_of(found.values()))
    key = settings.fingerprint_key
    return Contents(found | wanted, key.reveal().encode() if key else b"")


def _read(cluster: Cluster, namespace: str, names: Iterable[str]) -> Iterator[Json]:
    for name in sorted(names):
        try:
            secret = cluster.get(ObjectKey("v1", "Secret", namespace, name))
        except NotPermitted:
            return
        if secret is not None:
            yield secret
