"""Manifests of images: which there are, and what they consist of."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass

from deployer.errors import UnreachableError

INDEXES = (
    "application/vnd.oci.image.index.v1+json",
    "application/vnd.docker.distribution.manifest.list.v2+json",
)
IMAGES = (
    "application/vnd.oci.image.manifest.v1+json",
    "application/vnd.docker.distribution.manifest.v2+json",
)
ACCEPT = ", ".join((*INDEXES, *IMAGES))


@dataclass(frozen=True, slots=True)
class Blob:
    """A layer or configuration: `digest` is `sha256:…`, `size` in bytes."""

    digest: str
    size: int


@dataclass(frozen=True, slots=True)
class Manifest:
    """A manifest as the registry has it. `children` are digests of the manifests that an index lists."""

    content: bytes
    media_type: str
    blobs: tuple[Blob, ...] = ()
    children: tuple[str, ...] = ()

    @property
    def digest(self) -> str:
        """`sha256:…` of the very bytes."""
        return digest_of(self.content)


def digest_of(content: bytes) -> str:
    """`sha256:…`"""
    return f"sha256:{hashlib.sha256(content).hexdigest()}"


def parse(content: bytes, media_type: str, place: str) -> Manifest:
    """Read a manifest. Layers that are kept elsewhere by their URL are not among its blobs.

    Raises UnreachableError for what is none, or of a kind that is older than 2016.
    """
    try:
        document = json.loads(content)
        kind = media_type.partition(";")[0].strip() or document.get("mediaType", "")
        if kind in INDEXES:
            return Manifest(content, kind, children=tuple(str(child["digest"]) for child in document["manifests"]))
        if kind in IMAGES:
            layers = [layer for layer in document["layers"] if not layer.get("urls")]
            parts = (document["config"], *layers)
            return Manifest(content, kind, tuple(Blob(str(part["digest"]), int(part["size"])) for part in parts))
        why = f"it is of the kind {kind or 'unknown'}"
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        why = str(error)
    raise UnreachableError("the registry's manifest is not understood", where=place, why=why)
