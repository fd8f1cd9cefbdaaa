"""Locks of releases, as Kubernetes Leases."""

from deployer.adapters.leases.locks import LeaseLocks
from deployer.adapters.leases.process import this_machine, this_process

__all__ = ["LeaseLocks", "this_machine", "this_process"]
