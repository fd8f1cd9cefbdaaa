"""The manifest text that Helm keeps with a revision, written anew: for other APIs, for another state of the cluster."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable

from deployer.model import Json
from deployer.model.stored import stored_documents


def converted(manifest: str, convert: Callable[[Json], Json]) -> str:
    """Each document of the YAML text through `convert`; the same text when that changes none of them."""
    documents = stored_documents(manifest)
    results = [convert(copy.deepcopy(document)) for document in documents]
    if results == documents:
        return manifest
    return _text(results)


def rebased(manifest: str, base: str) -> str:
    """The documents of `base`, and those of `manifest` whose objects it has not; the same text when that is all."""
    documents, ground = stored_documents(manifest), stored_documents(base)
    there = {_identity(document) for document in ground}
    results = ground + [document for document in documents if _identity(document) not in there]
    return manifest if results == documents else _text(results)


def _identity(document: Json) -> tuple[str, ...]:
    """What Helm knows an object by: its group without the version (pkg/kube/resource.go), kind and name."""
    metadata = document.get("metadata") or {}
    group = str(document.get("apiVersion")).rpartition("/")[0]
    return group, str(document.get("kind")), str(metadata.get("namespace") or ""), str(metadata.get("name"))


def _text(documents: list[Json]) -> str:
    return "".join(f"---\n{json.dumps(document, ensure_ascii=False)}\n" for document in documents)
