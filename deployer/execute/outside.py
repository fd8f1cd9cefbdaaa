"""Asks an application's regional host from outside until it answers well, as a client would."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from threading import Event

from deployer.errors import DeploymentFailed, NotPermitted, UnreachableError
from deployer.execute.ports import Cluster, OutsideProber, Probe
from deployer.model import App, HealthCheckSettings, Json, ObjectKey, Settings, Target


def regional_host(app: App, settings: Settings, target: Target) -> str | None:
    """`myapp.london.example.com`; None for an app without a SubDomain or a stage without a DnsDomain."""
    if not app.sub_domain or not settings.dns_domain:
        return None
    return f"{app.sub_domain}.{target.region}.{settings.dns_domain}"


def health_url(host: str, health: HealthCheckSettings) -> str:
    """The URL that the health check asks, the port named only where it isn't the protocol's own."""
    scheme = health.protocol.lower()
    default_port = {"http": 80, "https": 443}[scheme]
    port = "" if health.port in (None, default_port) else f":{health.port}"
    return f"{scheme}://{host}{port}/{health.path.lstrip('/')}"


def load_balancer(cluster: Cluster, objects: Sequence[Json], namespace: str, host: str) -> str | None:
    """The load balancer's address that the Ingress with this host has in its status; None while it has none."""
    for manifest in objects:
        if manifest.get("kind") != "Ingress" or not _serves(manifest, host):
            continue
        metadata = manifest["metadata"]
        key = ObjectKey(manifest["apiVersion"], "Ingress", metadata.get("namespace") or namespace, metadata["name"])
        live = cluster.get(key) or {}
        for entry in live.get("status", {}).get("loadBalancer", {}).get("ingress") or ():
            address = entry.get("hostname") or entry.get("ip")
            if address:
                return str(address)
    return None


def serves(objects: Sequence[Json], host: str) -> bool:
    """Whether an Ingress among these manifests has a rule for the host."""
    return any(manifest.get("kind") == "Ingress" and _serves(manifest, host) for manifest in objects)


def _serves(ingress: Json, host: str) -> bool:
    return any(rule.get("host") == host for rule in ingress.get("spec", {}).get("rules") or ())


def wait_until_healthy(
    prober: OutsideProber,
    host: str,
    health: HealthCheckSettings,
    connect_to: Callable[[], str | None],
    *,
    stop: Event,
    clock: Callable[[], float],
    pause: float = 0.5,
) -> int:
    """Ask until the host has answered well for `Stable` seconds without a failure; how often it was asked.

    `connect_to` gives the load balancer's `host:port`, asked for anew each time since it may appear late. While the
    cluster does not answer that, the last address is asked.
    Raises DeploymentFailed after the health check's `Timeout`.
    """
    url = health_url(host, health)
    began = clock()
    healthy_since: float | None = None
    asked = 0
    reason: str | None = "it was not asked"
    address: str | None = None
    while not stop.is_set():
        unknown = "the Ingress has no load balancer yet"
        try:
            address = connect_to()
        except NotPermitted:
            raise
        except UnreachableError as error:
            unknown = str(error)
        if address is None:
            reason = unknown
        else:
            reason = prober.ask(Probe(url, connect_to=address, search_string=health.search_string))
            asked += 1
        now = clock()
        if reason is None:
            healthy_since = now if healthy_since is None else healthy_since
            if now - healthy_since >= health.stable:
                return asked
        else:
            healthy_since = None
            if now - began >= health.timeout:
                raise DeploymentFailed(
                    f"{host} does not answer well from outside",
                    where=url,
                    why=f"{reason} (asked {asked} times in {now - began:.0f} s)",
                    hint="the pods are ready: look at the Ingress, its class, the Service's ports and the health path",
                )
        stop.wait(pause)
    raise DeploymentFailed(f"the check of {host} was stopped", where=url, why=reason)
