"""Which of the secrets that an object's pods are given change: by name and keyed fingerprint, never by value."""

from __future__ import annotations

import base64
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Literal

from deployer.model import Json
from deployer.model.changes import Change, SecretUse
from deployer.plan.fingerprint import fingerprint
from deployer.plan.manifests.kinds import CONTAINER_LISTS, dig, mappings, pod_template
from deployer.plan.manifests.lifted import looks_lifted

Place = tuple[str, str]
"""A container and the name of its variable, or `volume NAME` and the name of a file in it."""

Held = dict[Place, bytes | None]
"""The secrets of an object's pods; None where the Secret that holds one cannot be had."""


@dataclass(frozen=True)
class Contents:
    """The Secrets that were lifted, by name: those of manifests and of the cluster. `key` makes the fingerprints."""

    secrets: Mapping[str, Json]
    key: bytes = b""

    def uses(self, old: Json | None, new: Json) -> dict[Place, SecretUse]:
        """What becomes of each secret of an object; `old` is None for one that is not there yet."""
        before, after = (self._held(old) if old else {}), self._held(new)
        plain = dict(_literals(old)) if old else {}
        found = {}
        for place in dict.fromkeys([*before, *after]):
            # Before secrets were lifted, the very same value stood in the object itself.
            was = before[place] if place in before else plain.get(place)
            known = place in before or place in plain
            found[place] = self._use(place, was if known else None, after.get(place), known, place in after)
        return found

    def _use(self, place: Place, old: bytes | None, new: bytes | None, had: bool, has: bool) -> SecretUse:
        change: Change | Literal["same"]
        if not had:
            change = "added"
        elif not has:
            change = "removed"
        else:
            change = "same" if old == new and old is not None else "changed"
        return SecretUse(_name(place), change, self._fingerprint(old), self._fingerprint(new))

    def _fingerprint(self, value: bytes | None) -> str | None:
        """As `deploy secrets diff` shows it, for texts."""
        if value is None or not self.key:
            return None
        try:
            return fingerprint(self.key, value.decode())
        except UnicodeDecodeError:
            return fingerprint(self.key, base64.b64encode(value).decode())

    def _held(self, content: Json) -> Held:
        found: Held = {}
        for container, entry in _variables(content):
            reference = dig(entry, ("valueFrom", "secretKeyRef"))
            if isinstance(reference, dict) and looks_lifted(str(reference.get("name"))):
                data = self._data(str(reference["name"]))
                found[container, str(entry.get("name"))] = data.get(str(reference.get("key")))
        for volume, name in _volumes(content):
            if looks_lifted(name):
                found |= {(f"volume {volume}", file): value for file, value in self._data(name).items()}
        return found

    def _data(self, name: str) -> dict[str, bytes]:
        data = self.secrets.get(name, {}).get("data") or {}
        return {key: base64.b64decode(value) for key, value in data.items()}


def _name(place: Place) -> str:
    holder, name = place
    return f"{holder.removeprefix('volume ')}/{name}" if holder.startswith("volume ") else name


def _pods(content: Json) -> Json:
    found = pod_template(content)
    spec = found[1].get("spec") if found else None
    return spec if isinstance(spec, dict) else {}


def _variables(content: Json) -> Iterator[tuple[str, Json]]:
    spec = _pods(content)
    for section in CONTAINER_LISTS:
        for container in mappings(spec.get(section)):
            for entry in mappings(container.get("env")):
                yield str(container.get("name")), entry


def _literals(content: Json) -> Iterator[tuple[Place, bytes]]:
    for container, entry in _variables(content):
        if isinstance(entry.get("value"), str):
            yield (container, str(entry.get("name"))), entry["value"].encode()


def _volumes(content: Json) -> Iterator[tuple[str, str]]:
    """The volumes with the Secrets in them."""
    for volume in mappings(_pods(content).get("volumes")):
        name = dig(volume, ("secret", "secretName"))
        if isinstance(name, str):
            yield str(volume.get("name")), name
        for part in mappings(dig(volume, ("projected", "sources"))):
            if isinstance(name := dig(part, ("secret", "name")), str):
                yield str(volume.get("name")), name
