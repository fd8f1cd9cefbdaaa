"""Adds to a plan what it would change, value by value: only where somebody is to see that."""

from __future__ import annotations

from dataclasses import replace

from deployer.execute.observe import Observation
from deployer.execute.restore import Restorable
from deployer.execute.services import Services
from deployer.plan.diff.preview import Seen, preview
from deployer.plan.steps import TargetPlan


def with_preview(plan: TargetPlan, observation: Observation, services: Services) -> TargetPlan:
    """A deployment's plan with its preview."""
    release = observation.facts.release
    version = observation.subject.app.version
    seen = Seen(observation.prepared, release.comparison, release.current, version)
    return replace(plan, preview=preview(plan, seen, services.mask))


def with_way_back(found: Restorable, services: Services) -> Restorable:
    """A rollback's plan with its preview."""
    record = found.choice.revision.record
    seen = Seen(found.prepared, found.comparison, found.current, record.version if record else None)
    return replace(found, plan=replace(found.plan, preview=preview(found.plan, seen, services.mask)))
