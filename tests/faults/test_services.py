"""Services that fail in each phase of a deployment: it ends by itself and says why, and the next one converges.

Left out is what means nothing: a service that a phase does not use (`test_what_is_not_needed_may_be_down` has those),
and a service that is down from the beginning in any phase but the first one that asks it.
"""

from __future__ import annotations

import time
from contextlib import ExitStack
from dataclasses import dataclass
from signal import SIGTERM

import pytest

from tests.faults.checks import converges, end, no_secret, told_well
from tests.faults.project import FaultyProject
from tests.faults.proxy import Mode
from tests.sandbox.processes import Watch
from tests.sandbox.surroundings import Put, ask, unique

GATE_OF = {"release": "hook", "rollout": "pods", "outside check": "outside"}
SAID_IN = {
    "build image": "] RUN --mount",
    "release": "] Job/",
    "rollout": "] Deployment/",
    "outside check": "] outside check …",
}


@dataclass(frozen=True)
class Case:
    """A service fails in a phase, in this mode: to the end, or (`passing`) for so many seconds.

    `code` is how the deployment has to end, within `bound` seconds, saying `says`.
    """

    phase: str
    service: str
    mode: Mode
    code: int
    says: str = ""
    bound: float = 60
    passing: float = 0

    def __str__(self) -> str:
        return f"{self.phase}-{self.service}-{self.mode}{'-passing' if self.passing else ''}".replace(" ", "-")


NO_CLUSTER = "the cluster does not answer"

FROM_THE_BEGINNING = [
    Case("configuration", "kms", "refuse", 5, "KMS could not be reached"),
    Case("configuration", "kms", "reset", 5, "KMS could not be reached"),
    Case("configuration", "kms", "stall", 5, "KMS", bound=120),
    Case("configuration", "kms", "answer", 5, "AWS does not allow kms:Decrypt"),
    Case("configuration", "kms", "slow", 0),
    Case("compare", "api", "refuse", 5, NO_CLUSTER),
    Case("compare", "api", "reset", 5, NO_CLUSTER),
    Case("compare", "api", "stall", 5, NO_CLUSTER, bound=90),
    Case("compare", "sts", "refuse", 5, "STS"),
    Case("outside check", "slack", "refuse", 0, "Slack was not told"),
    Case("outside check", "slack", "stall", 0, "Slack was not told"),
]
WITH_AN_IMAGE = [
    Case("artefacts", "s3", "refuse", 5, "the artefact cannot be downloaded"),
    Case("artefacts", "s3", "reset", 5, "the artefact cannot be downloaded"),
    Case("artefacts", "s3", "stall", 5, "the artefact cannot be downloaded", bound=150),
    Case("artefacts", "s3", "answer", 5, "s3:GetObject"),
    Case("artefacts", "s3", "slow", 0),
    Case("compare", "registry", "refuse", 5, "the registry does not answer"),
    Case("compare", "registry", "stall", 5, "the registry does not answer", bound=120),
    Case("compare", "ecr", "refuse", 5, "ECR"),
]
WHILE_BUILDING = [
    Case("build image", "registry", "refuse", 5, "the registry does not answer"),
    Case("build image", "registry", "reset", 5, "the registry does not answer"),
    Case("build image", "registry", "stall", 5, "the registry does not answer", bound=200),
    Case("build image", "registry", "slow", 0, bound=120),
]
IN_THE_CLUSTER = [
    Case("release", "api", "refuse", 1, NO_CLUSTER, bound=150),
    Case("release", "api", "stall", 1, "it could not be renewed", bound=150),
    Case("release", "api", "reset", 0, passing=3),
    Case("rollout", "api", "refuse", 1, NO_CLUSTER, bound=120),
    Case("rollout", "api", "stall", 1, "it could not be renewed", bound=150),
    Case("rollout", "api", "reset", 0, passing=3),
    Case("rollout", "api", "stall", 0, passing=8),
    Case("outside check", "api", "refuse", 1, NO_CLUSTER, bound=120),
    Case("outside check", "api", "reset", 0, passing=3),
    Case("rollout", "slack", "reset", 0, "Slack was not told"),
]


def by_name(case: object) -> str:
    return str(case)


def strike(project: FaultyProject, case: Case) -> None:
    """One deployment with the fault from the beginning."""
    before = project.cluster.snapshot()
    project.write()
    with project.proxy(case.service).failing(case.mode):
        running = project.start("local", "london", project.name, "--json", "-v")
        with Watch(running.process.pid, pause=0.1) as watch:
            done = end(running, watch, case.bound)
    told_well(done)
    assert done.code == case.code, done.output
    assert case.says in done.stderr, done.output
    if case.code:
        assert project.cluster.snapshot() == before
    again = converges(project, *(() if case.code else ("unchanged",)))
    no_secret(project, watch, done, again)


@pytest.mark.parametrize("case", FROM_THE_BEGINNING, ids=by_name)
def test_a_service_that_fails_from_the_beginning(victim: FaultyProject, case: Case) -> None:
    victim.values["GREETING"] = unique("greeting")
    strike(victim, case)


@pytest.mark.parametrize("case", WITH_AN_IMAGE, ids=by_name)
def test_a_service_that_an_image_needs(builder: FaultyProject, put: Put, case: Case) -> None:
    builder.values["GREETING"] = unique("greeting")
    pages = {"page": "".join(unique() for _ in range(2000))}
    builder.with_build(put(f"{unique()}.tgz", pages))
    strike(builder, case)


def strike_in_phase(project: FaultyProject, case: Case) -> None:
    """One deployment with the fault from when it is in the phase."""
    project.write()
    proxy = project.proxy(case.service)
    with ExitStack() as held, ExitStack() as fault:
        if case.phase in GATE_OF:
            held.enter_context(project.closed(GATE_OF[case.phase]))
        running = project.start("local", "london", project.name, "--json", "-v")
        with Watch(running.process.pid, pause=0.1) as watch:
            running.wait_for(SAID_IN[case.phase])
            fault.enter_context(proxy.failing(case.mode))
            if case.passing:
                time.sleep(case.passing)
                fault.close()
            if case.code == 0:
                held.close()
            done = end(running, watch, case.bound)
    told_well(done)
    assert done.code == case.code, done.output
    assert case.says in done.stderr + done.stdout, done.output
    assert ask(project.host, path="/")[0] == 200, "what ran before does not run any more"
    again = converges(project, "unchanged" if case.code == 0 else "deployed")
    no_secret(project, watch, done, again)


@pytest.mark.parametrize("case", WHILE_BUILDING, ids=by_name)
def test_a_registry_that_fails_while_an_image_is_built(builder: FaultyProject, put: Put, case: Case) -> None:
    builder.values["GREETING"] = unique("greeting")
    builder.with_build(put(f"{unique()}.tgz", {"page": unique()}), hold=2)
    strike_in_phase(builder, case)


@pytest.mark.parametrize("case", IN_THE_CLUSTER, ids=by_name)
def test_a_service_that_fails_while_a_region_is_changed(victim: FaultyProject, case: Case) -> None:
    victim.values["GREETING"] = unique("greeting")
    strike_in_phase(victim, case)


@pytest.mark.parametrize("phase", GATE_OF)
def test_what_is_not_needed_may_be_down(victim: FaultyProject, phase: str) -> None:
    victim.values["GREETING"] = unique("greeting")
    victim.write()
    with ExitStack() as faults:
        with victim.closed(GATE_OF[phase]):
            running = victim.start("local", "london", victim.name, "--json", "-v")
            running.wait_for(SAID_IN[phase])
            for service in ("registry", "kms", "s3", "sts", "ecr"):
                faults.enter_context(victim.proxy(service).failing("refuse"))
        done = running.done().expect(0)
    assert done.target["outcome"] == "deployed"
    no_secret(victim, None, done, converges(victim, "unchanged"))


@pytest.mark.parametrize("phase", ["release", "rollout"])
def test_a_signal_while_the_cluster_is_silent(victim: FaultyProject, phase: str) -> None:
    """What cannot be taken back is left to the next deployment, and nobody waits for it."""
    victim.values["GREETING"] = unique("greeting")
    victim.write()
    with victim.closed(GATE_OF[phase]):
        running = victim.start("local", "london", victim.name, "--json", "-v")
        with Watch(running.process.pid, pause=0.1) as watch:
            running.wait_for(SAID_IN[phase])
            with victim.proxy("api").failing("stall"):
                running.signal(SIGTERM)
                done = end(running, watch, 30)
    assert done.code == 128 + SIGTERM, done.output
    told_well(done)
    no_secret(victim, watch, done, converges(victim))
