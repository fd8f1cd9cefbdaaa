"""Builds the real adapters for the engine: the only place that knows both sides."""

from __future__ import annotations

from deployer.wiring.changes import Changes
from deployer.wiring.configurations import Configurations
from deployer.wiring.held import cache_directory

__all__ = ["Wiring", "cache_directory"]


class Wiring(Configurations, Changes):
    """The services of one command (`execute.services.Services`), made when they are first asked for.

    Use it as a context manager: what it holds open or keeps in its private directory is gone afterwards.
    """
