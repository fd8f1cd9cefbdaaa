"""The cluster's objects, as the port `Cluster` asks for them."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from deployer.adapters.kubernetes.access import denied
from deployer.adapters.kubernetes.api import Api, unknown_kind
from deployer.adapters.kubernetes.kubeconfig import Kubeconfig
from deployer.adapters.kubernetes.merging import PLAIN, STRATEGIC, three_way
from deployer.adapters.kubernetes.preview import APPLY, as_applied, is_applied, is_hook, manager_of
from deployer.adapters.kubernetes.refusals import is_unread, refusal, status_of
from deployer.adapters.kubernetes.restoring import PATCH, made_anew, ways_back
from deployer.adapters.kubernetes.texts import masked_event, masked_status, printable
from deployer.errors import NotPermitted
from deployer.model import Json, ObjectKey, Permission, Secret

if TYPE_CHECKING:
    import httpx2

_SINGLE_QUESTIONS = 8
"""Up to so many objects their events are asked for one by one; beyond, all of the namespace's are sifted."""

_RESTORING = 3
"""Attempts at restoring an object."""

_LOG_BYTES = 1024 * 1024
_LOG_LINE = 2000
_NO_LOG = ("unable to retrieve container logs for ", "failed to try resolving symlinks in path ")
"""How a kubelet's answers begin, as if they were the log, for a container that was cleared away."""


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
        self._api = Api(kubeconfig, context, namespace=namespace, mask=mask, timeout=timeout, token=token)

    def check(self) -> str:
        """Prove that the API server answers, knows us, and lets us keep releases; its version."""
        version = self._api.ask("GET", "/version", "asking for the version").get("gitVersion", "unknown")
        if self.denied([Permission("v1", "Secret", "create", self._api.namespace)]):
            raise NotPermitted(
                f"we may not keep Helm releases in namespace {self._api.namespace}",
                where=self._api.where,
                why="not allowed to create secrets",
                hint="docs/iam.md has the role that deploying needs",
            )
        return str(version)

    def denied(self, permissions: Sequence[Permission]) -> tuple[Permission, ...]:
        """Those of the permissions that we do not have, in their order."""

        def ask(path: str, review: Json) -> Json:
            return self._api.ask("POST", path, "asking what we may do", body=review)

        return denied(ask, self._api.kinds, permissions)

    def get(self, key: ObjectKey, *, timeout: float | None = None) -> Json | None:
        """The live object, None when there is none or the cluster does not know its kind.

        Here and in lists, what its status says in words is masked. `timeout` (seconds), here and below: one attempt, in
        which no wait for the server is longer.
        """
        resource = self._api.kinds.find(key.api_version, key.kind)
        if resource is None:
            return None
        response = self._api.connection.request("GET", self._api.path(key, resource), timeout=timeout)
        if response.status_code == 404:
            return None
        return masked_status(self._api.object(response, f"reading {key}"), self._api.mask)

    def preview(self, manifest: Json, live: Json | None, before: Json | None = None) -> Json:
        """What the API server would make of the manifest; nothing is changed.

        The manifest is applied to the live object as Helm would: its fields win over hand-made changes, fields that it
        does not name stay as they are, but for those that it named in `before`, the revision that Helm goes on from.
        So the answer equals the live object (but for `metadata.managedFields`) exactly when applying it would change
        nothing. Hooks are previewed as new objects, since Helm makes them anew.
        """
        key, resource = self._api.known(manifest)
        query = {"dryRun": "All", "fieldValidation": "Strict"}
        if live is None or is_hook(manifest):
            response = self._api.connection.request(
                "POST", self._api.collection(key, resource), query=query | {"fieldManager": "helm"}, body=manifest
            )
            if response.status_code == 409 and status_of(response).get("reason") == "AlreadyExists":
                # Existence is looked at last: the manifest itself has passed.
                return manifest if is_hook(manifest) else self.preview(manifest, self.get(key) or manifest)
        else:
            response = self._preview_change(
                self._api.path(key, resource), query, as_applied(manifest, live), live, before
            )
        if response.status_code == 404 and not status_of(response).get("details", {}).get("name"):
            raise unknown_kind(key)
        return self._api.object(response, f"checking {key}")

    def _preview_change(
        self, path: str, query: dict[str, str], wanted: Json, live: Json, before: Json | None
    ) -> httpx2.Response:
        """A server-side apply, unless Helm's own patch takes something away that it would leave, or be refused for."""
        if not is_applied(live) and (patch := three_way(wanted, live, before)) is not None:
            query["fieldManager"] = manager_of(live)
            response = self._api.connection.request("PATCH", path, query=query, body=patch, content_type=STRATEGIC)
            if response.status_code == 415:  # only kinds that are built in have merge keys
                patch = three_way(wanted, live, before, strategic=False) or {}
                response = self._api.connection.request("PATCH", path, query=query, body=patch, content_type=PLAIN)
            if not is_unread(response):
                return response
            # Of a patch that it cannot read the server does not say where; of an apply it does.
        query |= {"fieldManager": manager_of(live), "force": "true"}
        return self._api.connection.request("PATCH", path, query=query, body=wanted, content_type=APPLY)

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
        resource = self._api.kinds.find(api_version, kind)
        if resource is None:
            return []
        selector = selector or ",".join(f"{name}={value}" for name, value in (labels or {}).items())
        query = {"labelSelector": selector} if selector else {}
        key = ObjectKey(api_version, kind, namespace, "")
        collection = self._api.collection(key, resource, everywhere=namespace is None)
        return [masked_status(one, self._api.mask) for one in self._api.pages(collection, query, f"listing {kind}s")]

    def events(self, namespace: str, uids: Sequence[str]) -> Sequence[Json]:
        """Events about the objects with these uids, masked, oldest first."""
        path = f"/api/v1/namespaces/{namespace}/events"
        found: dict[str, Json] = {}
        wanted = set(uids)
        queries: list[dict[str, str]] = [{}]
        if len(wanted) <= _SINGLE_QUESTIONS:
            queries = [{"fieldSelector": f"involvedObject.uid={uid}"} for uid in sorted(wanted)]
        for query in queries:
            for event in self._api.pages(path, query, "reading events"):
                if event.get("involvedObject", {}).get("uid") in wanted:
                    found[event["metadata"]["uid"]] = masked_event(event, self._api.mask)
        return tuple(sorted(found.values(), key=_when))

    def log(self, namespace: str, pod: str, container: str, *, lines: int, previous: bool = False) -> tuple[str, ...]:
        """The last lines of a container's log, masked, each at most 2000 characters; empty when there is none."""
        query = {"container": container, "tailLines": str(lines)} | ({"previous": "true"} if previous else {})
        kept = bytearray()
        with self._api.connection.stream(f"/api/v1/namespaces/{namespace}/pods/{pod}/log", query) as response:
            if response.status_code in (401, 403):
                response.read()
                raise refusal(response, f"reading the log of {pod}", self._api.where, self._api.mask)
            if response.status_code >= 400:  # the container has not started, or its node is gone
                return ()
            for piece in response.iter_bytes():
                kept += piece
                del kept[:-_LOG_BYTES]
        # Masked as a whole first: a secret may span lines, and must not escape by being cut.
        text = self._api.mask(kept.decode("utf-8", "replace"))
        shown = text.splitlines()[-lines:] if lines > 0 and not text.startswith(_NO_LOG) else []
        return tuple(printable(line)[:_LOG_LINE] for line in shown)

    def patch(self, key: ObjectKey, change: Json) -> Json:
        """Change the live object by a JSON merge patch (RFC 7386); the object as it is then."""
        resource = self._api.resource(key)
        response = self._api.connection.request(
            "PATCH",
            self._api.path(key, resource),
            query={"fieldManager": "deployer"},
            body=change,
            content_type="application/merge-patch+json",
        )
        return self._api.object(response, f"changing {key}")

    def keep(self, key: ObjectKey) -> None:
        """Mark a live object so that Helm does not delete it with a revision that no longer has it."""
        self.patch(key, {"metadata": {"annotations": {"helm.sh/resource-policy": "keep"}}})

    def restore(self, before: Json) -> None:
        """Make an object what it was, its marks of ownership included; one that is gone is made anew."""
        key, resource = self._api.known(before)
        for left in range(_RESTORING, 0, -1):
            live = self.get(key)
            if live is None:
                self.create(made_anew(before))
                return
            responses = [
                self._api.connection.request(
                    "PATCH",
                    self._api.path(key, resource),
                    query={"fieldManager": "deployer"},
                    body=change,
                    content_type=PATCH,
                )
                for change in ways_back(before, live)
            ]
            # A controller may have changed it in between, so that the patch no longer fits: look again.
            if left == 1 or all(response.status_code < 400 for response in responses):
                for response in responses:
                    self._api.object(response, f"restoring {key}")
                return

    def delete(self, key: ObjectKey) -> None:
        """Delete the live object, and what depends on it; one that is gone already is no error."""
        resource = self._api.resource(key)
        # Without a policy the pods of a Job would stay (kubernetes/pkg/registry/batch/job/strategy.go).
        options = {"apiVersion": "v1", "kind": "DeleteOptions", "propagationPolicy": "Background"}
        response = self._api.connection.request("DELETE", self._api.path(key, resource), body=options)
        if response.status_code != 404:
            self._api.object(response, f"deleting {key}")

    def create(self, manifest: Json) -> Json | None:
        """Make an object, as the server then has it; None when there is one of that name."""
        key, resource = self._api.known(manifest)
        response = self._api.connection.request(
            "POST", self._api.collection(key, resource), query={"fieldManager": "deployer"}, body=manifest
        )
        if response.status_code == 409 and status_of(response).get("reason") == "AlreadyExists":
            return None
        return self._api.object(response, f"creating {key}")

    def replace(self, manifest: Json, *, timeout: float | None = None) -> Json | None:
        """Put it in the place of the live object that has its uid and resourceVersion; None when none has them now."""
        key, resource = self._api.known(manifest)
        # Without these the server would overwrite changes, or make the object (a Lease) anew.
        missing = {"uid", "resourceVersion"} - manifest["metadata"].keys()
        if missing:
            raise ValueError(f"nothing to compare with: {missing}")
        response = self._api.connection.request(
            "PUT", self._api.path(key, resource), query={"fieldManager": "deployer"}, body=manifest, timeout=timeout
        )
        return None if response.status_code in (404, 409) else self._api.object(response, f"replacing {key}")

    def delete_unchanged(self, seen: Json, *, timeout: float | None = None) -> bool:
        """Delete the object that was seen; False when it has changed or gone since."""
        key, resource = self._api.known(seen)
        metadata = seen["metadata"]
        conditions = {"uid": metadata["uid"], "resourceVersion": metadata["resourceVersion"]}
        body = {"apiVersion": "v1", "kind": "DeleteOptions", "preconditions": conditions}
        response = self._api.connection.request("DELETE", self._api.path(key, resource), body=body, timeout=timeout)
        if response.status_code in (404, 409):
            return False
        self._api.object(response, f"deleting {key}")
        return True

    def now(self) -> datetime:
        """The time by the API server's clock, within about a second, so far as its last answer told."""
        return self._api.connection.server_clock() or self._ask_time()

    def _ask_time(self) -> datetime:
        self._api.ask("GET", "/version", "asking for the time")
        # Who leaves the time out of its answers leaves us with our own.
        return self._api.connection.server_clock() or datetime.now(UTC)

    def close(self) -> None:
        """Close the connections; the next question opens them again."""
        self._api.close()


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
