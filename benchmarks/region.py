"""The sandbox's region that is deployed to: fresh namespaces, quiet before each run, and a look at it afterwards."""

from __future__ import annotations

import http.client
import os
import time
from collections.abc import Callable
from typing import Any

from benchmarks.measuring import REPOSITORY, Failed
from deployer.adapters.kubernetes.connection import Connection
from deployer.adapters.kubernetes.kubeconfig import read_access
from deployer.errors import DeployError
from deployer.model import Json
from deployer.sandbox.layout import REGIONS, STAGE

ACCESS = REPOSITORY / ".sandbox"
"""What `deploy sandbox up` wrote: how to reach its AWS endpoint and its clusters."""

REGION = REGIONS[0]

_LIMIT = 120.0


class Cluster:
    """A region's cluster. Use it as a context manager."""

    def __init__(self, region: str = REGION.name) -> None:
        self.region = region
        try:
            self._connection = Connection(read_access(ACCESS / "kubeconfig", region), timeout=30)
        except DeployError as error:
            raise Failed(
                f"there is no sandbox to measure in ({error.what}: {error.why}); `./wrapper sandbox up`"
            ) from error

    def __enter__(self) -> Cluster:
        return self

    def __exit__(self, *_: object) -> None:
        self._connection.close()

    def renew(self, namespace: str) -> None:
        """Have an empty namespace of that name."""
        self.remove(namespace)
        body: Json = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": namespace}}
        self._ask("POST", "/api/v1/namespaces", body, accept=(201,))
        # A pod cannot be made before its namespace has an account.
        account = f"/api/v1/namespaces/{namespace}/serviceaccounts/default"
        _eventually(lambda: self._ask("GET", account, accept=(200, 404)), f"{namespace} gets no service account")

    def remove(self, namespace: str) -> None:
        """Have no namespace of that name."""
        path = f"/api/v1/namespaces/{namespace}"
        if self._ask("DELETE", path, accept=(200, 202, 404)):
            self._end_pods(namespace, all_of_them=True)
            _eventually(lambda: not self._ask("GET", path, accept=(200, 404)), f"the namespace {namespace} does not go")

    def create(self, collection: str, content: Json) -> None:
        """Make an object in a collection, which is a path such as `/api/v1/namespaces/NAME/secrets`."""
        self._ask("POST", collection, content, accept=(201,))

    def settle(self, namespace: str) -> None:
        """Wait until nothing moves in a namespace any more; pods that are on their way out are helped along."""

        def settled() -> bool:
            leaving = self._end_pods(namespace, all_of_them=False)
            return not leaving and all(_complete(item) for item in self._deployments(namespace))

        _eventually(settled, f"the namespace {namespace} does not come to rest")

    def deployment(self, namespace: str, name: str) -> Any:
        """What is live: a Deployment's object."""
        return self._ask("GET", f"/apis/apps/v1/namespaces/{namespace}/deployments/{name}")

    def scale(self, namespace: str, name: str, replicas: int) -> None:
        """Want so many pods of a Deployment."""
        path = f"/apis/apps/v1/namespaces/{namespace}/deployments/{name}/scale"
        scale = self._ask("GET", path)
        self._ask("PUT", path, {**scale, "spec": {"replicas": replicas}})

    def kill(self, namespace: str) -> None:
        """End all pods of a namespace, without giving them time."""
        self._end_pods(namespace, all_of_them=True, grace=0)

    def _deployments(self, namespace: str) -> list[Any]:
        return list(self._ask("GET", f"/apis/apps/v1/namespaces/{namespace}/deployments")["items"])

    def _end_pods(self, namespace: str, *, all_of_them: bool, grace: int = 1) -> int:
        """busybox does not heed SIGTERM: without this each old pod would stay for 30 s. Returns how many still are."""
        path = f"/api/v1/namespaces/{namespace}/pods"
        pods = [pod["metadata"] for pod in self._ask("GET", path)["items"]]
        leaving = [pod["name"] for pod in pods if all_of_them or "deletionTimestamp" in pod]
        for name in leaving:
            self._ask("DELETE", f"{path}/{name}", {"gracePeriodSeconds": grace}, accept=(200, 202, 404))
        return len(leaving)

    def _ask(self, method: str, path: str, body: Json | None = None, *, accept: tuple[int, ...] = (200,)) -> Any:
        try:
            response = self._connection.request(method, path, body=body)
        except DeployError as error:
            raise Failed(f"the sandbox does not answer ({error.what}: {error.why}); `./wrapper sandbox up`") from error
        if response.status_code not in accept:
            raise Failed(f"{method} {path} was answered with {response.status_code}")
        return None if response.status_code == 404 else response.json()


def answer(host: str, path: str, entry: str = REGION.ingress) -> str | None:
    """What a region's load balancer, at `entry`, gives for this host and path; None when it is not there."""
    connection = http.client.HTTPConnection(entry, timeout=5)
    try:
        connection.request("GET", path, headers={"Host": host})
        response = connection.getresponse()
        content = response.read().decode("utf-8", "replace")
        return content.strip() if response.status == 200 else None
    except OSError:
        return None
    finally:
        connection.close()


def expect(host: str, path: str, content: str, entry: str = REGION.ingress) -> None:
    """Raise Failed unless the host soon serves just this content."""
    _eventually(lambda: answer(host, path, entry) == content, f"{host}{path} does not serve {content!r}")


def s3() -> Any:
    """A botocore client of the sandbox's S3."""
    import botocore.session

    session = botocore.session.Session(profile=STAGE)
    session.set_config_variable("config_file", os.fspath(ACCESS / "aws-config"))
    return session.create_client("s3", region_name=REGION.aws_region)


def _complete(deployment: Any) -> bool:
    status, wanted = deployment["status"], deployment["spec"]["replicas"]
    counts = [status.get(key, 0) for key in ("replicas", "updatedReplicas", "availableReplicas")]
    return status.get("observedGeneration") == deployment["metadata"]["generation"] and counts == [wanted] * 3


def _eventually(condition: Callable[[], object], otherwise: str) -> None:
    end = time.monotonic() + _LIMIT
    while not condition():
        if time.monotonic() > end:
            raise Failed(otherwise)
        time.sleep(0.1)
