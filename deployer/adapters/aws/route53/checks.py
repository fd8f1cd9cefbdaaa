"""Reads, makes and changes health checks, and their tags."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from deployer.adapters.aws.faults import one_line
from deployer.adapters.aws.session import Session
from deployer.errors import ConflictError, DeploymentFailed
from deployer.model.dns import HealthCheck, HealthCheckConfig, HealthStatus, Observation, normal_name

_TAGS_AT_ONCE = 10
"""Health checks whose tags one question tells."""

_LONGEST_TAG = 256
_NOT_IN_TAGS = re.compile(r"[^\w .:/=+\-@]")
_FIELDS = {
    "Type": "type",
    "FullyQualifiedDomainName": "host",
    "Port": "port",
    "ResourcePath": "path",
    "SearchString": "search_string",
    "RequestInterval": "interval",
    "FailureThreshold": "failure_threshold",
    "EnableSNI": "enable_sni",
    "Inverted": "inverted",
    "Disabled": "disabled",
}
"""The API's names of the fields that we know."""

_IMMUTABLE = frozenset({"Type", "RequestInterval"})


def listed(session: Session, wanted: Callable[[HealthCheck], bool]) -> tuple[HealthCheck, ...]:
    """The health checks that are wanted, with their tags. Tags are asked for those only."""
    with session.asking("route53:ListHealthChecks"):
        pages = session.client("route53").get_paginator("list_health_checks").paginate()
        found = [check for page in pages for each in page["HealthChecks"] if wanted(check := parsed(each))]
    return tuple(_with_tags(session, found))


def create(
    session: Session, references: Iterable[str], config: HealthCheckConfig, tags: Mapping[str, str]
) -> HealthCheck:
    """Make it with the first reference that isn't used up. Raises DeploymentFailed when all are."""
    client = session.client("route53")
    for reference in references:
        with session.asking("route53:CreateHealthCheck"):
            try:
                answer = client.create_health_check(CallerReference=reference, HealthCheckConfig=request(config))
            except client.exceptions.HealthCheckAlreadyExists:
                continue
        return tag(session, parsed(answer["HealthCheck"]), dict(tags))
    raise DeploymentFailed(f"Route 53 makes no health check for {config.host}", why="too many were made before")


def update(session: Session, check: HealthCheck, config: HealthCheckConfig) -> HealthCheck:
    """Give it these settings. Raises ConflictError when somebody else has changed or deleted it."""
    client = session.client("route53")
    content = {name: value for name, value in request(config).items() if name in _FIELDS and name not in _IMMUTABLE}
    if not config.path:
        content["ResetElements"] = ["ResourcePath"]
    with session.asking("route53:UpdateHealthCheck"):
        try:
            answer = client.update_health_check(HealthCheckId=check.id, HealthCheckVersion=check.version, **content)
        except (client.exceptions.HealthCheckVersionMismatch, client.exceptions.NoSuchHealthCheck) as error:
            raise ConflictError(
                f"somebody else has changed the health check of {check.config.host} meanwhile",
                where=check.id,
                why=one_line(str(error.response["Error"].get("Message", ""))) or None,
                hint="run the same command again: it plans upon what is there now",
            ) from None
    return replace(parsed(answer["HealthCheck"]), tags=check.tags)


def delete(session: Session, check: HealthCheck) -> None:
    """Delete it, unless it is gone already."""
    client = session.client("route53")
    with session.asking("route53:DeleteHealthCheck"):
        try:
            client.delete_health_check(HealthCheckId=check.id)
        except client.exceptions.NoSuchHealthCheck:
            return


def tag(session: Session, check: HealthCheck, tags: Mapping[str, str | None]) -> HealthCheck:
    """Set these tags, take away those that are None; asks only for what differs."""
    added = {key: tag_value(value) for key, value in tags.items() if value is not None}
    added = {key: value for key, value in added.items() if check.tags.get(key) != value}
    removed = [key for key, value in tags.items() if value is None and key in check.tags]
    content: dict[str, Any] = {}
    if added:
        content["AddTags"] = [{"Key": key, "Value": value} for key, value in added.items()]
    if removed:
        content["RemoveTagKeys"] = removed
    if content:
        client = session.client("route53")
        with session.asking("route53:ChangeTagsForResource"):
            try:
                client.change_tags_for_resource(ResourceType="healthcheck", ResourceId=check.id, **content)
            except client.exceptions.NoSuchHealthCheck:
                raise ConflictError(f"the health check of {check.config.host} is gone", where=check.id) from None
    kept = {key: value for key, value in check.tags.items() if key not in removed}
    return replace(check, tags={**kept, **added})


def status(session: Session, check: HealthCheck) -> HealthStatus:
    """What each checker saw last. Raises ConflictError when the check is gone."""
    client = session.client("route53")
    with session.asking("route53:GetHealthCheckStatus"):
        try:
            answer = client.get_health_check_status(HealthCheckId=check.id)
        except client.exceptions.NoSuchHealthCheck:
            raise ConflictError(f"the health check of {check.config.host} is gone", where=check.id) from None
    return HealthStatus(tuple(map(_observation, answer["HealthCheckObservations"])))


def request(config: HealthCheckConfig) -> dict[str, Any]:
    """The settings as the API takes them."""
    values = {name: getattr(config, ours) for name, ours in _FIELDS.items()}
    return {**{name: value for name, value in values.items() if value is not None}, **config.other}


def parsed(content: Mapping[str, Any]) -> HealthCheck:
    """A health check as the API gives it, without its tags."""
    config = content["HealthCheckConfig"]
    host = config.get("FullyQualifiedDomainName")
    return HealthCheck(
        str(content["Id"]),
        str(content["CallerReference"]),
        int(content["HealthCheckVersion"]),
        HealthCheckConfig(
            type=config["Type"],
            host=normal_name(host) if host else None,
            port=config.get("Port"),
            path=config.get("ResourcePath") or None,
            search_string=config.get("SearchString") or None,
            interval=int(config.get("RequestInterval") or 30),
            failure_threshold=int(config.get("FailureThreshold") or 3),
            enable_sni=bool(config.get("EnableSNI")),
            inverted=bool(config.get("Inverted")),
            disabled=bool(config.get("Disabled")),
            other={name: value for name, value in config.items() if name not in _FIELDS},
        ),
    )


def tag_value(text: str) -> str:
    """A text as a tag's value can hold it: letters, digits, blanks and `_ . : / = + - @`, at most 256."""
    return _NOT_IN_TAGS.sub("_", text)[:_LONGEST_TAG]


def _with_tags(session: Session, checks: Sequence[HealthCheck]) -> list[HealthCheck]:
    client, found = session.client("route53"), []
    for begin in range(0, len(checks), _TAGS_AT_ONCE):
        batch = checks[begin : begin + _TAGS_AT_ONCE]
        with session.asking("route53:ListTagsForResources"):
            try:
                tags = _tags(client, batch)
            except client.exceptions.NoSuchHealthCheck:  # deleted meanwhile, which spoils the answer about the others
                tags = {}
                for check in batch:
                    try:
                        tags |= _tags(client, [check])
                    except client.exceptions.NoSuchHealthCheck:
                        continue
        found += [replace(check, tags=tags[check.id]) for check in batch if check.id in tags]
    return found


def _tags(client: Any, checks: Sequence[HealthCheck]) -> dict[str, dict[str, str]]:
    answer = client.list_tags_for_resources(ResourceType="healthcheck", ResourceIds=[check.id for check in checks])
    found = {check.id: dict[str, str]() for check in checks}
    for each in answer["ResourceTagSets"]:
        found[each["ResourceId"]] = {tag["Key"]: tag.get("Value", "") for tag in each.get("Tags") or ()}
    return found


def _observation(content: Mapping[str, Any]) -> Observation:
    report = content.get("StatusReport") or {}
    return Observation(
        str(content.get("Region", "")),
        str(content.get("IPAddress", "")),
        one_line(str(report.get("Status", ""))),
        report.get("CheckedTime"),
    )
