"""Helm's storage in a cluster: the Secrets in which it keeps the revisions of its releases."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from datetime import datetime
from typing import Protocol

from deployer.adapters.helm.conversion import rebased
from deployer.adapters.helm.encoding import (
    DEPLOYMENT_ID,
    ENDED,
    EXPIRES,
    SECRET_TYPE,
    VERIFIED,
    VERIFIED_REVISION,
    ending_label,
    expiry_label,
    pack,
    revision_of,
    unpack,
)
from deployer.errors import DeployError
from deployer.model import DeploymentRecord, Ending, Json, ObjectKey, Revision


class SecretStore(Protocol):
    """What is needed of the cluster."""

    def list(
        self,
        api_version: str,
        kind: str,
        namespace: str | None,
        labels: Mapping[str, str] | None = None,
        *,
        selector: str = "",
    ) -> Sequence[Json]:
        """The live objects of a kind that have these labels, or that Kubernetes' own label selector chooses."""
        ...

    def patch(self, key: ObjectKey, change: Json) -> Json:
        """Change a live object by a JSON merge patch."""
        ...

    def delete(self, key: ObjectKey) -> None:
        """Delete a live object; one that is gone already is no error."""
        ...


class Storage:
    """The revisions in one cluster."""

    def __init__(self, secrets: SecretStore) -> None:
        self._secrets = secrets

    def revisions(self, name: str, namespace: str) -> tuple[Revision, ...]:
        """All stored revisions, newest first. What cannot be unpacked is known by its labels alone."""
        found = (revision_of(secret) for secret in self._stored(name, namespace))
        return tuple(sorted((each for each in found if each), key=lambda revision: revision.number, reverse=True))

    def mark(self, name: str, namespace: str, revision: int, *, verified: bool, ended: Ending | None = None) -> None:
        """Write our mark on a revision."""
        number = str(revision) if verified else None
        label = ending_label(ended, revision) if ended and not verified else None
        self._label(
            name, namespace, revision, {VERIFIED: str(verified).lower(), VERIFIED_REVISION: number, ENDED: label}
        )

    def keep(self, name: str, namespace: str, revision: int, until: datetime | None) -> None:
        """Write down until when a branch's revision is kept; None: for ever."""
        self._label(name, namespace, revision, {EXPIRES: expiry_label(until, revision)})

    def attribute(self, name: str, namespace: str, revision: int, record: DeploymentRecord | None) -> None:
        """Say whose deployment has made a revision that Helm made as the copy of an old one: nobody has verified it.

        The record takes the place of the one that was copied; a revision of somebody else's is only labelled. Without a
        `record` it stays attributed to the deployment that made the old one.
        """
        labels: dict[str, str | None] = {VERIFIED: "false", VERIFIED_REVISION: None, ENDED: None}
        if record is not None:
            labels[DEPLOYMENT_ID] = label_value(record.deployment_id)
        key = _secret_key(name, namespace, revision)
        stored = self._stored(name, namespace) if record else []
        secret = next((each for each in stored if each["metadata"]["name"] == key.name), None)
        release = unpack(secret) if secret else None
        if secret is None or release is None or record is None:
            self._label(name, namespace, revision, labels)
            return
        values = release.get("config")
        if isinstance(values, dict) and isinstance(values.get("record"), dict):
            values["record"] = asdict(record)
            values.pop("before", None)  # what the old revision took over is no business of the new one
        info = release.setdefault("info", {})
        info["description"] = _described(str(info.get("description") or "Rollback"), record)
        self._rewrite(secret, release, labels)

    def settle(self, name: str, namespace: str, revision: int) -> None:
        """Drop what a revision keeps of the objects that it took over."""
        key = _secret_key(name, namespace, revision)
        for secret in self._stored(name, namespace):
            release = unpack(secret) if secret["metadata"]["name"] == key.name else None
            values = release.get("config") if release else None
            if release is not None and isinstance(values, dict) and values.pop("before", None) is not None:
                self._rewrite(secret, release)

    def forget(self, name: str, namespace: str) -> None:
        """Delete every revision, the oldest first: the newest is what tells of the release."""
        for secret in sorted(self._stored(name, namespace), key=_number):
            self._secrets.delete(ObjectKey("v1", "Secret", namespace, secret["metadata"]["name"]))

    def drop(self, name: str, namespace: str, revision: int) -> None:
        """Delete one revision."""
        self._secrets.delete(_secret_key(name, namespace, revision))

    def rebase(self, name: str, namespace: str, revision: int, onto: int) -> None:
        """Give a revision the manifest of another one, and what only itself has. Once more changes nothing."""
        secrets = {_number(secret): secret for secret in self._stored(name, namespace)}
        release, base = (unpack(secrets[number]) if number in secrets else None for number in (revision, onto))
        if release and base:
            manifest = rebased(str(release.get("manifest") or ""), str(base.get("manifest") or ""))
            if manifest != release.get("manifest"):
                self._rewrite(secrets[revision], release | {"manifest": manifest})

    def fail(self, name: str, namespace: str, revision: int) -> bool:
        """Make a pending revision a failed one, as Helm itself does when it is stopped; whether it was pending."""
        for secret in self._stored(name, namespace):
            release = unpack(secret)
            if not release or release.get("version") != revision:
                continue
            status = str(release.get("info", {}).get("status", ""))
            if not status.startswith("pending"):
                return False
            what = "Rollback interrupted" if status == "pending-rollback" else "Interrupted"
            release["info"] |= {"status": "failed", "description": f"{what}; marked as failed by deploy"}
            self._rewrite(secret, release, {"status": "failed"})
            return True
        return False

    def convert(self, name: str, namespace: str, convert: Callable[[str], str]) -> tuple[int, ...]:
        """Pass the stored manifests of all revisions through `convert`; the numbers of those that it changed."""
        changed = []
        for secret in self._stored(name, namespace):
            release = unpack(secret)
            manifest = release.get("manifest") if release else None
            if release is None or not isinstance(manifest, str) or (converted := convert(manifest)) == manifest:
                continue
            self._rewrite(secret, release | {"manifest": converted})
            changed.append(int(release.get("version", 0)))
        return tuple(sorted(changed))

    def _stored(self, name: str, namespace: str) -> list[Json]:
        secrets = self._secrets.list("v1", "Secret", namespace, {"owner": "helm", "name": name})
        return [secret for secret in secrets if secret.get("type") == SECRET_TYPE]

    def _label(self, name: str, namespace: str, revision: int, labels: Mapping[str, str | None]) -> None:
        self._secrets.patch(_secret_key(name, namespace, revision), {"metadata": {"labels": dict(labels)}})

    def _rewrite(self, secret: Json, release: Json, labels: Mapping[str, str | None] | None = None) -> None:
        metadata = secret["metadata"]
        change: Json = {
            # Whoever changed it since we read it wins.
            "metadata": {"resourceVersion": metadata["resourceVersion"], "labels": dict(labels or {})},
            "data": {"release": pack(release)},
        }
        try:
            self._secrets.patch(ObjectKey("v1", "Secret", metadata["namespace"], metadata["name"]), change)
        except DeployError:
            # A request whose answer was lost is sent again, and is then refused for what it has done itself.
            stored = self._stored(metadata["labels"]["name"], metadata["namespace"])
            live = next((one for one in stored if one["metadata"]["name"] == metadata["name"]), None)
            if live is None or live["data"] != change["data"]:
                raise


def _number(secret: Json) -> int:
    number = str((secret["metadata"].get("labels") or {}).get("version"))
    return int(number) if number.isdecimal() else 0


def label_value(text: str) -> str:
    """The text as a label's value: at most 63 of `A-Za-z0-9._-`, the first and the last a letter or digit."""
    allowed = re.sub(r"[^A-Za-z0-9._-]", "-", text)
    return allowed[:63].strip("-._")


def _described(helms: str, record: DeploymentRecord) -> str:
    """`Rollback to 3: 0.0.1 (anna@laptop)`, after Helm's own words."""
    version = record.version or record.tag
    return helms + (f": {version}" if version else "") + (f" ({record.who})" if record.who else "")


def _secret_key(name: str, namespace: str, revision: int) -> ObjectKey:
    return ObjectKey("v1", "Secret", namespace, f"sh.helm.release.v1.{name}.v{revision}")
