"""Ends the sandbox's processes and pods, and removes what they leave behind on the machine."""

from __future__ import annotations

import contextlib
import socket
from collections.abc import Iterator
from pathlib import Path

from deployer.sandbox import cgroups, mounts, network, processes, procfs
from deployer.sandbox.layout import CGROUP, REGIONS, Layout

_STATELESS = (
    *("kubelet", "ingress", "scheduler", "controller-manager", "api-server", "slack", "aws", "dns", "registry"),
)
_POD_LOG_LINKS = Path("/var/log/containers")
_CNI_RESULTS = Path("/var/lib/cni/results")
_SHIM_SOCKETS = Path("/run/containerd/s")
_DEVICE_PLUGINS = Path("/var/lib/kubelet/device-plugins")
_DOCKER_KEY = Path("/etc/docker/key.json")
_MADE_BY_OTHERS = (
    *("/run/containerd/s", "/run/containerd/runc", "/run/containerd", "/run/runc", "/run/docker/plugins"),
    *("/run/docker", "/var/lib/cni/results", "/var/lib/cni", "/var/log/containers", "/var/log/pods"),
    *("/opt/containerd/bin", "/opt/containerd/lib", "/opt/containerd", "/etc/docker"),
    *("/var/lib/kubelet/device-plugins", "/var/lib/kubelet"),
)
"""Directories that our parts make outside our own, deepest first. They go when they are empty."""


def end_processes(layout: Layout) -> list[str]:
    """End all processes and pods of the sandbox; the names of the recorded ones that were running."""
    recorded = processes.names(layout)
    first = [name for name in recorded if name.startswith(_STATELESS)]
    ended = processes.stop(layout, first, grace=1.5)
    for region in REGIONS:
        cgroups.kill(region.cgroup)
    ended += processes.stop(layout, [name for name in recorded if name not in first])
    cgroups.kill(CGROUP)
    procfs.end([process.pid for process in procfs.marked(layout.state)], grace=0)
    return sorted(ended)


def remove_traces(layout: Layout) -> None:
    """Remove mounts, bridges, control groups and files that the ended processes left. Twice does no harm."""
    mounts.unmount_below(layout.run, layout.state)
    network.remove_bridges()
    cgroups.remove()
    for region in REGIONS:
        # Without their mounts and sandboxes, pods and snapshots are of no use: they are made anew from the registry.
        mounts.remove_tree(layout.region(region) / "containerd")
        mounts.remove_tree(layout.region(region) / "kubelet")
        mounts.remove_tree(layout.region(region) / "pod-logs")
    for file in _stray_files(layout):
        file.unlink(missing_ok=True)
    mounts.remove_tree(layout.run)
    for directory in map(Path, _MADE_BY_OTHERS):
        with contextlib.suppress(OSError):  # not empty, or not there
            directory.rmdir()


def _stray_files(layout: Layout) -> Iterator[Path]:
    """Our parts' files in directories that are not ours."""
    for link in _entries(_POD_LOG_LINKS):
        if link.is_symlink() and link.readlink().is_relative_to(layout.state):
            yield link
    containers = {link.name.split("-")[-2] for link in _entries(_CNI_RESULTS) if link.name.startswith(_our_networks())}
    for result in _entries(_CNI_RESULTS):
        if any(container in result.name for container in containers):
            yield result
    for candidate in (*_entries(_SHIM_SOCKETS), *_entries(_DEVICE_PLUGINS)):
        if candidate.is_socket() and _nobody_listens(candidate):
            yield candidate
    if (layout.state / "made-docker-key").exists():
        yield _DOCKER_KEY
        yield layout.state / "made-docker-key"


def note_docker_key(layout: Layout) -> None:
    """Remember that the key that dockerd will make at its fixed place is ours to remove."""
    if not _DOCKER_KEY.exists():
        (layout.state / "made-docker-key").touch()


def _our_networks() -> tuple[str, ...]:
    return tuple(network.network_prefix(region) for region in REGIONS)


def _entries(directory: Path) -> list[Path]:
    try:
        return sorted(directory.iterdir())
    except OSError:
        return []


def _nobody_listens(file: Path) -> bool:
    with socket.socket(socket.AF_UNIX) as client:
        client.settimeout(0.5)
        try:
            client.connect(str(file))
        except ConnectionRefusedError:
            return True
        except OSError:
            return False
    return False
