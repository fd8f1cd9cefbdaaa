"""Asks how clients are led to apps: records, health checks, and what Route 53's checkers see. No cluster is asked."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import partial

from deployer.execute.dns.looking import Zone, read_zones
from deployer.execute.dns.site import Site
from deployer.execute.everywhere import ask_each
from deployer.model import Target
from deployer.model.traffic import TrafficStatus
from deployer.plan.dns.standing import standing


def read_standing(sites: Sequence[Site], *, most: int | None = None) -> tuple[TrafficStatus, ...]:
    """How each site stands, in their order; errors are in their places. Raises nothing but a signal.

    The checkers of at most `most` health checks are asked about: each takes a question of its own, and Route 53 answers
    five a second to a whole account.
    """
    zones, failures = read_zones(sites)
    failed = dict(failures)
    found: dict[Target, TrafficStatus] = {}
    questions: list[tuple[Zone, TrafficStatus]] = []
    for zone in zones:
        for service, members in zone.services.items():
            for site in members:
                found[site.target] = standing(service, site.target, zone.seen)
                questions.append((zone, found[site.target]))
    asked = [
        (one, partial(zone.dns.status, one.check))
        for zone, one in questions
        if one.check is not None and not one.check.config.disabled
    ][:most]
    answers = ask_each([(one.target, question) for one, question in asked])
    errors = dict(answers.failures)
    for (one, _), status in zip(asked, answers.values, strict=True):
        found[one.target] = replace(one, status=status, error=errors.get(one.target))
    return tuple(found.get(site.target) or TrafficStatus(site.target, error=failed[site.target]) for site in sites)
