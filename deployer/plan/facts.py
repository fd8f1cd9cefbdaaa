"""What was observed of one target before anything is decided: frozen, and enough to plan from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from deployer.model import Image, ObjectKey, Revision, Target, WorkloadState
from deployer.plan.adoption import Adoption


@dataclass(frozen=True)
class ImageFacts:
    """The image that a target needs. `image.digest` is set when the region's registry already has the tag.

    `elsewhere` is the same image in another stage's registry, from which it is to be copied where it is missing.
    """

    image: Image
    elsewhere: Image | None = None


@dataclass(frozen=True)
class ReleaseFacts:
    """The release as the cluster has it, and what it should be.

    `texts` are the wanted manifests as JSON; `revisions` are newest first; `drift` names, per live object, the fields
    that differ from what the manifests ask for; `missing` are wanted objects that the cluster lacks; `workloads` is
    how far the live rollout is. `adoption` is what would be taken over, where that is asked for.
    """

    texts: tuple[str, ...]
    revisions: tuple[Revision, ...] = ()
    drift: Mapping[ObjectKey, tuple[str, ...]] = field(default_factory=dict)
    missing: tuple[ObjectKey, ...] = ()
    workloads: tuple[WorkloadState, ...] = ()
    adoption: Adoption = field(default_factory=Adoption)

    @property
    def current(self) -> Revision | None:
        """The newest revision, whatever became of it."""
        return self.revisions[0] if self.revisions else None


@dataclass(frozen=True)
class TargetFacts:
    """Everything observed about one target. `image` is None for an app without a Docker part."""

    target: Target
    release: ReleaseFacts
    image: ImageFacts | None = None
    rebuild: bool = False
    warnings: tuple[str, ...] = ()
