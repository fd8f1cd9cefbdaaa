"""What a removal takes away, what it leaves, and what it says about both."""

from __future__ import annotations

import json

import pytest

from deployer.model import DeploymentRecord, Json, ObjectKey, Target
from deployer.plan.removal import Removal, hooks_of, older_objects, plan_removal, removal_of
from tests.fakes import make_revision

RELEASE = ("web", "default")
OWN = {"meta.helm.sh/release-name": "web", "meta.helm.sh/release-namespace": "default"}
TARGET = Target("prod", "london", "web")


def manifest(kind: str, name: str, **metadata: object) -> Json:
    version = {"Deployment": "apps/v1", "StatefulSet": "apps/v1"}.get(kind, "v1")
    return {"apiVersion": version, "kind": kind, "metadata": {"name": name, **metadata}}


def key(kind: str, name: str) -> ObjectKey:
    return ObjectKey(manifest(kind, name)["apiVersion"], kind, "default", name)


def texts(*manifests: Json) -> tuple[str, ...]:
    return tuple(map(json.dumps, manifests))


KEEP = {"helm.sh/resource-policy": " Keep "}
CLAIM = manifest("PersistentVolumeClaim", "data", annotations=KEEP)


def removal(*manifests: Json, claims: tuple[Json, ...] = (), absent: frozenset[str] = frozenset()) -> Removal:
    live = {key(one["kind"], one["metadata"]["name"]): one for one in manifests}
    live = {one: content for one, content in live.items() if one.name not in absent}
    return removal_of([make_revision(1, manifests=texts(*manifests))], RELEASE, live=live, older={}, claims=claims)


def test_everything_goes_but_claimed_volumes_and_hooks() -> None:
    hook = manifest("ConfigMap", "hook", annotations={"helm.sh/hook": "pre-install"})
    found = removal(manifest("Deployment", "web"), CLAIM, hook)
    assert found.lines == ("Deployment/web: removed", "PersistentVolumeClaim/data: kept, with its data")


def test_what_is_gone_already_is_not_told() -> None:
    found = removal(manifest("Deployment", "web"), CLAIM, absent=frozenset({"web", "data"}))
    assert found.lines == ()


def test_a_claim_that_nothing_keeps_goes_with_its_data() -> None:
    assert removal(manifest("PersistentVolumeClaim", "data")).lines == (
        "PersistentVolumeClaim/data: removed with its data",
    )


@pytest.mark.parametrize(
    ("policy", "line"),
    [
        ({}, "kept, with its data: a StatefulSet claimed it"),
        ({"persistentVolumeClaimRetentionPolicy": {"whenDeleted": "Delete"}}, "removed with its data"),
    ],
)
def test_the_claims_of_a_stateful_set(policy: Json, line: str) -> None:
    stateful = {**manifest("StatefulSet", "db"), "spec": {"volumeClaimTemplates": [manifest("", "disk")], **policy}}
    names = ("disk-db-0", "disk-db-10", "disk-db-x", "disk-other-0", "other-db-0")
    claims = tuple(manifest("PersistentVolumeClaim", name) for name in names)
    found = removal(stateful, claims=claims)
    assert found.lines == (
        "StatefulSet/db: removed",
        f"PersistentVolumeClaim/disk-db-0: {line}",
        f"PersistentVolumeClaim/disk-db-10: {line}",
    )
    plan = plan_removal(TARGET, [make_revision(1)], found, "web")
    assert len(plan.deletes_data) == (1 if "kept" in line else 3)


def test_of_what_nobody_wants_to_keep_nothing_is_kept() -> None:
    settings = manifest("ConfigMap", "settings", annotations=KEEP)
    stateful = {**manifest("StatefulSet", "db"), "spec": {"volumeClaimTemplates": [manifest("", "disk")]}}
    disk = manifest("PersistentVolumeClaim", "disk-db-0")
    found = removal(manifest("Deployment", "web"), stateful, CLAIM, settings, claims=(disk,))
    assert len(found.kept) == 3
    gone = found.with_nothing_kept([key("Job", "migrate")])
    assert gone.lines == (
        "Deployment/web: removed",
        "StatefulSet/db: removed",
        "ConfigMap/settings: removed",
        "Job/migrate: removed",
        "PersistentVolumeClaim/data: removed with its data",
        "PersistentVolumeClaim/disk-db-0: removed with its data",
    )
    assert (gone.kept, gone.goes) == ({}, found.goes)
    assert gone.beyond == (
        key("PersistentVolumeClaim", "data"),
        key("ConfigMap", "settings"),
        key("PersistentVolumeClaim", "disk-db-0"),
        key("Job", "migrate"),
    )
    plan = plan_removal(TARGET, [make_revision(1)], gone, "web")
    assert len(plan.deletions) == len(set(plan.deletions)) == len(gone.lines)
    assert {one.name for one in plan.deletes_data} == {"db", "data", "disk-db-0"}


def test_what_is_deleted_with_its_data_anyway_is_told_once() -> None:
    gone = removal(manifest("PersistentVolumeClaim", "data")).with_nothing_kept([])
    assert gone.lines == ("PersistentVolumeClaim/data: removed with its data",)
    assert plan_removal(TARGET, [make_revision(1)], gone, "web").deletions == (key("PersistentVolumeClaim", "data"),)


def test_hooks_of_all_revisions_are_told_once() -> None:
    hook = {"helm.sh/hook": "pre-upgrade"}
    job = {**manifest("Job", "migrate", annotations=hook), "apiVersion": "batch/v1"}
    revisions = [
        make_revision(3, manifests=texts(job, manifest("ConfigMap", "plain"))),
        make_revision(2, manifests=texts(job, manifest("ConfigMap", "other", annotations=hook, namespace="there"))),
        make_revision(1, manifests=texts({"kind": "Job", "metadata": {"name": "x", "annotations": hook}})),
        make_revision(1, manifests=texts({**job, "metadata": {"generateName": "x-", "annotations": hook}})),
    ]
    assert hooks_of(revisions, "default") == [
        ObjectKey("batch/v1", "Job", "default", "migrate"),
        ObjectKey("v1", "ConfigMap", "there", "other"),
    ]


def test_what_older_revisions_left_goes_where_it_is_the_releases_by_its_marks() -> None:
    newest = make_revision(3, manifests=texts(manifest("Deployment", "web")))
    older = make_revision(2, manifests=texts(manifest("ConfigMap", "old"), manifest("Deployment", "web"), CLAIM))
    assert older_objects([newest, older], "default") == [key("ConfigMap", "old")]
    everything = older_objects([newest, older], "default", everything=True)
    assert everything == [key("ConfigMap", "old"), key("PersistentVolumeClaim", "data")]
    for owner, strays in ((OWN, (key("ConfigMap", "old"),)), ({}, ())):
        left = {key("ConfigMap", "old"): manifest("ConfigMap", "old", annotations=owner)}
        assert removal_of([newest, older], RELEASE, live={}, older=left, claims=()).strays == strays


def test_the_plan_says_whose_release_it_is() -> None:
    ours = plan_removal(
        TARGET, [make_revision(2, record=DeploymentRecord("d", "web", "prod", "london"))], Removal(), ""
    )
    assert (ours.release_action, ours.reasons) == ("uninstall", ("revision 2 is deployed",))
    theirs = plan_removal(TARGET, [make_revision(2, chart="nginx-1.0")], Removal(), "")
    assert theirs.reasons == ("revision 2 is deployed, made by another tool (nginx-1.0)",)
    nothing = plan_removal(TARGET, [], Removal(), "web in namespace default")
    assert (nothing.release_action, nothing.reasons) == ("none", ("there is no release web in namespace default",))
