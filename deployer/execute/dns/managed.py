"""Writes the DNS of a target once its deployment has ended well, where DNS is managed (`Dns: {Manage: true}`)."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from deployer.errors import DeployError
from deployer.execute.dns.applying import Applying, apply
from deployer.execute.dns.looking import survey
from deployer.execute.dns.site import Site
from deployer.model import SUCCESSES, TargetResult

if TYPE_CHECKING:
    from deployer.execute.attempt import Attempt


@dataclass(frozen=True)
class ManagedDns:
    """The DNS of one target. `differs`: it was seen beforehand that there is something to do.

    `known` is what was seen then that somebody else has made in the place of ours. `adopt`: that much, and nothing that
    has appeared since, is taken over.
    """

    site: Site
    differs: bool
    adopt: bool = False
    known: frozenset[str] = frozenset()

    def write(self, attempt: Attempt) -> tuple[str, ...]:
        """Make it as it should be; what was changed. What somebody else has made is left alone, or taken over.

        Raises DeployError when it could not be done.
        """
        with attempt.phases("dns") as phase:
            seen = survey([self.site])
            found = seen.planned()
            for _, error in found.failures:
                raise error
            new = [one for region in found.regions for one in region.conflicts if one not in self.known]
            for conflict in new:
                attempt.warn(
                    f"{conflict}: left as it is; `deploy dns apply --adopt {attempt.work.target}` takes it over"
                )
            if self.adopt and not new:
                found = seen.planned(adopt=True)
            regions = [region for region in found.regions if not region.conflicts]
            changes = tuple(line for region in regions for line in region.changes)
            phase.detail = "as it should be" if not changes else f"{len(changes)} changes"
        if changes:
            comment = f"deployment {attempt.work.record.deployment_id} by {attempt.work.record.who}"
            applying = Applying(attempt.phases, attempt.stopping, comment, about_to_change=attempt.about_to_change)
            for error in apply(applying, found).errors.values():
                raise error
        return changes


def write_dns(attempt: Attempt, result: TargetResult) -> TargetResult:
    """The result, with what has become of the target's DNS. A failure there leaves the release as it is: it is good."""
    managed, work = attempt.work.dns, attempt.work
    if managed is None or result.outcome not in SUCCESSES or result.error is not None:
        return result
    if attempt.revision is None and not managed.differs:
        return result
    try:
        changes = managed.write(attempt)
    except DeployError as error:
        told = f"the release is well and stays; `deploy dns apply {work.target}` writes its DNS"
        for leaf in error.leaves():
            leaf.hint = f"{leaf.hint}\n{told}" if leaf.hint else told
        return replace(result, error=error, phases=tuple(attempt.phases.timings))
    known = [change for change in result.changes if not change.startswith("dns: ")]
    lines = tuple(f"dns: {change}" for change in changes)
    return replace(result, changes=(*known, *lines), phases=tuple(attempt.phases.timings))
