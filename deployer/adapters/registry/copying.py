"""Copies an image from one repository to another, layer by layer, without keeping a layer in memory."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING
from urllib.parse import quote, urljoin, urlsplit

from deployer.adapters.registry.connection import Connection, Passing, read
from deployer.adapters.registry.manifest import ACCEPT, Blob, Manifest, parse
from deployer.errors import DeployError, UnreachableError

if TYPE_CHECKING:
    import httpx2

_AT_ONCE = 4
_DEEPEST = 3


class Copying:
    """One copy; `source` and `destination` are a connection and a repository's name; `tell` takes lines of progress."""

    def __init__(
        self,
        source: tuple[Connection, str],
        destination: tuple[Connection, str],
        tell: Callable[[str], None],
    ) -> None:
        self._source, self._from = source
        self._destination, self._to = destination
        self._tell = tell
        self._stop = threading.Event()

    def run(self, reference: str, tag: str) -> str:
        """Copy the manifest with this tag or digest, and what it consists of, to the tag; its digest."""
        root = self.manifest(reference)
        manifests = list(self._below(root, 0))
        blobs = list(dict.fromkeys(blob for manifest in manifests for blob in manifest.blobs))
        pool = ThreadPoolExecutor(_AT_ONCE, thread_name_prefix="copy")
        try:
            for _ in pool.map(self._copy_blob, blobs):
                pass
        finally:
            self._stop.set()  # nothing is left running for a copy that failed
            pool.shutdown(wait=True, cancel_futures=True)
        for manifest in manifests[:-1]:
            self._put(manifest, manifest.digest)
        self._put(root, tag)
        return root.digest

    def manifest(self, reference: str) -> Manifest:
        """A manifest of the source; one that is asked for by its digest has that digest."""

        def get() -> Manifest:
            path = f"/v2/{self._from}/manifests/{reference}"
            with self._source.request("GET", path, self._from, headers={"Accept": ACCEPT}) as response:
                place = f"{self._source.host}/{self._from}"
                return parse(read(response), response.headers.get("Content-Type", ""), place)

        manifest = self._source.attempt(self._from, get)
        if reference.startswith("sha256:") and manifest.digest != reference:
            raise UnreachableError(
                "the registry's manifest is damaged",
                where=f"{self._source.host}/{self._from}@{reference}",
                why=f"its digest is {manifest.digest}",
            )
        return manifest

    def _below(self, manifest: Manifest, depth: int) -> Iterator[Manifest]:
        """A manifest and those that it lists, which come before it."""
        if depth > _DEEPEST:
            raise UnreachableError(
                "the image's manifests are nested too deep", where=f"{self._source.host}/{self._from}"
            )
        for child in manifest.children:
            yield from self._below(self.manifest(child), depth + 1)
        yield manifest

    def _put(self, manifest: Manifest, reference: str) -> None:
        def put() -> str | None:
            path = f"/v2/{self._to}/manifests/{reference}"
            headers = {"Content-Type": manifest.media_type}
            with self._destination.request(
                "PUT", path, self._to, push=True, accept=(200, 201, 202), headers=headers, content=manifest.content
            ) as response:
                return response.headers.get("Docker-Content-Digest")

        digest = self._destination.attempt(self._to, put)
        if digest not in (None, manifest.digest):
            raise UnreachableError(
                "the registry has another digest for what it was given",
                where=f"{self._destination.host}/{self._to}:{reference}",
                why=f"{digest} instead of {manifest.digest}",
            )

    def _copy_blob(self, blob: Blob) -> None:
        self._destination.attempt(self._to, lambda: self._copy_once(blob))

    def _copy_once(self, blob: Blob) -> None:
        if self._stop.is_set():
            return
        path = f"/v2/{self._to}/blobs/{blob.digest}"
        with self._destination.request("HEAD", path, self._to, push=True, accept=(200, 404)) as response:
            if response.status_code == 200:
                return
        query = ""
        if self._source.host == self._destination.host:
            query = f"?mount={blob.digest}&from={quote(self._from, safe='')}"
        uploads = f"/v2/{self._to}/blobs/uploads/{query}"
        with self._destination.request("POST", uploads, self._to, push=True, accept=(201, 202)) as response:
            if response.status_code == 201:
                return
            location = _place_of_upload(response)
        target = f"{location}{'&' if urlsplit(location).query else '?'}digest={quote(blob.digest, safe='')}"
        headers = {"Content-Type": "application/octet-stream", "Content-Length": str(blob.size)}
        with self._destination.request(
            "PUT",
            target,
            self._to,
            push=True,
            accept=(201, 204),
            headers=headers,
            content=lambda: self._content(blob),
            timeout=300.0,  # the registry checks the whole blob before it answers
        ):
            self._tell(f"{blob.digest[:19]} {blob.size / 1e6:.1f} MB copied to {self._destination.host}")

    def _content(self, blob: Blob) -> Iterator[bytes]:
        """A blob as it comes in; what is not what its digest says never ends, so that no upload of it is complete."""
        digest = hashlib.sha256()
        size = 0
        path = f"/v2/{self._from}/blobs/{blob.digest}"
        with self._source.request("GET", path, self._from) as response:
            for chunk in response.iter_raw():
                if self._stop.is_set():
                    raise DeployError("the copy was stopped", where=f"{self._destination.host}/{self._to}")
                digest.update(chunk)
                size += len(chunk)
                if size == blob.size and f"sha256:{digest.hexdigest()}" != blob.digest:
                    raise Passing(f"the layer {blob.digest} came in damaged")
                yield chunk
        if size != blob.size:
            raise Passing(f"the layer {blob.digest} came in incomplete")


def _place_of_upload(response: httpx2.Response) -> str:
    try:
        return urljoin(str(response.url), response.headers["Location"])
    except (KeyError, ValueError) as error:
        raise Passing("it names no place to upload to") from error
