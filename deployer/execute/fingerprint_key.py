"""The key of a stage without FingerprintKey: a random one, kept in the region's cluster for the names of Secrets."""

from __future__ import annotations

import base64
import secrets
from dataclasses import dataclass

from deployer.errors import ConfigurationError
from deployer.execute.ports import Cluster
from deployer.model import Json, ObjectKey, Secret
from deployer.plan.manifests.kinds import dig
from deployer.plan.manifests.lifted import OWNER

NAME = "deploy-fingerprint-key"
_FIELD = "key"
_PURPOSE = ("deployer/purpose", "fingerprint-key")
_BYTES = 32


@dataclass(frozen=True)
class ClusterKey:
    """A key with the Secret that is to hold it, where the cluster has none yet."""

    value: Secret
    unsaved: Json | None = None


def cluster_key(cluster: Cluster, namespace: str) -> ClusterKey:
    """The key that the namespace has, or a new one, which nobody has saved yet. Changes nothing."""
    live = cluster.get(ObjectKey("v1", "Secret", namespace, NAME))
    if live is not None:
        return ClusterKey(_value(live, namespace))
    value = secrets.token_hex(_BYTES)
    metadata = {"name": NAME, "namespace": namespace, "labels": dict([OWNER, _PURPOSE])}
    encoded = base64.b64encode(value.encode()).decode()
    unsaved: Json = {"apiVersion": "v1", "kind": "Secret", "metadata": metadata, "type": "Opaque", "immutable": True}
    return ClusterKey(Secret(value), {**unsaved, "data": {_FIELD: encoded}})


def save(cluster: Cluster, unsaved: Json) -> bool:
    """Keep a new key; False where somebody was faster, so that names are made with another one from now on."""
    if cluster.create(unsaved) is not None:
        return True
    metadata = unsaved["metadata"]
    live = cluster.get(ObjectKey("v1", "Secret", metadata["namespace"], NAME))
    return live is not None and live.get("data") == unsaved["data"]


def advice(stage: str) -> str:
    """What is said of a stage that has no key of its own."""
    return (
        f"{stage} has no FingerprintKey: Secrets are named with a random key that each cluster keeps (Secret/{NAME}); "
        f"`deploy secrets set {stage} FingerprintKey --generate` gives the stage one of its own"
    )


def _value(live: Json, namespace: str) -> Secret:
    marks = dig(live, ("metadata", "labels")) or {}
    try:
        value = base64.b64decode(str(dig(live, ("data", _FIELD)) or ""), validate=True).decode()
    except ValueError:
        value = ""
    if all(marks.get(label) == text for label, text in (OWNER, _PURPOSE)) and len(value) >= _BYTES:
        return Secret(value)
    raise ConfigurationError(
        f"Secret/{NAME} holds no key of ours",
        where=f"namespace {namespace}",
        why="it lacks our labels, or its key is missing or too short",
        hint=f"set a FingerprintKey for the stage, or delete it: kubectl delete secret {NAME} --namespace {namespace}",
    )
