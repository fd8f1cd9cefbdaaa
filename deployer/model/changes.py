"""What a plan would change, as it is shown to people and in JSON: values, but never secret ones."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

from deployer.model.release import ObjectKey

Change = Literal["added", "removed", "changed"]


@dataclass(frozen=True)
class FieldChange:
    """A field of an object. A side that has none is None, and so are both of a `secret` one."""

    path: str
    change: Change
    old: Any = None
    new: Any = None
    secret: bool = False


@dataclass(frozen=True)
class Refusal:
    """A field that Kubernetes would not let anyone change, and what to do."""

    path: str
    hint: str


@dataclass(frozen=True)
class ObjectChange:
    """An object that would be made, changed or deleted; `kept` is none of the release's any more, but stays.

    `facts` tell what a new one is, or what would be lost with one that goes.
    """

    key: ObjectKey
    action: Literal["create", "change", "delete", "keep"]
    fields: tuple[FieldChange, ...] = ()
    facts: tuple[str, ...] = ()
    refused: tuple[Refusal, ...] = ()


@dataclass(frozen=True)
class PodsChange:
    """What becomes of a workload's pods. `restarts`: those that it has are replaced by others."""

    key: ObjectKey
    restarts: bool
    before: int
    after: int
    note: str = ""


@dataclass(frozen=True)
class ImageChange:
    """The app's own image, and how the registry gets it. A side that is not known is None."""

    action: Literal["none", "present", "copy", "build"]
    new: str
    old: str | None = None
    new_version: str | None = None
    old_version: str | None = None


@dataclass(frozen=True)
class SecretUse:
    """A secret that the app's pods are given. `before` and `after` are keyed fingerprints, where there is a key."""

    name: str
    change: Change | Literal["same"]
    before: str | None = None
    after: str | None = None


@dataclass(frozen=True)
class Preview:
    """Everything that a plan would change in one region; `unchanged` counts the objects that stay as they are.

    `hooks` are the objects that Helm runs on the way, `taken` what an adoption takes over, `dns` what is written there.
    """

    objects: tuple[ObjectChange, ...] = ()
    unchanged: int = 0
    pods: tuple[PodsChange, ...] = ()
    image: ImageChange | None = None
    secrets: tuple[SecretUse, ...] = ()
    hooks: tuple[str, ...] = ()
    taken: tuple[str, ...] = ()
    dns: tuple[str, ...] = ()
