"""The manifest text that Helm keeps with a revision, brought to APIs that the cluster still has."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable
from typing import Any

from deployer.model import Json


def converted(manifest: str, convert: Callable[[Json], Json]) -> str:
    """Each document of the YAML text through `convert`; the same text when that changes none of them."""
    documents = _load(manifest)
    results = [convert(copy.deepcopy(document)) for document in documents]
    if results == documents:
        return manifest
    return "".join(f"---\n{json.dumps(result, ensure_ascii=False)}\n" for result in results)


def _load(text: str) -> list[Json]:
    import yaml

    base: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)

    class Loader(base):  # type: ignore[misc]
        """Leaves dates texts, as Kubernetes reads them."""

    Loader.yaml_implicit_resolvers = {
        first: [(tag, pattern) for tag, pattern in resolvers if not tag.endswith(":timestamp")]
        for first, resolvers in base.yaml_implicit_resolvers.items()
    }
    documents = yaml.load_all(text, Loader=Loader)
    return [document for document in documents if isinstance(document, dict)]
