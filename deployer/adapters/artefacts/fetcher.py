"""Fetches an app's artefacts, several at once, each only when it is not already here."""

from __future__ import annotations

import os
import re
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from queue import Empty, SimpleQueue
from threading import Event, Lock, Thread
from typing import Any

from deployer.adapters.artefacts.cache import CAPACITY, Cache, Record
from deployer.adapters.artefacts.github import GitHub
from deployer.adapters.artefacts.own import own_file
from deployer.adapters.artefacts.remote import Remote, Transient, without_credentials
from deployer.adapters.artefacts.retry import with_attempts
from deployer.adapters.artefacts.s3 import S3Artefact
from deployer.adapters.artefacts.transfer import LONGEST_SILENCE, Transfer
from deployer.adapters.artefacts.web import ClientFactory, Web, WebArtefact
from deployer.errors import ConfigurationError, DeployError, UnreachableError, raise_all
from deployer.events import DownloadProgress, Sink
from deployer.model import Artefact, Download, GitHubSettings, Secret

AT_ONCE = 4
"""How many artefacts are downloaded at the same time."""

_ATTEMPTS = 4
_SHA256 = re.compile(r"[0-9a-f]{64}")


class Fetcher:
    """Fetches artefacts (the port `ArtefactFetcher`).

    `root` is the deployment repository, `cache` a directory of our own. `aws_client` gives a boto3 client for the name
    of a service, `http_client` an httpx2 client (for several threads); neither is called before it is needed.
    `environment` is where GITHUB_TOKEN or GH_TOKEN is looked for. `mask` hides secrets in what is shown of a source;
    `where` names the file that asks for the artefacts in errors; `pause` is the first wait after a failure, in seconds.
    """

    def __init__(
        self,
        root: Path,
        cache: Path,
        *,
        aws_client: Callable[[str], Any],
        http_client: ClientFactory,
        github: GitHubSettings | None = None,
        environment: Mapping[str, str] | None = None,
        mask: Callable[[str], str] = str,
        where: str | None = None,
        capacity: int = CAPACITY,
        pause: float = 0.5,
    ) -> None:
        settings = github or GitHubSettings()
        variables = os.environ if environment is None else environment
        token = variables.get("GITHUB_TOKEN") or variables.get("GH_TOKEN")
        self._root = root.resolve()
        self._cache = Cache(cache, capacity)
        self._aws_client = aws_client
        self._web = Web(http_client)
        self._github = GitHub(self._web, settings.api_url, settings.token or (Secret(token) if token else None))
        self._mask = mask
        self._pause = pause
        self._where = where
        self._stop = Event()
        self._lock = Lock()
        self._s3_client: Any = None

    def fetch(self, downloads: Sequence[Download], sink: Sink) -> tuple[Artefact, ...]:
        """What the port says. The same source is fetched once."""
        unique = list(dict.fromkeys(downloads))
        results: dict[Download, Artefact] = {}
        errors: dict[Download, DeployError] = {}
        defects: list[BaseException] = []
        waiting: SimpleQueue[Download] = SimpleQueue()
        for download in unique:
            waiting.put(download)

        def work() -> None:
            while not self._stop.is_set():
                try:
                    download = waiting.get_nowait()
                except Empty:
                    return
                try:
                    results[download] = self._fetch(download, sink)
                except DeployError as error:
                    errors[download] = self._presentable(error)
                except BaseException as error:  # noqa: BLE001 -- raised again in the calling thread
                    defects.append(error)

        # Daemons: a server that does not answer must not hold up a process that wants to end.
        threads = [Thread(target=work, name=f"fetch-{n}", daemon=True) for n in range(min(AT_ONCE, len(unique)))]
        try:
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
        except BaseException:
            self.stop()
            raise
        if defects:
            raise defects[0]
        raise_all([errors[download] for download in unique if download in errors])
        if self._stop.is_set():
            raise DeployError("the downloads were stopped")
        if not all(artefact.from_cache for artefact in results.values()):
            self._cache.trim()
        return tuple(results[download] for download in downloads)

    def stop(self) -> None:
        """Let downloads end soon; what they have is kept. Callable from any thread, once for all."""
        self._stop.set()

    def _fetch(self, download: Download, sink: Sink) -> Artefact:
        expected = download.sha256.lower() if download.sha256 is not None else None
        if expected is not None and not _SHA256.fullmatch(expected):
            raise ConfigurationError(
                "not a SHA-256", where=self._label(download.src), why="it has 64 hexadecimal digits", hint=None
            )
        remote = self._remote(download.src)
        if remote is None:
            artefact = own_file(self._root, download.src)
        else:
            artefact = self._known(expected, download.src) or self._current(remote, expected, sink)
        _check_digest(artefact.source, expected, artefact.sha256)
        return artefact

    def _remote(self, source: str) -> Remote | None:
        scheme, separator, _ = source.partition("://")
        if not separator:
            return None
        match scheme.lower():
            case "s3":
                return S3Artefact(self._s3, source)
            case "http" | "https" | "github":
                return self._github.artefact(source) or WebArtefact(self._web, source)
        raise ConfigurationError(
            f"artefacts cannot be downloaded from {scheme}://",
            where=self._label(source),
            hint="use s3://, http://, https://, github://, or the path of a file in the deployment repository",
        )

    def _s3(self) -> Any:
        with self._lock:  # making a client is not safe in several threads, using it is
            if self._s3_client is None:
                self._s3_client = self._aws_client("s3")
            return self._s3_client

    def _known(self, sha256: str | None, source: str) -> Artefact | None:
        """A content that is asked for by its digest and is here needs nobody to be asked."""
        path = self._cache.content(sha256) if sha256 else None
        if path is None or sha256 is None:
            return None
        return Artefact(self._label(source), path, path.stat().st_size, sha256, from_cache=True)

    def _current(self, remote: Remote, expected: str | None, sink: Sink) -> Artefact:
        try:
            record = self._cache.record(remote.key)
            if record and (artefact := self._unchanged(remote, record)):
                return artefact
            with self._cache.lock(remote.key, self._stop):
                newer = self._cache.record(remote.key)
                if newer and newer != record and (artefact := self._unchanged(remote, newer)):
                    return artefact  # another run has fetched it while we waited
                return self._download(remote, expected, sink)
        except Transient as error:
            raise UnreachableError(
                "the artefact's server does not answer", where=self._label(remote.label), why=self._mask(error.why)
            ) from error

    def _presentable(self, error: DeployError) -> DeployError:
        """The error with its secrets hidden, and the app file named before the artefact."""
        place = self._mask(str(error.where)) if error.where else None
        error.where = ": ".join(part for part in (self._where, place) if part) or None
        error.why = self._mask(error.why) if error.why else None
        return error

    def _unchanged(self, remote: Remote, record: Record) -> Artefact | None:
        """The artefact from the cache when the source still has the same."""
        began = time.monotonic()
        version = with_attempts(
            lambda: remote.version(record.identity),
            stop=self._stop,
            pause=self._pause,
            give_up=lambda attempts: attempts >= _ATTEMPTS or time.monotonic() - began > LONGEST_SILENCE,
        )
        if version is None or version.identity is None:
            return None
        if version.identity != record.identity:
            if not version.sha256 or not (path := self._cache.content(version.sha256, version.size)):
                return None
            record = Record(version.identity, path.stat().st_size, version.sha256)
            self._cache.remember(remote.key, record)
        path = self._cache.content(record.sha256, record.size)
        return self._artefact(remote, record, path, from_cache=True) if path else None

    def _download(self, remote: Remote, expected: str | None, sink: Sink) -> Artefact:
        label = self._label(remote.label)

        def progress(done: int, total: int | None) -> None:
            sink.emit(DownloadProgress(label, done, total))

        partial = self._cache.partial(remote.key)
        transfer = Transfer(remote, partial, progress, stop=self._stop, pause=self._pause)
        sha256, size, version = transfer.run()
        if expected not in (None, sha256):
            partial.unlink()
            _check_digest(label, expected, sha256)
        record = Record(version.identity, size, sha256)
        path = self._cache.keep(partial, sha256)
        self._cache.remember(remote.key, record)
        return self._artefact(remote, record, path, from_cache=False)

    def _artefact(self, remote: Remote, record: Record, path: Path, *, from_cache: bool) -> Artefact:
        return Artefact(self._label(remote.label), path, record.size, record.sha256, record.identity, from_cache)

    def _label(self, source: str) -> str:
        return self._mask(without_credentials(source) if "://" in source else source)


def _check_digest(source: str, expected: str | None, actual: str) -> None:
    if expected not in (None, actual):
        raise ConfigurationError(
            "the artefact does not have the checksum that is written for it",
            where=source,
            why=f"sha256 should be {expected} and is {actual}",
            hint="if the artefact was changed on purpose, write the new sha256",
        )
