"""Looks at the DNS of many apps at once: each zone and each region's Ingresses are asked once."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from deployer.errors import DeployError, ErrorGroup, HeldError, raise_all
from deployer.execute.dns.site import Site, ZoneKey
from deployer.execute.dns_ports import Dns
from deployer.execute.everywhere import Failure, ask_each
from deployer.execute.parallel import values_of
from deployer.model import Json, Target
from deployer.model.dns import HealthCheck, HostedZone, LoadBalancer, RecordSet
from deployer.plan.dns import (
    Address,
    Entrance,
    RegionPlan,
    Seen,
    Service,
    ServicePlan,
    address_of,
    is_ours,
    marker_name,
    might_be_ours,
    plan_service,
)


@dataclass(frozen=True)
class Zone:
    """A hosted zone with what it holds for these sites' services, each with the sites that it is about."""

    zone: HostedZone
    dns: Dns
    services: Mapping[Service, Sequence[Site]]
    seen: Seen


@dataclass(frozen=True)
class Survey:
    """The zones that could be read, the plans of their services, and what is wrong with which targets."""

    zones: tuple[Zone, ...]
    entrances: Mapping[Target, Entrance]
    failures: tuple[Failure, ...]
    plans: Mapping[Service, ServicePlan] = field(default_factory=dict)

    def planned(self, *, adopt: bool = False) -> Survey:
        """The same with the plans; `adopt`: what somebody else has made is taken over."""
        plans: dict[Service, ServicePlan] = {}
        failures = list(self.failures)
        for zone in self.zones:
            for service, members in zone.services.items():
                present = [self.entrances[site.target] for site in members if site.target in self.entrances]
                try:
                    plans[service] = plan_service(service, present, zone.seen, adopt=service.regions if adopt else ())
                except DeployError as error:
                    failures += [(one.target, error) for one in present]
        return Survey(self.zones, self.entrances, tuple(failures), plans)

    @property
    def regions(self) -> list[RegionPlan]:
        """The plan of each target that has one."""
        return [region for plan in self.plans.values() for region in plan.regions]

    @property
    def changes_anything(self) -> bool:
        """Whether any region has something to do."""
        return any(region.changes_anything for region in self.regions)


def survey(sites: Sequence[Site]) -> Survey:
    """What the sites' DNS is, to be `planned`. Raises nothing but a signal: see `failures`."""
    found: list[Any] = values_of([partial(read_zones, sites), partial(_entrances, sites)])
    (zones, failed_zones), (entrances, failed_entrances) = found
    known = {target for target, _ in failed_zones}
    failures = [*failed_zones, *(failure for failure in failed_entrances if failure[0] not in known)]
    return Survey(tuple(zones), entrances, tuple(failures))


# Route 53.


def read_zones(sites: Sequence[Site]) -> tuple[list[Zone], list[Failure]]:
    """What Route 53 has for these sites; and the targets for which that could not be found out."""
    groups: dict[ZoneKey, dict[Service, list[Site]]] = {}
    failures: list[Failure] = []
    for site in sites:
        try:
            groups.setdefault(site.zone_key, {}).setdefault(site.service, []).append(site)
        except DeployError as error:
            failures.append((site.target, error))
    members = {key: [site for each in services.values() for site in each] for key, services in groups.items()}
    answers = ask_each([(members[key][0].target, partial(_read, key, services)) for key, services in groups.items()])
    failed = dict(answers.failures)
    for each in members.values():
        if each[0].target in failed:
            failures += [(site.target, failed[each[0].target]) for site in each]
    return answers.given, failures


def _read(key: ZoneKey, services: Mapping[Service, Sequence[Site]]) -> Zone:
    dns = next(iter(services.values()))[0].dns
    names = {name for service in services for name in names_of(service)}

    def records() -> tuple[HostedZone, tuple[RecordSet, ...]]:
        zone = dns.zone(key.domain, key.zone_id)
        return zone, dns.records(zone, names)

    def checks() -> tuple[HealthCheck, ...]:
        return dns.health_checks(lambda check: any(might_be_ours(service, check) for service in services))

    try:
        found: list[Any] = values_of([records, checks])
    except ErrorGroup as error:  # an outage is told once
        raise_all(list({leaf.what: leaf for leaf in error.leaves()}.values()))
        raise
    (zone, held), listed = found
    old = {name for service in services for name in _old_names(service, listed)} - names
    if old:
        held = (*held, *dns.records(zone, old))
    return Zone(zone, dns, services, Seen(held, listed))


def names_of(service: Service) -> Iterable[str]:
    """The names whose records matter to a service, in all of its regions."""
    yield service.host
    for region in service.regions:
        host = service.regional_host(region)
        yield from (host, marker_name(host), f"*.{host.partition('.')[2]}")


def _old_names(service: Service, checks: Sequence[HealthCheck]) -> Iterable[str]:
    """Names of regions that the service no longer has, or of a sub-domain that it no longer has."""
    for check in checks:
        host = check.config.host
        if host and is_ours(service, check):
            labels = host.removesuffix(f".{service.domain}").split(".")
            yield from (host, marker_name(host), f"{'.'.join(labels[:-1])}.{service.domain}")


# The regions.


def _entrances(sites: Sequence[Site]) -> tuple[dict[Target, Entrance], list[Failure]]:
    clusters: dict[tuple[str, str], list[Site]] = {}
    for site in sites:
        if site.has_hosts:
            clusters.setdefault((site.target.region, site.settings.namespace), []).append(site)
    answers = ask_each([(group[0].target, partial(_ingresses, group[0])) for group in clusters.values()])
    failed = dict(answers.failures)
    entrances: dict[Target, Entrance] = {}
    failures: list[Failure] = []
    questions: list[tuple[Target, Callable[[], Entrance]]] = []
    for group, ingresses in zip(clusters.values(), answers.values, strict=True):
        if ingresses is None:
            failures += [(site.target, failed[group[0].target]) for site in group]
        else:
            questions += [(site.target, partial(entrance, site, ingresses)) for site in group]
    asked = ask_each(questions)
    entrances = {each.target: each for each in asked.given}
    return entrances, [*failures, *asked.failures]


def _ingresses(site: Site) -> Sequence[Json]:
    return site.ports.cluster.list("networking.k8s.io/v1", "Ingress", site.settings.namespace)


def entrance(site: Site, ingresses: Sequence[Json] | None = None) -> Entrance:
    """The load balancer that serves the site's regional host. Raises HeldError while there is none."""
    service, target = site.service, site.target
    host = service.regional_host(target.region)
    live = _ingresses(site) if ingresses is None else ingresses
    address = address_of(live, host)
    if address is None:
        raise HeldError(
            f"no Ingress serves {host}",
            where=target.environment,
            why=f"there is none with that host in the namespace {site.settings.namespace}",
            hint=f"`deploy {target}` comes first; its manifests need an Ingress with that host",
        )
    return Entrance(
        target, site.settings.aws_region, site.health, _balancer(site, address, host), _serves_global(service, live)
    )


def _balancer(site: Site, address: Address, host: str) -> LoadBalancer:
    place, region = site.target.environment, site.settings.aws_region
    if address.host_name is None:
        why = f"the Ingress {address.ingress} names only the address {address.ip}" if address.ip else None
        raise HeldError(
            f"{host} has no load balancer that a record could name",
            where=place,
            why=why or f"the Ingress {address.ingress} names none yet",
            hint="an alias record needs the DNS name of a load balancer of AWS: let its controller publish that"
            if address.ip
            else "its controller gives it one; look at its class and events",
        )
    balancer = site.balancers.find(address.host_name)
    if balancer is None:
        raise HeldError(
            f"{address.host_name} is no load balancer of this account in {region}",
            where=place,
            why=f"the Ingress {address.ingress} of {host} names it",
            hint="correct AwsRegion or AwsProfile; what is not a load balancer of AWS cannot be an alias's target",
        )
    return balancer


def _serves_global(service: Service, ingresses: Sequence[Json]) -> bool:
    return address_of(ingresses, service.host) is not None
