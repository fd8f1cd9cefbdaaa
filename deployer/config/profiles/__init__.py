"""Profiles: partial manifests of group_vars, merged beneath the manifests of the apps that choose them."""

from deployer.config.profiles.applying import Applied, apply
from deployer.config.profiles.library import DEFAULTS, EMPTY, PROFILES, Library, name_of, take

__all__ = ["DEFAULTS", "EMPTY", "PROFILES", "Applied", "Library", "apply", "name_of", "take"]
