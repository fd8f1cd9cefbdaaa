"""Asking a host from outside until it answers well."""

from collections.abc import Iterator
from threading import Event

import pytest

from deployer.errors import DeployError, DeploymentFailed, NotPermitted, UnreachableError
from deployer.execute.outside import health_url, wait_until_healthy
from deployer.execute.ports import Probe
from deployer.model import HealthCheckSettings


class ScriptedProber:
    def __init__(self, answers: list[str | None]) -> None:
        self.answers = iter(answers)
        self.asked: list[Probe] = []

    def ask(self, probe: Probe) -> str | None:
        self.asked.append(probe)
        return next(self.answers)


def ticking(step: float = 1.0) -> Iterator[float]:
    now = 0.0
    while True:
        yield now
        now += step


def wait(prober: ScriptedProber, health: HealthCheckSettings, address: str | None = "lb:80") -> int:
    clock = ticking()
    return wait_until_healthy(
        prober, "myapp.london.example.com", health, lambda: address, stop=Event(), clock=lambda: next(clock), pause=0
    )


def test_it_asks_the_health_path_through_the_load_balancer_until_it_answers() -> None:
    prober = ScriptedProber(["HTTP 503", "HTTP 503", None])
    health = HealthCheckSettings(protocol="HTTP", path="/healthcheck", search_string="ok")
    assert wait(prober, health) == 3
    assert prober.asked[0] == Probe(
        "http://myapp.london.example.com/healthcheck", connect_to="lb:80", search_string="ok"
    )


def test_stable_means_without_a_failure_in_between() -> None:
    prober = ScriptedProber([None, None, "HTTP 500", None, None, None, None])
    assert wait(prober, HealthCheckSettings(stable=3)) == 7


def test_it_fails_with_the_last_reason_when_the_time_is_up() -> None:
    prober = ScriptedProber(["HTTP 404"] * 20)
    with pytest.raises(DeploymentFailed, match="does not answer") as caught:
        wait(prober, HealthCheckSettings(timeout=5))
    assert "HTTP 404" in str(caught.value.why)
    assert caught.value.where == "https://myapp.london.example.com/"


def test_an_ingress_without_a_load_balancer_is_named_as_the_reason() -> None:
    with pytest.raises(DeploymentFailed) as caught:
        wait(ScriptedProber([]), HealthCheckSettings(timeout=5), address=None)
    assert "no load balancer" in str(caught.value.why)


class Failing:
    """A cluster that gives an address, or fails."""

    def __init__(self, *answers: str | DeployError) -> None:
        self.answers = iter(answers)
        self.last: str | DeployError = "lb:80"

    def __call__(self) -> str | None:
        self.last = next(self.answers, self.last)
        if isinstance(self.last, DeployError):
            raise self.last
        return self.last


def through(cluster: Failing, prober: ScriptedProber, health: HealthCheckSettings) -> int:
    clock = ticking()
    return wait_until_healthy(prober, "h", health, cluster, stop=Event(), clock=lambda: next(clock), pause=0)


def test_a_cluster_that_does_not_answer_for_a_while_fails_nothing() -> None:
    away = UnreachableError("the cluster does not answer")
    prober = ScriptedProber(["HTTP 503", "HTTP 503", None])
    assert through(Failing(away, "lb:80", away), prober, HealthCheckSettings()) == 3
    assert {probe.connect_to for probe in prober.asked} == {"lb:80"}
    with pytest.raises(DeploymentFailed, match="does not answer well") as caught:
        through(Failing(away), ScriptedProber([]), HealthCheckSettings(timeout=5))
    assert "the cluster does not answer" in str(caught.value.why)
    with pytest.raises(NotPermitted):
        through(Failing(NotPermitted("no")), ScriptedProber([]), HealthCheckSettings(timeout=5))


@pytest.mark.parametrize(
    ("health", "url"),
    [
        (HealthCheckSettings(path="x"), "https://h/x"),
        (HealthCheckSettings(protocol="HTTP", port=80), "http://h/"),
        (HealthCheckSettings(protocol="HTTP", port=8080, path="/a/b"), "http://h:8080/a/b"),
    ],
)
def test_the_url_names_a_port_only_where_it_must(health: HealthCheckSettings, url: str) -> None:
    assert health_url("h", health) == url
