"""The bridges: one per region, where its node lives and its pods are plugged in, and one for image builds."""

from __future__ import annotations

import ipaddress
import json
from pathlib import Path

from deployer.errors import DeploymentFailed
from deployer.sandbox import files
from deployer.sandbox.commands import run
from deployer.sandbox.layout import DOCKER_ADDRESS, DOCKER_BRIDGE, REGIONS, Layout, Region

BRIDGES = {DOCKER_BRIDGE: f"{DOCKER_ADDRESS}/24", **{region.bridge: f"{region.node_address}/24" for region in REGIONS}}
"""Every bridge of the sandbox → its address."""


def ensure_bridges() -> None:
    """Make the bridges with their addresses; what a crash left behind is put right."""
    commands = []
    for name, address in BRIDGES.items():
        if not _interface(name).exists():
            commands.append(f"link add {name} type bridge")
        commands += [f"address replace {address} dev {name}", f"link set {name} up"]
    run(["ip", "-batch", "-"], stdin="".join(f"{command}\n" for command in commands))


def has_bridge(name: str) -> bool:
    """Whether the bridge is there."""
    return _interface(name).exists()


def remove_bridges() -> None:
    """Remove the bridges and the host's ends of the pods' cables."""
    for name in BRIDGES:
        bridge = _interface(name)
        if not bridge.exists():
            continue
        for port in sorted((bridge / "brif").iterdir()):
            _delete(port.name)
        _delete(name)


def _delete(name: str) -> None:
    try:
        run(["ip", "link", "delete", name])
    except DeploymentFailed:
        if _interface(name).exists():  # else the kernel was faster: its pod's network namespace has ended
            raise


def write_plugins(layout: Layout, region: Region) -> Path:
    """The CNI configuration of the region's pods; its directory.

    The bridge has its address already and nothing is forwarded or masqueraded: pods reach their node and each other,
    and the machine's own routing and firewall stay as they are.
    """
    directory = layout.region(region) / "cni"
    directory.mkdir(parents=True, exist_ok=True)
    configuration = {
        "cniVersion": "0.4.0",
        "name": f"{network_prefix(region)}",
        "plugins": [
            {
                "type": "bridge",
                "bridge": region.bridge,
                "isGateway": False,
                "ipMasq": False,
                "hairpinMode": True,
                "ipam": {
                    "type": "host-local",
                    "dataDir": str(layout.region_run(region) / "addresses"),
                    "ranges": [[{"subnet": region.pod_subnet, "gateway": region.node_address}]],
                    "routes": [{"dst": "0.0.0.0/0"}],
                },
            }
        ],
    }
    files.write(directory / "10-pods.conflist", json.dumps(configuration, indent=1))
    return directory


def network_prefix(region: Region) -> str:
    """The CNI network's name, with which the files that CNI keeps about it begin."""
    return f"deployer-sandbox-{region.name}"


def foreign_routes() -> list[str]:
    """Interfaces other than ours that already carry a route overlapping the sandbox's subnets."""
    ours = [ipaddress.ip_network(region.pod_subnet) for region in REGIONS]
    found = []
    for line in Path("/proc/net/route").read_text().splitlines()[1:]:
        interface, destination, _, _, _, _, _, mask, *_ = line.split()
        if interface in BRIDGES or mask == "00000000":
            continue
        network = ipaddress.ip_network(f"{_address(destination)}/{_address(mask)}", strict=False)
        found += [f"{interface} ({network})" for subnet in ours if network.overlaps(subnet)]
    return found


def _address(hexadecimal: str) -> str:
    """An address as /proc/net/route writes it: hexadecimal, in the machine's (little-endian) byte order."""
    return str(ipaddress.IPv4Address(bytes.fromhex(hexadecimal)[::-1]))


def _interface(name: str) -> Path:
    return Path("/sys/class/net") / name
