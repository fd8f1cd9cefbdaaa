"""Refuses what a branch would share with the app itself: objects, which one would take from the other, and hosts."""

from __future__ import annotations

from collections.abc import Sequence

from deployer.config.manifests import Manifest
from deployer.errors import ConfigurationError, DeployError, raise_all
from deployer.model import Json, Target

_OWN_NAME = "{{ AppName }}"
_OWN_HOST = "{{ SubDomain }}.{{ REGION }}.{{ DnsDomain }}"


def refuse_shared(target: Target, own: Sequence[Manifest], apps: Sequence[Manifest]) -> None:
    """Raises ConfigurationError for each object and each host that a branch would share with the app itself.

    `own` are the branch's manifests, `apps` those of the app for the same stage and region.
    """
    taken = {_identity(one.content) for one in apps}
    hosts = {host for one in apps for host in _hosts(one.content)}
    main = target.app
    errors: list[DeployError] = []
    for one in own:
        kind, name = str(one.content.get("kind")), _name(one.content)
        if _identity(one.content) in taken:
            errors.append(
                ConfigurationError(
                    f"{kind}/{name} is an object of {main} itself, too",
                    where=one.where,
                    why="a branch has objects of its own, beside those of the app",
                    hint=f'put AppName into its name, which each branch has its own of: name: "{_OWN_NAME}"',
                )
            )
        errors += [
            ConfigurationError(
                f"{kind}/{name} would take requests for {host} from {main} itself",
                where=one.where,
                why="a branch has a host of its own",
                hint=f'put SubDomain into it, which each branch has its own of: host: "{_OWN_HOST}"',
            )
            for host in _hosts(one.content)
            if host in hosts
        ]
    raise_all(errors)


def _identity(manifest: Json) -> tuple[object, ...]:
    metadata = manifest.get("metadata")
    namespace = metadata.get("namespace") if isinstance(metadata, dict) else None
    return str(manifest.get("apiVersion")).partition("/")[0], manifest.get("kind"), namespace, _name(manifest)


def _name(manifest: Json) -> str:
    metadata = manifest.get("metadata")
    return str(metadata.get("name")) if isinstance(metadata, dict) else ""


def _hosts(manifest: Json) -> list[str]:
    """The hosts of an Ingress or a route, as far as the manifest has the shape of one."""
    spec = manifest.get("spec")
    if not isinstance(spec, dict):
        return []
    rules = spec.get("rules")
    found = [rule.get("host") for rule in rules if isinstance(rule, dict)] if isinstance(rules, list) else []
    names = spec.get("hostnames")
    found += names if isinstance(names, list) and manifest.get("kind") == "HTTPRoute" else []
    return [host for host in dict.fromkeys(found) if isinstance(host, str) and host]
