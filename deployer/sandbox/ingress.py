"""The region's ingress controller: a traefik outside the cluster, in the place of the load balancer."""

from __future__ import annotations

import json
from pathlib import Path

from deployer.sandbox import certificates, files, health
from deployer.sandbox.layout import INGRESS_CLASS, INGRESS_PING_PORT, Region
from deployer.sandbox.processes import Daemon, Machine, ensure


def ensure_ingress(machine: Machine, region: Region, load_balancer: str) -> bool:
    """Have the region's traefik running; True when it was started now.

    `load_balancer` is the DNS name that it writes into every Ingress' status.
    """
    layout = machine.layout
    configuration = {
        "global": {"checkNewVersion": False, "sendAnonymousUsage": False},
        "log": {"level": "WARN"},
        "entryPoints": {
            "web": {"address": region.ingress},
            "ping": {"address": f"{region.address}:{INGRESS_PING_PORT}"},
        },
        "ping": {"entryPoint": "ping"},
        "providers": {
            "providersThrottleDuration": "0.1s",
            "kubernetesIngress": {
                "endpoint": region.api_server,
                "token": certificates.token(layout.keys, "ingress"),
                "certAuthFilePath": str(layout.keys / "ca.crt"),
                "ingressClass": INGRESS_CLASS,
                "ingressEndpoint": {"hostname": load_balancer},
                "allowEmptyServices": True,
            },
        },
    }
    file = layout.region(region) / "traefik.yml"
    text = json.dumps(configuration, indent=1)
    files.write(file, text)
    command: list[str | Path] = [machine.programs["traefik"], f"--configFile={file}"]
    daemon = Daemon(f"ingress-{region.name}", command, lambda: ingress_health(region), configuration=(text,))
    return ensure(machine, daemon)


def ingress_health(region: Region) -> str | None:
    """None when the region's ingress controller is well, else why not."""
    return health.answers(f"http://{region.address}:{INGRESS_PING_PORT}/ping")
