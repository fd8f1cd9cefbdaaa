"""Looks, before anything is started, whether the sandbox can run on this machine."""

from __future__ import annotations

import contextlib
import errno
import os
import shutil
import socket
import time
from collections.abc import Iterator
from pathlib import Path

from deployer.adapters import process
from deployer.errors import ConfigurationError, DeployError, raise_all
from deployer.sandbox import cgroups, network, processes
from deployer.sandbox.layout import (
    ETCD_PEER_PORT,
    INGRESS_PING_PORT,
    KUBELET_HEALTH_PORT,
    REGIONS,
    SHARED_ADDRESS,
    Layout,
)
from deployer.sandbox.parts import all_parts

_CONTROLLERS = {"cpu", "cpuset", "memory", "pids"}
_CAPABILITIES = {"CAP_NET_ADMIN": 12, "CAP_SYS_ADMIN": 21, "CAP_SYS_CHROOT": 18, "CAP_MKNOD": 27}
_DISK = 2 * 1024**3
_LISTEN = "0A"
_ENDING = 5.0
"""Seconds that a process may take to end after it was killed."""

_FILE_SYSTEMS = Path("/proc/filesystems")


def check_machine(layout: Layout) -> None:
    """Raise all that stands against starting: privileges, kernel features, taken ports, overlapping networks, disk."""
    check_privilege()
    errors = [*_missing_capabilities(), *_missing_kernel_features()]
    raise_all(errors or [*_taken_ports(layout), *_overlapping_networks(), *_full_disk(layout)])


def check_privilege() -> None:
    """Raise ConfigurationError unless this is Linux and we are root."""
    if not Path("/proc/self/cgroup").exists():
        raise ConfigurationError("the sandbox runs on Linux only", hint="use a Linux machine or a virtual machine")
    if os.geteuid() != 0:
        raise ConfigurationError(
            "the sandbox needs root: it makes network bridges, mounts and control groups",
            hint="run the command as root, for example with sudo",
        )


def _missing_capabilities() -> Iterator[DeployError]:
    line = next(line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("CapEff"))
    effective = int(line.split()[1], 16)
    missing = [name for name, bit in _CAPABILITIES.items() if not effective >> bit & 1]
    if missing:
        yield ConfigurationError(
            "the sandbox lacks privileges",
            why=f"missing: {', '.join(missing)}",
            hint="in a container, run that with --privileged",
        )


def _missing_kernel_features() -> Iterator[DeployError]:
    missing = [f"cgroup controller {name}" for name in sorted(_CONTROLLERS - cgroups.controllers())]
    missing += [f"{kind} namespaces" for kind in ("net", "mnt", "pid", "ipc", "uts") if not _namespace(kind).exists()]
    if not _has_file_system("overlay"):
        missing.append("the file system overlay")
    if missing:
        yield ConfigurationError(
            "this machine's kernel lacks what containers need",
            why=f"missing: {', '.join(missing)}",
            hint="another kernel, or boot options such as cgroup_enable=memory, may have it",
        )
    for hierarchy in cgroups.hierarchies():
        if not os.access(hierarchy, os.W_OK) or os.statvfs(hierarchy).f_flag & os.ST_RDONLY:
            yield ConfigurationError(
                f"control groups cannot be made in {hierarchy}", hint="in a container, run that with --privileged"
            )


def _has_file_system(name: str) -> bool:
    """Whether the kernel has it, in itself or as a module."""
    if name not in _FILE_SYSTEMS.read_text().split():
        with contextlib.suppress(DeployError):
            process.run(["modprobe", name], timeout=10)
    return name in _FILE_SYSTEMS.read_text().split()


def _namespace(kind: str) -> Path:
    return Path("/proc/self/ns") / kind


def addresses(layout: Layout) -> dict[tuple[str, int], str]:
    """Every address and port that the sandbox listens at → the name of its process."""
    wanted = {}
    for part in all_parts(layout):
        host, colon, port = part.address.rpartition(":")
        if colon:
            # The bridge's address does not exist yet; whoever has the port on all addresses has it here too.
            wanted[part.region.address if part.region else host, int(port)] = part.name
    wanted[SHARED_ADDRESS, ETCD_PEER_PORT] = "etcd"
    for region in REGIONS:
        wanted[region.address, INGRESS_PING_PORT] = f"ingress-{region.name}"
        wanted[region.address, KUBELET_HEALTH_PORT] = f"kubelet-{region.name}"
    return wanted


def _taken_ports(layout: Layout) -> Iterator[DeployError]:
    for (host, port), name in addresses(layout).items():
        if processes.is_alive(processes.read(layout, name)):
            continue
        error = _refusal(host, port)
        deadline = time.monotonic() + _ENDING
        # A port that nobody is seen to hold belongs to a process that is just ending.
        while error is not None and error.errno == errno.EADDRINUSE and _holder(host, port) is None:
            if time.monotonic() > deadline:
                break
            time.sleep(0.1)
            error = _refusal(host, port)
        if error is None:
            continue
        taken = error.errno == errno.EADDRINUSE
        if taken and _is_ours(layout, host, port):
            continue
        holder = _holder(host, port) if taken else None
        yield ConfigurationError(
            f"port {port} on {host} is taken" if taken else f"{host}:{port} cannot be listened at",
            where=f"{name} of the sandbox",
            why=f"it is held by {holder[1]} (pid {holder[0]})" if holder else error.strerror,
            hint=f"stop that process (`ps {holder[0]}` shows it), then try again" if holder else None,
        )


def _refusal(host: str, port: int) -> OSError | None:
    """Why nobody can listen there now; None when somebody can."""
    with socket.socket() as attempt:
        attempt.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            attempt.bind((host, port))
            attempt.listen()
        except OSError as error:
            return error
    return None


def _is_ours(layout: Layout, host: str, port: int) -> bool:
    """A process of the sandbox whose record was lost: it is replaced when its part is started."""
    from deployer.sandbox import procfs

    holder = _holder(host, port)
    return holder is not None and any(process.pid == holder[0] for process in procfs.marked(layout.state))


def _holder(host: str, port: int) -> tuple[int, str] | None:
    """Pid and name of the process that listens there, on that address or on all; None when it is not visible."""
    sockets = {f"socket:[{inode}]" for inode in _listening(host, port)}
    for entry in sorted(Path("/proc").glob("[0-9]*"), key=lambda path: int(path.name)):
        try:
            if any(str(descriptor.readlink()) in sockets for descriptor in (entry / "fd").iterdir()):
                return int(entry.name), (entry / "comm").read_text().strip()
        except OSError:
            continue
    return None


def _listening(host: str, port: int) -> Iterator[str]:
    """Inodes of the sockets that listen there: proc_net_tcp(5)."""
    local = socket.inet_aton(host)[::-1].hex().upper()
    for table in ("tcp", "tcp6"):
        try:
            rows = Path(f"/proc/net/{table}").read_text().splitlines()[1:]
        except OSError:
            continue
        for row in rows:
            fields = row.split()
            address, _, hexadecimal = fields[1].partition(":")
            here = address.endswith(local) or not address.strip("0")
            if here and fields[3] == _LISTEN and int(hexadecimal, 16) == port:
                yield fields[9]


def _overlapping_networks() -> Iterator[DeployError]:
    for route in network.foreign_routes():
        yield ConfigurationError(
            "a network of this machine overlaps those of the sandbox (10.231.0.0/16)",
            where=route,
            hint="take that interface down while the sandbox is used",
        )


def _full_disk(layout: Layout) -> Iterator[DeployError]:
    directory = next(path for path in (layout.state, *layout.state.parents) if path.exists())
    free = shutil.disk_usage(directory).free
    if free < _DISK:
        yield ConfigurationError(
            "the disk is too full for the sandbox",
            where=str(directory),
            why=f"{free / 1024**3:.1f} GiB are free, {_DISK / 1024**3:.0f} GiB are needed",
            hint="XDG_CACHE_HOME names another place",
        )
