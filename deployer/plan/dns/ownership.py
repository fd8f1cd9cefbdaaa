"""What is ours: health checks by their tags, their records by the health check, regional records by a TXT record.

A health check that was made and could not be tagged any more is known by its CallerReference.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from typing import NamedTuple

from deployer.model.dns import HealthCheck, RecordSet
from deployer.plan.dns.facts import Service

STAGE, APPLICATION, REGION, DOMAIN = (f"deployer/{word}" for word in ("stage", "application", "region", "domain"))
"""Tags. A health check may have ten: `Name`, these, and those of a drain (`plan.drain`) are nine."""

_MOST_ON_A_DAY = 50
_MARKER = "_deploy."


class Marked(NamedTuple):
    """What a TXT record says is ours: the record of a regional host."""

    region: str
    host: str


def tags_of(service: Service, region: str) -> dict[str, str]:
    """The tags that make a health check ours."""
    return {
        "Name": f"{service.application} {service.stage} {region}",
        STAGE: service.stage,
        APPLICATION: service.application,
        REGION: region,
        DOMAIN: service.domain,
    }


def might_be_ours(service: Service, check: HealthCheck) -> bool:
    """Whether a health check, seen without its tags, is worth asking for them."""
    host = check.config.host or ""
    fits = host.startswith(f"{service.sub_domain}.".lower()) and host.endswith(f".{service.domain}".lower())
    return fits or check.reference.startswith(_prefix(service))


def is_ours(service: Service, check: HealthCheck) -> bool:
    """Whether it is this service's, in whatever region."""
    if STAGE in check.tags:
        wanted = {STAGE: service.stage, APPLICATION: service.application, DOMAIN: service.domain}
        return all(check.tags.get(key) == value for key, value in wanted.items())
    return check.reference.startswith(_prefix(service))


def region_of(service: Service, check: HealthCheck) -> str | None:
    """The region of a health check that is ours; None where that cannot be told."""
    if REGION in check.tags:
        return check.tags[REGION]
    found = (region for region in service.regions if check.reference.startswith(_regional_prefix(service, region)))
    return next(found, None)


def references(service: Service, region: str, day: str) -> Iterator[str]:
    """CallerReferences for a health check, at most 64 characters: the first is the one to use while it is unused.

    A reference stays used up when its health check is deleted; `day` (`20261121`) keeps the list short.
    """
    for number in range(_MOST_ON_A_DAY):
        yield f"{_regional_prefix(service, region)}{day}-{number}"


def marker_name(regional_host: str) -> str:
    """Where the TXT record is that makes a regional host's record ours."""
    return f"{_MARKER}{regional_host}"


def heritage(service: Service, region: str) -> str:
    """The value of that TXT record, in quotes."""
    names = f"stage={service.stage},region={region},application={service.application}"
    return f'"heritage=deployer,{names}"'


def marked_by(service: Service, record: RecordSet) -> Marked | None:
    """What a record marks as this service's, in whatever region; None for any other record."""
    host = record.name.removeprefix(_MARKER)
    if record.type != "TXT" or host == record.name or not host.endswith(f".{service.domain}"):
        return None
    region = host.removesuffix(f".{service.domain}").rpartition(".")[2]
    return Marked(region, host) if heritage(service, region) in record.values else None


def _prefix(service: Service) -> str:
    return f"deployer-{_digest(service.stage, service.application, service.domain)}-"


def _regional_prefix(service: Service, region: str) -> str:
    return f"{_prefix(service)}{_digest(service.regional_host(region))[:8]}-"


def _digest(*names: str) -> str:
    return hashlib.sha256("\0".join(names).encode()).hexdigest()[:16]
