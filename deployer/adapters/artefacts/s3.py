"""Artefacts in S3 buckets: `s3://bucket/key`, optionally with `?versionId=…`."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from deployer.adapters.artefacts.remote import Body, Changed, Transient, Version
from deployer.errors import ConfigurationError, DeployError, UnreachableError

_CHUNK = 256 * 1024
_TRANSIENT_CODES = ("SlowDown", "RequestTimeout", "RequestTimeTooSkewed", "Throttling", "ThrottlingException")


class S3Artefact:
    """An object in a bucket (a `Remote`). `client` gives a boto3 client for S3, and is called when it is needed."""

    def __init__(self, client: Callable[[], Any], url: str) -> None:
        self._client = client
        path, _, version = url.removeprefix("s3://").partition("?versionId=")
        bucket, _, key = path.partition("/")
        if not bucket or not key or key.endswith("/"):
            raise ConfigurationError("not the URL of an object", where=url, hint="write s3://bucket/key")
        self._version_id = version or None
        self._object = {"Bucket": bucket, "Key": key, **({"VersionId": version} if version else {})}
        self.label = self.key = url

    def version(self, known: str | None) -> Version | None:
        """Ask with HEAD; a named version never changes, so it is not asked about."""
        if self._version_id and known == self._version_id:
            return Version(known)
        with _translated(self.label):
            return self._version(self._client().head_object(**self._object))

    @contextmanager
    def open(self, start: int, version: Version | None) -> Iterator[Body]:
        """GET, from `start` on if the object is still the same (If-Match)."""
        part = {}
        if start and version and version.resumable:
            part = {"Range": f"bytes={start}-"}
            if not self._version_id:
                part["IfMatch"] = str(version.identity)
        with _translated(self.label):
            response = self._client().get_object(**self._object, **part)
            content = response["Body"]
            try:
                whole = version if part and version else self._version(response)
                yield Body(whole, start if part else 0, content.iter_chunks(_CHUNK))
            finally:
                content.close()

    def _version(self, response: Any) -> Version:
        identity = self._version_id or response.get("ETag")
        return Version(identity, response["ContentLength"], resumable=identity is not None)


@contextmanager
def _translated(label: str) -> Iterator[None]:
    from botocore import exceptions
    from urllib3.exceptions import HTTPError

    try:
        yield
    except exceptions.ClientError as error:
        raise _refused(error.response, label) from error
    except (exceptions.ConnectionError, exceptions.HTTPClientError, exceptions.IncompleteReadError, HTTPError) as error:
        raise Transient(str(error)) from error
    except exceptions.FlexibleChecksumError as error:
        raise Changed(str(error)) from error
    except exceptions.ParamValidationError as error:
        raise ConfigurationError("not the URL of an object", where=label, why=str(error)) from error
    except exceptions.BotoCoreError as error:
        raise UnreachableError(
            "S3 cannot be asked", where=label, why=str(error), hint="check the AWS profile and its credentials"
        ) from error


def _refused(response: Any, label: str) -> DeployError | Transient:
    """What an error response of S3 means. HEAD has no body, so that its code is the status alone."""
    status = response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
    code = str(response.get("Error", {}).get("Code", ""))
    message = response.get("Error", {}).get("Message", "")
    why = f"S3 answered {status} {code} {message}".strip()
    if status == 404:
        missing = "the bucket is not there" if code == "NoSuchBucket" else "the artefact is not there"
        return ConfigurationError(missing, where=label, why=why, hint="check the bucket, the key and the version in it")
    if status == 412:
        return Changed("the object has changed")
    if status == 416:
        return Changed("the object is shorter than it was")
    if status >= 500 or status == 429 or code in _TRANSIENT_CODES:
        return Transient(why)
    return UnreachableError(
        "access to the artefact is denied" if status in (401, 403) else "the artefact cannot be downloaded",
        where=label,
        why=why,
        hint="check the AWS profile's rights (s3:GetObject; without s3:ListBucket a missing object looks denied too)",
    )
