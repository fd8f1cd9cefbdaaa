"""What a region's health check should be, and what has to be done to the one that is there."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace

from deployer.errors import ConfigurationError
from deployer.model import HealthCheckSettings
from deployer.model.dns import HealthCheck, HealthCheckConfig
from deployer.plan.dns.facts import Entrance, Seen, Service
from deployer.plan.dns.ownership import STAGE, is_ours, region_of, tags_of
from deployer.plan.dns.steps import CheckStep

_WORDS = {
    "type": "protocol",
    "interval": "interval",
    "port": "port",
    "path": "path",
    "search_string": "search string",
    "failure_threshold": "threshold",
    "enable_sni": "SNI",
}
_IMMUTABLE = ("type", "interval")
_LONGEST = 255


def plan_check(
    service: Service, entrance: Entrance, seen: Seen, taken: Collection[str | None] = ()
) -> tuple[CheckStep, tuple[HealthCheck, ...]]:
    """What the region's health check needs, and those of ours for the same host that it does not.

    `taken` are ids of health checks that are taken over, if they ask the regional host. A drain stays as it is.
    """
    region = entrance.target.region
    host = service.regional_host(region)
    fitting = [
        check
        for check in seen.checks
        if check.config.host == host
        and ((is_ours(service, check) and region_of(service, check) == region) or _is_taken(check, taken))
    ]
    in_use = {record.health_check for record in seen.named(service.host)}
    fitting.sort(key=lambda check: (check.id not in in_use, check.id))
    live = fitting[0] if fitting else None
    wanted, tags = wanted_config(host, entrance.health), tags_of(service, region)
    if live is None:
        return CheckStep("create", wanted, tags), ()
    wanted = replace(wanted, inverted=live.config.inverted, disabled=live.config.disabled, other=live.config.other)
    different = [name for name in _WORDS if getattr(wanted, name) != getattr(live.config, name)]
    words = [f"{_WORDS[name]} {_shown(live, name)} → {getattr(wanted, name)}" for name in different]
    if any(name in _IMMUTABLE for name in different):
        return CheckStep("replace", replace(wanted, other={}), {**live.tags, **tags}, live, tuple(words)), (
            *fitting[1:],
        )
    if any(live.tags.get(key) != value for key, value in tags.items() if key != "Name"):
        words.append("tags")
    return CheckStep("update" if words else "none", wanted, tags, live, tuple(words)), tuple(fitting[1:])


def wanted_config(host: str, health: HealthCheckSettings) -> HealthCheckConfig:
    """The health check of a regional host as the settings say. Raises ConfigurationError for what Route 53 refuses."""
    path = f"/{health.path.lstrip('/')}"
    _refuse_what_route53_would(health, path)
    return HealthCheckConfig(
        type=health.protocol + ("_STR_MATCH" if health.search_string else ""),
        host=host,
        port=health.port or {"HTTP": 80, "HTTPS": 443}[health.protocol],
        path=path,
        search_string=health.search_string or None,
        interval=health.interval,
        failure_threshold=health.failure_threshold,
        enable_sni=health.protocol == "HTTPS",
    )


def _refuse_what_route53_would(health: HealthCheckSettings, path: str) -> None:
    problem = None
    if len(path) > _LONGEST:
        problem = f"HealthCheck.Path has {len(path)} characters; Route 53 takes {_LONGEST}"
    elif len(health.search_string or "") > _LONGEST:
        problem = f"HealthCheck.SearchString has more than the {_LONGEST} characters that Route 53 takes"
    if problem:
        raise ConfigurationError("Route 53 would not take this health check", why=problem)


def _is_taken(check: HealthCheck, taken: Collection[str | None]) -> bool:
    return check.id in taken and STAGE not in check.tags


def _shown(check: HealthCheck, name: str) -> object:
    value = getattr(check.config, name)
    return "none" if value is None else value
