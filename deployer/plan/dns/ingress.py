"""Which load balancer serves a host, as the live Ingresses of a namespace say."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from deployer.model import Json


@dataclass(frozen=True)
class Address:
    """Where an Ingress is served. `ingress` is its name; both others are None while no load balancer serves it."""

    ingress: str
    host_name: str | None = None
    ip: str | None = None


def address_of(ingresses: Iterable[Json], host: str) -> Address | None:
    """The address of the Ingress with a rule for the host, one that is served first; None when none has such a rule."""
    found = [_address(ingress) for ingress in ingresses if _serves(ingress, host)]
    return next((each for each in found if each.host_name or each.ip), found[0] if found else None)


def _address(ingress: Json) -> Address:
    name = str(ingress["metadata"]["name"])
    entries = ((ingress.get("status") or {}).get("loadBalancer") or {}).get("ingress") or ()
    names = [str(entry["hostname"]) for entry in entries if entry.get("hostname")]
    ips = [str(entry["ip"]) for entry in entries if entry.get("ip")]
    return Address(name, names[0] if names else None, ips[0] if ips else None)


def _serves(ingress: Json, host: str) -> bool:
    rules = (ingress.get("spec") or {}).get("rules") or ()
    return any(_fits(str(rule.get("host") or ""), host) for rule in rules)


def _fits(pattern: str, host: str) -> bool:
    """Whether a rule's host is this one, or a wildcard for it: `*` stands for one label."""
    if pattern.startswith("*."):
        return host.partition(".")[2] == pattern[2:].lower()
    return pattern.lower() == host
