"""Questions to the sandbox's ingress, from outside."""

from __future__ import annotations

from deployer.adapters.prober import HttpProber
from deployer.execute.ports import Probe


def test_the_ingress_is_asked_under_a_host_that_is_in_no_dns() -> None:
    probe = Probe("http://nobody.london.deploy.test/health", connect_to="127.0.31.1:8080")
    assert HttpProber().ask(probe) == "HTTP 404: 404 page not found"


def test_an_ingress_that_is_not_there_refuses() -> None:
    probe = Probe("http://nobody.london.deploy.test/health", connect_to="127.0.31.9:8080")
    assert HttpProber().ask(probe) == "127.0.31.9:8080 refused the connection"
