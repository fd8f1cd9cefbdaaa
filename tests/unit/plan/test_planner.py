"""Facts in, plan out."""

from dataclasses import replace

from deployer.model import DeploymentRecord, Image, ObjectKey, Target, WorkloadState
from deployer.plan.facts import ImageFacts, ReleaseFacts, TargetFacts
from deployer.plan.planner import plan_target
from tests.fakes import make_revision

TARGET = Target("prod", "london", "myapp")
TEXT = '{"apiVersion":"v1","data":{"key":"old"},"kind":"ConfigMap","metadata":{"name":"myapp"}}'
NEW_TEXT = TEXT.replace("old", "new")
RECORD = DeploymentRecord("deployment-1", "myapp", "prod", "london")
KEY = ObjectKey("v1", "ConfigMap", "default", "myapp")
PRESENT = Image("registry", "myapp", "1-abc", digest="sha256:1")

UNCHANGED = TargetFacts(
    TARGET,
    ReleaseFacts(texts=(TEXT,), revisions=(make_revision(3, manifests=(TEXT,), record=RECORD),)),
    ImageFacts(PRESENT),
)


def released(**changes: object) -> TargetFacts:
    return replace(UNCHANGED, release=replace(UNCHANGED.release, **changes))  # type: ignore[arg-type]


def test_nothing_is_done_when_nothing_changed() -> None:
    plan = plan_target(UNCHANGED)
    assert not plan.changes_anything
    assert plan.reasons == ()
    assert plan.current_revision == 3


def test_a_first_deployment_installs() -> None:
    plan = plan_target(released(revisions=()))
    assert (plan.release_action, plan.good_revision) == ("install", None)
    assert plan.reasons == ("not installed yet",)


def test_changed_manifests_upgrade_and_name_keys_not_values() -> None:
    plan = plan_target(released(texts=(NEW_TEXT,)))
    assert plan.release_action == "upgrade"
    assert plan.reasons == ("manifests changed",)
    assert "new" not in " ".join(plan.changes)
    assert "key" in " ".join(plan.changes)


def test_a_missing_image_is_built_and_upgrades() -> None:
    plan = plan_target(replace(UNCHANGED, image=ImageFacts(replace(PRESENT, digest=None))))
    assert (plan.image_action, plan.release_action) == ("build", "upgrade")
    assert plan.reasons == ("new image",)


def test_a_revision_that_helm_calls_deployed_but_nobody_verified_is_deployed_again() -> None:
    unverified = make_revision(4, verified=False, manifests=(TEXT,), record=RECORD)
    plan = plan_target(released(revisions=(unverified, *UNCHANGED.release.revisions)))
    assert plan.reasons == ("revision 4 was never verified",)
    assert plan.good_revision == 3


def test_drift_and_missing_objects_and_unready_workloads_are_reasons() -> None:
    unready = WorkloadState(ObjectKey("apps/v1", "Deployment", "default", "web"), 2, 2, 1, "progressing", "one is slow")
    plan = plan_target(
        released(drift={KEY: ("data.a", "data.b", "data.c", "data.d")}, missing=(KEY,), workloads=(unready,))
    )
    assert plan.reasons == (
        "ConfigMap/myapp is missing in the cluster",
        "ConfigMap/myapp was changed in the cluster: data.a, data.b, data.c and 1 more",
        "Deployment/web is not ready: one is slow",
    )


def test_a_pending_revision_is_repaired_first() -> None:
    pending = make_revision(4, verified=False, status="pending-upgrade", manifests=(TEXT,), record=RECORD)
    plan = plan_target(released(revisions=(pending, *UNCHANGED.release.revisions)))
    assert (plan.repair, plan.good_revision) == (4, 3)


def test_a_foreign_release_has_no_good_revision_but_one_to_return_to() -> None:
    foreign = make_revision(9, verified=False, status="deployed")
    plan = plan_target(released(revisions=(foreign,)))
    assert (plan.good_revision, plan.foreign_revision) == (None, 9)


def test_deletions_that_may_take_data_are_told_apart() -> None:
    claim = '{"apiVersion":"v1","kind":"PersistentVolumeClaim","metadata":{"name":"data"}}'
    revision = make_revision(3, manifests=(TEXT, claim), record=RECORD)
    plan = plan_target(released(revisions=(revision,), texts=()))
    assert [key.kind for key in plan.deletions] == ["ConfigMap", "PersistentVolumeClaim"]
    assert [key.name for key in plan.deletes_data] == ["data"]
