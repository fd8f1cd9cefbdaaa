"""The JSON document of a stage's status, as `deploy status --json` prints it (docs/json.md)."""

from __future__ import annotations

from typing import Any

from deployer.model import WorkloadState
from deployer.model.status import ReleaseStatus, StageStatus
from deployer.plan.readiness import RUNNING
from deployer.report.dns import traffic_entry
from deployer.report.document import error_document
from deployer.report.locks import lock_document


def status_document(status: StageStatus) -> dict[str, Any]:
    """The documented JSON document. Times are in seconds, moments UTC in ISO 8601."""
    return {
        "stage": status.stage,
        "taken": status.taken.isoformat(timespec="seconds"),
        "seconds": round(status.seconds, 3),
        "ok": not status.errors,
        "skew": status.skewed,
        "targets": [_row(row, status) for row in status.rows],
        "notInApps": [
            {"region": one.region, "release": one.name, "application": one.application} for one in status.strangers
        ],
        "errors": [each for error in status.errors for each in error_document(error)["errors"]],
    }


def _row(row: ReleaseStatus, status: StageStatus) -> dict[str, Any]:
    counted = [state for state in row.workloads if state.key.kind in RUNNING]
    return {
        "application": row.target.application,
        "region": row.target.region or None,
        "release": row.name,
        "namespace": row.namespace,
        "health": row.health,
        "state": row.standing,
        "revision": row.revision,
        "lastGood": row.good,
        "version": row.version,
        "tag": row.tag,
        "digest": row.digest,
        "gitCommit": row.git_commit,
        "deployment": row.deployment_id,
        "who": row.who,
        "updated": row.updated.isoformat(timespec="seconds") if row.updated else None,
        "age": round((status.taken - row.updated).total_seconds()) if row.updated else None,
        "ready": sum(state.ready for state in counted),
        "desired": sum(state.desired for state in counted),
        "workloads": [_workload(state) for state in row.workloads],
        "lock": lock_document(row.lock) if row.lock else None,
        "dns": traffic_entry(row.traffic) if row.traffic else None,
        "skew": [{"what": one.what, "here": one.here, "elsewhere": one.elsewhere} for one in row.differences],
        "errors": error_document(row.error)["errors"] if row.error else [],
    }


def _workload(state: WorkloadState) -> dict[str, Any]:
    return {
        "object": str(state.key),
        "desired": state.desired,
        "ready": state.ready,
        "verdict": state.verdict,
        "reason": state.reason,
    }
