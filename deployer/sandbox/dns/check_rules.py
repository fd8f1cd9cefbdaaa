"""Checks what is asked for a health check as Route 53 does: its settings, its caller reference, its version."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from deployer.sandbox.dns.batches import Refused
from deployer.sandbox.dns.health import CHECKERS
from deployer.sandbox.dns.records import HealthCheck

_ENDPOINT_TYPES = ("HTTP", "HTTPS", "HTTP_STR_MATCH", "HTTPS_STR_MATCH", "TCP")
_LEAST_REGIONS = 3
_LONGEST_REFERENCE = 64
_LONGEST_TEXT = 255


@dataclass(frozen=True, slots=True)
class Created:
    """The settings of a health check when it was made, and whether it has been deleted since."""

    check: HealthCheck
    deleted: bool = False


def checked(id_: str, config: Mapping[str, Any]) -> HealthCheck:
    """The health check that a HealthCheckConfig of the API describes. Raises Refused (InvalidInput)."""
    type_ = config["Type"]
    if type_ not in _ENDPOINT_TYPES:
        raise Refused("InvalidInput", f"the sandbox simulates health checks of endpoints only, not {type_}")
    tls = type_.startswith("HTTPS")
    check = HealthCheck(
        id_,
        type_,
        config.get("FullyQualifiedDomainName") or None,
        config.get("IPAddress") or None,
        int(config.get("Port") or (443 if tls else 80)),
        config.get("ResourcePath") or "",
        config.get("SearchString") or None,
        int(config.get("RequestInterval") or 30),
        int(config.get("FailureThreshold") or 3),
        bool(config.get("Inverted")),
        bool(config.get("Disabled")),
        tls if config.get("EnableSNI") is None else bool(config["EnableSNI"]),
        tuple(config.get("Regions") or ()),
    )
    if type_ == "TCP" and not config.get("Port"):
        raise Refused("InvalidInput", "Invalid parameter : A port must be specified for TCP health checks.")
    return _valid(check)


def created(reference: str, check: HealthCheck, known: Mapping[str, Created]) -> HealthCheck | None:
    """The health check that this very request made before; None when it is to be made now. Raises Refused."""
    if not 1 <= len(reference) <= _LONGEST_REFERENCE:
        raise Refused("InvalidInput", f"CallerReference must have 1 to {_LONGEST_REFERENCE} characters")
    before = known.get(reference)
    if before is None:
        return None
    if before.deleted or replace(before.check, id=check.id) != check:
        message = "A different health check has already been created with the specified caller reference."
        raise Refused("HealthCheckAlreadyExists", message)
    return before.check


def updated(check: HealthCheck, request: Mapping[str, Any]) -> HealthCheck:
    """The health check after UpdateHealthCheck, one version on; only what the API lets change, changes.

    Raises Refused (HealthCheckVersionMismatch, InvalidInput).
    """
    version = request.get("HealthCheckVersion")
    if version is not None and int(version) != check.version:
        message = f"The version of health check {check.id} is {check.version}, not {version}."
        raise Refused("HealthCheckVersionMismatch", message)
    fields = {
        "host": "FullyQualifiedDomainName",
        "address": "IPAddress",
        "port": "Port",
        "path": "ResourcePath",
        "search": "SearchString",
        "threshold": "FailureThreshold",
        "inverted": "Inverted",
        "disabled": "Disabled",
        "sni": "EnableSNI",
    }
    changes: dict[str, Any] = {
        ours: request[theirs] for ours, theirs in fields.items() if request.get(theirs) is not None
    }
    if request.get("Regions"):
        changes["regions"] = tuple(request["Regions"])
    for element in request.get("ResetElements") or ():
        reset = {"FullyQualifiedDomainName": ("host", None), "Regions": ("regions", ()), "ResourcePath": ("path", "")}
        if element in reset:
            changes.update([reset[element]])
    if "address" in changes and (changes["address"] is None) != (check.address is None):
        raise Refused("InvalidInput", "Invalid parameter : IPAddress can be neither added nor removed.")
    return _valid(replace(check, **changes, version=check.version + 1))


def _valid(check: HealthCheck) -> HealthCheck:
    matches = check.type.endswith("STR_MATCH")
    problem = None
    if check.interval not in (10, 30):
        problem = "RequestInterval must be 10 or 30."
    elif not 1 <= check.threshold <= 10:
        problem = "FailureThreshold must be from 1 to 10."
    elif not 1 <= check.port <= 65535:
        problem = "Port must be from 1 to 65535."
    elif not check.host and not check.address:
        problem = "FullyQualifiedDomainName or IPAddress must be specified."
    elif matches != bool(check.search):
        problem = "SearchString must be specified for, and only for, health checks with string matching."
    elif max(len(check.search or ""), len(check.path), len(check.host or "")) > _LONGEST_TEXT:
        problem = f"SearchString, ResourcePath and FullyQualifiedDomainName have at most {_LONGEST_TEXT} characters."
    elif unknown := [region for region in check.regions if region not in CHECKERS]:
        problem = f"{unknown[0]} is no region of health checkers."
    elif check.regions and len(check.regions) < _LEAST_REGIONS:
        problem = f"At least {_LEAST_REGIONS} regions must be specified."
    if problem:
        raise Refused("InvalidInput", f"Invalid parameter : {problem}")
    return check
