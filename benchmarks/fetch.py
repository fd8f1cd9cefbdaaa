"""Fetches one artefact as a deployment does, in a process of its own: `python -m benchmarks.fetch SOURCE CACHE`."""

from __future__ import annotations

import sys
from pathlib import Path

import httpx2

from benchmarks.region import ACCESS, REGION
from deployer.adapters.artefacts import Fetcher
from deployer.adapters.aws.session import Sessions
from deployer.events import Silence
from deployer.model import Download
from deployer.sandbox.layout import STAGE


def main(source: str, cache: Path) -> None:
    """Print where the artefact is now."""
    session = Sessions().of(REGION.aws_region, STAGE, str(ACCESS / "aws-config"))
    with httpx2.Client() as client:
        fetcher = Fetcher(Path.cwd(), cache, aws_client=session.client, http_client=lambda: client)
        (artefact,) = fetcher.fetch([Download(source)], Silence())
    if artefact.from_cache:
        sys.exit("it was in the cache")
    print(artefact.path)


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]))
