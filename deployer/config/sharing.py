"""Refuses what a branch would share with the app itself: objects, which one would take from the other, and hosts."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from deployer.config.manifests import Manifest
from deployer.errors import ConfigurationError, DeployError, raise_all
from deployer.model import Json, Target

_OWN_NAME = "{{ AppName }}"
_OWN_HOST = "{{ SubDomain }}.{{ REGION }}.{{ DnsDomain }}"


def refuse_shared(target: Target, own: Sequence[Manifest], apps: Sequence[Manifest]) -> None:
    """Raises ConfigurationError for each object and each host that a branch would share with the app itself.

    `own` are the branch's manifests, `apps` those of the app for the same stage and region.
    """
    others = [content for one in apps for content in _objects(one.content)]
    taken = {_identity(content) for content in others}
    hosts = {host for content in others for host in _hosts(content)}
    main = target.app
    errors: list[DeployError] = []
    for content, where in ((content, one.where) for one in own for content in _objects(one.content)):
        kind, name = str(content.get("kind")), _name(content)
        if name and _identity(content) in taken:
            errors.append(
                ConfigurationError(
                    f"{kind}/{name} is an object of {main} itself, too",
                    where=where,
                    why="a branch has objects of its own, beside those of the app",
                    hint=f'put AppName into its name, which each branch has its own of: name: "{_OWN_NAME}"',
                )
            )
        errors += [
            ConfigurationError(
                f"{kind}/{name} would take requests for {host} from {main} itself",
                where=where,
                why="a branch has a host of its own",
                hint=f'put SubDomain into it, which each branch has its own of: host: "{_OWN_HOST}"',
            )
            for host in _hosts(content)
            if host in hosts
        ]
    raise_all(errors)


def _objects(manifest: Json) -> Iterator[Json]:
    """The manifest, or those that it lists."""
    items = manifest.get("items")
    if not str(manifest.get("kind")).endswith("List") or not isinstance(items, list):
        yield manifest
        return
    for item in items:
        if isinstance(item, dict):
            yield from _objects(item)


def _identity(manifest: Json) -> tuple[str, ...]:
    metadata = manifest.get("metadata")
    namespace = metadata.get("namespace") if isinstance(metadata, dict) else None
    parts = (str(manifest.get("apiVersion")).partition("/")[0], manifest.get("kind"), namespace, _name(manifest))
    return tuple(map(str, parts))


def _name(manifest: Json) -> str:
    """Empty where it has none, which is refused elsewhere."""
    metadata = manifest.get("metadata")
    name = metadata.get("name") if isinstance(metadata, dict) else None
    return name if isinstance(name, str) else ""


def _hosts(manifest: Json) -> list[str]:
    """The hosts of an Ingress or a route, as far as the manifest has the shape of one."""
    spec = manifest.get("spec")
    if not isinstance(spec, dict):
        return []
    rules = spec.get("rules")
    found = [rule.get("host") for rule in rules if isinstance(rule, dict)] if isinstance(rules, list) else []
    names = spec.get("hostnames")
    found += names if isinstance(names, list) and manifest.get("kind") == "HTTPRoute" else []
    return list(dict.fromkeys(host for host in found if isinstance(host, str) and host))
