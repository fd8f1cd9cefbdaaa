"""The region's node: a containerd and a kubelet of its own."""

from __future__ import annotations

import json
from pathlib import Path

from deployer.sandbox import cgroups, cluster, files, health, mounts, network
from deployer.sandbox.layout import (
    KUBELET_HEALTH_PORT,
    KUBELET_PORT,
    PAUSE_IMAGE,
    PUBLIC_REGISTRY,
    Layout,
    Region,
)
from deployer.sandbox.processes import Daemon, Machine, ensure
from deployer.sandbox.registry import PASSWORD, USER


def ensure_containerd(machine: Machine, region: Region) -> bool:
    """Have the region's containerd running; True when it was started now.

    Each region has its own: two kubelets on one containerd would delete each other's pods.
    """
    layout = machine.layout
    text = _containerd_configuration(machine, region)
    file = layout.region(region) / "containerd.toml"
    files.write(file, text)
    layout.region_run(region).mkdir(parents=True, exist_ok=True)
    daemon = Daemon(
        f"containerd-{region.name}",
        [machine.programs["containerd"], "--config", file],
        lambda: containerd_health(layout, region),
        {"PATH": f"{machine.programs['runc'].parent}:/usr/sbin:/usr/bin:/sbin:/bin"},
        configuration=(text,),
        survivors="containerd-shim",  # pods live on while their containerd starts anew
    )
    return ensure(machine, daemon)


def containerd_health(layout: Layout, region: Region) -> str | None:
    """None when the region's containerd takes connections, else why not."""
    return health.accepts(layout.containerd_socket(region))


def _containerd_configuration(machine: Machine, region: Region) -> str:
    layout = machine.layout
    quote = json.dumps  # a TOML basic string is written like a JSON one
    cri = 'plugins."io.containerd.grpc.v1.cri"'
    # Without CAP_SYS_RESOURCE an OOM score cannot be lowered: what the pods ask for is then raised to our own.
    return f"""version = 2
root = {quote(str(layout.region(region) / "containerd"))}
state = {quote(str(layout.region_run(region) / "containerd"))}
disabled_plugins = [
  "io.containerd.internal.v1.opt", "io.containerd.internal.v1.tracing", "io.containerd.tracing.processor.v1.otlp",
  "io.containerd.snapshotter.v1.aufs", "io.containerd.snapshotter.v1.btrfs", "io.containerd.snapshotter.v1.devmapper",
  "io.containerd.snapshotter.v1.zfs",
]
[grpc]
address = {quote(str(layout.containerd_socket(region)))}
[debug]
level = "warn"
[{cri}]
sandbox_image = {quote(PAUSE_IMAGE)}
restrict_oom_score_adj = true
netns_mounts_under_state_dir = true
stream_server_address = "127.0.0.1"
stream_server_port = "0"
[{cri}.containerd]
snapshotter = {quote(mounts.snapshotter(layout.state))}
default_runtime_name = "runc"
[{cri}.containerd.runtimes.runc]
runtime_type = "io.containerd.runc.v2"
[{cri}.containerd.runtimes.runc.options]
SystemdCgroup = false
Root = {quote(str(layout.region_run(region) / "runc"))}
[{cri}.cni]
bin_dir = {quote(str(machine.programs["cni"].parent))}
conf_dir = {quote(str(network.write_plugins(layout, region)))}
max_conf_num = 1
[{cri}.registry.mirrors."{region.registry}"]
endpoint = ["http://{region.registry}"]
[{cri}.registry.mirrors."{PUBLIC_REGISTRY}"]
endpoint = ["http://{PUBLIC_REGISTRY}"]
[{cri}.registry.configs."{region.registry}".auth]
username = {quote(USER)}
password = {quote(PASSWORD)}
"""


def ensure_kubelet(machine: Machine, region: Region) -> bool:
    """Have the region's kubelet running and its node ready for pods; True when it was started now."""
    layout = machine.layout
    directory = layout.region(region)
    cgroups.ensure(region.cgroup)
    configuration = _kubelet_configuration(layout, region)
    file = directory / "kubelet.json"
    text = json.dumps(configuration, indent=1)
    files.write(file, text)
    command: list[str | Path] = [
        machine.programs["kubelet"],
        f"--config={file}",
        f"--kubeconfig={cluster.kubeconfig_file(layout, region, f'node-{region.name}')}",
        f"--root-dir={kubelet_directory(layout, region)}",
        f"--cert-dir={directory / 'kubelet-certificates'}",
        f"--hostname-override={region.name}",
        f"--node-ip={region.node_address}",
        f"--node-labels=topology.kubernetes.io/region={region.aws_region}",
    ]
    name = f"kubelet-{region.name}"
    return ensure(machine, Daemon(name, command, lambda: node_health(layout, region), configuration=(text,)))


def kubelet_directory(layout: Layout, region: Region) -> Path:
    """Where the kubelet keeps its pods, and mounts their volumes."""
    return layout.region(region) / "kubelet"


def _kubelet_configuration(layout: Layout, region: Region) -> dict[str, object]:
    return {
        "apiVersion": "kubelet.config.k8s.io/v1beta1",
        "kind": "KubeletConfiguration",
        "address": region.node_address,
        "port": KUBELET_PORT,
        "readOnlyPort": 0,
        "healthzBindAddress": region.address,
        "healthzPort": KUBELET_HEALTH_PORT,
        "authentication": {
            "anonymous": {"enabled": False},
            "webhook": {"enabled": True},
            "x509": {"clientCAFile": str(layout.keys / "ca.crt")},
        },
        "authorization": {"mode": "Webhook"},
        "containerRuntimeEndpoint": f"unix://{layout.containerd_socket(region)}",
        "cgroupDriver": "cgroupfs",
        # With a shared root every kubelet kills the other regions' pods as orphans.
        "cgroupRoot": f"/{region.cgroup}",
        "failSwapOn": False,
        "localStorageCapacityIsolation": False,
        "enforceNodeAllocatable": ["pods"],
        "evictionHard": {"memory.available": "100Mi", "nodefs.available": "0%", "imagefs.available": "0%"},
        "imageGCHighThresholdPercent": 100,
        "makeIPTablesUtilChains": False,
        "clusterDNS": [region.node_address],
        "clusterDomain": "cluster.local",
        "serializeImagePulls": False,
        "podLogsDir": str(pod_logs(layout, region)),
        "volumePluginDir": str(layout.region(region) / "volume-plugins"),
        "nodeStatusUpdateFrequency": "5s",
        "oomScoreAdj": _oom_score(),
    }


def pod_logs(layout: Layout, region: Region) -> Path:
    """Where the containers' logs are."""
    return layout.region(region) / "pod-logs"


def _oom_score() -> int:
    """Our own score: a lower one needs a privilege that containers and small machines lack."""
    return int(Path("/proc/self/oom_score_adj").read_text())


def node_health(layout: Layout, region: Region) -> str | None:
    """None when the kubelet is well and the API server calls its node ready, else why not."""
    import http.client

    if reason := health.answers(f"http://{region.address}:{KUBELET_HEALTH_PORT}/healthz"):
        return reason
    try:
        status, node = cluster.request(layout, region, "GET", f"/api/v1/nodes/{region.name}")
    except (OSError, http.client.HTTPException) as error:
        return f"{region.api_server} does not answer: {error}"
    if status != 200:
        return f"the node {region.name} is not registered"
    for condition in node["status"].get("conditions", ()):
        if condition["type"] == "Ready":
            return None if condition["status"] == "True" else f"the node is not ready: {condition['message']}"
    return "the node has not reported yet"
