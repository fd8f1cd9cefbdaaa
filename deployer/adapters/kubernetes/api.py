"""Questions to one API server: its paths, its kinds, its answers, and what it refuses."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING

from deployer.adapters.kubernetes.credentials import Tokens
from deployer.adapters.kubernetes.kinds import Kinds, Resource, root_of
from deployer.adapters.kubernetes.kubeconfig import Kubeconfig, read_access
from deployer.adapters.kubernetes.refusals import refusal
from deployer.errors import ConfigurationError, DeployError, UnreachableError
from deployer.model import Json, ObjectKey, Secret

if TYPE_CHECKING:
    import httpx2

    from deployer.adapters.kubernetes.connection import Connection

_PAGE = 500


class Api:
    """Connects at the first question. Safe to use from threads. `namespace` is where an object belongs by default."""

    def __init__(
        self,
        kubeconfig: Kubeconfig | Callable[[], Kubeconfig] | None,
        context: str | None,
        *,
        namespace: str,
        mask: Callable[[str], str],
        timeout: float,
        token: Callable[[], tuple[Secret, datetime | None]] | None,
    ) -> None:
        self.namespace = namespace
        self.mask = mask
        self.kinds = Kinds(self._resources_of)
        self._kubeconfig = kubeconfig
        self._context = context
        self._timeout = timeout
        self._token = token
        self._lock = threading.Lock()
        self._connected: Connection | None = None

    @property
    def connection(self) -> Connection:
        """The connection to the server, which is opened now if it is not."""
        with self._lock:
            if self._connected is None:
                from deployer.adapters.kubernetes.connection import Connection

                kubeconfig = self._kubeconfig() if callable(self._kubeconfig) else self._kubeconfig
                access = read_access(kubeconfig, self._context)
                tokens = Tokens(self._token) if self._token else None
                self._connected = Connection(access, timeout=self._timeout, tokens=tokens)
            return self._connected

    @property
    def where(self) -> str:
        """The server's address."""
        return self.connection.server

    def ask(self, method: str, path: str, what: str, *, body: Json | None = None) -> Json:
        """The object that the server answers with; `what` says what we try."""
        return self.object(self.connection.request(method, path, body=body), what)

    def object(self, response: httpx2.Response, what: str) -> Json:
        """The object in an answer; raises what the server refuses."""
        if response.status_code >= 400:
            raise refusal(response, what, self.where, self.mask)
        try:
            content = response.json()
        except ValueError:
            content = None
        if not isinstance(content, dict):
            raise UnreachableError(
                f"{what}: the answer is not that of a Kubernetes API server",
                where=self.where,
                hint="is there a proxy or a login page in between?",
            )
        return content

    def pages(self, path: str, query: Mapping[str, str], what: str) -> Iterator[Json]:
        """The items of a list, read in pages; none when the server does not have the list."""
        position: dict[str, str] = {}
        while True:
            response = self.connection.request("GET", path, query={**query, "limit": str(_PAGE)} | position)
            if response.status_code == 404:
                return
            page = self.object(response, what)
            kind = str(page.get("kind", "")).removesuffix("List")
            for item in page.get("items") or ():
                # The API leaves these out of the items of a list.
                yield {"apiVersion": page.get("apiVersion"), "kind": kind} | item
            following = page.get("metadata", {}).get("continue")
            if not following:
                return
            position = {"continue": following}

    def known(self, manifest: Json) -> tuple[ObjectKey, Resource]:
        """What a manifest names, and where it lives. Raises ConfigurationError for an unknown kind."""
        key = self.key(manifest)
        return key, self.resource(key)

    def resource(self, key: ObjectKey) -> Resource:
        """Where a kind lives. Raises ConfigurationError when the cluster does not know it."""
        resource = self.kinds.find(key.api_version, key.kind)
        if resource is None:
            raise unknown_kind(key)
        return resource

    def key(self, manifest: Json) -> ObjectKey:
        """What a manifest names."""
        metadata = manifest.get("metadata") or {}
        try:
            api_version, kind, name = manifest["apiVersion"], manifest["kind"], metadata["name"]
        except (KeyError, TypeError, AttributeError):
            raise ConfigurationError("a manifest needs apiVersion, kind and metadata.name") from None
        return ObjectKey(str(api_version), str(kind), metadata.get("namespace"), str(name))

    def collection(self, key: ObjectKey, resource: Resource, *, everywhere: bool = False) -> str:
        """The path of all objects of a kind: in the key's namespace, or everywhere."""
        namespaced = f"/namespaces/{key.namespace or self.namespace}" if resource.namespaced and not everywhere else ""
        return f"{root_of(key.api_version)}{namespaced}/{resource.plural}"

    def path(self, key: ObjectKey, resource: Resource) -> str:
        """The path of one object."""
        return f"{self.collection(key, resource)}/{key.name}"

    def close(self) -> None:
        """Close the connections; the next question opens them again."""
        with self._lock:
            if self._connected:
                self._connected.close()
            self._connected = None

    def _resources_of(self, api_version: str) -> Sequence[Json] | None:
        response = self.connection.request("GET", root_of(api_version))
        if response.status_code == 404:
            return None
        return self.object(response, f"asking for the kinds of {api_version}").get("resources") or []


def unknown_kind(key: ObjectKey) -> DeployError:
    """The error of a kind that the cluster does not have."""
    return ConfigurationError(
        f"the cluster does not know {key.kind} in {key.api_version}",
        where=str(key),
        hint="`kubectl api-resources` lists what it knows; a custom kind needs its CustomResourceDefinition first",
    )
