"""Where clients and load balancers are: addresses of the sandbox → AWS regions, and the latency between these."""

from __future__ import annotations

import ipaddress

from deployer.sandbox.layout import REGIONS

_HOME = REGIONS[0].aws_region
_NETWORKS = [
    (ipaddress.ip_network(network), region.aws_region)
    for region in REGIONS
    for network in (f"{region.address}/32", region.pod_subnet)
]
_MILLISECONDS = {
    frozenset({"eu-west-2", "us-east-1"}): 75,
    frozenset({"us-east-1", "ap-northeast-2"}): 180,
    frozenset({"eu-west-2", "ap-northeast-2"}): 240,
}
"""The simulation's own figures: only their order matters."""

ALIAS_ZONES = {"eu-west-2": "ZHURV8PSTC4K8", "us-east-1": "Z35SXDOTRQ7X7K", "ap-northeast-2": "ZWKZPGTI48KDX"}
"""AWS region → hosted zone of its application load balancers (page "Elastic Load Balancing endpoints and quotas")."""


def client_region(address: str) -> str:
    """The AWS region that a client is in: a region's loopback address or pods' subnet, else the first region."""
    parsed = ipaddress.ip_address(address)
    return next((region for network, region in _NETWORKS if parsed in network), _HOME)


def region_address(aws_region: str) -> str | None:
    """The address at which the sandbox's load balancers of that AWS region are; None when the sandbox has none."""
    return next((region.address for region in REGIONS if region.aws_region == aws_region), None)


def latency(client: str, region: str) -> tuple[int, str]:
    """Sorts regions by their distance from the client's; those that are not the sandbox's come last, by name."""
    return (0 if client == region else _MILLISECONDS.get(frozenset({client, region}), 9999)), region
