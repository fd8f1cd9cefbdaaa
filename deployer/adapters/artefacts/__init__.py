"""Artefacts: from S3, the web, GitHub or the repository into the machine's cache."""

from deployer.adapters.artefacts.fetcher import Fetcher

__all__ = ["Fetcher"]
