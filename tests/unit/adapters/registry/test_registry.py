from __future__ import annotations

import json
import os
import threading
from collections.abc import Callable, Iterator

import httpx2
import pytest

from deployer.adapters.registry import HttpRegistry
from deployer.adapters.registry.login import scheme_of
from deployer.errors import ConfigurationError, DeployError, UnreachableError
from deployer.events import Silence
from deployer.execute.image_ports import Registry
from deployer.model import Image, Secret
from tests.unit.adapters.registry.server import OCI_IMAGE, OCI_INDEX, FakeRegistry, digest_of, registry

Open = Callable[..., HttpRegistry]


@pytest.fixture
def fake() -> Iterator[FakeRegistry]:
    with registry() as running:
        yield running


@pytest.fixture
def other() -> Iterator[FakeRegistry]:
    with registry() as running:
        yield running


@pytest.fixture
def client() -> Iterator[httpx2.Client]:
    with httpx2.Client(verify=False) as client:
        yield client


@pytest.fixture
def opened(client: httpx2.Client) -> Open:
    def opened(*passwords: str) -> HttpRegistry:
        remaining = list(passwords or ["secret-1"])

        def credentials() -> tuple[str, Secret]:
            return "AWS", Secret(remaining.pop(0) if len(remaining) > 1 else remaining[0])

        found: Registry = HttpRegistry(credentials, lambda name: None, lambda: client, pause=0.0)
        assert isinstance(found, HttpRegistry)
        return found

    return opened


def image(fake: FakeRegistry, tag: str = "1", repository: str = "team/app", digest: str | None = None) -> Image:
    return Image(fake.host, repository, tag, digest)


@pytest.mark.parametrize("login", [None, "basic", "bearer"])
def test_the_digest_of_a_tag(fake: FakeRegistry, opened: Open, login: str | None) -> None:
    fake.login = login
    digest = fake.image("team/app", "1", b"layer")
    asked = opened()
    assert asked.digest(image(fake)) == digest
    assert asked.digest(image(fake, "2")) is None
    assert asked.digest(image(fake, repository="none")) is None


def test_an_image_is_there_by_its_digest_where_that_is_known(fake: FakeRegistry, opened: Open) -> None:
    digest = fake.image("team/app", "1", b"layer")
    asked = opened()
    assert asked.has(image(fake))
    assert asked.has(image(fake, "untagged-since", digest=digest))
    assert not asked.has(image(fake, digest="sha256:" + "0" * 64))
    assert not asked.has(image(fake, "2"))


def test_a_login_is_kept(fake: FakeRegistry, opened: Open) -> None:
    fake.login = "bearer"
    fake.image("team/app", "1", b"layer")
    asked = opened()
    asked.digest(image(fake))
    assert fake.methods() == ["HEAD manifests", "GET token", "HEAD manifests"]
    asked.digest(image(fake))
    assert fake.methods() == ["HEAD manifests"]


def test_no_credentials_are_asked_for_where_none_are_needed(fake: FakeRegistry, client: httpx2.Client) -> None:
    asked = HttpRegistry(lambda: pytest.fail("asked"), lambda name: None, lambda: client)
    assert asked.digest(image(fake)) is None


@pytest.mark.parametrize("login", ["basic", "bearer"])
def test_a_login_that_has_run_out_is_renewed(fake: FakeRegistry, opened: Open, login: str) -> None:
    fake.login = login
    digest = fake.image("team/app", "1", b"layer")
    asked = opened("secret-1", "secret-2")
    asked.digest(image(fake))
    fake.password = "secret-2"
    fake.tokens.clear()
    assert asked.digest(image(fake)) == digest


@pytest.mark.parametrize("login", ["basic", "bearer"])
def test_a_wrong_password_is_told_and_not_repeated(fake: FakeRegistry, opened: Open, login: str) -> None:
    fake.login = login
    with pytest.raises(UnreachableError) as caught:
        opened("wrong-password").digest(image(fake))
    assert "wrong-password" not in f"{caught.value} {caught.value.hint}"
    assert len(fake.asked) <= 3


def test_a_registry_that_names_no_digest_is_asked_for_the_manifest(fake: FakeRegistry, opened: Open) -> None:
    digest = fake.image("team/app", "1", b"layer")
    fake.names_digest = False
    assert opened().digest(image(fake)) == digest


@pytest.mark.parametrize(("status", "attempts"), [(403, 1), (401, 1), (400, 1), (500, 4), (503, 4), (429, 4)])
def test_refusals(fake: FakeRegistry, opened: Open, status: int, attempts: int) -> None:
    fake.statuses = [status] * 10
    with pytest.raises(UnreachableError) as caught:
        opened().digest(image(fake))
    assert caught.value.where == f"{fake.host}/team/app"
    assert len(fake.asked) == attempts


def test_a_registry_that_is_silent_is_not_waited_for_again_and_again(fake: FakeRegistry) -> None:
    asked = []

    def silent(request: httpx2.Request) -> httpx2.Response:
        asked.append(request)
        raise httpx2.ReadTimeout("timed out", request=request)

    with httpx2.Client(transport=httpx2.MockTransport(silent)) as client:
        registry = HttpRegistry(lambda: ("AWS", Secret("secret-1")), lambda name: None, lambda: client, pause=0.0)
        with pytest.raises(UnreachableError) as caught:
            registry.digest(image(fake))
    assert caught.value.why == "it does not answer in time"
    assert len(asked) == 2


def test_what_may_pass_is_tried_again(fake: FakeRegistry, opened: Open) -> None:
    digest = fake.image("team/app", "1", b"layer")
    fake.statuses = [503, 500]
    assert opened().digest(image(fake)) == digest


def test_a_registry_that_is_not_there(opened: Open) -> None:
    with pytest.raises(UnreachableError, match="does not answer"):
        opened().digest(Image("127.0.0.1:9", "app", "1"))


@pytest.mark.parametrize(
    ("host", "scheme"),
    [
        ("127.0.31.1:5000", "http"),
        ("localhost", "http"),
        ("registry.localhost:5000", "http"),
        ("[::1]:5000", "http"),
        ("123456789012.dkr.ecr.eu-west-2.amazonaws.com", "https"),
        ("10.0.0.1:5000", "https"),
        ("localhost.example.com", "https"),
        ("127.0.0.1.example.com", "https"),
    ],
)
def test_only_a_registry_on_this_machine_is_spoken_to_without_encryption(host: str, scheme: str) -> None:
    assert scheme_of(host) == scheme


@pytest.mark.parametrize("realm", ["http://evil.example.com/token", "https://[::1", "https://"])
def test_credentials_do_not_go_to_a_login_without_encryption_or_to_none(realm: str) -> None:
    def challenge(request: httpx2.Request) -> httpx2.Response:
        assert "Authorization" not in request.headers
        return httpx2.Response(401, headers={"WWW-Authenticate": f'Bearer realm="{realm}"'})

    with httpx2.Client(transport=httpx2.MockTransport(challenge)) as mocked:
        asked = HttpRegistry(lambda: ("AWS", Secret("x")), lambda name: None, lambda: mocked)
        with pytest.raises(UnreachableError, match="no safe place"):
            asked.digest(Image("registry.example.com", "app", "1"))


@pytest.mark.parametrize("login", ["basic", "bearer"])
def test_an_image_is_copied_to_another_registry(
    fake: FakeRegistry, other: FakeRegistry, opened: Open, login: str
) -> None:
    fake.login = other.login = login
    shared, fresh = os.urandom(50_000), os.urandom(300_000)
    digest = fake.image("team/app", "1", shared, fresh, shared)
    other.blob("app", shared)
    destination = image(other, repository="app")
    assert opened().copy(image(fake, digest=digest), opened(), destination, Silence()) == digest
    assert other.manifests["app", "1"] == fake.manifests["team/app", "1"]
    assert other.blobs["app", digest_of(fresh)] == fresh
    assert not any(digest_of(shared) in path for method, path, _ in other.asked if method == "PUT")
    other.methods()
    assert opened().copy(image(fake, digest=digest), opened(), destination, Silence()) == digest
    assert not any(asked.startswith("P") for asked in other.methods()), "what is there is not sent again"


def test_an_index_is_copied_with_all_that_it_lists(fake: FakeRegistry, other: FakeRegistry, opened: Open) -> None:
    children = [
        {"digest": fake.image("team/app", f"child-{name}", name.encode()), "size": 1, "mediaType": OCI_IMAGE}
        for name in ("amd64", "arm64")
    ]
    digest = fake.put("team/app", "1", OCI_INDEX, json.dumps({"schemaVersion": 2, "manifests": children}).encode())
    assert opened().copy(image(fake), opened(), image(other), Silence()) == digest
    assert all(("team/app", str(child["digest"])) in other.manifests for child in children)
    order = [path.rsplit("/", 1)[-1] for method, path, _ in other.asked if method == "PUT" and "/manifests/" in path]
    assert order == [*(child["digest"] for child in children), "1"]


@pytest.mark.parametrize("mounts", [True, False])
def test_within_a_registry_layers_are_mounted(fake: FakeRegistry, opened: Open, mounts: bool) -> None:
    fake.mounts = mounts
    digest = fake.image("team/app", "1", b"layer")
    found = opened()
    assert found.copy(image(fake), found, image(fake, repository="other/app"), Silence()) == digest
    assert fake.blobs["other/app", digest_of(b"layer")] == b"layer"
    uploads = [path for method, path, _ in fake.asked if method == "PUT" and "/uploads/" in path]
    assert len(uploads) == (0 if mounts else 2)


def test_layers_that_are_kept_elsewhere_come_without_our_login(
    fake: FakeRegistry, other: FakeRegistry, opened: Open
) -> None:
    with registry() as storage:
        fake.login, fake.elsewhere = "basic", storage.host
        digest = fake.image("team/app", "1", b"layer")
        storage.blobs.update(fake.blobs)
        assert opened().copy(image(fake), opened(), image(other), Silence()) == digest
        assert {authorization for _, _, authorization in storage.asked} == {None}


def test_a_damaged_layer_is_fetched_again_and_never_kept(fake: FakeRegistry, other: FakeRegistry, opened: Open) -> None:
    content = os.urandom(200_000)
    digest = fake.image("team/app", "1", content)
    fake.damaged.add(digest_of(content))
    assert opened().copy(image(fake), opened(), image(other), Silence()) == digest
    assert other.blobs["team/app", digest_of(content)] == content


@pytest.mark.parametrize("headers", [{}, {"Location": "http://[::1"}])
def test_a_registry_that_takes_uploads_nowhere_is_told(
    fake: FakeRegistry, opened: Open, headers: dict[str, str]
) -> None:
    digest = fake.image("team/app", "1", b"layer")

    def answer(request: httpx2.Request) -> httpx2.Response:
        return httpx2.Response(202, headers=headers) if request.method == "POST" else httpx2.Response(404)

    with httpx2.Client(transport=httpx2.MockTransport(answer)) as mocked:
        there = HttpRegistry(None, lambda name: None, lambda: mocked, pause=0.0)
        with pytest.raises(UnreachableError, match="names no place"):
            there.copy(image(fake, digest=digest), opened(), Image("r.example.com", "app", "1"), Silence())


def test_a_tag_is_never_moved(fake: FakeRegistry, other: FakeRegistry, opened: Open) -> None:
    fake.image("team/app", "1", b"one")
    there = other.image("team/app", "1", b"two")
    with pytest.raises(ConfigurationError, match="another image under this tag") as caught:
        opened().copy(image(fake), opened(), image(other), Silence())
    assert there in (caught.value.why or "")
    assert other.manifests["team/app", "1"][1] != fake.manifests["team/app", "1"][1]


def test_a_manifest_that_is_not_what_its_digest_says_is_refused(
    fake: FakeRegistry, other: FakeRegistry, opened: Open
) -> None:
    digest = fake.image("team/app", "1", b"one")
    fake.manifests["team/app", digest] = (OCI_IMAGE, fake.manifests["team/app", digest][1] + b" ")
    with pytest.raises(UnreachableError, match="damaged"):
        opened().copy(image(fake, digest=digest), opened(), image(other), Silence())
    assert other.manifests == {}


@pytest.mark.parametrize(
    "content", [b"", b"[]", b"no json", b'{"schemaVersion": 1}', b'{"layers": [], "config": 7}', b"\xff\xfe"]
)
def test_what_is_no_manifest_is_refused(fake: FakeRegistry, other: FakeRegistry, opened: Open, content: bytes) -> None:
    fake.put("team/app", "1", OCI_IMAGE, content)
    with pytest.raises(UnreachableError, match="not understood"):
        opened().copy(image(fake), opened(), image(other), Silence())


def test_a_missing_source_or_repository_is_told(fake: FakeRegistry, other: FakeRegistry, opened: Open) -> None:
    with pytest.raises(ConfigurationError, match="does not have"):
        opened().copy(image(fake), opened(), image(other), Silence())
    fake.image("team/app", "1", b"x")
    other.statuses = [404, 404, 403, 403, 403, 403]
    with pytest.raises(DeployError):
        opened().copy(image(fake), opened(), image(other), Silence())


def test_one_login_serves_many_threads(fake: FakeRegistry, opened: Open) -> None:
    fake.login = "bearer"
    digest = fake.image("team/app", "1", b"layer")
    asked = opened()
    found: list[str | None] = []
    threads = [threading.Thread(target=lambda: found.append(asked.digest(image(fake)))) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == [digest] * 8
    assert len(fake.tokens) == 1
