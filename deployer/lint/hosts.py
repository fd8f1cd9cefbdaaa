"""Finds hosts that two apps, or two stages, use for the same path."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from deployer.errors import Location
from deployer.lint.collecting import Findings
from deployer.model import Target
from deployer.plan.manifests import SourceManifest
from deployer.plan.manifests.kinds import dig, mappings


@dataclass(frozen=True)
class Host:
    """A host and path that an Ingress of a target has a rule for."""

    name: str
    path: str
    target: Target
    where: Location | None


def hosts_of(sources: Sequence[SourceManifest], target: Target) -> Iterator[Host]:
    """The hosts of a target's Ingresses."""
    for source in sources:
        if source.content["kind"] != "Ingress":
            continue
        rules = dig(source.content, ("spec", "rules"))
        for index, rule in enumerate(rules if isinstance(rules, list) else ()):
            host = rule.get("host") if isinstance(rule, dict) else None
            if not isinstance(host, str) or not host:
                continue
            place = source.at(("spec", "rules", index, "host"))
            where = place if isinstance(place, Location) else None
            for path in mappings(dig(rule, ("http", "paths"))) or [{}]:
                yield Host(host, str(path.get("path") or "/"), target, where)


def check(hosts: Iterable[Host], findings: Findings) -> None:
    """A host belongs to one app, and to one stage: its DNS records would be fought over."""
    first: dict[tuple[str, str], Host] = {}
    twice: dict[tuple[str, str, Target], Host] = {}
    for host in hosts:
        earlier = first.setdefault((host.name, host.path), host)
        one, other = earlier.target, host.target
        same = twice.setdefault((host.name, host.path, other), host)
        if one.application != other.application:
            what = f"the apps {one.application} and {other.application}"
        elif one.stage != other.stage:
            what = f"the stages {one.stage} and {other.stage}"
        elif same is not host:
            what = f"{one.application} itself"
        else:
            continue
        findings.add(
            "duplicate-host",
            host.where,
            f"{host.name}{host.path} is used by {what}",
            f"the other is {earlier.where}" if earlier.where and earlier.where != host.where else "give each its own",
            environment=other.environment,
        )
