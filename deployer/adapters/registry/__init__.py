"""Image registries, over their own HTTP API."""

from deployer.adapters.registry.registry import HttpRegistry

__all__ = ["HttpRegistry"]
