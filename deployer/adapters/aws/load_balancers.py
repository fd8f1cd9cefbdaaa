"""Elastic Load Balancing: finds a load balancer by its DNS name."""

from __future__ import annotations

import threading
from collections.abc import Iterator

from deployer.adapters.aws.session import Session
from deployer.model.dns import LoadBalancer, normal_name

_DUAL = "dualstack."


class ElasticLoadBalancers:
    """The load balancers of one AWS region: application and network ones, and those of the classic kind."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._lock = threading.Lock()
        self._known: dict[str, LoadBalancer] = {}

    def find(self, name: str) -> LoadBalancer | None:
        """The load balancer with this DNS name; None when the account has none such here. Raises UnreachableError.

        One that was found is not asked for again: its name is its own for as long as it lives.
        """
        wanted = normal_name(name).removeprefix(_DUAL)
        with self._lock:
            if wanted not in self._known:
                for balancer in self._all():
                    self._known[balancer.name] = balancer
                    if balancer.name == wanted:
                        break
            return self._known.get(wanted)

    def _all(self) -> Iterator[LoadBalancer]:
        with self._session.asking("elasticloadbalancing:DescribeLoadBalancers"):
            for page in self._session.client("elbv2").get_paginator("describe_load_balancers").paginate():
                for each in page["LoadBalancers"]:
                    dual_stack = str(each.get("IpAddressType", "ipv4")).startswith("dualstack")
                    yield LoadBalancer(_name(each["DNSName"]), each["CanonicalHostedZoneId"], dual_stack)
            for page in self._session.client("elb").get_paginator("describe_load_balancers").paginate():
                for each in page["LoadBalancerDescriptions"]:
                    if zone_id := each.get("CanonicalHostedZoneNameID"):
                        yield LoadBalancer(_name(each["DNSName"]), zone_id)


def _name(name: str) -> str:
    return normal_name(name).removeprefix(_DUAL)
