"""The control planes: one etcd, and per region an API server, a controller manager and a scheduler."""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Any

from deployer.errors import DeploymentFailed
from deployer.sandbox import certificates, files, health
from deployer.sandbox.layout import (
    API_PORT,
    CONTROLLER_MANAGER_PORT,
    ETCD_PEER_PORT,
    ETCD_PORT,
    INGRESS_CLASS,
    REGIONS,
    SCHEDULER_PORT,
    SHARED_ADDRESS,
    Layout,
    Region,
)
from deployer.sandbox.processes import Daemon, Machine, ensure

_ETCD = f"http://{SHARED_ADDRESS}:{ETCD_PORT}"


def ensure_etcd(machine: Machine) -> bool:
    """Have the store of all three clusters running; True when it was started now."""
    layout = machine.layout
    peers = f"http://{SHARED_ADDRESS}:{ETCD_PEER_PORT}"
    command: list[str | Path] = [
        machine.programs["etcd"],
        f"--data-dir={layout.state / 'etcd'}",
        f"--listen-client-urls={_ETCD}",
        f"--advertise-client-urls={_ETCD}",
        f"--listen-peer-urls={peers}",
        f"--initial-advertise-peer-urls={peers}",
        f"--initial-cluster=default={peers}",
        "--unsafe-no-fsync",
        "--log-level=warn",
    ]
    return ensure(machine, Daemon("etcd", command, etcd_health))


def etcd_health() -> str | None:
    """None when etcd is well, else why not."""
    return health.answers(f"{_ETCD}/health")


def ensure_api_server(machine: Machine, region: Region) -> bool:
    """Have the region's API server running and ready; True when it was started now."""
    layout = machine.layout
    keys = layout.keys
    command: list[str | Path] = [
        machine.programs["kube-apiserver"],
        f"--etcd-servers={_ETCD}",
        f"--etcd-prefix=/{region.name}",
        f"--bind-address={region.address}",
        f"--secure-port={API_PORT}",
        f"--advertise-address={region.node_address}",
        "--endpoint-reconciler-type=none",
        f"--service-cluster-ip-range={region.service_subnet}",
        f"--tls-cert-file={keys / f'api-server-{region.name}.crt'}",
        f"--tls-private-key-file={keys / f'api-server-{region.name}.key'}",
        f"--token-auth-file={keys / 'tokens.csv'}",
        "--authorization-mode=Node,RBAC",
        "--service-account-issuer=https://kubernetes.default.svc.cluster.local",
        f"--service-account-key-file={keys / 'service-accounts.key'}",
        f"--service-account-signing-key-file={keys / 'service-accounts.key'}",
        f"--kubelet-client-certificate={keys / 'kubelet-client.crt'}",
        f"--kubelet-client-key={keys / 'kubelet-client.key'}",
        "--kubelet-preferred-address-types=InternalIP",
        "--allow-privileged=true",
        # It waits for an etcd that reports progress, which Debian's does not.
        "--feature-gates=SizeBasedListCostEstimate=false",
        "--profiling=false",
    ]
    return ensure(machine, Daemon(f"api-server-{region.name}", command, lambda: api_server_health(region)))


def api_server_health(region: Region) -> str | None:
    """None when the region's API server is ready, else why not."""
    return health.answers(f"{region.api_server}/readyz")


def ensure_controller_manager(machine: Machine, region: Region) -> bool:
    """Have the region's controller manager running; True when it was started now."""
    layout = machine.layout
    keys = layout.keys
    command: list[str | Path] = [
        machine.programs["kube-controller-manager"],
        f"--kubeconfig={kubeconfig_file(layout, region, 'controller-manager')}",
        f"--bind-address={region.address}",
        f"--secure-port={CONTROLLER_MANAGER_PORT}",
        "--leader-elect=false",
        f"--service-account-private-key-file={keys / 'service-accounts.key'}",
        f"--root-ca-file={keys / 'ca.crt'}",
        "--kube-api-qps=100",
        "--kube-api-burst=200",
        "--profiling=false",
    ]
    name = f"controller-manager-{region.name}"
    return ensure(machine, Daemon(name, command, lambda: controller_manager_health(region)))


def ensure_scheduler(machine: Machine, region: Region) -> bool:
    """Have the region's scheduler running; True when it was started now."""
    layout = machine.layout
    command: list[str | Path] = [
        machine.programs["kube-scheduler"],
        f"--kubeconfig={kubeconfig_file(layout, region, 'scheduler')}",
        f"--bind-address={region.address}",
        f"--secure-port={SCHEDULER_PORT}",
        "--leader-elect=false",
        "--profiling=false",
    ]
    return ensure(machine, Daemon(f"scheduler-{region.name}", command, lambda: scheduler_health(region)))


def controller_manager_health(region: Region) -> str | None:
    """None when the region's controller manager is well, else why not."""
    return health.answers(f"https://{region.address}:{CONTROLLER_MANAGER_PORT}/healthz")


def scheduler_health(region: Region) -> str | None:
    """None when the region's scheduler is well, else why not."""
    return health.answers(f"https://{region.address}:{SCHEDULER_PORT}/healthz")


def kubeconfig(layout: Layout, user: str, regions: tuple[Region, ...] = REGIONS) -> dict[str, Any]:
    """A kubeconfig for one of the clusters' users, with a context per region named like the region."""
    authority = base64.b64encode((layout.keys / "ca.crt").read_bytes()).decode()
    return {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": regions[0].name,
        "clusters": [
            {"name": r.name, "cluster": {"server": r.api_server, "certificate-authority-data": authority}}
            for r in regions
        ],
        "contexts": [{"name": r.name, "context": {"cluster": r.name, "user": user}} for r in regions],
        "users": [{"name": user, "user": {"token": certificates.token(layout.keys, user)}}],
    }


def kubeconfig_file(layout: Layout, region: Region, user: str) -> Path:
    """The kubeconfig of one of the region's own parts, written anew where it differs."""
    file = layout.keys / f"{user}.{region.name}.kubeconfig"
    files.write(file, json.dumps(kubeconfig(layout, user, (region,)), indent=1))
    return file


def request(layout: Layout, region: Region, method: str, path: str, body: Any = None) -> tuple[int, Any]:
    """One request to the region's API server as its administrator: status and decoded answer."""
    status, answer = health.ask(
        f"{region.api_server}{path}",
        authority=layout.keys / "ca.crt",
        token=certificates.token(layout.keys, "admin"),
        headers={"Content-Type": "application/json"},
        method=method,
        body=None if body is None else json.dumps(body).encode(),
        timeout=10.0,
    )
    return status, health.decoded(answer) if answer.startswith(b"{") else answer


_RBAC = "rbac.authorization.k8s.io"
_READ = ["get", "list", "watch"]


def create_objects(layout: Layout, region: Region) -> None:
    """What a cluster needs before its first deployment: the ingress class, and the ingress controller's rights."""
    ingress_class = {
        "apiVersion": "networking.k8s.io/v1",
        "kind": "IngressClass",
        "metadata": {"name": INGRESS_CLASS},
        # traefik takes only classes with this controller; the name is what manifests ask for.
        "spec": {"controller": "traefik.io/ingress-controller"},
    }
    role = {
        "apiVersion": f"{_RBAC}/v1",
        "kind": "ClusterRole",
        "metadata": {"name": "sandbox:ingress"},
        "rules": [
            {"apiGroups": [""], "resources": ["services", "secrets", "nodes", "configmaps"], "verbs": _READ},
            {"apiGroups": ["discovery.k8s.io"], "resources": ["endpointslices"], "verbs": _READ},
            {"apiGroups": ["networking.k8s.io"], "resources": ["ingresses", "ingressclasses"], "verbs": _READ},
            {"apiGroups": ["networking.k8s.io"], "resources": ["ingresses/status"], "verbs": ["update"]},
        ],
    }
    binding = {
        "apiVersion": f"{_RBAC}/v1",
        "kind": "ClusterRoleBinding",
        "metadata": {"name": "sandbox:ingress"},
        "roleRef": {"apiGroup": _RBAC, "kind": "ClusterRole", "name": "sandbox:ingress"},
        "subjects": [{"apiGroup": _RBAC, "kind": "User", "name": "sandbox:ingress"}],
    }
    for path, body in (
        ("/apis/networking.k8s.io/v1/ingressclasses", ingress_class),
        (f"/apis/{_RBAC}/v1/clusterroles", role),
        (f"/apis/{_RBAC}/v1/clusterrolebindings", binding),
    ):
        status, answer = request(layout, region, "POST", path, body)
        if status not in (200, 201, 409):
            raise DeploymentFailed(
                f"the {region.name} cluster does not take its {body['kind']}", where=region.api_server, why=str(answer)
            )
