"""Sees to it that clients are led to healthy regions only: we ask their hosts, and so do Route 53's checkers."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from threading import Event

from deployer.errors import DeployError
from deployer.execute.checkers import agree
from deployer.execute.dns.looking import entrance
from deployer.execute.dns.site import Site
from deployer.execute.dns_ports import Dns
from deployer.execute.everywhere import Question, ask_each
from deployer.execute.outside import wait_until_healthy
from deployer.execute.phases import Phases
from deployer.model import Target
from deployer.model.dns import HealthCheck, HealthStatus


@dataclass(frozen=True)
class Candidate:
    """A region to which clients are about to be led. `new`: nobody has looked for its health check before."""

    site: Site
    check: HealthCheck
    new: bool


@dataclass(frozen=True)
class Judging:
    """How to go about it."""

    phases: Phases
    stop: Event
    clock: Callable[[], float] = time.monotonic

    def judge(self, dns: Dns, candidates: Sequence[Candidate], errors: dict[Target, DeployError]) -> frozenset[Target]:
        """Ask them all; those that Route 53's checkers see healthy. `errors` gets an error for each that is not well.

        A health check that is switched off is no candidate's fault: nobody looks, and we alone are asked.
        """
        if not candidates:
            return frozenset()
        before = self._seen_before(dns, candidates, errors)
        self._answers([one.site for one in candidates if one.site.target not in errors], errors)
        asked = [one for one in candidates if one.site.target in before and one.site.target not in errors]
        return self._checkers(dns, asked, before, errors)

    def _seen_before(
        self, dns: Dns, candidates: Sequence[Candidate], errors: dict[Target, DeployError]
    ) -> dict[Target, HealthStatus]:
        """What the checkers have seen up to now, where they look at all."""
        looking = [one for one in candidates if not one.check.config.disabled]
        old = [one for one in looking if not one.new]
        answers = ask_each([(one.site.target, partial(dns.status, one.check)) for one in old])
        errors |= dict(answers.failures)
        seen = zip(old, answers.values, strict=True)
        return {one.site.target: HealthStatus() for one in looking if one.new} | {
            one.site.target: status for one, status in seen if status is not None
        }

    def _answers(self, sites: Sequence[Site], errors: dict[Target, DeployError]) -> None:
        if not sites:
            return
        with self.phases("answers") as phase:
            answers = ask_each([(site.target, partial(self._answer, site)) for site in sites])
            phase.detail = f"{len(answers.given)} of {len(sites)} regions answer"
        errors |= dict(answers.failures)

    def _answer(self, site: Site) -> int:
        return wait_until_healthy(
            site.ports.prober,
            site.service.regional_host(site.target.region),
            site.health,
            partial(_entry_point, site),
            stop=self.stop,
            clock=self.clock,
        )

    def _checkers(
        self,
        dns: Dns,
        asked: Sequence[Candidate],
        before: Mapping[Target, HealthStatus],
        errors: dict[Target, DeployError],
    ) -> frozenset[Target]:
        if not asked:
            return frozenset()
        questions: list[Question[str]] = [
            (one.site.target, partial(agree, dns, one.check, before[one.site.target], self.stop, clock=self.clock))
            for one in asked
        ]
        with self.phases("checkers") as phase:
            answers = ask_each(questions)
            alone = len(asked) == len(answers.given) == 1
            phase.detail = answers.given[0] if alone else f"{len(answers.given)} of {len(asked)} regions seen healthy"
        for target, error in answers.failures:
            told = "no record that leads clients there was made or changed"
            error.hint = f"{error.hint}\n{told}" if error.hint else told
            errors[target] = error
        return frozenset(one.site.target for one in asked if one.site.target not in errors)


def _entry_point(site: Site) -> str | None:
    health = site.health
    if health.connect_to:
        return health.connect_to
    port = health.port or {"HTTP": 80, "HTTPS": 443}[health.protocol]
    return f"{entrance(site).balancer.name}:{port}"
