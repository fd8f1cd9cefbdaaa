"""Helm: releases are read from the cluster's storage, and changed by the helm program."""

from deployer.adapters.helm.releases import HelmReleases
from deployer.adapters.helm.storage import SecretStore

__all__ = ["HelmReleases", "SecretStore"]
