"""Names every part of the sandbox, with its address and how to ask whether it is well."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from deployer.sandbox.layout import (
    API_PORT,
    AWS_PORT,
    CONTROLLER_MANAGER_PORT,
    ETCD_PORT,
    INGRESS_PORT,
    KUBELET_PORT,
    NAME_SERVER,
    PUBLIC_REGISTRY,
    REGIONS,
    REGISTRY_PORT,
    SCHEDULER_PORT,
    SHARED_ADDRESS,
    SLACK_PORT,
    Layout,
    Region,
)

DOCKER = "docker"


@dataclass(frozen=True, slots=True)
class Part:
    """One daemon. `name` is that of its process record and log; `address` is `host:port` or a socket's path."""

    name: str
    kind: str
    address: str
    health: Callable[[], str | None]
    region: Region | None = None


def all_parts(layout: Layout) -> tuple[Part, ...]:
    """Every part, shared ones first, then region by region."""
    from deployer.sandbox import aws, cluster, docker_engine, name_server, registry, slack

    shared = (
        Part("etcd", "etcd", f"{SHARED_ADDRESS}:{ETCD_PORT}", cluster.etcd_health),
        Part("aws", "AWS endpoint", f"{SHARED_ADDRESS}:{AWS_PORT}", aws.aws_health),
        Part("dns", "DNS and health checks", NAME_SERVER, name_server.name_server_health),
        Part("slack", "Slack endpoint", f"{SHARED_ADDRESS}:{SLACK_PORT}", slack.slack_health),
        Part("registry-public", "public registry", PUBLIC_REGISTRY, lambda: registry.registry_health("public")),
        Part(
            DOCKER,
            "Docker engine",
            str(layout.docker_socket),
            lambda: docker_engine.engine_health(layout),
        ),
    )
    return shared + tuple(part for region in REGIONS for part in _regional(layout, region))


def _regional(layout: Layout, region: Region) -> tuple[Part, ...]:
    from deployer.sandbox import cluster, ingress, node, registry

    name, at = region.name, region.address
    return (
        Part(f"api-server-{name}", "API server", f"{at}:{API_PORT}", lambda: cluster.api_server_health(region), region),
        Part(
            f"controller-manager-{name}",
            "controller manager",
            f"{at}:{CONTROLLER_MANAGER_PORT}",
            lambda: cluster.controller_manager_health(region),
            region,
        ),
        Part(
            f"scheduler-{name}",
            "scheduler",
            f"{at}:{SCHEDULER_PORT}",
            lambda: cluster.scheduler_health(region),
            region,
        ),
        Part(
            f"containerd-{name}",
            "containerd",
            str(layout.containerd_socket(region)),
            lambda: node.containerd_health(layout, region),
            region,
        ),
        Part(
            f"kubelet-{name}",
            "node",
            f"{region.node_address}:{KUBELET_PORT}",
            lambda: node.node_health(layout, region),
            region,
        ),
        Part(f"registry-{name}", "registry", f"{at}:{REGISTRY_PORT}", lambda: registry.registry_health(name), region),
        Part(f"ingress-{name}", "ingress", f"{at}:{INGRESS_PORT}", lambda: ingress.ingress_health(region), region),
    )
