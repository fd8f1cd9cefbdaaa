from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx2
import pytest

from deployer.adapters.artefacts import Fetcher
from deployer.errors import ConfigurationError, UnreachableError
from deployer.events import Silence
from deployer.model import Artefact, Download, GitHubSettings, Secret
from tests.unit.adapters.artefacts.server import Server, serving

CONTENT = b"an asset" * 1000
COMMIT = "0123456789abcdef0123456789abcdef01234567"
TOKEN = "ghp_0123456789"
Fetch = Callable[..., Artefact]


@pytest.fixture
def server() -> Iterator[Server]:
    with serving() as running:
        yield running


@pytest.fixture
def storage() -> Iterator[Server]:
    """Where GitHub redirects downloads to: another host, as for the real one."""
    with serving() as running:
        yield running


@pytest.fixture
def fetch(tmp_path: Path, server: Server) -> Iterator[Fetch]:
    client = httpx2.Client(verify=False)

    def fetch(source: str, *, token: str | None = TOKEN, environment: dict[str, str] | None = None) -> Artefact:
        fetcher = Fetcher(
            tmp_path,
            tmp_path / "cache",
            aws_client=lambda _: None,
            http_client=lambda: client,
            github=GitHubSettings(f"{server.url}/api/v3", Secret(token) if token else None),
            environment=environment or {},
            pause=0.0,
        )
        return fetcher.fetch([Download(source)], Silence())[0]

    yield fetch
    client.close()


def publish(
    server: Server, storage: Server, content: bytes, number: int, tag: str = "tags/v1.0", **more: object
) -> None:
    asset = {"id": number, "name": "app.tar.gz", "size": len(content), "updated_at": "2025-01-01T00:00:00Z", **more}
    document = json.dumps({"assets": [{"id": 1, "name": "other", "size": 1}, asset]}).encode()
    server.put(f"/api/v3/repos/what3/app/releases/{tag}", document)
    server.put(f"/api/v3/repos/what3/app/releases/assets/{number}", location=f"{storage.url}/signed-{number}?sig=abc")
    storage.put(f"/signed-{number}", content)


@pytest.mark.parametrize(
    ("source", "tag"),
    [
        ("github://what3/app/releases/v1.0/app.tar.gz", "tags/v1.0"),
        ("github://what3/app/releases/latest/app.tar.gz", "latest"),
        ("{url}/what3/app/releases/download/v1.0/app.tar.gz", "tags/v1.0"),
        ("{url}/what3/app/releases/latest/download/app.tar.gz", "latest"),
    ],
)
def test_an_asset_of_a_release(server: Server, storage: Server, fetch: Fetch, source: str, tag: str) -> None:
    publish(server, storage, CONTENT, 7, tag)
    source = source.format(url=server.url)
    assert fetch(source).path.read_bytes() == CONTENT
    assert all(asked.headers["authorization"] == f"Bearer {TOKEN}" for asked in server.asked)
    assert all("authorization" not in asked.headers for asked in storage.asked)
    server.methods()
    assert fetch(source).from_cache
    assert server.methods() == ["GET"]  # the release, and nothing else
    publish(server, storage, b"new", 8, tag)
    assert fetch(source).path.read_bytes() == b"new"


def test_a_token_from_the_environment(server: Server, storage: Server, fetch: Fetch) -> None:
    publish(server, storage, CONTENT, 7)
    fetch("github://what3/app/releases/v1.0/app.tar.gz", token=None, environment={"GH_TOKEN": "from-environment"})
    assert server.asked[0].headers["authorization"] == "Bearer from-environment"


def test_a_public_asset_without_a_token_needs_no_api(server: Server, fetch: Fetch) -> None:
    server.put("/what3/app/releases/download/v1.0/app.tar.gz", CONTENT)
    assert fetch(f"{server.url}/what3/app/releases/download/v1.0/app.tar.gz", token=None).path.read_bytes() == CONTENT
    assert "authorization" not in server.asked[0].headers


def test_an_asset_is_continued_and_checked_against_the_digest_that_github_names(
    server: Server, storage: Server, fetch: Fetch
) -> None:
    publish(server, storage, CONTENT, 7, digest=f"sha256:{hashlib.sha256(CONTENT).hexdigest()}")
    storage.resources["/signed-7"].breaks = [1000]
    assert fetch("github://what3/app/releases/v1.0/app.tar.gz").path.read_bytes() == CONTENT
    assert storage.asked[-1].headers["range"] == "bytes=1000-"
    publish(server, storage, CONTENT, 8, digest=f"sha256:{'0' * 64}")
    with pytest.raises(UnreachableError) as caught:
        fetch("github://what3/app/releases/v1.0/app.tar.gz")
    assert "damaged" in (caught.value.why or "")


def test_an_asset_under_a_new_number_with_a_known_digest_is_not_fetched(
    server: Server, storage: Server, fetch: Fetch
) -> None:
    publish(server, storage, CONTENT, 7)
    fetch("github://what3/app/releases/v1.0/app.tar.gz")
    publish(server, storage, CONTENT, 8, digest=f"sha256:{hashlib.sha256(CONTENT).hexdigest()}")
    storage.methods()
    assert fetch("github://what3/app/releases/v1.0/app.tar.gz").from_cache
    assert storage.methods() == []


def test_a_missing_asset_names_those_that_there_are(server: Server, storage: Server, fetch: Fetch) -> None:
    publish(server, storage, CONTENT, 7)
    with pytest.raises(ConfigurationError, match=r"no asset called nothing\.zip") as caught:
        fetch("github://what3/app/releases/v1.0/nothing.zip")
    assert caught.value.why == "it has app.tar.gz, other"


@pytest.mark.parametrize(
    ("source", "endpoint"),
    [
        ("github://what3/app/archive/feature/x.tar.gz", "tarball"),
        ("github://what3/app/archive/feature/x.zip", "zipball"),
        ("{url}/what3/app/archive/feature/x.tar.gz", "tarball"),
    ],
)
def test_an_archive_is_kept_per_commit(
    server: Server, storage: Server, fetch: Fetch, source: str, endpoint: str
) -> None:
    server.put("/api/v3/repos/what3/app/commits/feature/x", COMMIT.encode())
    server.put(f"/api/v3/repos/what3/app/{endpoint}/{COMMIT}", location=f"{storage.url}/made")
    storage.put("/made", CONTENT, etag=None, chunked=True, breaks=[10])
    source = source.format(url=server.url)
    first = fetch(source)
    assert (first.path.read_bytes(), first.identity) == (CONTENT, COMMIT)
    assert server.asked[0].headers["accept"] == "application/vnd.github.sha"
    assert all("authorization" not in asked.headers for asked in storage.asked)
    storage.methods()
    assert fetch(source).from_cache
    assert storage.methods() == []
    server.put("/api/v3/repos/what3/app/commits/feature/x", COMMIT[::-1].encode())
    server.put(f"/api/v3/repos/what3/app/{endpoint}/{COMMIT[::-1]}", b"new")
    assert fetch(source).path.read_bytes() == b"new"


def test_an_archive_of_a_commit_is_asked_for_once(server: Server, fetch: Fetch) -> None:
    server.put(f"/api/v3/repos/what3/app/tarball/{COMMIT}", CONTENT)
    fetch(f"github://what3/app/archive/{COMMIT}.tar.gz")
    assert server.methods() == ["GET"]
    assert fetch(f"github://what3/app/archive/{COMMIT}.tar.gz").from_cache
    assert server.methods() == []


@pytest.mark.parametrize(
    "source",
    [
        "github://",
        "github://what3/app",
        "github://what3/app/releases/v1.0",
        "github://what3/app/archive/main.rar",
        "github://what3/..%2F..%2Fadmin/archive/main.zip",
        "github://../app/releases/v1.0/app.tar.gz",
    ],
)
def test_other_urls_are_refused_before_anybody_is_asked(server: Server, fetch: Fetch, source: str) -> None:
    with pytest.raises(ConfigurationError):
        fetch(source)
    assert server.asked == []


def test_refusals_of_github_say_what_helps(server: Server, fetch: Fetch) -> None:
    source = "github://what3/app/releases/v1.0/app.tar.gz"
    with pytest.raises(ConfigurationError) as missing:
        fetch(source, token=None)
    assert "private repository needs a token" in (missing.value.hint or "")
    release = server.put("/api/v3/repos/what3/app/releases/tags/v1.0", statuses=[401])
    with pytest.raises(UnreachableError, match="refuses access") as refused:
        fetch(source)
    assert TOKEN not in f"{refused.value} {refused.value.hint}"
    release.statuses, release.headers = [403], {"X-RateLimit-Remaining": "0"}
    with pytest.raises(UnreachableError, match="limit of requests") as limited:
        fetch(source, token=None)
    assert "GITHUB_TOKEN" in (limited.value.hint or "")
    for nonsense in (b"no json", b"[]", b'{"assets": [{"name": "app.tar.gz"}]}', b'{"assets": [7]}'):
        release.content, release.statuses = nonsense, []
        with pytest.raises(UnreachableError, match="not understood"):
            fetch(source)
