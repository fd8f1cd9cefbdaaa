"""How large Helm's record of a release will be, against what a Kubernetes Secret can hold.

Source: helm's `pkg/storage/driver/util.go` (JSON, gzip, base64) and the API server's limit for the data of a Secret.
"""

from __future__ import annotations

import base64
import gzip
import json
from collections.abc import Sequence
from dataclasses import asdict

from deployer.errors import ConfigurationError
from deployer.model import DeploymentRecord
from deployer.plan.manifests.source import SourceManifest

RELEASE_LIMIT = 1_048_576
"""Bytes that the stored release may have, gzip and base64 included."""

_CHART = 4096
"""Bytes for the pass-through chart itself and for Helm's own notes about the release; both hardly vary."""

_TOLERANCE = 1.1


def release_size(texts: Sequence[str], record: DeploymentRecord | None = None) -> int:
    """An estimate of the bytes of the stored release, which has each manifest twice.

    Up to a tenth high (seen: 9 % for noise, less for text): Helm's own gzip does somewhat better.
    """
    document = {
        "config": {"manifests": list(texts), "record": asdict(record) if record else {}},
        "manifest": "".join(f"---\n# Source: manifests\n{text}\n" for text in texts),
    }
    packed = gzip.compress(json.dumps(document, ensure_ascii=False).encode(), compresslevel=9, mtime=0)
    return len(base64.b64encode(packed)) + _CHART


def check_release_size(
    texts: Sequence[str], record: DeploymentRecord | None = None, *, sources: Sequence[SourceManifest] = ()
) -> None:
    """Raises ConfigurationError when Helm could not store the release. `sources` are the manifests' own places.

    What is close to the limit passes: Helm stores the release before it touches anything else, and refuses by itself.
    """
    size = release_size(texts, record)
    if size > RELEASE_LIMIT * _TOLERANCE:
        largest = max(texts, key=len)
        kind, name = (json.loads(largest)[key] for key in ("kind", "metadata"))
        raise ConfigurationError(
            f"the release needs about {round(size, -4):,} bytes, and Helm can store {RELEASE_LIMIT:,}",
            where=sources[texts.index(largest)].at() if sources else None,
            hint=f"the largest manifest is {kind}/{name['name']} with {len(largest):,} characters: move data out of it",
        )
