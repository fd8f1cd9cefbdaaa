"""A stage with something of everything, for the tests of how it is shown."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

from deployer.errors import DeployError, UnreachableError
from deployer.model import Holder, LockState, ObjectKey, Target, WorkloadState
from deployer.model.status import ReleaseStatus, StageStatus, Stranger
from deployer.plan.skew import compared

TAKEN = datetime(2026, 11, 21, 7, 30, tzinfo=UTC)
HASH = "5ae768241ccef13c9166b804bfe440f6"
REGIONS = ("london", "virginia", "seoul")


def row(app: str, region: str, version: str = "1.4.2", **changes: object) -> ReleaseStatus:
    """An app that runs well."""
    status = ReleaseStatus(
        target=Target("prod", region, app),
        standing="deployed",
        name=app,
        namespace="default",
        revision=7,
        good=7,
        version=version,
        tag=f"{version}-{HASH}",
        digest="sha256:" + (version.replace(".", "") + "0a1b2c3d4e5f" * 6)[:64],
        git_commit="0f764241465e3b55fdf305b6cd3bf47f0a1b2c3d",
        deployment_id="20261121-070905-3f9a1c",
        who="anna@build-7",
        updated=TAKEN - timedelta(minutes=21),
        objects=frozenset({f"Deployment/{app}", f"Service/{app}"}),
        workloads=(workload(app),),
    )
    return replace(status, **changes)  # type: ignore[arg-type]


def workload(app: str, ready: int = 2, reason: str = "") -> WorkloadState:
    """Its Deployment of two pods."""
    key = ObjectKey("apps/v1", "Deployment", "default", app)
    return WorkloadState(key, 2, 2, ready, "ready" if ready == 2 else "progressing", reason)


def lock(expires_in: float = 28.0) -> LockState:
    holder = Holder("20261121-072955-77aa01", "ben@laptop", "laptop", "2026-11-21T07:29:55+00:00")
    return LockState(holder, expires_in, "uid/1")


def missing(app: str, region: str) -> ReleaseStatus:
    return ReleaseStatus(Target("prod", region, app), "missing", app, "default")


def stage() -> StageStatus:
    """Six apps: well, skewed, at work, broken, never deployed, and one that bears markup and odd texts."""
    down = UnreachableError(
        "the cluster does not answer",
        where="prod.seoul, https://seoul.example.com",
        why="timed out",
        hint="is the address in kubeconfig right, and the cluster up and reachable from here?",
    )
    odd = '<img src="https://evil.example/x.png" onerror="alert(1)">'
    apps: list[list[ReleaseStatus]] = [
        [row("api", region) for region in REGIONS],
        [
            row("billing", "london", "2.0.0"),
            row("billing", "virginia", "2.0.0"),
            row("billing", "seoul", "1.9.0", updated=TAKEN - timedelta(days=12), revision=6, good=6),
        ],
        [
            row("catalogue", "london", standing="in progress", good=6, lock=lock()),
            row("catalogue", "virginia"),
            missing("catalogue", "seoul"),
        ],
        [
            row("jobs", "london", workloads=(workload("jobs", 1, "pods are being made and become ready"),)),
            row("jobs", "virginia", standing="failed", revision=9, good=7, workloads=()),
            row("jobs", "seoul", lock=lock(0)),
        ],
        [missing("later", region) for region in REGIONS],
        [row("odd", "london", odd, tag=None, digest=None, who="\x1b[31mmallory"), row("odd", "virginia", odd)],
        [ReleaseStatus(Target("prod", "seoul", "search"), "unknown", "search", "default", error=down)],
    ]
    errors: tuple[DeployError, ...] = (down,)
    return StageStatus(
        stage="prod",
        taken=TAKEN,
        seconds=0.84,
        rows=tuple(each for rows in apps for each in compared(rows)),
        strangers=(Stranger("london", "old-shop", "shop"),),
        errors=errors,
    )
