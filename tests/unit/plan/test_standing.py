"""What became of an app's newest revision in one region."""

from __future__ import annotations

import json
from typing import Any

import pytest

from deployer.model import DeploymentRecord, Holder, LockState, ObjectKey, Target
from deployer.model.status import ReleaseHead, ReleaseStatus
from deployer.plan.standing import release_status, running_objects
from tests.fakes import make_revision

TARGET = Target("prod", "london", "shop")
HELD = LockState(Holder("d-9", "ben", "laptop", "2026-11-21T07:00:00+00:00"), 20.0, "1")
EXPIRED = LockState(HELD.holder, 0.0, "1")


def record(**fields: Any) -> DeploymentRecord:
    values = {"version": "1.0", "tag": "1.0-abc", "digest": "sha256:12", "who": "anna", "action": "deploy", **fields}
    return DeploymentRecord("d-7", "shop", "prod", "london", **values)


def status(lock: LockState | None = None, good: int | None = None, **fields: Any) -> ReleaseStatus:
    newest = make_revision(7, **{"record": record(), **fields})
    verified = newest if newest.verified else make_revision(good) if good else None
    return release_status(TARGET, "shop", "default", ReleaseHead(newest, verified), (), lock)


def test_a_deployment_that_was_verified() -> None:
    found = status()
    assert (found.standing, found.health, found.revision, found.good) == ("deployed", "well", 7, 7)
    assert (found.version, found.tag, found.digest, found.who, found.deployment_id) == (
        "1.0",
        "1.0-abc",
        "sha256:12",
        "anna",
        "d-7",
    )


@pytest.mark.parametrize(
    ("action", "standing"),
    [("rollback", "restored"), ("promote", "promoted"), ("adopt", "adopted"), (None, "deployed")],
)
def test_what_made_it(action: str | None, standing: str) -> None:
    assert status(record=record(action=action)).standing == standing


def test_a_rollback_that_nobody_asked_for() -> None:
    newest = make_revision(7, record=record(action="rollback"))
    found = release_status(TARGET, "shop", "default", ReleaseHead(newest, newest, takes_back=True), (), None)
    assert (found.standing, found.health) == ("rolled back", "well")


def test_a_rollback_to_a_revision_of_another_tool() -> None:
    assert status(description="Rollback to 6", record=None).standing == "restored"


@pytest.mark.parametrize(
    ("fields", "standing"),
    [
        ({}, "unverified"),
        ({"ended": "failed"}, "failed"),
        ({"ended": "interrupted"}, "interrupted"),
        ({"ended": "reverted"}, "unverified"),
        ({"status": "failed"}, "failed"),
        ({"status": "pending-upgrade"}, "interrupted"),
        ({"status": "pending-install"}, "interrupted"),
        ({"status": "uninstalling"}, "interrupted"),
        ({"record": None}, "not ours"),
    ],
)
def test_what_was_not_verified(fields: dict[str, Any], standing: str) -> None:
    found = status(verified=False, good=5, **fields)
    assert (found.standing, found.good) == (standing, 5)
    assert found.health == ("well" if standing == "not ours" else "broken")
    assert status(lock=EXPIRED, verified=False, **fields).standing == standing


def test_it_is_in_progress_while_the_lock_is_held() -> None:
    found = status(lock=HELD, verified=False, status="pending-upgrade")
    assert (found.standing, found.health) == ("in progress", "busy")
    assert status(lock=HELD).standing == "deployed"
    assert status(lock=HELD).health == "busy"


def test_no_release() -> None:
    missing = release_status(TARGET, "shop", "default", None, (), None)
    assert (missing.standing, missing.health) == ("missing", "absent")
    assert release_status(TARGET, "shop", "default", None, (), HELD).standing == "in progress"
    assert status(verified=False, status="uninstalled").standing == "missing"


def manifest(kind: str, name: str, **metadata: Any) -> str:
    return json.dumps({"apiVersion": "apps/v1", "kind": kind, "metadata": {"name": name, **metadata}})


def test_what_keeps_pods_running() -> None:
    revision = make_revision(
        1,
        manifests=(
            manifest("Deployment", "web"),
            manifest("Service", "web"),
            manifest("StatefulSet", "data", namespace="other"),
            manifest("Job", "migrate", annotations={"helm.sh/hook": "pre-upgrade"}),
            manifest("CronJob", "nightly"),
        ),
    )
    assert running_objects(revision, "default") == (
        ObjectKey("apps/v1", "Deployment", "default", "web"),
        ObjectKey("apps/v1", "StatefulSet", "other", "data"),
    )
    assert release_status(TARGET, "shop", "default", ReleaseHead(revision, revision), (), None).objects >= {
        "Deployment/web",
        "CronJob/nightly",
    }


def test_objects_of_a_release_of_somebody_elses() -> None:
    deployment = "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: web}\n"
    text = f"{deployment}---\nkind: Pod\nmetadata: {{}}\n---\nnot an object\n"
    assert running_objects(make_revision(1, manifest=text), "default") == (
        ObjectKey("apps/v1", "Deployment", "default", "web"),
    )
