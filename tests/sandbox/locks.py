"""The locks of a project's app, as they are in the clusters."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime

from deployer.adapters.leases.lease import key_of, new_lease, renewed
from deployer.model import Holder
from tests.sandbox.helpers import Project
from tests.sandbox.surroundings import Json

LEASES = "/apis/coordination.k8s.io/v1/namespaces/{}/leases"


def locks(project: Project) -> list[Json]:
    found: list[Json] = []
    for cluster in project.clusters.values():
        found += cluster.request("GET", LEASES.format(cluster.name))["items"]
    return found


@contextmanager
def somebody_elses_lock(project: Project, duration: int = 60) -> Iterator[None]:
    """Somebody on another machine holds the lock of the app in the first region, and does not renew it."""
    cluster = project.cluster
    holder = Holder("20261121-000000-abcdef", "anna@laptop", "laptop", "", "deploy", "")
    lease = new_lease(key_of(project.name, cluster.name), holder, "20261121-000000-abcdef/1", datetime.now(UTC))
    lease["spec"]["leaseDurationSeconds"] = duration
    cluster.request("POST", LEASES.format(cluster.name), lease)
    yield
    cluster.request("DELETE", f"{LEASES.format(cluster.name)}/{lease['metadata']['name']}")


def let_expire(project: Project, seconds: int) -> None:
    """Somebody else's lock runs out in so many seconds from now."""
    cluster = project.cluster
    path = f"{LEASES.format(cluster.name)}/{key_of(project.name, cluster.name).name}"
    lease = renewed(cluster.request("GET", path), datetime.now(UTC))
    lease["spec"]["leaseDurationSeconds"] = seconds
    cluster.request("PUT", path, lease)
