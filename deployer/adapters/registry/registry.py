"""The port `Registry`, over the HTTP API that all registries share.

See https://github.com/opencontainers/distribution-spec/blob/main/spec.md.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import TYPE_CHECKING

from deployer.adapters.registry.connection import Connection, read
from deployer.adapters.registry.copying import Copying
from deployer.adapters.registry.login import Credentials
from deployer.adapters.registry.manifest import ACCEPT, digest_of
from deployer.errors import ConfigurationError, UnreachableError
from deployer.events import OutputLine, Sink
from deployer.model import Image, Secret

if TYPE_CHECKING:
    import httpx2

    from deployer.execute.image_ports import Registry


class HttpRegistry:
    """One region's registry (the port `Registry`). Safe to share between threads.

    `credentials` gives user name and password (None: a registry without login), `ensure` makes a repository by its
    name where that is wanted, `client` an httpx2 client for several threads; each is called only when it is needed.
    """

    def __init__(
        self,
        credentials: Credentials | None,
        ensure: Callable[[str], object],
        client: Callable[[], httpx2.Client],
        pause: float = 0.3,
    ) -> None:
        self._credentials = credentials
        self._ensure = ensure
        self._client = client
        self._pause = pause
        self._lock = threading.Lock()
        self._connections: dict[str, Connection] = {}

    def digest(self, image: Image) -> str | None:
        """What the port says: one HEAD (and its login)."""
        return self._digest(image, image.tag)

    def has(self, image: Image) -> bool:
        """What the port says."""
        return self._digest(image, image.digest or image.tag) is not None

    def _digest(self, image: Image, reference: str) -> str | None:
        """The digest of what the image's repository has under a tag or a digest; None when it has nothing."""
        connection = self.connection(image)

        def ask(method: str) -> tuple[int, str | None, bytes]:
            path = f"/v2/{image.repository}/manifests/{reference}"
            headers = {"Accept": ACCEPT}
            with connection.request(method, path, image.repository, accept=(200, 404), headers=headers) as response:
                content = read(response) if method == "GET" else b""
                return response.status_code, response.headers.get("Docker-Content-Digest"), content

        status, digest, _ = connection.attempt(image.repository, lambda: ask("HEAD"))
        if status == 200 and not digest:
            status, digest, content = connection.attempt(image.repository, lambda: ask("GET"))
            digest = digest or digest_of(content)
        return digest if status == 200 else None

    def ensure_repository(self, image: Image) -> None:
        """What the port says."""
        self._ensure(image.repository)

    def credentials(self) -> tuple[str, Secret]:
        """What the port says. Raises UnreachableError for a registry without login."""
        if self._credentials is None:
            raise UnreachableError("there is no login for this registry")
        return self._credentials()

    def copy(self, source: Image, source_registry: Registry, destination: Image, sink: Sink) -> str:
        """What the port says. A tag is never moved: ConfigurationError when it is another image already."""
        if not isinstance(source_registry, HttpRegistry):
            raise TypeError("images are copied between registries of one kind")
        copying = Copying(
            (source_registry.connection(source), source.repository),
            (self.connection(destination), destination.repository),
            lambda line: sink.emit(OutputLine("copy", line)),
        )
        wanted = source.digest or copying.manifest(source.tag).digest
        present = self.digest(destination)
        if present is None:
            copying.run(wanted, destination.tag)
            present = self.digest(destination)
        if present != wanted:
            raise ConfigurationError(
                "the registry has another image under this tag",
                where=destination.reference,
                why=f"it has {present}, and {source.registry} has {wanted}",
                hint="deploy with --rebuild: it makes one new image under a new tag for all regions",
            )
        return wanted

    def connection(self, image: Image) -> Connection:
        """The connection to the registry that an image names."""
        with self._lock:
            if image.registry not in self._connections:
                self._connections[image.registry] = Connection(
                    image.registry, self._credentials, self._client, self._pause
                )
            return self._connections[image.registry]
