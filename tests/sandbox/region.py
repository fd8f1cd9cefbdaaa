"""One region of the running sandbox, and a namespace of the test's own in it."""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx2

from deployer.adapters.kubernetes import KubernetesCluster
from deployer.adapters.kubernetes.connection import Connection
from deployer.adapters.kubernetes.kubeconfig import read_access
from deployer.model import Json

KUBECONFIG = Path(__file__).parents[2] / ".sandbox" / "kubeconfig"
CONTEXT = "london"


@contextmanager
def namespace() -> Iterator[str]:
    """A new namespace, deleted afterwards."""
    name = f"test-{uuid.uuid4().hex[:8]}"
    connection = Connection(read_access(KUBECONFIG, CONTEXT), timeout=30)
    body = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}}
    assert connection.request("POST", "/api/v1/namespaces", body=body).status_code == 201
    await_account(lambda path: connection.request("GET", path).status_code == 200, name)
    try:
        yield name
    finally:
        connection.request("DELETE", f"/api/v1/namespaces/{name}")
        connection.close()


def await_account(found: Callable[[str], Any], namespace: str) -> None:
    """Until pods may be made in a new namespace: they are refused before it has its default account."""
    eventually(lambda: found(f"/api/v1/namespaces/{namespace}/serviceaccounts/default"))


def previewed(cluster: KubernetesCluster, manifest: Json, look: Callable[[], Json]) -> tuple[Json, Json]:
    """The preview of a manifest and the live object at which we `look`, of a moment when nobody changed that."""

    def quiet() -> tuple[Json, Json] | None:
        live = look()
        preview = cluster.preview(manifest, live)
        unchanged = look()["metadata"]["resourceVersion"] == live["metadata"]["resourceVersion"]
        return (preview, live) if unchanged else None

    found: tuple[Json, Json] = eventually(quiet)
    return found


def cluster(namespace: str, **options: Any) -> KubernetesCluster:
    return KubernetesCluster(KUBECONFIG, CONTEXT, namespace=namespace, **options)


def create(namespace: str, manifest: dict[str, Any], collection: str) -> dict[str, Any]:
    """Create an object as somebody else would. `collection` is like `api/v1` and `configmaps`, joined by a colon."""
    root, _, plural = collection.partition(":")
    connection = Connection(read_access(KUBECONFIG, CONTEXT), timeout=30)
    response = connection.request("POST", f"/{root}/namespaces/{namespace}/{plural}", body=manifest)
    connection.close()
    assert response.status_code == 201, response.text
    created: dict[str, Any] = response.json()
    return created


def eventually(condition: Callable[[], Any], seconds: float = 60.0) -> Any:
    """The condition's first true value; a connection that is refused means not yet."""
    end = time.monotonic() + seconds
    while True:
        try:
            value, trouble = condition(), None
        except (OSError, httpx2.TransportError) as error:
            value, trouble = None, error
        if value:
            return value
        assert time.monotonic() < end, f"it did not come true: {trouble or value!r}"
        time.sleep(0.1)
