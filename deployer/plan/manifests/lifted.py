"""The Secrets that hold what was lifted out of an app's manifests: their names, their marks, and who names them.

A name tells the content without giving it away: it is an HMAC under a key of the stage, so that nobody can try out
what a weak secret might be, and another content is another name, which restarts the pods that use it and no others.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence

from deployer.model import Json
from deployer.plan.manifests.kinds import CONTAINER_LISTS, containers, dig, mappings, pod_template

OWNER = ("app.kubernetes.io/managed-by", "deployer")
RELEASE = "deployer/release"
"""The label with the release that a Secret belongs to."""

SIZE_LIMIT = 1_048_576
"""Bytes that the values of one Secret may have together."""

_DIGITS = 20
_LONGEST_NAME = 63
_PURPOSE = "deployer lifted secret 1"
_NOT_IN_NAMES = re.compile(r"[^a-z0-9]+")
_NAME = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?-[0-9a-f]{20}")


def secret_of(
    data: Mapping[str, bytes], *, workload: tuple[str, str], part: str, release: str, namespace: str, key: bytes
) -> Json:
    """The Secret for what one part of a workload (kind, name) uses: its environment, or a volume."""
    identity = (release, namespace, *workload, part)
    return {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {
            "name": _name(workload[1], digest(key, identity, data)),
            "namespace": namespace,
            "labels": labels(release),
        },
        "type": "Opaque",
        "immutable": True,
        "data": {name: base64.b64encode(data[name]).decode() for name in sorted(data)},
    }


def labels(release: str) -> dict[str, str]:
    """The labels of all Secrets that were lifted for a release."""
    return {OWNER[0]: OWNER[1], RELEASE: release}


def is_ours(live: Json, release: str) -> bool:
    """Whether a live object is a Secret that this tool has lifted for the release."""
    marks = dig(live, ("metadata", "labels")) or {}
    return all(marks.get(label) == value for label, value in labels(release).items())


def same_secret(live: Json, wanted: Json) -> bool:
    """Whether a live Secret is immutable and has the content that is wanted."""
    return (
        live.get("immutable") is True
        and live.get("type") == wanted["type"]
        and (live.get("data") or {}) == wanted["data"]
    )


def looks_lifted(name: str) -> bool:
    """Whether a Secret's name is like those that this tool gives."""
    return bool(_NAME.fullmatch(name))


def texts_of(secrets: Iterable[Json]) -> Iterator[str]:
    """The texts that Secrets hold; what is no text is left out."""
    for secret in secrets:
        for value in (secret.get("data") or {}).values():
            try:
                yield base64.b64decode(value).decode()
            except ValueError:
                continue


def digest(key: bytes, identity: Sequence[str], data: Mapping[str, bytes]) -> str:
    """The HMAC-SHA256 of a Secret's identity and content, as hex digits. Every part is framed by its length."""
    parts = [_PURPOSE.encode(), *(part.encode() for part in identity)]
    for name in sorted(data):
        parts += [name.encode(), data[name]]
    message = b"".join(len(part).to_bytes(8, "big") + part for part in parts)
    return hmac.new(key, message, hashlib.sha256).hexdigest()


def secrets_named(content: Json) -> set[str]:
    """The names of all Secrets that an object's pods use.

    For every kind that describes pods, a Pod and a ControllerRevision among them.
    """
    if content.get("kind") == "ControllerRevision":
        spec = dig(content, ("data", "spec", "template", "spec"))
    else:
        found = pod_template(content)
        spec = dig(found[1], ("spec",)) if found else None
    return set(_of_pod(spec)) if isinstance(spec, dict) else set()


def with_names_of(content: Json, other: Json, secrets: Mapping[str, Json]) -> Json:
    """The object with `other`'s Secrets for those variables that have the same value in both.

    `secrets` are lifted Secrets by name; a variable whose value they do not tell stays as it is.
    """
    theirs = dict(_references(other))
    result: Json = json.loads(json.dumps(content))
    for place, reference in _references(result):
        value = _value(reference, secrets)
        if value is not None and place in theirs and value == _value(theirs[place], secrets):
            reference |= theirs[place]
    return result


def _references(content: Json) -> Iterator[tuple[tuple[object, ...], Json]]:
    """Each variable that comes from a lifted Secret: its section, container and name, and the reference to the key."""
    for path, container in containers(content):
        for entry in mappings(container.get("env")):
            reference = dig(entry, ("valueFrom", "secretKeyRef"))
            if isinstance(reference, dict) and looks_lifted(str(reference.get("name"))):
                yield (path[-2], container.get("name"), entry.get("name")), reference


def _value(reference: Json, secrets: Mapping[str, Json]) -> object:
    return (secrets.get(str(reference["name"]), {}).get("data") or {}).get(reference.get("key"))


def _of_pod(spec: Json) -> Iterator[str]:
    for volume in mappings(spec.get("volumes")):
        yield from _text(dig(volume, ("secret", "secretName")))
        for part in mappings(dig(volume, ("projected", "sources"))):
            yield from _text(dig(part, ("secret", "name")))
    for section in CONTAINER_LISTS:
        for container in mappings(spec.get(section)):
            for entry in mappings(container.get("env")):
                yield from _text(dig(entry, ("valueFrom", "secretKeyRef", "name")))
            for one in mappings(container.get("envFrom")):
                yield from _text(dig(one, ("secretRef", "name")))


def _text(value: object) -> list[str]:
    return [value] if isinstance(value, str) else []


def _name(workload: str, digits: str) -> str:
    readable = _NOT_IN_NAMES.sub("-", workload.lower())[: _LONGEST_NAME - _DIGITS - 1].strip("-") or "app"
    return f"{readable}-{digits[:_DIGITS]}"
