"""The clusters as somebody else sees and touches them: no part of the tool is asked for what the tool did."""

from __future__ import annotations

import base64
import gzip
import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any

from deployer.adapters.kubernetes.connection import Connection
from deployer.adapters.kubernetes.kubeconfig import read_access
from tests.sandbox.region import await_account
from tests.sandbox.surroundings import ACCESS, Json, unique

COLLECTIONS = {
    "Pod": "/api/v1/namespaces/{}/pods",
    "Service": "/api/v1/namespaces/{}/services",
    "ConfigMap": "/api/v1/namespaces/{}/configmaps",
    "Secret": "/api/v1/namespaces/{}/secrets",
    "Deployment": "/apis/apps/v1/namespaces/{}/deployments",
    "ReplicaSet": "/apis/apps/v1/namespaces/{}/replicasets",
    "StatefulSet": "/apis/apps/v1/namespaces/{}/statefulsets",
    "DaemonSet": "/apis/apps/v1/namespaces/{}/daemonsets",
    "Job": "/apis/batch/v1/namespaces/{}/jobs",
    "CronJob": "/apis/batch/v1/namespaces/{}/cronjobs",
    "Ingress": "/apis/networking.k8s.io/v1/namespaces/{}/ingresses",
}


@dataclass(frozen=True)
class Stored:
    """One revision of a Helm release, as Helm has stored it."""

    number: int
    status: str
    labels: Mapping[str, str]
    record: Json
    manifest: str

    @property
    def verified(self) -> bool:
        return self.labels.get("verified") == "true"


class Namespace:
    """One namespace of one region's cluster."""

    def __init__(self, region: str, name: str) -> None:
        self.region = region
        self.name = name
        self._connection = Connection(read_access(ACCESS / "kubeconfig", region), timeout=30)

    def request(self, method: str, path: str, body: Any = None, **options: Any) -> Any:
        response = self._connection.request(method, path, body=body, **options)
        if response.status_code == 404:
            return None
        assert response.status_code < 300, response.text
        return response.json()

    def _path(self, kind: str, name: str = "") -> str:
        return COLLECTIONS[kind].format(self.name) + (f"/{name}" if name else "")

    def create_namespace(self) -> None:
        self.request("POST", "/api/v1/namespaces", {"metadata": {"name": self.name}})

    def delete_namespace(self) -> None:
        self.request("DELETE", f"/api/v1/namespaces/{self.name}")
        self._connection.close()

    def get(self, kind: str, name: str) -> Json | None:
        found: Json | None = self.request("GET", self._path(kind, name))
        return found

    def live(self, kind: str, name: str) -> Json:
        found = self.get(kind, name)
        assert found is not None, f"{kind} {name} is not in {self.region}"
        return found

    def all(self, kind: str, labels: str = "") -> list[Json]:
        found = self.request("GET", self._path(kind), query={"labelSelector": labels} if labels else None)
        items: list[Json] = found["items"]
        return items

    def create(self, kind: str, manifest: Json) -> None:
        self.request("POST", self._path(kind), manifest)

    def patch(self, kind: str, name: str, change: Json) -> None:
        self.request("PATCH", self._path(kind, name), change, content_type="application/merge-patch+json")

    def delete(self, kind: str, name: str) -> None:
        self.request("DELETE", self._path(kind, name))

    def pods(self) -> list[Json]:
        return [pod for pod in self.all("Pod") if "deletionTimestamp" not in pod["metadata"]]

    def revisions(self, release: str) -> list[Stored]:
        """The stored revisions of a release, oldest first."""
        found = []
        for secret in self.all("Secret", f"owner=helm,name={release}"):
            content = json.loads(gzip.decompress(base64.b64decode(base64.b64decode(secret["data"]["release"]))))
            record = (content.get("config") or {}).get("record") or {}
            labels = secret["metadata"]["labels"]
            found.append(Stored(content["version"], labels["status"], labels, record, content["manifest"]))
        return sorted(found, key=lambda revision: revision.number)

    def uses(self, revision: Stored, text: str) -> bool:
        """Whether a revision names a Secret that holds this text, outside the release."""
        secrets = self.all("Secret", "app.kubernetes.io/managed-by=deployer")
        encoded = base64.b64encode(text.encode()).decode()
        names = [one["metadata"]["name"] for one in secrets if encoded in one["data"].values()]
        return any(name in revision.manifest for name in names)

    def snapshot(self) -> Json:
        """Everything that a deployment might change: kind and name → what identifies its state."""
        seen: Json = {}
        for kind in COLLECTIONS:
            for item in self.all(kind):
                metadata = item["metadata"]
                if metadata["name"] == "kube-root-ca.crt":
                    continue
                state = [metadata["uid"], metadata.get("generation"), metadata.get("labels")]
                if kind in ("ConfigMap", "Secret", "Service"):
                    state.append(metadata["resourceVersion"])
                seen[f"{kind}/{metadata['name']}"] = state
        return seen


@contextmanager
def namespaces(*regions: str) -> Iterator[dict[str, Namespace]]:
    """A new namespace of one name in each of the regions, deleted afterwards."""
    name = unique("test")
    made = {region: Namespace(region, name) for region in regions}
    try:
        for namespace in made.values():
            namespace.create_namespace()
        for namespace in made.values():
            await_account(partial(namespace.request, "GET"), name)
        yield made
    finally:
        for namespace in made.values():
            namespace.delete_namespace()
