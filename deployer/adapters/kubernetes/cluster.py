"""The cluster's objects, as the port `Cluster` asks for them."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from deployer.adapters.kubernetes.access import denied
from deployer.adapters.kubernetes.credentials import Tokens
from deployer.adapters.kubernetes.kinds import Kinds, Resource, root_of
from deployer.adapters.kubernetes.kubeconfig import Kubeconfig, read_access
from deployer.adapters.kubernetes.preview import APPLY, as_applied, is_hook, manager_of
from deployer.adapters.kubernetes.refusals import refusal, status_of
from deployer.errors import ConfigurationError, DeployError, NotPermitted, UnreachableError
from deployer.model import Json, ObjectKey, Permission, Secret

if TYPE_CHECKING:
    import httpx2

    from deployer.adapters.kubernetes.connection import Connection

_PAGE = 500
_SINGLE_QUESTIONS = 8
"""Up to so many objects their events are asked for one by one; beyond, all of the namespace's are sifted."""

_LOG_BYTES = 1024 * 1024
_LOG_LINE = 2000
_NO_LOG = "unable to retrieve container logs for "
"""What a kubelet answers, as if it were the log, for a container that was cleared away."""


class KubernetesCluster:
    """One context of a kubeconfig. Nothing is read or connected before the first question. Safe to use from threads.

    `kubeconfig` is a file, the content of one, a call that gives either, or None for kubectl's own choice; `namespace`
    is where a manifest belongs that does not say; `mask` hides secrets in texts of the server; `timeout` is in seconds;
    `token` gives a fresh bearer token and its end, and takes the place of the kubeconfig's user (EKS, without starting
    its plugin).
    """

    def __init__(
        self,
        kubeconfig: Kubeconfig | Callable[[], Kubeconfig] | None = None,
        context: str | None = None,
        *,
        namespace: str = "default",
        mask: Callable[[str], str] = str,
        timeout: float = 30.0,
        token: Callable[[], tuple[Secret, datetime | None]] | None = None,
    ) -> None:
        self._kubeconfig = kubeconfig
        self._context = context
        self._namespace = namespace
        self._mask = mask
        self._timeout = timeout
        self._token = token
        self._lock = threading.Lock()
        self._connected: Connection | None = None
        self._kinds = Kinds(self._resources_of)

    def check(self) -> str:
        """Prove that the API server answers, knows us, and lets us keep releases; its version."""
        version = self._ask("GET", "/version", "asking for the version").get("gitVersion", "unknown")
        if self.denied([Permission("v1", "Secret", "create", self._namespace)]):
            raise NotPermitted(
                f"we may not keep Helm releases in namespace {self._namespace}",
                where=self._where(),
                why="not allowed to create secrets",
                hint="docs/iam.md has the role that deploying needs",
            )
        return str(version)

    def denied(self, permissions: Sequence[Permission]) -> tuple[Permission, ...]:
        """Those of the permissions that we do not have, in their order."""

        def ask(path: str, review: Json) -> Json:
            return self._ask("POST", path, "asking what we may do", body=review)

        return denied(ask, self._kinds, permissions)

    def get(self, key: ObjectKey, *, timeout: float | None = None) -> Json | None:
        """The live object, None when there is none or the cluster does not know its kind.

        `timeout` (seconds), here and below: one attempt, in which no wait for the server is longer.
        """
        resource = self._kinds.find(key.api_version, key.kind)
        if resource is None:
            return None
        response = self._connection().request("GET", self._path(key, resource), timeout=timeout)
        if response.status_code == 404:
            return None
        return self._object(response, f"reading {key}")

    def preview(self, manifest: Json, live: Json | None) -> Json:
        """What the API server would make of the manifest; nothing is changed.

        The manifest is applied to the live object as Helm would: its fields win over hand-made changes, fields that it
        does not name stay as they are. So the answer equals the live object (but for `metadata.managedFields`) exactly
        when applying it would change nothing. Hooks are previewed as new objects, since Helm makes them anew.
        """
        key = self._key(manifest)
        resource = self._kinds.find(key.api_version, key.kind)
        if resource is None:
            raise _unknown_kind(key)
        query = {"dryRun": "All", "fieldValidation": "Strict"}
        if live is None or is_hook(manifest):
            response = self._connection().request(
                "POST", self._collection(key, resource), query=query | {"fieldManager": "helm"}, body=manifest
            )
            if response.status_code == 409 and status_of(response).get("reason") == "AlreadyExists":
                # Existence is looked at last: the manifest itself has passed.
                return manifest if is_hook(manifest) else self.preview(manifest, self.get(key) or manifest)
        else:
            query |= {"fieldManager": manager_of(live), "force": "true"}
            response = self._connection().request(
                "PATCH", self._path(key, resource), query=query, body=as_applied(manifest, live), content_type=APPLY
            )
        if response.status_code == 404 and not status_of(response).get("details", {}).get("name"):
            raise _unknown_kind(key)
        return self._object(response, f"checking {key}")

    def list(
        self,
        api_version: str,
        kind: str,
        namespace: str | None,
        labels: Mapping[str, str] | None = None,
        *,
        selector: str = "",
    ) -> Sequence[Json]:
        """The live objects of a kind (`namespace` None: of all namespaces); empty when the kind is not known.

        Chosen by their labels, or by a label selector as Kubernetes spells it.
        """
        resource = self._kinds.find(api_version, kind)
        if resource is None:
            return []
        selector = selector or ",".join(f"{name}={value}" for name, value in (labels or {}).items())
        query = {"labelSelector": selector} if selector else {}
        key = ObjectKey(api_version, kind, namespace, "")
        return list(
            self._pages(self._collection(key, resource, everywhere=namespace is None), query, f"listing {kind}s")
        )

    def events(self, namespace: str, uids: Sequence[str]) -> Sequence[Json]:
        """Events about the objects with these uids, oldest first."""
        path = f"/api/v1/namespaces/{namespace}/events"
        found: dict[str, Json] = {}
        wanted = set(uids)
        queries: list[dict[str, str]] = [{}]
        if len(wanted) <= _SINGLE_QUESTIONS:
            queries = [{"fieldSelector": f"involvedObject.uid={uid}"} for uid in sorted(wanted)]
        for query in queries:
            for event in self._pages(path, query, "reading events"):
                if event.get("involvedObject", {}).get("uid") in wanted:
                    found[event["metadata"]["uid"]] = event
        return tuple(sorted(found.values(), key=_when))

    def log(self, namespace: str, pod: str, container: str, *, lines: int, previous: bool = False) -> tuple[str, ...]:
        """The last lines of a container's log, masked, each at most 2000 characters; empty when there is none."""
        query = {"container": container, "tailLines": str(lines)} | ({"previous": "true"} if previous else {})
        kept = bytearray()
        with self._connection().stream(f"/api/v1/namespaces/{namespace}/pods/{pod}/log", query) as response:
            if response.status_code in (401, 403):
                response.read()
                raise refusal(response, f"reading the log of {pod}", self._where(), self._mask)
            if response.status_code >= 400:  # the container has not started, or its node is gone
                return ()
            for piece in response.iter_bytes():
                kept += piece
                del kept[:-_LOG_BYTES]
        # Masked as a whole first: a secret may span lines, and must not escape by being cut.
        text = self._mask(kept.decode("utf-8", "replace"))
        shown = text.splitlines()[-lines:] if lines > 0 and not text.startswith(_NO_LOG) else []
        return tuple(_printable(line)[:_LOG_LINE] for line in shown)

    def patch(self, key: ObjectKey, change: Json) -> Json:
        """Change the live object by a JSON merge patch (RFC 7386); the object as it is then."""
        resource = self._kinds.find(key.api_version, key.kind)
        if resource is None:
            raise _unknown_kind(key)
        response = self._connection().request(
            "PATCH",
            self._path(key, resource),
            query={"fieldManager": "deployer"},
            body=change,
            content_type="application/merge-patch+json",
        )
        return self._object(response, f"changing {key}")

    def delete(self, key: ObjectKey) -> None:
        """Delete the live object; one that is gone already is no error."""
        resource = self._kinds.find(key.api_version, key.kind)
        if resource is None:
            raise _unknown_kind(key)
        response = self._connection().request("DELETE", self._path(key, resource))
        if response.status_code != 404:
            self._object(response, f"deleting {key}")

    def create(self, manifest: Json) -> Json | None:
        """Make an object, as the server then has it; None when there is one of that name."""
        key, resource = self._known(manifest)
        response = self._connection().request(
            "POST", self._collection(key, resource), query={"fieldManager": "deployer"}, body=manifest
        )
        if response.status_code == 409 and status_of(response).get("reason") == "AlreadyExists":
            return None
        return self._object(response, f"creating {key}")

    def replace(self, manifest: Json, *, timeout: float | None = None) -> Json | None:
        """Put it in the place of the live object that has its uid and resourceVersion; None when none has them now."""
        key, resource = self._known(manifest)
        # Without these the server would overwrite changes, or make the object (a Lease) anew.
        missing = {"uid", "resourceVersion"} - manifest["metadata"].keys()
        if missing:
            raise ValueError(f"nothing to compare with: {missing}")
        response = self._connection().request(
            "PUT", self._path(key, resource), query={"fieldManager": "deployer"}, body=manifest, timeout=timeout
        )
        return None if response.status_code in (404, 409) else self._object(response, f"replacing {key}")

    def delete_unchanged(self, seen: Json, *, timeout: float | None = None) -> bool:
        """Delete the object that was seen; False when it has changed or gone since."""
        key, resource = self._known(seen)
        metadata = seen["metadata"]
        conditions = {"uid": metadata["uid"], "resourceVersion": metadata["resourceVersion"]}
        body = {"apiVersion": "v1", "kind": "DeleteOptions", "preconditions": conditions}
        response = self._connection().request("DELETE", self._path(key, resource), body=body, timeout=timeout)
        if response.status_code in (404, 409):
            return False
        self._object(response, f"deleting {key}")
        return True

    def now(self) -> datetime:
        """The time by the API server's clock, within about a second, so far as its last answer told."""
        return self._connection().server_clock() or self._ask_time()

    def _ask_time(self) -> datetime:
        self._ask("GET", "/version", "asking for the time")
        # Who leaves the time out of its answers leaves us with our own.
        return self._connection().server_clock() or datetime.now(UTC)

    def close(self) -> None:
        """Close the connections; the next question opens them again."""
        with self._lock:
            if self._connected:
                self._connected.close()
            self._connected = None

    def _connection(self) -> Connection:
        with self._lock:
            if self._connected is None:
                from deployer.adapters.kubernetes.connection import Connection

                kubeconfig = self._kubeconfig() if callable(self._kubeconfig) else self._kubeconfig
                access = read_access(kubeconfig, self._context)
                tokens = Tokens(self._token) if self._token else None
                self._connected = Connection(access, timeout=self._timeout, tokens=tokens)
            return self._connected

    def _where(self) -> str:
        return self._connection().server

    def _ask(self, method: str, path: str, what: str, *, body: Json | None = None) -> Json:
        return self._object(self._connection().request(method, path, body=body), what)

    def _object(self, response: httpx2.Response, what: str) -> Json:
        if response.status_code >= 400:
            raise refusal(response, what, self._where(), self._mask)
        try:
            content = response.json()
        except ValueError:
            content = None
        if not isinstance(content, dict):
            raise UnreachableError(
                f"{what}: the answer is not that of a Kubernetes API server",
                where=self._where(),
                hint="is there a proxy or a login page in between?",
            )
        return content

    def _pages(self, path: str, query: Mapping[str, str], what: str) -> Iterator[Json]:
        """The items of a list, read in pages; none when the server does not have the list."""
        position: dict[str, str] = {}
        while True:
            response = self._connection().request("GET", path, query={**query, "limit": str(_PAGE)} | position)
            if response.status_code == 404:
                return
            page = self._object(response, what)
            kind = str(page.get("kind", "")).removesuffix("List")
            for item in page.get("items") or ():
                # The API leaves these out of the items of a list.
                yield {"apiVersion": page.get("apiVersion"), "kind": kind} | item
            following = page.get("metadata", {}).get("continue")
            if not following:
                return
            position = {"continue": following}

    def _resources_of(self, api_version: str) -> Sequence[Json] | None:
        response = self._connection().request("GET", root_of(api_version))
        if response.status_code == 404:
            return None
        return self._object(response, f"asking for the kinds of {api_version}").get("resources") or []

    def _known(self, manifest: Json) -> tuple[ObjectKey, Resource]:
        key = self._key(manifest)
        resource = self._kinds.find(key.api_version, key.kind)
        if resource is None:
            raise _unknown_kind(key)
        return key, resource

    def _key(self, manifest: Json) -> ObjectKey:
        metadata = manifest.get("metadata") or {}
        try:
            api_version, kind, name = manifest["apiVersion"], manifest["kind"], metadata["name"]
        except (KeyError, TypeError, AttributeError):
            raise ConfigurationError("a manifest needs apiVersion, kind and metadata.name") from None
        return ObjectKey(str(api_version), str(kind), metadata.get("namespace"), str(name))

    def _collection(self, key: ObjectKey, resource: Resource, *, everywhere: bool = False) -> str:
        namespaced = f"/namespaces/{key.namespace or self._namespace}" if resource.namespaced and not everywhere else ""
        return f"{root_of(key.api_version)}{namespaced}/{resource.plural}"

    def _path(self, key: ObjectKey, resource: Resource) -> str:
        return f"{self._collection(key, resource)}/{key.name}"


def _unknown_kind(key: ObjectKey) -> DeployError:
    return ConfigurationError(
        f"the cluster does not know {key.kind} in {key.api_version}",
        where=str(key),
        hint="`kubectl api-resources` lists what it knows; a custom kind needs its CustomResourceDefinition first",
    )


def _when(event: Json) -> datetime:
    """An event's last occurrence; the field depends on how old its source's API is."""
    series = event.get("series") or {}
    stamps = (
        series.get("lastObservedTime"),
        event.get("lastTimestamp"),
        event.get("eventTime"),
        event.get("metadata", {}).get("creationTimestamp"),
    )
    for stamp in stamps:
        with contextlib.suppress(ValueError):
            return datetime.fromisoformat(str(stamp))
    return datetime.min.replace(tzinfo=UTC)


def _printable(line: str) -> str:
    """Without what a terminal would obey."""
    return "".join(character if character.isprintable() or character == "\t" else "�" for character in line)
