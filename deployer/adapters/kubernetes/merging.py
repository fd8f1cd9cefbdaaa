"""What Helm's own patch makes of a live object, where that takes something away that a server-side apply would leave.

Helm 3 compares what its last revision said, what the new one says, and what is live, and sends the difference as a
strategic merge patch; to an object of a kind that is not built in, as a JSON merge patch. Directives and merge keys:
https://github.com/kubernetes/community/blob/main/contributors/devel/sig-api-machinery/strategic-merge-patch.md.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from deployer.model import Json

STRATEGIC = "application/strategic-merge-patch+json"
PLAIN = "application/merge-patch+json"

_KEYS: Mapping[str, str] = {
    "containers": "name",
    "env": "name",
    "ephemeralContainers": "name",
    "hostAliases": "ip",
    "imagePullSecrets": "name",
    "initContainers": "name",
    "resourceClaims": "name",
    "schedulingGates": "name",
    "secrets": "name",
    "topologySpreadConstraints": "topologyKey",
    "volumeDevices": "devicePath",
    "volumeMounts": "mountPath",
    "volumes": "name",
    "webhooks": "name",
}
"""Lists whose items are merged, and the field that tells these apart (`x-kubernetes-patch-merge-key` of the API)."""

_RETAINED = frozenset({"resourceClaims", "strategy", "volumes"})
"""Fields of which nothing stays that a change does not name (`retainKeys` of `x-kubernetes-patch-strategy`)."""

_IDENTITY = frozenset({"apiVersion", "kind", "status"})
_SERVERS = frozenset(
    {"creationTimestamp", "generation", "managedFields", "name", "namespace", "resourceVersion", "uid"}
)


def three_way(manifest: Json, live: Json, before: Json | None, *, strategic: bool = True) -> Json | None:
    """Helm's patch of the live object; None where it takes nothing away, so that an apply on the server does the same.

    `before` is the object in the revision that Helm goes on from, None where that does not have it. Without
    `strategic`, the patch is a JSON merge patch, in which lists are replaced.
    """
    merge = _Merge(str(manifest.get("kind")), strategic=strategic)
    patch = merge.mapping(_content(manifest), live, _content(before or {}))
    return patch if merge.takes_away else None


def _content(manifest: Json) -> Json:
    """What a manifest says of the object, without what it is and what only the server says."""
    content = {name: value for name, value in manifest.items() if name not in _IDENTITY}
    if isinstance(metadata := content.get("metadata"), dict):
        content["metadata"] = {name: value for name, value in metadata.items() if name not in _SERVERS}
    return content


class _Merge:
    """One merge, which remembers whether anything that is live goes with it."""

    def __init__(self, kind: str, *, strategic: bool) -> None:
        self.takes_away = False
        self._strategic = strategic
        self._whole = {"selector"} if kind == "PodDisruptionBudget" else set()

    def mapping(self, wanted: Json, live: Json, before: Json, *, retain: bool = False) -> Json:
        patch: Json = {}
        for name, value in wanted.items():
            present, former = live.get(name), before.get(name)
            if value is None:
                continue  # as good as left out
            if isinstance(value, dict) and isinstance(present, dict) and name not in self._whole:
                kept = self._strategic and name in _RETAINED
                if changes := self.mapping(value, present, former if isinstance(former, dict) else {}, retain=kept):
                    patch[name] = changes
            elif isinstance(value, list) and isinstance(present, list) and (key := self._key(name, value)):
                patch |= self._items(name, key, value, present, former if isinstance(former, list) else [])
            elif not _same(value, present):
                patch[name] = value
        for name, former in before.items():
            if former is not None and wanted.get(name) is None and live.get(name) is not None:
                patch[name] = None
                self.takes_away = True
        if retain and patch:
            patch["$retainKeys"] = sorted(wanted)
            self.takes_away |= not live.keys() <= wanted.keys()
        return patch

    def _items(self, name: str, key: str, wanted: list[Any], live: list[Any], before: list[Any]) -> Json:
        """The patch of a list whose items are merged, with the order that they have then."""
        wants, has, had = (_by_key(items, key) for items in (wanted, live, before))
        if wants is None or has is None:
            return {} if _covered(wanted, live) else {name: wanted}
        had = had or {}
        changes: list[Json] = []
        for value, item in wants.items():
            if value not in has:
                changes.append(item)
            elif change := self.mapping(item, has[value], had.get(value, {}), retain=name in _RETAINED):
                changes.append({key: value, **change})
        gone = [value for value in had if value not in wants and value in has]
        self.takes_away |= bool(gone)
        changes += [{"$patch": "delete", key: value} for value in gone]
        if not changes and [one for one in has if one in wants] == list(wants):
            return {}
        order = {f"$setElementOrder/{name}": [{key: value} for value in wants]}
        return order | ({name: changes} if changes else {})

    def _key(self, name: str, items: list[Any]) -> str | None:
        """By which field the items of a list are told apart; None for a list that is replaced as a whole."""
        if not self._strategic:
            return None
        if name == "ports":
            container = any(isinstance(item, dict) and "containerPort" in item for item in items)
            return "containerPort" if container else "port"
        return _KEYS.get(name)


def _by_key(items: list[Any], key: str) -> dict[Any, Json] | None:
    """The items by their key; None where one has none, or two have the same."""
    found = {
        item[key]: item
        for item in items
        if isinstance(item, dict) and isinstance(item.get(key), str | int) and item[key]
    }
    return found if len(found) == len(items) else None


def _covered(wanted: Any, live: Any) -> bool:
    """Whether the live value says all that is wanted, item by item."""
    if isinstance(wanted, dict) and isinstance(live, dict):
        return all(value is None or _covered(value, live.get(name)) for name, value in wanted.items())
    if isinstance(wanted, list) and isinstance(live, list):
        return len(wanted) == len(live) and all(map(_covered, wanted, live))
    return _same(wanted, live)


def _same(one: Any, other: Any) -> bool:
    """Equal in JSON's eyes, to which 1 and true differ."""
    if isinstance(one, str) or one is None or other is None:
        return bool(one == other)
    return json.dumps(one, sort_keys=True) == json.dumps(other, sort_keys=True)
