"""Lifts secrets out of pod templates: what Helm stores and a diff shows holds none, only the names of Secrets.

A variable whose value uses a secret becomes a `secretKeyRef`; a volume with `secret: {stringData: …}` becomes one
with `secretName`. Each pod template has Secrets of its own, with just what it uses: a changed secret restarts its pods
alone.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from deployer.model import Json
from deployer.plan.manifests import kinds
from deployer.plan.manifests.canonical import QUOTE_HINT
from deployer.plan.manifests.expansion import Environment, Unknown
from deployer.plan.manifests.lifted import SIZE_LIMIT, secret_of
from deployer.plan.manifests.source import CannotLift, Findings, SourceManifest
from deployer.plan.paths import Path

PLACEHOLDER_KEY = b"placeholder"
"""The key of names that nobody deploys with: of commands that work offline."""

_INLINE = ("data", "stringData")
_KEY = re.compile(r"[-._a-zA-Z0-9]+")
_LONGEST_KEY = 253
_OWN_VARIABLE = (
    "give the secret a variable of its own, and refer to it here with $(NAME); $$( stands for $( where that is meant"
)


@dataclass(frozen=True)
class Naming:
    """What the names of Secrets depend on beside their content."""

    release: str
    namespace: str
    key: bytes = PLACEHOLDER_KEY


def lift(source: SourceManifest, naming: Naming, findings: Findings) -> tuple[Json, ...]:
    """The Secrets for a checked manifest's secrets, each of which is replaced there by its Secret's name."""
    found = kinds.pod_template(source.content) if kinds.is_builtin(source.content) else None
    spec = found[1].get("spec") if found else None
    if found is None or not isinstance(spec, dict):
        return ()
    lifting = _Lifting(source, naming, findings)
    lifting.volumes((*found[0], "spec", "volumes"), spec)
    lifting.environment()
    return tuple(lifting.secrets)


class _Lifting:
    def __init__(self, source: SourceManifest, naming: Naming, findings: Findings) -> None:
        self.secrets: list[Json] = []
        self._source = source
        self._naming = naming
        self._findings = findings
        self._tainted = source.tainted()

    # Variables.

    def environment(self) -> None:
        """All variables of all containers that use secrets, in one Secret."""
        data: dict[str, bytes] = {}
        places: list[tuple[Json, str]] = []
        first: Path | None = None
        for path, container in kinds.containers(self._source.content):
            environment = Environment(others=bool(container.get("envFrom")))
            entries = container.get("env")
            for index, entry in enumerate(entries if isinstance(entries, list) else ()):
                if not isinstance(entry, dict) or not isinstance(entry.get("name"), str):
                    continue
                here = (*path, "env", index)
                text = self._text(here, entry, environment)
                if text is None:
                    continue
                key = _key(container.get("name"), entry["name"], data)
                data[key] = text.encode()
                places.append((entry, key))
                first = first or (*here, "value")
        if not places or first is None or not self._fits(data, first):
            return
        name = self._add(data, "env")
        for entry, key in places:
            # Left out, a value that somebody has set by hand (kubectl set env) would stay, and both are refused.
            entry["value"] = ""
            entry["valueFrom"] = {"secretKeyRef": {"name": name, "key": key}}

    def _text(self, path: Path, entry: Json, environment: Environment) -> str | None:
        """The value of a variable that is to be lifted, as its container sees it; None for any other."""
        name, value = entry["name"], entry.get("value")
        if not isinstance(value, str) or (not value and entry.get("valueFrom")):
            environment.add_unknown(name) if entry.get("valueFrom") else environment.add(name, "")
            return None
        if not self._is_tainted(path):
            environment.add(name, value)
            return None
        here = (*path, "value")
        if entry.get("valueFrom"):
            self._refuse(here, "stands beside valueFrom", "remove one of them")
            return None
        try:
            text = environment.read(value)
        except Unknown as unknown:
            environment.add_unknown(name)
            what = f"holds a secret beside $({unknown.name}), whose value is only known in the cluster"
            self._refuse(here, what, _OWN_VARIABLE)
            return None
        environment.add(name, value)
        return text

    def _is_tainted(self, path: Path) -> bool:
        """Whether the value of the variable at a path uses a secret, or what the whole item or list is made of does."""
        return any(one in self._tainted for one in ((*path, "value"), path, path[:-1]))

    # Files.

    def volumes(self, path: Path, spec: Json) -> None:
        """All volumes, and parts of projected ones, that say what is in them."""
        for index, volume in _items(spec.get("volumes")):
            part = f"volume {volume.get('name')}"
            self._volume((*path, index, "secret"), volume.get("secret"), "secretName", part)
            projected = volume.get("projected")
            sources = projected.get("sources") if isinstance(projected, dict) else None
            for number, one in _items(sources):
                here: Path = (*path, index, "projected", "sources", number, "secret")
                self._volume(here, one.get("secret"), "name", f"{part} {number}")

    def _volume(self, path: Path, holder: Any, field: str, part: str) -> None:
        if not isinstance(holder, dict) or not any(name in holder for name in _INLINE):
            return
        if holder.get(field):
            hint = f"remove {field}: what is written here becomes a Secret of its own"
            self._refuse(path, f"has {field} beside its content", hint)
            return
        before = len(self._findings.errors)
        data: dict[str, bytes] = {}
        for name in _INLINE:
            self._read((*path, name), holder.get(name), name == "data", data)
        if len(self._findings.errors) == before and self._fits(data, path):
            for name in _INLINE:
                holder.pop(name, None)
            holder[field] = self._add(data, part)

    def _read(self, path: Path, items: Any, encoded: bool, data: dict[str, bytes]) -> None:
        if items is None:
            return
        if not isinstance(items, dict):
            self._findings.error(self._source, path, "is not a mapping", "it has the name of each file, and its text")
            return
        for name, text in items.items():
            here = (*path, name)
            if not _KEY.fullmatch(name) or len(name) > _LONGEST_KEY or name in (".", "..") or name.startswith(".."):
                hint = "letters, digits, -, _ and .; items puts a file into a directory"
                self._refuse(here, "is no name for a file of a Secret", hint)
            elif not isinstance(text, str):
                self._refuse(here, "is not a text", QUOTE_HINT)
            elif not encoded:
                data[name] = text.encode()
            else:
                try:
                    data[name] = base64.b64decode("".join(text.split()), validate=True)
                except (binascii.Error, ValueError):
                    self._findings.error(self._source, here, "is not base64", "stringData takes plain text")

    # Both.

    def _refuse(self, path: Path, what: str, hint: str) -> None:
        self._findings.error(self._source, path, what, hint, CannotLift)

    def _fits(self, data: Mapping[str, bytes], path: Path) -> bool:
        size = sum(map(len, data.values()))
        if size > SIZE_LIMIT:
            what = f"makes a Secret of {size:,} bytes; {SIZE_LIMIT:,} are allowed"
            self._refuse(path, what, "hand over a place to load it from instead")
        return size <= SIZE_LIMIT

    def _add(self, data: Mapping[str, bytes], part: str) -> str:
        """Keep a Secret; its name."""
        content, naming = self._source.content, self._naming
        workload = content["kind"], content["metadata"]["name"]
        secret = secret_of(
            data, workload=workload, part=part, release=naming.release, namespace=naming.namespace, key=naming.key
        )
        self.secrets.append(secret)
        return str(secret["metadata"]["name"])


def _key(container: object, variable: str, taken: Iterable[str]) -> str:
    """The key of a container's variable in its Secret: `web.PASSWORD`."""
    key = re.sub(r"[^-._a-zA-Z0-9]", "_", f"{container}.{variable}")[: _LONGEST_KEY - 8]
    number, result = 1, key
    while result in taken:
        number += 1
        result = f"{key}.{number}"
    return result


def _items(value: Any) -> list[tuple[int, Json]]:
    items = enumerate(value if isinstance(value, list) else ())
    return [(index, item) for index, item in items if isinstance(item, dict)]
