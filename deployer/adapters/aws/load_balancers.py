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
                    host, zone_id = each.get("DNSName"), each.get("CanonicalHostedZoneId")
                    if host and zone_id:  # Gateway Load Balancers have no name
                        yield LoadBalancer(_name(host), zone_id, str(each.get("IpAddressType")).startswith("dualstack"))
            for page in self._session.client("elb").get_paginator("describe_load_balancers").paginate():
                for each in page["LoadBalancerDescriptions"]:
                    host, zone_id = each.get("DNSName"), each.get("CanonicalHostedZoneNameID")
                    if host and zone_id:
                        yield LoadBalancer(_name(host), zone_id)


def _name(name: str) -> str:
    return normal_name(name).removeprefix(_DUAL)
