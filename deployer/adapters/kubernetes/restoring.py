"""How an object is made what it was: a JSON patch from what is live to what was there before."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from typing import Any

from deployer.model import Json

PATCH = "application/json-patch+json"
"""RFC 6902. It may replace all of an object with nothing more than the right to patch it."""

_METADATA = ("annotations", "finalizers", "labels", "ownerReferences")
"""What of the metadata somebody may have changed; all else is the server's."""

_SERVERS = (
    "creationTimestamp",
    "deletionTimestamp",
    "generation",
    "managedFields",
    "resourceVersion",
    "selfLink",
    "uid",
)
_NOT_CONTENT = frozenset({"apiVersion", "kind", "metadata", "status"})


def ways_back(before: Json, live: Json) -> Iterator[list[Json]]:
    """The patches that make a live object what it was, one after the other: its content, then its fields' managers."""
    content = [
        *_changes("", {key: before[key] for key in before.keys() - _NOT_CONTENT}, live, live.keys() - _NOT_CONTENT),
        *_changes(
            "/metadata",
            {key: before["metadata"][key] for key in _METADATA if before["metadata"].get(key)},
            live["metadata"],
            live["metadata"].keys() & set(_METADATA),
        ),
    ]
    if content:
        yield content
    if managers := before["metadata"].get("managedFields"):
        yield [{"op": "add", "path": "/metadata/managedFields", "value": managers}]


def made_anew(before: Json) -> Json:
    """The object as it can be created again."""
    content = copy.deepcopy({key: value for key, value in before.items() if key != "status"})
    for key in _SERVERS:
        content["metadata"].pop(key, None)
    return content


def _changes(path: str, wanted: Json, live: Json, present: Any) -> Iterator[Json]:
    for key in sorted(present - wanted.keys()):
        yield {"op": "remove", "path": f"{path}/{_escaped(key)}"}
    for key, value in sorted(wanted.items()):
        if key not in live or live[key] != value:
            yield {"op": "add", "path": f"{path}/{_escaped(key)}", "value": value}


def _escaped(key: str) -> str:
    return key.replace("~", "~0").replace("/", "~1")
