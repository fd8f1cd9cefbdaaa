"""Artefacts out of a real S3 endpoint, images through a real Docker engine into real registries."""

from __future__ import annotations

import contextlib
import hashlib
import os
import threading
import uuid
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import docker
import docker.errors
import httpx2
import pytest

from deployer import tools
from deployer.adapters import process
from deployer.adapters.artefacts import Fetcher
from deployer.adapters.aws.ecr import Ecr
from deployer.adapters.aws.session import Session, Sessions
from deployer.adapters.context import Contexts
from deployer.adapters.docker import DockerBuilder
from deployer.adapters.registry import HttpRegistry
from deployer.errors import ConfigurationError, DeploymentFailed, InterruptedBySignal, Location, UnreachableError
from deployer.events import Event, OutputLine, Silence, Sink
from deployer.execute.image_ports import BuildRequest
from deployer.masking import Masker
from deployer.model import App, DockerSpec, Download, EcrSettings, Image, InlineFile, Secret
from deployer.plan.content_hash import docker_hash

ROOT = Path(__file__).parents[2]
LONDON, VIRGINIA = "127.0.31.1:5000", "127.0.31.2:5000"
PUBLIC_BASE = "127.0.31.254:5000/base/busybox:1"
PRIVATE_BASE = f"{LONDON}/base/busybox:1"
PASSWORD = "correct-horse-battery"


class Recorder:
    def __init__(self) -> None:
        self.lines: list[str] = []

    def emit(self, event: Event) -> None:
        if isinstance(event, OutputLine):
            self.lines.append(event.line)


def shown_by_processes(*names: str) -> Iterator[tuple[Path, bytes]]:
    """Files of this machine's processes below /proc, as far as they can be read."""
    for name in names:
        for path in Path("/proc").glob(f"[0-9]*/{name}"):
            try:
                yield path, path.read_bytes()
            except OSError:  # it has ended
                continue


@pytest.fixture(scope="module")
def session() -> Session:
    return Sessions().of("eu-west-2", "local", os.fspath(ROOT / ".sandbox/aws-config"))


@pytest.fixture(scope="module")
def client() -> Iterator[httpx2.Client]:
    with httpx2.Client() as client:
        yield client


@pytest.fixture(scope="module")
def registry(session: Session, client: httpx2.Client) -> HttpRegistry:
    ecr = Ecr(session, EcrSettings(create_repositories=True))

    def credentials() -> tuple[str, Secret]:
        token = ecr.authorization_token()
        return token.user, token.password

    return HttpRegistry(credentials, ecr.ensure_repository, lambda: client)


@pytest.fixture
def image(engine: docker.DockerClient) -> Iterator[Image]:
    image = Image(LONDON, "123456789012/test-image", f"1-{uuid.uuid4().hex}")
    yield image
    with contextlib.suppress(docker.errors.ImageNotFound):
        engine.images.remove(image.reference)


def buildx() -> Path:
    return tools.find("buildx") or tools.require("buildx", Silence())


def no_buildx() -> Path:
    raise ConfigurationError("buildx was not found")


@pytest.fixture(params=[buildx, no_buildx], ids=["buildx", "classic"])
def builder(request: pytest.FixtureRequest) -> DockerBuilder:
    return DockerBuilder(request.param, Masker([PASSWORD]))


@pytest.fixture
def context(tmp_path: Path) -> Callable[[str], Path]:
    def write(dockerfile: str) -> Path:
        directory = tmp_path / "context"
        directory.mkdir()
        (directory / "Dockerfile").write_text(dockerfile)
        (directory / "unique.txt").write_text(uuid.uuid4().hex)
        return directory

    return write


@pytest.fixture(scope="module")
def engine() -> Iterator[docker.DockerClient]:
    with closing(docker.from_env()) as client:
        yield client


def test_from_the_artefact_to_the_image_in_two_regions(
    session: Session,
    client: httpx2.Client,
    registry: HttpRegistry,
    image: Image,
    engine: docker.DockerClient,
    tmp_path: Path,
) -> None:
    """The whole way, and then: what was counted in the content hash is what stands in the image."""
    downloads = (
        Download("s3://my-artifacts/myapp/myapp-0.0.1.tar.gz"),
        Download("s3://my-artifacts/myapp/myapp-0.0.2.tar.gz", dest="www", unpack=True),
    )
    files = {
        "bin/start": InlineFile("#!/bin/sh\nexec sleep 1000\n", executable=True),
        ".dockerignore": InlineFile("**/*.log\nDockerfile\n.dockerignore\n"),
        "noise.log": InlineFile("noise"),
    }
    spec = DockerSpec(f"FROM {PUBLIC_BASE}\nCOPY . /app/\nRUN find /app -type f | sort\n", downloads, files)
    app = App("myapp", "myapp", ("local.london",), docker=spec)
    fetcher = Fetcher(tmp_path, tmp_path / "cache", aws_client=session.client, http_client=lambda: client)
    artefacts = fetcher.fetch(downloads, Silence())
    assert not any(artefact.from_cache for artefact in artefacts)
    assert all(artefact.from_cache for artefact in fetcher.fetch(downloads, Silence()))
    observed = Contexts(tmp_path, tmp_path / "cache", Masker()).observe(app, artefacts, lambda text, _: text)
    image = Image(image.registry, image.repository, f"{image.tag[:8]}-{docker_hash(observed.entries)}")
    registry.ensure_repository(image)
    sink = Recorder()
    with observed.materialise() as directory:
        builder = DockerBuilder(buildx, Masker())
        digest = builder.build_and_push(BuildRequest(directory, image), registry, sink)
    assert registry.digest(image) == digest
    found = engine.containers.run(image.reference, ["sh", "-c", "cd /app; sha256sum $(find . -type f)"], remove=True)
    in_image = {line.split()[1].removeprefix("./"): line.split()[0] for line in found.decode().splitlines()}
    counted = {entry.path: entry.sha256 for entry in observed.entries if entry.kind == "file"}
    # The builder is always given both, and COPY leaves them out since they exclude themselves.
    assert in_image == {path: sha for path, sha in counted.items() if path not in ("Dockerfile", ".dockerignore")}
    assert "www/index.html" in in_image
    assert "noise.log" not in in_image
    there = Image(VIRGINIA, image.repository, image.tag)
    registry.ensure_repository(there)
    assert registry.copy(image, registry, there, Silence()) == digest == registry.digest(there)


def test_a_missing_artefact_is_told(session: Session, client: httpx2.Client, tmp_path: Path) -> None:
    fetcher = Fetcher(tmp_path, tmp_path / "cache", aws_client=session.client, http_client=lambda: client)
    for source in ("s3://my-artifacts/myapp/myapp-9.9.9.tar.gz", "s3://no-such-bucket/key"):
        with pytest.raises(ConfigurationError, match="not there") as caught:
            fetcher.fetch([Download(source)], Silence())
        assert caught.value.where == source


def test_a_version_of_an_object_stays_what_it_was(session: Session, client: httpx2.Client, tmp_path: Path) -> None:
    s3, bucket = session.client("s3"), f"test-{uuid.uuid4().hex}"
    s3.create_bucket(Bucket=bucket, CreateBucketConfiguration={"LocationConstraint": "eu-west-2"})
    s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})
    first = s3.put_object(Bucket=bucket, Key="a", Body=b"first")["VersionId"]
    fetcher = Fetcher(tmp_path, tmp_path / "cache", aws_client=session.client, http_client=lambda: client)
    assert fetcher.fetch([Download(f"s3://{bucket}/a")], Silence())[0].path.read_bytes() == b"first"
    s3.put_object(Bucket=bucket, Key="a", Body=b"second")
    latest, versioned = fetcher.fetch(
        [Download(f"s3://{bucket}/a"), Download(f"s3://{bucket}/a?versionId={first}")], Silence()
    )
    assert (latest.path.read_bytes(), versioned.path.read_bytes()) == (b"second", b"first")


def test_a_private_base_image_arguments_and_masked_output(
    builder: DockerBuilder, registry: HttpRegistry, image: Image, context: Callable[[str], Path]
) -> None:
    sink = Recorder()
    directory = context(f"FROM {PRIVATE_BASE}\nARG GREETING\nCOPY unique.txt /\nRUN echo $GREETING, {PASSWORD}\n")
    digest = builder.build_and_push(BuildRequest(directory, image, {"GREETING": "hello you"}), registry, sink)
    assert registry.digest(image) == digest
    assert any("hello you, ***" in line for line in sink.lines)
    assert PASSWORD not in "\n".join(sink.lines)
    assert builder.build_and_push(BuildRequest(directory, image), registry, Recorder()) == digest


def test_a_build_secret_is_nowhere_but_in_the_build(
    registry: HttpRegistry, image: Image, context: Callable[[str], Path], engine: docker.DockerClient
) -> None:
    directory = context(
        f"FROM {PUBLIC_BASE}\nCOPY unique.txt /\n"
        "RUN --mount=type=secret,id=token wc -c < /run/secrets/token; cat /run/secrets/token\n"
    )
    seen: set[str] = set()
    stop = threading.Event()

    def sample() -> None:
        """What any process of this machine shows in its arguments and environment while the build runs."""
        while not stop.is_set():
            for path, content in shown_by_processes("cmdline", "environ"):
                if PASSWORD.encode() in content or b"auth-token" in content:
                    seen.add(f"{path} {content[:80]!r}")

    sampler = threading.Thread(target=sample)
    sampler.start()
    sink = Recorder()
    try:
        builder = DockerBuilder(buildx, Masker())
        builder.build_and_push(BuildRequest(directory, image, secrets={"token": Secret(PASSWORD)}), registry, sink)
    finally:
        stop.set()
        sampler.join()
    assert seen == set()
    assert any(line.endswith(f" {len(PASSWORD)}") for line in sink.lines)
    assert PASSWORD not in "\n".join(sink.lines)
    built = engine.images.get(image.reference)
    assert PASSWORD not in str(built.history())
    assert PASSWORD.encode() not in b"".join(built.save())


@pytest.mark.parametrize(
    ("dockerfile", "error", "where", "why"),
    [
        (f"FROM {PUBLIC_BASE}\n\nRUN echo {PASSWORD}; exit 3\n", DeploymentFailed, "Dockerfile:3", "exit"),
        (f"FROM {PUBLIC_BASE}\nRUNX nothing\n", ConfigurationError, "Dockerfile:2", "RUNX"),
        (f"FROM {PUBLIC_BASE}\nCOPY nothing /\n", ConfigurationError, "Dockerfile:2", "nothing"),
        (f"FROM {LONDON}/base/nothing:1\n", ConfigurationError, None, "not found"),
        ("FROM 127.0.0.1:9/nothing:1\n", UnreachableError, None, "refused"),
        ("", ConfigurationError, None, "empty"),
    ],
)
def test_failures_are_explained(
    builder: DockerBuilder,
    registry: HttpRegistry,
    image: Image,
    context: Callable[[str], Path],
    dockerfile: str,
    error: type[Exception],
    where: str | None,
    why: str,
) -> None:
    with pytest.raises(error) as caught:
        builder.build_and_push(BuildRequest(context(dockerfile), image), registry, Silence())
    failure: Any = caught.value
    assert why in failure.why
    assert PASSWORD not in f"{failure} {failure.hint}"
    if where:
        assert isinstance(failure.where, Location)
        assert str(failure.where) == where
    assert registry.digest(image) is None


def test_a_login_that_is_refused_is_told(
    builder: DockerBuilder,
    registry: HttpRegistry,
    client: httpx2.Client,
    image: Image,
    context: Callable[[str], Path],
) -> None:
    class Refused(HttpRegistry):
        def digest(self, image: Image) -> str | None:
            return registry.digest(image)

    refused = Refused(lambda: ("AWS", Secret("wrong-password")), lambda name: None, lambda: client)
    with pytest.raises(UnreachableError, match="does not let us in"):
        builder.build_and_push(BuildRequest(context("FROM scratch\nCOPY unique.txt /\n"), image), refused, Silence())
    assert registry.digest(image) is None


def test_stopping_ends_the_build_in_the_engine_too(
    registry: HttpRegistry, image: Image, context: Callable[[str], Path]
) -> None:
    number = f"31{uuid.uuid4().int % 10**6:06}"
    directory = context(f"FROM {PUBLIC_BASE}\nRUN echo begun; exec sleep {number}\n")

    class Stopper:
        def emit(self, event: Event) -> None:
            if isinstance(event, OutputLine) and event.line.endswith(" begun"):
                process.stop_all()

    sink: Sink = Stopper()
    with pytest.raises(InterruptedBySignal):
        DockerBuilder(buildx, Masker()).build_and_push(BuildRequest(directory, image), registry, sink)

    def running() -> bool:
        return any(number.encode() in content.split(b"\0") for _, content in shown_by_processes("cmdline"))

    stopped = threading.Event()
    for _ in range(100):
        if not running():
            break
        stopped.wait(0.1)
    assert not running()
    assert registry.digest(image) is None


def test_a_large_layer_is_copied_without_being_held(
    registry: HttpRegistry, image: Image, context: Callable[[str], Path]
) -> None:
    import resource

    directory = context("FROM scratch\nCOPY . /\n")
    content = os.urandom(1024 * 1024)
    with (directory / "large").open("wb") as file:
        for number in range(64):
            file.write(hashlib.sha256(content[: number + 1]).digest() + content)
    digest = DockerBuilder(buildx, Masker()).build_and_push(BuildRequest(directory, image), registry, Silence())
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    there = Image(VIRGINIA, image.repository, image.tag)
    registry.ensure_repository(there)
    assert registry.copy(image, registry, there, Silence()) == digest
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 25 * 1024
