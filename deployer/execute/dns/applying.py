"""Carries out the plans of apps' DNS, zone by zone.

hosts      the regional hosts' own records, in one batch; the checkers need them
checks     the health checks
answers    each regional host is asked through its load balancer: no record leads to what does not answer
checkers   Route 53's checkers must see it healthy, too: a new health check counts as healthy until they have looked
records    the global hosts' records, in one batch; then the health checks that were replaced are deleted
leftovers  of regions that an app no longer has, where that is asked for
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import partial
from threading import Event

from deployer.errors import DeployError, InterruptedBySignal
from deployer.execute.dns.judging import Candidate, Judging
from deployer.execute.dns.looking import Survey, Zone
from deployer.execute.everywhere import ask_each
from deployer.execute.phases import Phases
from deployer.model import Target
from deployer.model.dns import HealthCheck, RecordChange
from deployer.plan.dns import RegionPlan, ServicePlan, is_ours, references

IN_SYNC_WITHIN = 300.0
"""Seconds; Route 53 says that most changes are everywhere within 60."""


@dataclass(frozen=True)
class Applied:
    """What has become of it: an error for each target that is not as planned, and for each service's leftovers.

    `agreed` are the targets that Route 53's checkers were waited for to see healthy.
    """

    errors: Mapping[Target, DeployError]
    left: tuple[DeployError, ...] = ()
    agreed: frozenset[Target] = frozenset()


@dataclass(frozen=True)
class Applying:
    """How to go about it. `comment` is kept with the changes; `about_to_change` is called before each.

    `leaving` is the phase in which leftovers are deleted.
    """

    phases: Phases
    stop: Event
    comment: str
    clock: Callable[[], float] = time.monotonic
    about_to_change: Callable[[], None] = lambda: None
    leaving: str = "leftovers"

    def zone(self, zone: Zone, plans: Sequence[ServicePlan], *, prune: bool = False) -> Applied:
        """Carry out the plans of a zone's services. Raises nothing but a signal."""
        regions = [region for plan in plans for region in plan.regions]
        sites = {site.target: site for members in zone.services.values() for site in members}
        errors: dict[Target, DeployError] = {}

        def well() -> list[RegionPlan]:
            return [region for region in regions if region.target not in errors]

        self._batch(zone, "dns hosts", {region.target: region.regional for region in well()}, errors)
        checks = self._checks(zone, well(), errors)
        anew = [
            Candidate(sites[one.target], checks[one.target], one.check.action in ("create", "replace"))
            for one in well()
            if _leads_anew(one)
        ]
        agreed = Judging(self.phases, self.stop, self.clock).judge(zone.dns, anew, errors)
        latency = {one.target: _with_check(one, checks[one.target]) for one in well()}
        self._batch(zone, "dns records", latency, errors)
        self._obsolete(zone, well(), checks, errors)
        left = self._leftovers(zone, plans) if prune else ()
        return Applied(errors, left, agreed)

    def _batch(
        self,
        zone: Zone,
        phase: str,
        changes: Mapping[Target, Sequence[RecordChange]],
        errors: dict[Target, DeployError],
    ) -> None:
        """One batch for all targets; when it fails, it fails for all of them."""
        concerned = [target for target, each in changes.items() if each]
        distinct = {(one.action, one.record.key): one for each in changes.values() for one in each}
        if not distinct:
            return
        try:
            with self.phases(phase) as running:
                self._change(zone, list(distinct.values()))
                running.detail = f"{len(distinct)} change{'s' if len(distinct) > 1 else ''} in {zone.zone.name}"
        except InterruptedBySignal:
            raise
        except DeployError as error:
            errors |= dict.fromkeys(concerned, error)

    def _change(self, zone: Zone, changes: Sequence[RecordChange]) -> None:
        self.about_to_change()
        made = zone.dns.change(zone.zone, changes, self.comment)
        zone.dns.wait_in_sync(made, timeout=IN_SYNC_WITHIN, stop=self.stop)

    def _checks(
        self, zone: Zone, regions: Sequence[RegionPlan], errors: dict[Target, DeployError]
    ) -> dict[Target, HealthCheck]:
        """Each region's health check, as it should be."""
        checks = {one.target: one.check.live for one in regions if one.check.live}
        todo = [one for one in regions if one.check.action != "none"]
        if todo:
            with self.phases("health checks") as phase:
                answers = ask_each([(one.target, partial(self._check, zone, one)) for one in todo])
                phase.detail = ", ".join(f"{one.check.action} {one.host}" for one in todo)
            errors |= dict(answers.failures)
            made = zip(todo, answers.values, strict=True)
            checks |= {one.target: check for one, check in made if check is not None}
        return {target: check for target, check in checks.items() if check is not None}

    def _check(self, zone: Zone, region: RegionPlan) -> HealthCheck:
        step = region.check
        self.about_to_change()
        if step.action == "update" and step.live is not None:
            check = step.live
            if step.config != check.config:
                check = zone.dns.update_health_check(check, step.config)
            return zone.dns.tag_health_check(check, dict(step.tags))
        day = datetime.now(UTC).strftime("%Y%m%d")
        named = references(region.service, region.target.region, day)
        return zone.dns.create_health_check(named, step.config, step.tags)

    def _obsolete(
        self,
        zone: Zone,
        regions: Sequence[RegionPlan],
        checks: Mapping[Target, HealthCheck],
        errors: dict[Target, DeployError],
    ) -> None:
        for region in regions:
            replaced = [region.check.live] if region.check.action == "replace" and region.check.live else []
            replaced = [check for check in replaced if is_ours(region.service, check)]
            doomed = [each for each in (*region.obsolete, *replaced) if each.id != checks[region.target].id]
            if doomed:
                self._delete(zone, doomed, region.target, errors)

    def _delete(
        self, zone: Zone, checks: Sequence[HealthCheck], target: Target, errors: dict[Target, DeployError]
    ) -> None:
        try:
            for check in checks:
                self.about_to_change()
                zone.dns.delete_health_check(check)
        except DeployError as error:
            errors[target] = error

    def _leftovers(self, zone: Zone, plans: Sequence[ServicePlan]) -> tuple[DeployError, ...]:
        records = {record.key: record for plan in plans for record in plan.leftovers.records}
        checks = [check for plan in plans for check in plan.leftovers.checks]
        if not records and not checks:
            return ()
        try:
            with self.phases(self.leaving) as phase:
                if records:
                    self._change(zone, [RecordChange("DELETE", record) for record in records.values()])
                for check in checks:
                    self.about_to_change()
                    zone.dns.delete_health_check(check)
                phase.detail = f"{len(records)} records and {len(checks)} health checks deleted"
        except DeployError as error:
            return (error,)
        return ()


def apply(applying: Applying, survey: Survey, *, prune: bool = False) -> Applied:
    """Carry out all plans of a survey, one zone after the other."""
    errors: dict[Target, DeployError] = {}
    left: tuple[DeployError, ...] = ()
    agreed: frozenset[Target] = frozenset()
    for zone in survey.zones:
        plans = [survey.plans[service] for service in zone.services if service in survey.plans]
        applied = applying.zone(zone, plans, prune=prune)
        errors |= applied.errors
        left += applied.left
        agreed |= applied.agreed
    return Applied(errors, left, agreed)


def _leads_anew(region: RegionPlan) -> bool:
    return any(change.action != "DELETE" for change in region.latency)


def _with_check(region: RegionPlan, check: HealthCheck) -> list[RecordChange]:
    """The changes of the global host, with the health check that the region has by now."""
    return [
        change if change.action == "DELETE" else replace(change, record=replace(change.record, health_check=check.id))
        for change in region.latency
    ]
