"""A stored release: base64 of gzip of JSON, in a Secret of its own for each revision.

Source of the format: helm's `pkg/storage/driver/util.go` and `pkg/release/v1/release.go`.
"""

from __future__ import annotations

import base64
import gzip
import json
import zlib
from dataclasses import fields
from datetime import UTC, datetime
from typing import Any, get_args

from deployer.model import DeploymentRecord, Ending, Json, Revision
from deployer.model.release import FOR_EVER

SECRET_TYPE = "helm.sh/release.v1"  # noqa: S105
VERIFIED = "verified"
VERIFIED_REVISION = "verified-revision"
DEPLOYMENT_ID = "deployment-id"
ENDED = "ended"
"""Our label `failed.7`: how the attempt at revision 7 ended."""

EXPIRES = "expires"
"""Our label `1795276800.7`: until when revision 7, of a branch, is kept, in seconds since 1970 (UTC); or `never.7`."""

_NEVER = "never"
_GZIP = b"\x1f\x8b\x08"
_LARGEST = 64 * 1024 * 1024
"""Bytes beyond which a stored release is not unpacked: Helm could not have written it, 1 MiB being the limit packed."""


def unpack(secret: Json) -> Json | None:
    """The release in a Secret; None when it cannot be read."""
    try:
        data = base64.b64decode(base64.b64decode(secret["data"]["release"], validate=True), validate=True)
        if data.startswith(_GZIP):
            inflater = zlib.decompressobj(wbits=31)
            data = inflater.decompress(data, _LARGEST)
            if not inflater.eof:
                return None
        release = json.loads(data)
    except (KeyError, TypeError, ValueError, zlib.error, RecursionError):
        return None
    return release if isinstance(release, dict) else None


def pack(release: Json) -> str:
    """A release as the value of the Secret's `data.release`."""
    data = json.dumps(release, ensure_ascii=False, separators=(",", ":")).encode()
    return base64.b64encode(base64.b64encode(gzip.compress(data, compresslevel=9, mtime=0))).decode()


def revision_of(secret: Json) -> Revision | None:
    """The revision in a Secret, as far as it can be read; None when the Secret is not a revision at all.

    A mark counts only for the revision that it names: Helm copies labels from revision to revision.
    """
    labels = _mapping(_mapping(secret, "metadata"), "labels")
    release = unpack(secret) or {}
    info = _mapping(release, "info")
    metadata = _mapping(_mapping(release, "chart"), "metadata")
    values = _mapping(release, "config")
    try:
        number = int(release.get("version") or labels["version"])
    except (KeyError, ValueError, TypeError):
        return None
    manifests = values.get("manifests")
    ours = isinstance(manifests, list) and all(isinstance(text, str) for text in manifests)
    return Revision(
        number=number,
        status=str(info.get("status") or labels.get("status") or "unknown"),
        updated=_time(info.get("last_deployed")),
        verified=labels.get(VERIFIED) == "true" and labels.get(VERIFIED_REVISION) == str(number),
        deployment_id=labels.get(DEPLOYMENT_ID),
        manifests=tuple(manifests) if ours and manifests else (),
        manifest=str(release.get("manifest") or ""),
        record=_record(values.get("record")),
        chart="-".join(str(metadata[key]) for key in ("name", "version") if metadata.get(key)),
        ended=_ending(labels.get(ENDED), number),
        description=str(info.get("description") or ""),
        before=_texts(values.get("before")),
        kept_until=_expiry(labels.get(EXPIRES), number),
    )


def _texts(content: Any) -> tuple[str, ...]:
    texts = content if isinstance(content, list) else []
    return tuple(text for text in texts if isinstance(text, str))


def ending_label(ended: Ending, revision: int) -> str:
    """The value of the label `ended`."""
    return f"{ended}.{revision}"


def _ending(label: Any, number: int) -> Ending | None:
    return next((ended for ended in get_args(Ending) if label == ending_label(ended, number)), None)


def expiry_label(until: datetime | None, revision: int) -> str:
    """The value of the label `expires`; None is for ever."""
    return f"{_NEVER if until is None else int(until.timestamp())}.{revision}"


def _expiry(label: Any, number: int) -> datetime | None:
    seconds, _, revision = str(label).partition(".")
    if revision != str(number):
        return None
    if seconds == _NEVER:
        return FOR_EVER
    if not seconds.isdecimal():
        return None
    try:
        return datetime.fromtimestamp(int(seconds), UTC)
    except (ValueError, OverflowError, OSError):
        return None


def _record(content: Any) -> DeploymentRecord | None:
    """A record as this or another version of the tool has written it; None for anything else."""
    if not isinstance(content, dict):
        return None
    texts = {field.name: content.get(field.name) for field in fields(DeploymentRecord)}
    known = {name: text for name, text in texts.items() if isinstance(text, str)}
    try:
        return DeploymentRecord(**known)
    except TypeError:  # one without which it is no record
        return None


def _time(text: Any) -> datetime | None:
    try:
        return datetime.fromisoformat(text)
    except (TypeError, ValueError):
        return None


def _mapping(content: Json, key: str) -> Json:
    value = content.get(key)
    return value if isinstance(value, dict) else {}
