"""Decides what an app's DNS should be in each of its regions, and what has to change for it."""

from deployer.plan.dns.facts import Entrance, Seen, Service
from deployer.plan.dns.ingress import Address, address_of
from deployer.plan.dns.ownership import (
    heritage,
    is_ours,
    marker_name,
    might_be_ours,
    references,
    region_of,
    tags_of,
)
from deployer.plan.dns.planner import plan_service
from deployer.plan.dns.steps import CheckStep, Leftovers, RegionPlan, ServicePlan

__all__ = [
    "Address",
    "CheckStep",
    "Entrance",
    "Leftovers",
    "RegionPlan",
    "Seen",
    "Service",
    "ServicePlan",
    "address_of",
    "heritage",
    "is_ours",
    "marker_name",
    "might_be_ours",
    "plan_service",
    "references",
    "region_of",
    "tags_of",
]
