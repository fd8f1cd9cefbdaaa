"""Reads the deployment repository: group_vars layers, settings, apps and their templates."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from deployer.config.configuration import Configuration, Inputs, SecretValue, load, load_settings
    from deployer.config.manifests import Manifest
    from deployer.config.repository import Repository

__all__ = ["Configuration", "Inputs", "Manifest", "Repository", "SecretValue", "load", "load_settings"]

_MODULES = {"Manifest": "manifests", "Repository": "repository"}


def __getattr__(name: str) -> Any:
    """Import what is asked for when it is asked for: Jinja2 and YAML take a while."""
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(f"{__name__}.{_MODULES.get(name, 'configuration')}"), name)
