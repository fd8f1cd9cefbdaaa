"""Reads the deployment repository: group_vars layers, settings, apps and their templates."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from deployer.config.configuration import Configuration, Inputs, SecretValue
    from deployer.config.manifests import Manifest
    from deployer.config.repository import Repository
    from deployer.config.stages import load_settings
    from deployer.config.targets import Loaded, load, load_each

__all__ = [
    "Configuration",
    "Inputs",
    "Loaded",
    "Manifest",
    "Repository",
    "SecretValue",
    "load",
    "load_each",
    "load_settings",
]

_MODULES = {
    "Loaded": "targets",
    "Manifest": "manifests",
    "Repository": "repository",
    "load": "targets",
    "load_each": "targets",
    "load_settings": "stages",
}


def __getattr__(name: str) -> Any:
    """Import what is asked for when it is asked for: Jinja2 and YAML take a while."""
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(f"{__name__}.{_MODULES.get(name, 'configuration')}"), name)
