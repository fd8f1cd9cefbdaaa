from __future__ import annotations

import gc
import hashlib
import os
import resource
import shutil
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import httpx2
import pytest

from deployer.adapters.artefacts import Fetcher, cache, fetcher, transfer
from deployer.errors import ConfigurationError, DeployError, ErrorGroup, UnreachableError
from deployer.events import DownloadProgress, Event, Silence
from deployer.execute.image_ports import ArtefactFetcher
from deployer.model import Artefact, Download
from tests.unit.adapters.artefacts.server import Server, serving

CONTENT = os.urandom(300_000)
DIGEST = hashlib.sha256(CONTENT).hexdigest()


@pytest.fixture
def server() -> Iterator[Server]:
    with serving() as running:
        yield running


class Machine:
    """A deployment repository and a cache that outlives the fetchers."""

    def __init__(self, path: Path) -> None:
        self.root = path / "repository"
        self.root.mkdir()
        self.cache = path / "cache"
        self.client = httpx2.Client(verify=False)

    def fetcher(self, capacity: int = cache.CAPACITY) -> Fetcher:
        return Fetcher(
            self.root,
            self.cache,
            aws_client=lambda _: pytest.fail("AWS was asked"),
            http_client=lambda: self.client,
            environment={},
            mask=lambda text: text.replace("hunter2secret", "***"),
            where="apps/myapp.yml",
            capacity=capacity,
            pause=0.0,
        )

    def fetch(self, source: str, sha256: str | None = None) -> Artefact:
        port: ArtefactFetcher = self.fetcher()
        return port.fetch([Download(source, sha256=sha256)], Silence())[0]

    def files(self, kind: str) -> list[Path]:
        return [path for path in (self.cache / kind).rglob("*") if path.is_file()]


@pytest.fixture
def machine(tmp_path: Path) -> Iterator[Machine]:
    machine = Machine(tmp_path)
    yield machine
    machine.client.close()


class Recorder:
    def __init__(self) -> None:
        self.events: list[Event] = []

    def emit(self, event: Event) -> None:
        self.events.append(event)


def test_an_artefact_is_fetched_once_and_then_only_asked_about(machine: Machine, server: Server) -> None:
    server.put("/a.tar.gz", CONTENT)
    first = machine.fetch(f"{server.url}/a.tar.gz")
    assert first.path.read_bytes() == CONTENT
    assert (first.size, first.sha256, first.identity, first.from_cache) == (len(CONTENT), DIGEST, '"1"', False)
    assert first.path.stat().st_mode & 0o777 == 0o644
    assert server.methods() == ["GET"]
    again = machine.fetch(f"{server.url}/a.tar.gz")
    assert (again.path, again.from_cache) == (first.path, True)
    assert [(asked.method, asked.headers["if-none-match"]) for asked in server.asked] == [("HEAD", '"1"')]


def test_a_changed_artefact_is_fetched_again(machine: Machine, server: Server) -> None:
    server.put("/a", b"one", etag='"1"')
    machine.fetch(f"{server.url}/a")
    server.put("/a", b"two!", etag='"2"')
    assert machine.fetch(f"{server.url}/a").path.read_bytes() == b"two!"


def test_the_date_serves_where_there_is_no_etag(machine: Machine, server: Server) -> None:
    server.put("/a", b"one", etag=None, date="Mon, 06 Jan 2025 10:00:00 GMT")
    machine.fetch(f"{server.url}/a")
    assert machine.fetch(f"{server.url}/a").from_cache
    server.put("/a", b"other", etag=None, date="Mon, 06 Jan 2025 10:00:00 GMT")
    assert not machine.fetch(f"{server.url}/a").from_cache


def test_without_etag_and_date_it_is_fetched_each_time(machine: Machine, server: Server) -> None:
    server.put("/a", b"one", etag=None)
    machine.fetch(f"{server.url}/a")
    server.put("/a", b"two", etag=None)
    assert machine.fetch(f"{server.url}/a").path.read_bytes() == b"two"


@pytest.mark.parametrize("status", [403, 405, 501])
def test_where_head_is_refused_the_headers_of_a_get_serve(machine: Machine, server: Server, status: int) -> None:
    server.put("/a", CONTENT, head=status)
    machine.fetch(f"{server.url}/a?X-Amz-Signature=abc")
    assert machine.fetch(f"{server.url}/a?X-Amz-Signature=abc").from_cache
    assert server.methods() == ["GET", "HEAD", "GET"]


def test_a_content_asked_for_by_its_digest_needs_no_network(machine: Machine, server: Server) -> None:
    server.put("/a", CONTENT)
    machine.fetch(f"{server.url}/a", DIGEST.upper())
    server.methods()
    assert machine.fetch(f"{server.url}/a", DIGEST).from_cache
    assert machine.fetch("https://another.invalid/b", DIGEST).path.read_bytes() == CONTENT
    assert server.methods() == []


def test_a_wrong_checksum_keeps_nothing(machine: Machine, server: Server) -> None:
    server.put("/a", CONTENT)
    with pytest.raises(ConfigurationError, match="checksum") as caught:
        machine.fetch(f"{server.url}/a", "0" * 64)
    assert caught.value.where == f"apps/myapp.yml: {server.url}/a"
    assert "0" * 64 in (caught.value.why or "")
    assert DIGEST in (caught.value.why or "")
    assert [machine.files(kind) for kind in ("content", "partial", "sources")] == [[], [], []]


@pytest.mark.parametrize("sha256", ["", "abc", "z" * 64])
def test_what_is_no_checksum_is_refused(machine: Machine, sha256: str) -> None:
    with pytest.raises(ConfigurationError, match="not a SHA-256"):
        machine.fetch("https://another.invalid/b", sha256)


def test_a_broken_download_is_continued(machine: Machine, server: Server) -> None:
    server.put("/a", CONTENT, breaks=[100_000, 50_000])
    assert machine.fetch(f"{server.url}/a").path.read_bytes() == CONTENT
    assert [(asked.headers.get("range"), asked.headers.get("if-range")) for asked in server.asked] == [
        (None, None),
        ("bytes=100000-", '"1"'),
        ("bytes=150000-", '"1"'),
    ]


def test_a_download_that_changes_meanwhile_begins_anew(machine: Machine, server: Server) -> None:
    changed = server.put("/a", CONTENT, breaks=[100_000])
    original = machine.client.send

    def send(request: httpx2.Request, **options: object) -> httpx2.Response:
        if "Range" in request.headers:
            changed.content, changed.etag = CONTENT[::-1], '"2"'
        return original(request, **options)  # type: ignore[arg-type]

    machine.client.send = send  # type: ignore[method-assign]
    assert machine.fetch(f"{server.url}/a").path.read_bytes() == CONTENT[::-1]


@pytest.mark.parametrize("behaviour", [{"ranges": False}, {"etag": None}, {"etag": 'W/"1"'}])
def test_where_it_cannot_be_continued_it_begins_anew(
    machine: Machine, server: Server, behaviour: dict[str, object]
) -> None:
    server.put("/a", CONTENT, breaks=[100_000], **behaviour)
    assert machine.fetch(f"{server.url}/a").path.read_bytes() == CONTENT


def test_another_run_continues_where_one_stopped(machine: Machine, server: Server) -> None:
    broken = server.put("/a", CONTENT, breaks=[10_000] + [0] * 10)
    with pytest.raises(UnreachableError, match="cannot be downloaded") as caught:
        machine.fetch(f"{server.url}/a")
    assert "closed" in (caught.value.why or "")
    assert "continues" in (caught.value.hint or "")
    assert len(server.methods()) == 6
    broken.breaks = []
    assert machine.fetch(f"{server.url}/a").path.read_bytes() == CONTENT
    assert [asked.headers.get("range") for asked in server.asked] == ["bytes=10000-"]
    assert machine.files("partial") == []


def test_what_came_in_after_the_last_note_is_not_trusted(machine: Machine, server: Server) -> None:
    """As after a power cut: the file is longer than what is known to be on the disk, and that part is garbage."""
    broken = server.put("/a", CONTENT, breaks=[10_000] + [0] * 10)
    with pytest.raises(UnreachableError):
        machine.fetch(f"{server.url}/a")
    partial = next(path for path in machine.files("partial") if not path.suffix)
    with partial.open("ab") as file:
        file.write(bytes(5_000))
    broken.breaks = []
    assert machine.fetch(f"{server.url}/a").sha256 == DIGEST


def test_a_leftover_of_an_older_version_is_not_used(machine: Machine, server: Server) -> None:
    server.put("/a", CONTENT, breaks=[10_000] + [0] * 10)
    with pytest.raises(UnreachableError):
        machine.fetch(f"{server.url}/a")
    server.put("/a", CONTENT[::-1], etag='"2"')
    assert machine.fetch(f"{server.url}/a").path.read_bytes() == CONTENT[::-1]


@pytest.mark.parametrize("status", [429, 500, 502, 503, 504])
def test_what_may_pass_is_tried_again(machine: Machine, server: Server, status: int) -> None:
    server.put("/a", CONTENT, statuses=[status, status], headers={"Retry-After": "0"})
    assert machine.fetch(f"{server.url}/a").sha256 == DIGEST
    server.put("/a", CONTENT, statuses=[status])
    assert machine.fetch(f"{server.url}/a").from_cache


def test_after_a_long_silence_there_is_no_other_attempt(
    machine: Machine, server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each attempt may have waited for a whole timeout by then."""
    server.put("/a", CONTENT)
    machine.fetch(f"{server.url}/a")
    for module in (transfer, fetcher):
        monkeypatch.setattr(module, "LONGEST_SILENCE", 0.0)
    for path in ("/a", "/b"):
        server.put(path, CONTENT, statuses=[503] * 9)
        server.methods()
        with pytest.raises(UnreachableError):
            machine.fetch(f"{server.url}{path}")
        assert len(server.methods()) == 1


@pytest.mark.parametrize(
    ("status", "code", "words"),
    [(404, 2, "not there"), (410, 2, "not there"), (403, 5, "denied"), (401, 5, "denied"), (418, 5, "418")],
)
def test_what_will_not_pass_is_told_at_once(
    machine: Machine, server: Server, status: int, code: int, words: str
) -> None:
    server.put("/a", statuses=[status])
    with pytest.raises(DeployError, match=words) as caught:
        machine.fetch(f"{server.url}/a")
    assert caught.value.exit_code == code
    assert caught.value.where == f"apps/myapp.yml: {server.url}/a"
    assert server.methods() == ["GET"]


def test_a_server_that_is_not_there(machine: Machine) -> None:
    with pytest.raises(UnreachableError) as caught:
        machine.fetch("http://127.0.0.1:9/a")
    assert "refused" in (caught.value.why or "")


@pytest.mark.parametrize("source", ["http://", "http://[::1/a", "http://127.0.0.1:port/a", "https:///x"])
def test_what_is_no_url_is_refused(machine: Machine, source: str) -> None:
    with pytest.raises(ConfigurationError):
        machine.fetch(source)


@pytest.mark.parametrize("source", ["ftp://host/a", "file:///etc/passwd", "javascript://x"])
def test_other_schemes_are_refused(machine: Machine, source: str) -> None:
    with pytest.raises(ConfigurationError, match="cannot be downloaded from"):
        machine.fetch(source)


def test_credentials_are_neither_shown_nor_taken_along(machine: Machine, server: Server) -> None:
    with serving() as other:
        other.put("/target", b"x")
        server.put("/a", location=f"{other.url}/target?signature=hunter2secret")
        authority = server.url.removeprefix("http://")
        artefact = machine.fetch(f"http://user:hunter2secret@{authority}/a?token=hunter2secret")
        assert artefact.source == f"{server.url}/a"
        assert "authorization" in server.asked[0].headers
        assert "authorization" not in other.asked[0].headers
        kept = b"".join(path.read_bytes() for path in machine.cache.rglob("*") if path.is_file())
        assert b"hunter2secret" not in kept
        server.put("/a/hunter2secret", statuses=[404])
        with pytest.raises(ConfigurationError) as caught:
            machine.fetch(f"http://user:hunter2secret@{authority}/a/hunter2secret?token=hunter2secret")
        assert "hunter2secret" not in f"{caught.value} {caught.value.hint}"


def test_redirects_come_to_an_end(machine: Machine, server: Server) -> None:
    server.put("/a", location="/a")
    with pytest.raises(UnreachableError, match="redirects too often"):
        machine.fetch(f"{server.url}/a")


def test_a_body_that_is_cut_without_a_length_is_noticed(machine: Machine, server: Server) -> None:
    server.put("/a", CONTENT, chunked=True, etag=None, breaks=[1000] * 10)
    with pytest.raises(UnreachableError):
        machine.fetch(f"{server.url}/a")
    server.put("/a", CONTENT, chunked=True, etag=None)
    assert machine.fetch(f"{server.url}/a").sha256 == DIGEST


def test_several_are_fetched_at_once_and_every_failure_is_told(machine: Machine, server: Server) -> None:
    for number in range(6):
        server.put(f"/{number}", bytes([number]))
    downloads = [Download(f"{server.url}/{number}") for number in (3, 1, 5, 1)]
    found = machine.fetcher().fetch(downloads, Silence())
    assert [artefact.path.read_bytes() for artefact in found] == [b"\3", b"\1", b"\5", b"\1"]
    assert len(server.methods()) == 3
    with pytest.raises(ErrorGroup) as caught:
        machine.fetcher().fetch([Download(f"{server.url}/{name}") for name in ("x", "0", "y")], Silence())
    assert [str(error.where).rsplit("/", 1)[-1] for error in caught.value.errors] == ["x", "y"]


def test_runs_at_the_same_time_fetch_it_once(machine: Machine, server: Server) -> None:
    server.put("/a", CONTENT)
    barrier = threading.Barrier(4)

    def run() -> None:
        barrier.wait()
        machine.fetch(f"{server.url}/a")

    threads = [threading.Thread(target=run) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert server.methods().count("GET") == 1


def test_progress_is_told_and_ends_complete(machine: Machine, server: Server) -> None:
    server.put("/a", CONTENT)
    recorder = Recorder()
    machine.fetcher().fetch([Download(f"{server.url}/a?token=x")], recorder)
    told = [event for event in recorder.events if isinstance(event, DownloadProgress)]
    assert told[-1] == DownloadProgress(f"{server.url}/a", len(CONTENT), len(CONTENT))
    assert len(told) < 10


def test_a_full_disk_is_told_and_leaves_nothing(
    machine: Machine, server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    server.put("/a", CONTENT)
    usage = shutil.disk_usage(machine.root)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage._replace(free=1000))
    with pytest.raises(DeployError, match="no space left") as caught:
        machine.fetch(f"{server.url}/a")
    assert caught.value.exit_code == 1
    assert [machine.files(kind) for kind in ("content", "partial", "sources")] == [[], [], []]


def test_a_disk_that_fills_up_meanwhile_is_told(machine: Machine, server: Server) -> None:
    """A limit on the size of files stands for a disk of that size."""
    server.put("/a", CONTENT)
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, before[1]))
    try:
        with pytest.raises(DeployError, match="cannot be written"):
            machine.fetch(f"{server.url}/a")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert machine.files("partial") == []


def test_a_cache_that_cannot_be_written_is_told(machine: Machine, server: Server) -> None:
    server.put("/a", CONTENT)
    machine.cache.write_text("in the way")
    with pytest.raises(DeployError, match="cannot be written"):
        machine.fetch(f"{server.url}/a")


def test_a_damaged_cache_mends_itself(machine: Machine, server: Server) -> None:
    server.put("/a", CONTENT)
    path = machine.fetch(f"{server.url}/a").path
    path.write_bytes(b"cut")
    assert machine.fetch(f"{server.url}/a").path.read_bytes() == CONTENT
    for record in machine.files("sources"):
        record.write_bytes(b"\xff{")
    assert machine.fetch(f"{server.url}/a").sha256 == DIGEST


def test_the_least_recently_used_goes_first(machine: Machine, server: Server) -> None:
    paths = []
    for number in range(3):
        server.put(f"/{number}", bytes([number]) * 1000)
        paths.append(machine.fetch(f"{server.url}/{number}").path)
    store = cache.Cache(machine.cache, capacity=2500)
    store.trim()
    assert all(path.exists() for path in paths), "used within the hour"
    with pytest.MonkeyPatch.context() as patch:
        now = time.time()
        os.utime(paths[0], (now + 100, 0))
        os.utime(paths[1], (now + 50, 0))
        os.utime(paths[2], (now + 75, 0))
        patch.setattr(time, "time", lambda: now + 10_000)
        store.trim()
    assert [path.exists() for path in paths] == [True, False, True]


def test_downloads_can_be_stopped(machine: Machine, server: Server) -> None:
    server.put("/a", CONTENT)
    fetcher = machine.fetcher()

    class Stopper:
        def emit(self, event: Event) -> None:
            fetcher.stop()

    with pytest.raises(DeployError, match="stopped"):
        fetcher.fetch([Download(f"{server.url}/a")], Stopper())
    assert machine.fetch(f"{server.url}/a").sha256 == DIGEST


def test_memory_does_not_grow_with_the_artefact(machine: Machine, server: Server) -> None:
    import tracemalloc

    server.put("/a", bytes(64 * 1024 * 1024))
    machine.client.get(f"{server.url}/a").close()
    gc.collect()
    tracemalloc.start()
    try:
        machine.fetch(f"{server.url}/a")
        assert tracemalloc.get_traced_memory()[1] < 24 * 1024 * 1024
    finally:
        tracemalloc.stop()


def test_own_files(machine: Machine) -> None:
    (machine.root / "files").mkdir()
    (machine.root / "files/a.bin").write_bytes(CONTENT)
    artefact = machine.fetch("files/a.bin", DIGEST)
    assert (artefact.path, artefact.size, artefact.sha256) == (machine.root / "files/a.bin", len(CONTENT), DIGEST)
    with pytest.raises(ConfigurationError, match="checksum"):
        machine.fetch("files/a.bin", "0" * 64)


@pytest.mark.parametrize(
    ("source", "words"),
    [
        ("missing.bin", "not there"),
        ("/etc/passwd", "not in the deployment repository"),
        ("../outside", "not in the deployment repository"),
        ("out/passwd", "not in the deployment repository"),
        ("files", "is a directory"),
        ("fifo", "this is none"),
        ("a\0b", "cannot be read"),
        ("x" * 5000, "cannot be read"),
        ("files/a/b", "not there"),
    ],
)
def test_own_files_that_cannot_be_used(machine: Machine, source: str, words: str) -> None:
    (machine.root / "files").mkdir()
    (machine.root / "out").symlink_to("/etc")
    os.mkfifo(machine.root / "fifo")
    with pytest.raises(ConfigurationError, match=words) as caught:
        machine.fetch(source)
    assert str(caught.value.where).startswith("apps/myapp.yml: ")
