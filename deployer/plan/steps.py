"""The plan: what will be done, as frozen values that can be printed before they are carried out."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from deployer.model import Image, ObjectKey, Target
from deployer.model.changes import Preview
from deployer.plan.adoption import Adoption

ImageAction = Literal["none", "present", "copy", "build"]
ReleaseAction = Literal["none", "install", "upgrade", "rollback", "verify", "uninstall"]
"""`verify` changes nothing, but watches, asks and marks the newest revision like a new one."""


@dataclass(frozen=True)
class TargetPlan:
    """What one target needs.

    `image` has its digest when the registry has it; otherwise the push fills it in. `current_revision` is the newest
    one that was seen, `good_revision` the newest that we verified, `foreign_revision` the newest that somebody else's
    Helm made; `rollback_to` is the one that a rollback restores; `repair` is the number of a pending one that an
    interrupted run left. `reasons` say why there is something to do; `changes` name what changes, by key, never by
    value; `deletions` are objects of the old revision that Helm deletes, since the new one does not have them, and
    `kept` those that it leaves; `adoption` is what is taken over from others; `dns` whether records or health checks
    are written; `preview` what all that changes, value by value, where somebody is to see it.
    """

    target: Target
    image: Image | None = None
    image_action: ImageAction = "none"
    copy_from: Image | None = None
    release_action: ReleaseAction = "none"
    current_revision: int | None = None
    repair: int | None = None
    good_revision: int | None = None
    foreign_revision: int | None = None
    rollback_to: int | None = None
    reasons: tuple[str, ...] = ()
    changes: tuple[str, ...] = ()
    deletions: tuple[ObjectKey, ...] = ()
    kept: tuple[ObjectKey, ...] = ()
    warnings: tuple[str, ...] = ()
    adoption: Adoption = field(default_factory=Adoption)
    dns: bool = False
    preview: Preview | None = None

    @property
    def changes_anything(self) -> bool:
        """Whether carrying this plan out would change a registry, a cluster or DNS."""
        forgotten = any(not one.remaining for one in self.adoption.predecessors)
        return self.image_action in ("copy", "build") or self.changes_region or forgotten

    @property
    def changes_region(self) -> bool:
        """Whether carrying it out changes the region's release or its DNS, which needs the region's lock."""
        return self.release_action != "none" or self.dns

    @property
    def deletes_data(self) -> tuple[ObjectKey, ...]:
        """Deletions that may take data with them."""
        kinds = ("StatefulSet", "PersistentVolumeClaim", "PersistentVolume", "Namespace", "CustomResourceDefinition")
        return tuple(key for key in self.deletions if key.kind in kinds)


@dataclass(frozen=True)
class Plan:
    """The plans of all targets of one command."""

    targets: tuple[TargetPlan, ...]

    @property
    def changes_anything(self) -> bool:
        """Whether any target has something to do."""
        return any(target.changes_anything for target in self.targets)
