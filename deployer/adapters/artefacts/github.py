"""Artefacts from GitHub: release assets and archives of a repository's source, through its REST API.

See https://docs.github.com/en/rest/releases/assets and https://docs.github.com/en/rest/repos/contents.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import quote, unquote, urlsplit

from deployer.adapters.artefacts.remote import Body, Remote, Transient, Version
from deployer.adapters.artefacts.web import Web, body_of, version_of
from deployer.errors import ConfigurationError, UnreachableError
from deployer.model import Secret

_COMMIT = re.compile(r"[0-9a-f]{40}")
_NAME = re.compile(r"[A-Za-z0-9_.-]+")
_FORMATS = {".tar.gz": "tarball", ".tgz": "tarball", ".zip": "zipball"}
_LONGEST_DOCUMENT = 16 * 1024 * 1024


class GitHub:
    """One GitHub: `api_url` is its API's address; `token` is sent there and never to where it redirects."""

    def __init__(self, web: Web, api_url: str, token: Secret | None) -> None:
        self._web = web
        self.api_url = api_url.rstrip("/")
        self.token = token
        parts = urlsplit(self.api_url)
        self._web_url = "https://github.com" if parts.netloc == "api.github.com" else f"{parts.scheme}://{parts.netloc}"

    def artefact(self, source: str) -> Remote | None:
        """What a `github://` URL, or the address of an asset or archive on this GitHub's web site, stands for.

        None for any other URL. Assets of public repositories need no API, whose use is limited without a token;
        archives always come through it, since those of the web site have another top directory.
        """
        short = source.startswith("github://")
        if not short and not source.startswith(f"{self._web_url}/"):
            return None
        path = source.removeprefix("github://" if short else f"{self._web_url}/")
        match [unquote(part) for part in path.partition("?")[0].split("/")]:
            case [owner, name, "releases", tag, asset] if short:
                return ReleaseAsset(self, _repository(owner, name, source), tag, asset, source)
            case [owner, name, "releases", "download", tag, asset] if not short and self.token:
                return ReleaseAsset(self, _repository(owner, name, source), tag, asset, source)
            case [owner, name, "releases", "latest", "download", asset] if not short and self.token:
                return ReleaseAsset(self, _repository(owner, name, source), "latest", asset, source)
            case [owner, name, "archive", *reference] if reference:
                return self._archive(_repository(owner, name, source), "/".join(reference), source)
        if short:
            raise ConfigurationError(
                "not the URL of something on GitHub",
                where=source,
                hint="write github://owner/repository/releases/TAG/ASSET or github://owner/repository/archive/REF.tar.gz",
            )
        return None

    def _archive(self, repository: str, name: str, source: str) -> Remote:
        for suffix, endpoint in _FORMATS.items():
            if name.endswith(suffix):
                reference = name.removesuffix(suffix)
                return SourceArchive(self, repository, reference, endpoint, source)
        raise ConfigurationError(
            "an archive of a repository ends in .tar.gz or .zip", where=source, why=f"this one is called {name}"
        )

    def document(self, path: str, label: str, accept: str) -> bytes:
        """The answer to a GET of the API. Raises as `Web.ask`, with what GitHub has to say about it."""
        with self.ask(path, label, {"Accept": accept}) as response:
            return b"".join(_bounded(response.iter_raw(), label))

    @contextmanager
    def ask(self, url: str, label: str, headers: dict[str, str], *, accept: tuple[int, ...] = (200,)) -> Iterator[Any]:
        """GET of a path of the API, or of a whole URL below it."""
        address = url if url.startswith(f"{self.api_url}/") else f"{self.api_url}{url}"
        credentials = {"Authorization": f"Bearer {self.token.reveal()}"} if self.token else {}
        everything = {"X-GitHub-Api-Version": "2022-11-28", **headers, **credentials}
        with self._web.ask("GET", address, label, everything, accept=(*accept, 401, 403, 404, 422, 429)) as response:
            if response.status_code not in accept:
                raise self._refused(response, label)
            yield response

    def _refused(self, response: Any, label: str) -> Exception:
        status = response.status_code
        hint = "check the name" if self.token else "check the name; a private repository needs a token (GITHUB_TOKEN)"
        if response.headers.get("X-RateLimit-Remaining") == "0" and status in (403, 429):
            return UnreachableError(
                "GitHub's limit of requests is reached",
                where=label,
                hint="wait an hour"
                if self.token
                else "set GITHUB_TOKEN, or GitHub.Token in group_vars: it is far higher then",
            )
        if status == 429:
            return Transient("GitHub asks to slow down")
        if status in (404, 422):
            return ConfigurationError(
                "the artefact is not there", where=label, why=f"GitHub answered {status} to its reference", hint=hint
            )
        return UnreachableError(
            "GitHub refuses access", where=label, why=f"it answered {status}", hint="check the token and its scopes"
        )


class ReleaseAsset:
    """A file that is attached to a release (a `Remote`). The tag may be `latest`."""

    def __init__(self, github: GitHub, repository: str, tag: str, name: str, source: str) -> None:
        self._github = github
        self._repository = repository
        self._tag = tag
        self._name = name
        self._url = ""
        self.label = source.partition("?")[0]
        self.key = f"{github.api_url} {repository} {tag} {name}"

    def version(self, known: str | None) -> Version | None:
        """Look the asset up in its release."""
        release = "latest" if self._tag == "latest" else f"tags/{quote(self._tag, safe='')}"
        path = f"/repos/{self._repository}/releases/{release}"
        content = self._github.document(path, self.label, "application/vnd.github+json")
        try:
            assets = {asset["name"]: asset for asset in json.loads(content)["assets"]}
            if self._name not in assets:
                raise ConfigurationError(
                    f"the release has no asset called {self._name}",
                    where=self.label,
                    why=f"it has {', '.join(sorted(assets)) or 'none'}",
                )
            asset = assets[self._name]
            # By its number: where the document says `url`, it may name another host than we were told to ask.
            self._url = f"/repos/{self._repository}/releases/assets/{int(asset['id'])}"
            algorithm, _, digest = (asset.get("digest") or "").partition(":")
            return Version(
                f"asset {asset['id']} {asset.get('updated_at')}",
                int(asset["size"]),
                digest if algorithm == "sha256" else None,
                resumable=True,
            )
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise UnreachableError("GitHub's answer is not understood", where=self.label, why=str(error)) from error

    @contextmanager
    def open(self, start: int, version: Version | None) -> Iterator[Body]:
        """GET of the asset, from `start` on. An asset's number stands for one content."""
        now = self.version(None) if not self._url or version is None else version
        headers = {"Accept": "application/octet-stream"}
        resume = bool(start) and version is not None and now == version
        if resume:
            headers["Range"] = f"bytes={start}-"
        with self._github.ask(self._url, self.label, headers, accept=(200, 206, 416)) as response:
            body = body_of(response, now if resume else None, start if resume else 0)
            yield Body(now or body.version, body.start, body.chunks)


class SourceArchive:
    """A repository's files at a branch, tag or commit (a `Remote`), below a directory `owner-repository-commit`."""

    def __init__(self, github: GitHub, repository: str, reference: str, endpoint: str, source: str) -> None:
        self._github = github
        self._repository = repository
        self._reference = reference
        self._endpoint = endpoint
        self.label = source.partition("?")[0]
        self.key = f"{github.api_url} {repository} {endpoint} {reference}"

    def version(self, known: str | None) -> Version | None:
        """Look up the commit that the reference stands for; a commit stands for itself."""
        commit = self._reference
        if not _COMMIT.fullmatch(commit):
            path = f"/repos/{self._repository}/commits/{quote(self._reference)}"
            commit = self._github.document(path, self.label, "application/vnd.github.sha").decode("ascii", "replace")
            if not _COMMIT.fullmatch(commit):
                raise UnreachableError("GitHub's answer is not understood", where=self.label)
        return Version(commit)

    @contextmanager
    def open(self, start: int, version: Version | None) -> Iterator[Body]:
        """GET of the archive, always as a whole: it is made while it is sent."""
        now = version or self.version(None)
        commit = now.identity if now else self._reference
        with self._github.ask(f"/repos/{self._repository}/{self._endpoint}/{commit}", self.label, {}) as response:
            yield Body(Version(commit, version_of(response).size), 0, response.iter_raw())


def _repository(owner: str, name: str, source: str) -> str:
    for part in (owner, name):
        if not _NAME.fullmatch(part) or part in (".", ".."):
            raise ConfigurationError(
                "not the name of a repository", where=source, why=f"{part!r} cannot be a part of it"
            )
    return f"{owner}/{name}"


def _bounded(chunks: Iterator[bytes], label: str) -> Iterator[bytes]:
    size = 0
    for chunk in chunks:
        size += len(chunk)
        if size > _LONGEST_DOCUMENT:
            raise UnreachableError("GitHub's answer is too long", where=label)
        yield chunk
