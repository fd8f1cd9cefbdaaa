"""Kubernetes: one region's API server, spoken to over HTTP."""

from deployer.adapters.kubernetes.cluster import KubernetesCluster

__all__ = ["KubernetesCluster"]
