from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.config import Config

from deployer.adapters.artefacts import Fetcher
from deployer.errors import ConfigurationError, DeployError, UnreachableError
from deployer.events import Silence
from deployer.model import Artefact, Download
from tests.unit.adapters.artefacts.server import Server, serving

CONTENT = os.urandom(300_000)
Fetch = Callable[[str], Artefact]


@pytest.fixture(scope="module")
def bucket() -> Iterator[tuple[Server, Any]]:
    with serving() as running:
        yield running, client_for(running.url, aws_access_key_id="id", aws_secret_access_key="key")


@pytest.fixture
def server(bucket: tuple[Server, Any]) -> Server:
    bucket[0].resources.clear()
    bucket[0].asked.clear()
    return bucket[0]


def client_for(url: str, **credentials: str) -> Any:
    config = Config(retries={"total_max_attempts": 1}, connect_timeout=2, s3={"addressing_style": "path"})
    session = boto3.Session(**credentials, region_name="eu-west-2")  # type: ignore[arg-type]
    return session.client("s3", endpoint_url=url, config=config)


@pytest.fixture
def fetch(tmp_path: Path, bucket: tuple[Server, Any]) -> Fetch:
    client = bucket[1]

    def fetch(source: str) -> Artefact:
        fetcher = Fetcher(
            tmp_path,
            tmp_path / "cache",
            aws_client=lambda service: {"s3": client}[service],
            http_client=lambda: pytest.fail("not for httpx"),
            pause=0.0,
        )
        return fetcher.fetch([Download(source)], Silence())[0]

    return fetch


def test_an_object_is_fetched_once_and_then_only_asked_about(server: Server, fetch: Fetch) -> None:
    server.put("/bucket/path/app-1.0.tar.gz", CONTENT, etag='"abc"')
    first = fetch("s3://bucket/path/app-1.0.tar.gz")
    assert (first.path.read_bytes(), first.identity, first.source) == (
        CONTENT,
        '"abc"',
        "s3://bucket/path/app-1.0.tar.gz",
    )
    assert server.methods() == ["GET"]
    assert fetch("s3://bucket/path/app-1.0.tar.gz").from_cache
    assert server.methods() == ["HEAD"]
    server.put("/bucket/path/app-1.0.tar.gz", b"new", etag='"def"')
    assert fetch("s3://bucket/path/app-1.0.tar.gz").path.read_bytes() == b"new"


def test_a_version_of_an_object_is_asked_for_once(server: Server, fetch: Fetch) -> None:
    server.put("/bucket/a", CONTENT)
    assert fetch("s3://bucket/a?versionId=v.7").identity == "v.7"
    assert server.asked[0].path.partition("?")[2] == "versionId=v.7"
    server.methods()
    assert fetch("s3://bucket/a?versionId=v.7").from_cache
    assert server.methods() == []


def test_a_broken_download_is_continued(server: Server, fetch: Fetch) -> None:
    server.put("/bucket/a", CONTENT, breaks=[100_000])
    assert fetch("s3://bucket/a").path.read_bytes() == CONTENT
    again = server.asked[1].headers
    assert (again["range"], again["if-match"]) == ("bytes=100000-", '"1"')


def test_an_object_that_changes_meanwhile_begins_anew(server: Server, fetch: Fetch, tmp_path: Path) -> None:
    server.put("/bucket/a", CONTENT, breaks=[100_000, *[0] * 10])
    with pytest.raises(UnreachableError):
        fetch("s3://bucket/a")
    server.put("/bucket/a", CONTENT[::-1], etag='"2"')
    assert fetch("s3://bucket/a").path.read_bytes() == CONTENT[::-1]


@pytest.mark.parametrize(
    ("status", "code", "words"),
    [(404, 2, "not there"), (403, 5, "denied"), (503, 5, "cannot be")],
)
def test_refusals(server: Server, fetch: Fetch, status: int, code: int, words: str) -> None:
    server.put("/bucket/a", statuses=[status] * 10)
    with pytest.raises(DeployError, match=words) as caught:
        fetch("s3://bucket/a")
    assert caught.value.exit_code == code
    assert caught.value.where == "s3://bucket/a"
    assert len(server.methods()) == (5 if status == 503 else 1)


@pytest.mark.parametrize(
    "source", ["s3://", "s3://bucket", "s3://bucket/", "s3:///key", "s3://bucket/directory/", "s3://b b/key"]
)
def test_what_names_no_object_is_refused(server: Server, fetch: Fetch, source: str) -> None:
    with pytest.raises(ConfigurationError, match="not the URL of an object"):
        fetch(source)
    assert server.asked == []


def test_without_credentials_or_server_the_profile_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in list(os.environ):
        if name.startswith("AWS_"):
            monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_CONFIG_FILE", "/nonexistent")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", "/nonexistent")
    keys = {"aws_access_key_id": "id", "aws_secret_access_key": "key"}
    for credentials, words in (({}, "S3 cannot be asked"), (keys, "cannot be downloaded")):
        client = client_for("http://127.0.0.1:9", **credentials)
        clients = {"s3": client}
        fetcher = Fetcher(
            tmp_path, tmp_path, aws_client=clients.__getitem__, http_client=lambda: pytest.fail("no"), pause=0.0
        )
        with pytest.raises(UnreachableError, match=words):
            fetcher.fetch([Download("s3://bucket/a")], Silence())
