"""What was observed of one target before anything is decided: frozen, and enough to plan from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from deployer.errors import ConfigurationError
from deployer.model import Image, Json, ObjectKey, Revision, Target, WorkloadState
from deployer.plan.adoption import Adoption


@dataclass(frozen=True)
class ImageFacts:
    """The image that a target needs. `image.digest` is set when the region's registry already has the tag.

    `elsewhere` is the same image in another stage's registry, from which it is to be copied where it is missing.
    """

    image: Image
    elsewhere: Image | None = None


@dataclass(frozen=True)
class Comparison:
    """An app's manifests beside what is live.

    `live` has every object of them but hooks (None: missing), `previews` what the API server would make of each,
    `drift` the fields that it would change. `refused` are fields that may not change, where they were to be told
    instead of raised; such objects have no preview.
    """

    live: Mapping[ObjectKey, Json | None] = field(default_factory=dict)
    previews: Mapping[ObjectKey, Json] = field(default_factory=dict)
    drift: Mapping[ObjectKey, tuple[str, ...]] = field(default_factory=dict)
    refused: tuple[ConfigurationError, ...] = ()


@dataclass(frozen=True)
class ReleaseFacts:
    """The release as the cluster has it, and what it should be.

    `texts` are the wanted manifests as JSON; `revisions` are newest first; `drift` names, per live object, the fields
    that differ from what the manifests ask for; `missing` are wanted objects that the cluster lacks; `workloads` is
    how far the live rollout is. `adoption` is what would be taken over, where that is asked for. `comparison` is what
    `drift` and `missing` were told from. `secrets` are the lifted Secrets, wanted and live, by name; `namespace`
    is where the release lives.
    """

    texts: tuple[str, ...]
    revisions: tuple[Revision, ...] = ()
    drift: Mapping[ObjectKey, tuple[str, ...]] = field(default_factory=dict)
    missing: tuple[ObjectKey, ...] = ()
    workloads: tuple[WorkloadState, ...] = ()
    adoption: Adoption = field(default_factory=Adoption)
    comparison: Comparison = field(default_factory=Comparison, repr=False)
    secrets: Mapping[str, Json] = field(default_factory=dict, repr=False)
    namespace: str | None = None

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
