from __future__ import annotations

import errno
import hashlib
import os
import signal
import socket
import subprocess
import sys
import tarfile
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from deployer.adapters.context import Contexts, directory, scan
from deployer.adapters.context.hashing import FileFacts, hash_files
from deployer.errors import ConfigurationError, DeployError, ErrorGroup, Location
from deployer.execute.image_ports import ContextObserver, DockerContext
from deployer.masking import Masker
from deployer.model import App, Artefact, DockerSpec, Download, InlineFile
from deployer.plan.content_hash import docker_hash

PASSWORD = "correct-horse-battery"


def render(text: str, where: Location) -> str:
    return text.replace("{{ password }}", PASSWORD).replace("{{ where }}", str(where))


class Repository:
    def __init__(self, path: Path) -> None:
        self.root = path / "repository"
        self.directory = self.root / "apps/myapp"
        self.directory.mkdir(parents=True)
        self.cache = path / "cache"
        self.cache.mkdir()
        self.contexts = Contexts(self.root, self.cache, Masker([PASSWORD], public=["myapp"]))

    def write(self, name: str, content: bytes | str = b"", mode: int = 0o600) -> Path:
        path = self.directory / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        path.chmod(mode)
        return path

    def artefact(self, name: str, content: bytes) -> Artefact:
        path = self.cache / name
        path.write_bytes(content)
        return Artefact(f"s3://bucket/{name}", path, len(content), hashlib.sha256(content).hexdigest())

    def observe(
        self,
        dockerfile: str = "FROM scratch\n",
        files: dict[str, InlineFile] | None = None,
        downloads: Sequence[Download] = (),
        artefacts: Sequence[Artefact] = (),
        args: dict[str, str] | None = None,
    ) -> DockerContext:
        docker = DockerSpec(dockerfile, tuple(downloads), files or {}, args or {})
        app = App(
            *("web", "web-x", ("local.london",)),
            docker=docker,
            context_directory=self.directory,
            docker_place=Location("apps/myapp.yaml", 7),
        )
        observer: ContextObserver = self.contexts
        return observer.observe(app, artefacts, render)


@pytest.fixture
def repository(tmp_path: Path) -> Repository:
    return Repository(tmp_path)


def tree(directory: Path) -> dict[str, tuple[int, bytes]]:
    return {
        path.relative_to(directory).as_posix(): (path.stat().st_mode & 0o7777, path.read_bytes())
        for path in directory.rglob("*")
        if path.is_file()
    }


def test_everything_is_put_together_and_removed_afterwards(repository: Repository, tmp_path: Path) -> None:
    repository.write("conf/app.conf.j2", "at {{ where }}", 0o755)
    repository.write("run.sh", "#!/bin/sh\n", 0o700)
    (repository.directory / "current").symlink_to("run.sh")
    (repository.directory / "nothing").mkdir()
    plain = repository.artefact("plain.bin", b"plain")
    with tarfile.open(repository.cache / "packed.tar.gz", "w:gz") as tar:
        tar.add(repository.write("../elsewhere/x", "x", 0o755), "lib/x")
        tar.add(tmp_path, "empty", recursive=False)
    packed = repository.artefact("packed.tar.gz", (repository.cache / "packed.tar.gz").read_bytes())
    downloads = [
        Download("s3://bucket/plain.bin?versionId=7", dest="deep/"),
        Download("s3://bucket/packed.tar.gz", dest="opt", unpack=True),
    ]
    context = repository.observe(
        files={"etc/motd": InlineFile("hello", executable=True)}, downloads=downloads, artefacts=[plain, packed]
    )
    with context.materialise() as directory:
        assert directory.stat().st_mode & 0o777 == 0o700
        assert tree(directory) == {
            "Dockerfile": (0o644, b"FROM scratch\n"),
            "conf/app.conf": (0o755, b"at apps/myapp/conf/app.conf.j2:1"),
            "current": (0o755, b"#!/bin/sh\n"),
            "deep/plain.bin": (0o644, b"plain"),
            "etc/motd": (0o755, b"hello"),
            "opt/lib/x": (0o755, b"x"),
            "run.sh": (0o755, b"#!/bin/sh\n"),
        }
        assert (directory / "current").readlink() == Path("run.sh")
        assert (directory / "opt/empty").is_dir()
        assert not (directory / "nothing").exists()
        # What was said to be in it is what is in it.
        assert docker_hash(scan(directory)) == docker_hash(context.entries)
    assert list((repository.cache / "contexts").iterdir()) == []


def test_the_hash_depends_on_nothing_but_the_content(repository: Repository, tmp_path: Path) -> None:
    other = Repository(tmp_path / "another/place")
    for one, mode, moment in ((repository, 0o600, 1), (other, 0o664, 2_000_000_000)):
        for name in ("b/ö.txt", "a.txt", "b/z.txt") if moment == 1 else ("b/z.txt", "a.txt", "b/ö.txt"):
            path = one.write(name, f"content of {name}", mode)
            os.utime(path, (moment, moment))
    assert docker_hash(repository.observe().entries) == docker_hash(other.observe().entries)
    other.write("a.txt", "content of a.txt", 0o755)
    assert docker_hash(repository.observe().entries) != docker_hash(other.observe().entries)


def test_the_hash_does_not_depend_on_the_locale(repository: Repository) -> None:
    repository.write("ö.txt", "x")
    program = (
        "import sys, pathlib; from deployer.adapters.context import scan; from deployer.plan.content_hash import "
        "docker_hash; print(docker_hash(scan(pathlib.Path(sys.argv[1]))))"
    )
    hashes = {
        subprocess.run(
            [sys.executable, "-X", f"utf8={utf8}", "-c", program, repository.directory],
            env={"LC_ALL": locale, "PYTHONCOERCECLOCALE": "0", "PYTHONPATH": os.pathsep.join(sys.path)},
            check=True,
            capture_output=True,
        ).stdout
        for locale, utf8 in (("C", 0), ("C.UTF-8", 0), ("POSIX", 1))
    }
    assert len(hashes) == 1


def test_what_dockerignore_excludes_neither_counts_nor_is_copied(repository: Repository) -> None:
    repository.write(".dockerignore", "*.log\ndocs\nDockerfile\n")
    repository.write("keep.txt", "kept")
    before = repository.observe()
    repository.write("noise.log", "noise")
    repository.write("docs/readme", "noise")
    after = repository.observe()
    assert after.entries == before.entries
    with after.materialise() as directory:
        assert set(tree(directory)) == {".dockerignore", "Dockerfile", "keep.txt"}
    repository.write("keep.txt", "changed")
    assert repository.observe().entries != before.entries


def test_times_change_with_the_content_and_only_with_it(repository: Repository) -> None:
    def moment(content: str) -> float:
        repository.write("page.html", content)
        with repository.observe().materialise() as directory:
            return (directory / "page.html").stat().st_mtime

    assert moment("one") == moment("one") != moment("two")


def test_a_cached_artefact_is_not_copied(repository: Repository) -> None:
    artefact = repository.artefact("big.bin", b"big")
    context = repository.observe(downloads=[Download("s3://bucket/big.bin")], artefacts=[artefact])
    with context.materialise() as directory:
        assert (directory / "big.bin").samefile(artefact.path)


@pytest.mark.parametrize("packed", [False, True])
def test_a_damaged_artefact_is_not_built_in(repository: Repository, packed: bool) -> None:
    with tarfile.open(repository.cache / "a.tar", "w") as tar:
        tar.add(repository.write("../elsewhere/x", "x"), "x")
    artefact = repository.artefact("a.tar", (repository.cache / "a.tar").read_bytes())
    context = repository.observe(downloads=[Download("s3://bucket/a.tar", unpack=packed)], artefacts=[artefact])
    content = bytearray(artefact.path.read_bytes())
    content[-1] ^= 1
    artefact.path.write_bytes(content)
    with pytest.raises(ConfigurationError, match="damaged"), context.materialise():
        pass
    assert not artefact.path.exists()
    assert list((repository.cache / "contexts").iterdir()) == []


def test_an_archive_with_a_false_list_is_not_built_in_and_listed_anew(repository: Repository) -> None:
    with tarfile.open(repository.cache / "a.tar", "w") as tar:
        tar.add(repository.write("../elsewhere/x", "x"), "x")
    artefact = repository.artefact("a.tar", (repository.cache / "a.tar").read_bytes())
    download = Download("s3://bucket/a.tar", dest="opt", unpack=True)
    true = repository.observe(downloads=[download], artefacts=[artefact])
    (kept,) = (repository.cache / "listings").iterdir()
    kept.write_text(kept.read_text().replace(hashlib.sha256(b"x").hexdigest(), hashlib.sha256(b"y").hexdigest()))
    false = repository.observe(downloads=[download], artefacts=[artefact])
    assert false.entries != true.entries
    with pytest.raises(ConfigurationError, match=r"s3://bucket/a\.tar \(x\) is not"), false.materialise():
        pass
    again = repository.observe(downloads=[download], artefacts=[artefact])
    assert again.entries == true.entries
    with again.materialise() as directory:
        assert (directory / "opt/x").read_bytes() == b"x"


def test_a_file_that_changes_meanwhile_is_noticed(repository: Repository) -> None:
    path = repository.write("a.txt", "before")
    context = repository.observe()
    path.write_text("after!")
    with pytest.raises(ConfigurationError, match=r"apps/myapp/a\.txt changed"), context.materialise():
        pass


def test_two_origins_of_one_path_are_both_named(repository: Repository) -> None:
    repository.write("app.conf", "x")
    repository.write("app.conf.j2", "x")
    with pytest.raises(ConfigurationError) as caught:
        repository.observe()
    assert "apps/myapp/app.conf" in (caught.value.why or "")
    assert "apps/myapp/app.conf.j2" in (caught.value.why or "")
    assert str(caught.value.where) == "apps/myapp.yaml:7"


def test_a_dockerfile_in_the_directory_conflicts_with_the_app_file(repository: Repository) -> None:
    repository.write("Dockerfile", "FROM scratch\n")
    with pytest.raises(ConfigurationError, match="Dockerfile comes from two places"):
        repository.observe()


def test_a_file_and_a_directory_of_one_name_conflict(repository: Repository) -> None:
    repository.write("lib/x", "x")
    with pytest.raises(ConfigurationError, match="lib is both a file and a directory"):
        repository.observe(files={"lib": InlineFile("x")})


@pytest.mark.parametrize("path", ["/etc/passwd", "../x", "a/../../x", "", "./", "a\0b"])
def test_paths_outside_the_context_are_refused(repository: Repository, path: str) -> None:
    with pytest.raises(ConfigurationError, match="not a path inside"):
        repository.observe(files={path: InlineFile("x")})


@pytest.mark.parametrize("target", ["/etc/passwd", "../myapp.yml", "../../x"])
def test_links_out_of_the_directory_are_refused(repository: Repository, target: str) -> None:
    (repository.directory / "link").symlink_to(target)
    with pytest.raises(ConfigurationError, match="the link link leads out"):
        repository.observe()


def nowhere(repository: Repository) -> None:
    (repository.directory / "bad/link").symlink_to("/usr/bin/python3")


def not_utf_8(repository: Repository) -> None:
    (repository.directory / os.fsdecode(b"bad/caf\xe9")).touch()


def leading_to_no_utf_8(repository: Repository) -> None:
    (repository.directory / "bad/link").symlink_to(os.fsdecode(b"caf\xe9"))


def a_pipe(repository: Repository) -> None:
    os.mkfifo(repository.directory / "bad/pipe")


def a_socket(repository: Repository) -> None:
    directory = os.open(repository.directory / "bad", os.O_PATH | os.O_DIRECTORY)
    try:
        with socket.socket(socket.AF_UNIX) as listener:
            listener.bind(f"/proc/self/fd/{directory}/socket")  # the whole path may be too long for a socket (unix(7))
    finally:
        os.close(directory)


def a_template(repository: Repository) -> None:
    repository.write("bad/x.j2", b"caf\xe9")


@pytest.mark.parametrize(
    ("make", "what", "where"),
    [
        (nowhere, "leads out of", "apps/myapp.yaml:7"),
        (not_utf_8, "name of a file is not UTF-8", r"'apps/myapp/bad/caf\udce9'"),
        (leading_to_no_utf_8, "target of a link is not UTF-8", "apps/myapp/bad/link"),
        (a_pipe, "neither file, directory nor link", "apps/myapp/bad/pipe"),
        (a_socket, "neither file, directory nor link", "apps/myapp/bad/socket"),
        (a_template, "template is not UTF-8", "apps/myapp/bad/x.j2"),
    ],
)
def test_what_cannot_be_in_a_context_is_named_and_may_be_left_out(
    repository: Repository, make: Callable[[Repository], None], what: str, where: str
) -> None:
    """As `docker build` has it: a `.venv` may lead anywhere if `.dockerignore` names it."""
    repository.write("bad/good", "x")
    make(repository)
    with pytest.raises(ConfigurationError, match=what) as caught:
        repository.observe()
    assert str(caught.value.where) == where
    repository.write(".dockerignore", "*\n!bad/goo*\n")
    assert [entry.path for entry in repository.observe().entries] == [".dockerignore", "Dockerfile", "bad/good"]


@pytest.mark.parametrize("place", ["bad", ""])
def test_an_unreadable_directory_is_named_and_may_be_left_out(
    repository: Repository, monkeypatch: pytest.MonkeyPatch, place: str
) -> None:
    scandir = os.scandir

    def refuse(path: Path) -> object:
        if Path(path) == repository.directory / place:
            raise PermissionError(errno.EACCES, "Permission denied", path)
        return scandir(path)

    (repository.directory / "bad").mkdir()
    monkeypatch.setattr(os, "scandir", refuse)
    with pytest.raises(ConfigurationError, match="cannot be read") as caught:
        repository.observe()
    assert str(caught.value.where) == f"apps/myapp/{place}".rstrip("/")
    assert caught.value.why == "Permission denied"
    if place:
        repository.write(".dockerignore", "b*\n")
        assert [entry.path for entry in repository.observe().entries] == [".dockerignore", "Dockerfile"]


def test_a_file_that_cannot_be_read_is_named(repository: Repository, monkeypatch: pytest.MonkeyPatch) -> None:
    path = repository.write("secret.key", "x")

    def refuse(paths: Sequence[Path]) -> list[FileFacts]:
        if path in paths:
            raise PermissionError(errno.EACCES, "Permission denied", path)
        return hash_files(paths)

    monkeypatch.setattr(directory, "hash_files", refuse)
    with pytest.raises(ConfigurationError, match="cannot be read") as caught:
        repository.observe()
    assert caught.value.where == "apps/myapp/secret.key"


def ignored_by_template(repository: Repository) -> Sequence[Artefact]:
    repository.write(".dockerignore.j2", "{{ where }}\n*.log\n")
    return ()


def ignored_by_link(repository: Repository) -> Sequence[Artefact]:
    repository.write("conf/ignore", "*.log")
    (repository.directory / ".dockerignore").symlink_to("conf/ignore")
    return ()


def ignored_by_archive(repository: Repository) -> Sequence[Artefact]:
    with tarfile.open(repository.cache / "a.tar", "w") as tar:
        tar.add(repository.write("../elsewhere/x", "*.log"), ".dockerignore")
    return [repository.artefact("a.tar", (repository.cache / "a.tar").read_bytes())]


@pytest.mark.parametrize("make", [ignored_by_template, ignored_by_link, ignored_by_archive])
def test_ignore_files_of_all_kinds_count(
    repository: Repository, make: Callable[[Repository], Sequence[Artefact]]
) -> None:
    """BuildKit reads what lies in the context under that name, wherever it is from."""
    artefacts = make(repository)
    repository.write("a.log", "x")
    downloads = [Download("s3://bucket/a.tar", unpack=True) for _ in artefacts]
    found = {entry.path for entry in repository.observe(downloads=downloads, artefacts=artefacts).entries}
    assert ".dockerignore" in found
    assert "a.log" not in found


def test_an_ignore_file_is_not_read_from_outside(repository: Repository) -> None:
    (repository.directory / ".dockerignore").symlink_to("/dev/zero")
    with pytest.raises(ConfigurationError, match="leads out"):
        repository.observe()


def test_a_secret_is_refused_wherever_it_stands(repository: Repository) -> None:
    repository.write("plain.conf", f"a\nb\nkey = {PASSWORD}\n")
    repository.write("rendered.conf.j2", "a\n{{ password }}\n")
    repository.write("large.txt", "x" * 80 + "\n" + "y" * (3 * 1024 * 1024) + "\n" + PASSWORD)
    repository.write("image.bin", b"\0" + PASSWORD.encode())
    with pytest.raises(ErrorGroup) as caught:
        repository.observe(
            f"FROM scratch\nENV A={PASSWORD}\n", files={"inline": InlineFile(PASSWORD)}, args={"TOKEN": PASSWORD}
        )
    assert caught.value.exit_code == 2
    found = [str(error) for error in caught.value.errors]
    assert PASSWORD not in "".join(found)
    for expected in (
        "build argument TOKEN",
        "line 2 of Dockerfile",
        "line 1 of inline",
        "apps/myapp/plain.conf:3",
        "line 2 of rendered.conf",
        "apps/myapp/large.txt:3",
        "apps/myapp/image.bin:1",
    ):
        assert sum(expected in text for text in found) == 1, expected
    assert len(found) == 7


def test_a_secret_in_a_file_that_dockerignore_excludes_is_none_of_the_image(repository: Repository) -> None:
    repository.write(".env", PASSWORD)
    with pytest.raises(ConfigurationError, match="holds a secret"):
        repository.observe()
    repository.write(".dockerignore", ".env\n")
    assert [entry.path for entry in repository.observe().entries] == [".dockerignore", "Dockerfile"]
    repository.write(".dockerignore", f".env\n# {PASSWORD}\n")
    with pytest.raises(ConfigurationError, match="holds a secret"):
        repository.observe()


def test_a_secret_on_the_border_of_two_pieces_is_found(repository: Repository) -> None:
    repository.write("large.txt", "\n" * (1024 * 1024 - 5) + PASSWORD)
    with pytest.raises(ConfigurationError) as caught:
        repository.observe()
    assert str(caught.value.where) == f"apps/myapp/large.txt:{1024 * 1024 - 4}"


@pytest.fixture
def killed(repository: Repository) -> Callable[[int], None]:
    def run(number: int) -> None:
        """Another process that is in the middle of using a context when the signal arrives."""
        program = (
            "import sys, pathlib, time\n"
            "from deployer.adapters.context.archive import Limits\n"
            "from deployer.adapters.context.materialise import materialised\n"
            "with materialised({}, pathlib.Path(sys.argv[1]), Limits()):\n"
            "    print('ready', flush=True)\n"
            "    sys.stdin.read()\n"
        )
        environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
        with subprocess.Popen(
            [sys.executable, "-c", program, repository.cache / "contexts"],
            env=environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
        ) as process:
            assert process.stdout
            assert process.stdout.readline() == b"ready\n"
            with repository.observe().materialise():
                # The other one is alive: its context is left alone.
                assert len([path for path in (repository.cache / "contexts").iterdir() if path.is_dir()]) == 2
            process.send_signal(number)

    return run


def test_what_a_killed_run_left_is_removed_by_the_next(repository: Repository, killed: Callable[[int], None]) -> None:
    killed(signal.SIGKILL)
    assert len(list((repository.cache / "contexts").iterdir())) == 2
    with repository.observe().materialise():
        pass
    assert list((repository.cache / "contexts").iterdir()) == []


def test_an_interrupt_removes_the_context(repository: Repository, killed: Callable[[int], None]) -> None:
    killed(signal.SIGINT)
    assert list((repository.cache / "contexts").iterdir()) == []


def test_a_context_that_cannot_be_written_is_an_error(repository: Repository) -> None:
    (repository.cache / "contexts").write_text("in the way")
    with pytest.raises(DeployError, match="cannot be written"), repository.observe().materialise():
        pass


def test_many_files_are_hashed_in_their_order(tmp_path: Path) -> None:
    paths = []
    for number in range(200):
        paths.append(tmp_path / str(number))
        paths[-1].write_bytes(bytes([number]) * (number * 2000))
    facts = hash_files(paths)
    assert [fact.sha256 for fact in facts] == [hashlib.sha256(path.read_bytes()).hexdigest() for path in paths]
    assert [fact.size for fact in facts] == [path.stat().st_size for path in paths]
