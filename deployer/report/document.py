"""The JSON document of a deployment, as `--json` prints it (docs/json.md)."""

from __future__ import annotations

from typing import Any

from deployer.errors import DeployError
from deployer.model import SUCCESSES, DeploymentResult, TargetResult
from deployer.model.drain import Absence
from deployer.report.partial import partial_entry
from deployer.report.preview_document import preview_entry
from deployer.report.terminal import evidence_lines


def json_document(result: DeploymentResult) -> dict[str, Any]:
    """The documented JSON document of a deployment (docs/json.md). Times are in seconds."""
    return {
        "action": result.action,
        "deployment": result.deployment_id,
        "stage": result.stage,
        "from": result.origin,
        "who": result.who,
        "gitCommit": result.git_commit,
        "ok": not result.failed and result.stopped_by is None,
        "stoppedBy": result.stopped_by,
        "seconds": round(result.seconds, 3),
        "phases": {phase.phase: round(phase.seconds, 3) for phase in result.phases},
        "targets": [_target_document(target) for target in result.targets],
        "partial": [partial_entry(one) for one in result.partial],
    }


def error_document(error: DeployError) -> dict[str, Any]:
    """The JSON document of a command that ended before there were any targets."""
    return {"ok": False, "errors": [error_entry(leaf) for leaf in error.leaves()], "exitCode": error.exit_code}


def _target_document(target: TargetResult) -> dict[str, Any]:
    return {
        "application": target.target.application,
        "region": target.target.region,
        "outcome": target.outcome,
        "ok": target.outcome in SUCCESSES and target.error is None,
        "version": target.version,
        "image": target.image.reference if target.image else None,
        "digest": target.image.digest if target.image else None,
        "revision": target.revision,
        "url": target.url,
        "branch": target.target.branch,
        "expires": target.expires,
        "reasons": list(target.reasons),
        "changes": list(target.changes),
        "plan": preview_entry(target.preview) if target.preview else None,
        "repairs": list(target.repairs),
        "drained": _absence_entry(target.absence),
        "warnings": list(target.warnings),
        "workloads": [
            {
                "object": str(workload.key),
                "desired": workload.desired,
                "updated": workload.updated,
                "ready": workload.ready,
                "verdict": workload.verdict,
                "reason": workload.reason,
            }
            for workload in target.workloads
        ],
        "phases": {phase.phase: round(phase.seconds, 3) for phase in target.phases},
        "errors": [error_entry(leaf) for leaf in target.error.leaves()] if target.error else [],
        "evidence": list(evidence_lines(target.evidence)) if target.evidence else [],
    }


def _absence_entry(absence: Absence | None) -> dict[str, Any] | None:
    """While DNS did not lead to a region: times in UTC, ISO 8601; `until` is null while it lasts."""
    if absence is None:
        return None
    return {
        "since": absence.since.isoformat(timespec="seconds"),
        "until": absence.until.isoformat(timespec="seconds") if absence.until else None,
        "seconds": None if absence.seconds is None else round(absence.seconds, 3),
    }


def error_entry(error: DeployError) -> dict[str, Any]:
    """One error in any of our documents."""
    return {
        "what": error.what,
        "where": str(error.where) if error.where else None,
        "regions": list(error.regions),
        "why": error.why,
        "hint": error.hint,
        "chain": list(error.chain),
        "exitCode": error.exit_code,
    }
