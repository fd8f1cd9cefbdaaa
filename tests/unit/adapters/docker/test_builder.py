from __future__ import annotations

import os
import sys
import textwrap
from collections.abc import Callable
from pathlib import Path

import pytest

from deployer.adapters.docker import DockerBuilder
from deployer.adapters.docker.buildx import arguments, environment
from deployer.adapters.docker.output import Output
from deployer.errors import ConfigurationError, DeploymentFailed, UnreachableError
from deployer.events import Event, OutputLine, Silence, Sink, WarningRaised
from deployer.execute.image_ports import BuildRequest, ImageBuilder, Registry
from deployer.masking import Masker
from deployer.model import DockerCache, Image, Secret

IMAGE = Image("127.0.31.1:5000", "team/app", "1.0-abc")
PASSWORD = "correct-horse-battery"
TOKEN = "registry-token-123"


class PushTarget:
    """A registry that has the image once something was pushed."""

    def __init__(self, *digests: str | None) -> None:
        self.digests = list(digests)
        self.login: tuple[str, Secret] | UnreachableError = ("AWS", Secret(TOKEN))

    def digest(self, image: Image) -> str | None:
        return self.digests.pop(0)

    def has(self, image: Image) -> bool:
        raise NotImplementedError

    def ensure_repository(self, image: Image) -> None: ...

    def copy(self, source: Image, source_registry: Registry, destination: Image, sink: Sink) -> str:
        raise NotImplementedError

    def credentials(self) -> tuple[str, Secret]:
        if isinstance(self.login, UnreachableError):
            raise self.login
        return self.login


class Recorder:
    def __init__(self) -> None:
        self.events: list[Event] = []

    def emit(self, event: Event) -> None:
        self.events.append(event)

    @property
    def lines(self) -> list[str]:
        return [event.line for event in self.events if isinstance(event, OutputLine)]


def request(tmp_path: Path, **fields: object) -> BuildRequest:
    (tmp_path / "Dockerfile").write_text("FROM scratch\nRUN x\n")
    return BuildRequest(tmp_path, IMAGE, **fields)  # type: ignore[arg-type]


Program = Callable[[str], Path]


@pytest.fixture
def buildx(tmp_path: Path) -> Program:
    """A program that stands for buildx."""

    def write(body: str) -> Path:
        path = tmp_path / "buildx"
        path.write_text(f"#!{sys.executable}\nimport os, sys, subprocess\n{textwrap.dedent(body)}")
        path.chmod(0o755)
        return path

    return write


def test_the_command_line() -> None:
    wanted = BuildRequest(
        Path("/context"), IMAGE, {"B": "2", "A": "1 x"}, {"tok": Secret("s")}, ("linux/amd64", "linux/arm64"), True
    )
    assert arguments(Path("/buildx"), wanted, {"tok": 7}) == [
        "/buildx",
        "build",
        "--progress=plain",
        "--push",
        "--tag=127.0.31.1:5000/team/app:1.0-abc",
        "--platform=linux/amd64,linux/arm64",
        "--build-arg=A=1 x",
        "--build-arg=B=2",
        "--secret=id=tok,src=/proc/self/fd/7",
        "--no-cache",
        "--pull",
        "/context",
    ]
    assert arguments(Path("/buildx"), BuildRequest(Path("/c"), IMAGE), {})[-2:] == [f"--tag={IMAGE.reference}", "/c"]


def test_the_environment_holds_nothing_that_is_not_for_docker() -> None:
    own = {
        "PATH": "/bin",
        "DOCKER_HOST": "unix:///x",
        "AWS_SECRET_ACCESS_KEY": "s",
        "GITHUB_TOKEN": "s",
        "https_proxy": "p",
    }
    assert environment(own, Path("/private")) == {
        "PATH": "/private:/bin",
        "DOCKER_HOST": "unix:///x",
        "DOCKER_CONFIG": "/private",
        "https_proxy": "p",
    }
    assert environment({"BUILDX_BUILDER": "b", "DOCKER_CONFIG": "/own"}, Path("/p"))["BUILDX_CONFIG"].endswith(
        "/buildx"
    )


def test_a_build(tmp_path: Path, buildx: Program, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SOME_TOKEN", "not-for-docker")
    program = buildx(
        """
        source = next(a for a in sys.argv if a.startswith("--secret")).rpartition("src=")[2]
        assert open(source).read() == "correct-horse-" + "battery"
        helper = subprocess.run(["docker-credential-deployer", "get"], input=b"127.0.31.1:5000", capture_output=True)
        assert b"registry-" + b"token-123" in helper.stdout, helper
        for name in os.listdir("/proc/self"):
            if name in ("environ", "cmdline"):
                content = open("/proc/self/" + name, "rb").read()
                assert b"token-123" not in content and b"battery" not in content and b"not-for" not in content
        print("#1 the password is correct-horse-", end="", flush=True)
        print("battery", flush=True)
        print("#2 done", file=sys.stderr)
        """
    )
    sink = Recorder()
    masker = Masker()
    builder: ImageBuilder = DockerBuilder(lambda: program, masker)
    wanted = request(tmp_path, secrets={"tok": Secret(PASSWORD)})
    assert builder.build_and_push(wanted, PushTarget(None, "sha256:1"), sink) == "sha256:1"
    assert sink.lines == ["#1 the password is ***", "#2 done"]


def test_an_image_that_is_there_by_now_is_not_built(tmp_path: Path) -> None:
    builder = DockerBuilder(lambda: pytest.fail("buildx was asked for"), Masker())
    assert builder.build_and_push(request(tmp_path), PushTarget("sha256:1"), Silence()) == "sha256:1"


def test_a_tag_that_another_run_pushed_meanwhile_is_no_failure(tmp_path: Path, buildx: Program) -> None:
    program = buildx("print('ERROR: failed to solve: tag is immutable'); sys.exit(1)")
    builder = DockerBuilder(lambda: program, Masker())
    assert builder.build_and_push(request(tmp_path), PushTarget(None, "sha256:2"), Silence()) == "sha256:2"


def test_a_failure_shows_its_place_and_hides_secrets(tmp_path: Path, buildx: Program) -> None:
    program = buildx(f"print(' > [1/1] RUN x:\\n0.1 {PASSWORD}\\nERROR: failed to solve: exit code: 1'); sys.exit(1)")
    builder = DockerBuilder(lambda: program, Masker([PASSWORD]))
    with pytest.raises(DeploymentFailed) as caught:
        builder.build_and_push(request(tmp_path), PushTarget(None), Silence())
    assert str(caught.value.where) == "Dockerfile:2"
    assert "0.1 ***" in (caught.value.why or "")
    assert PASSWORD not in str(caught.value)


def test_a_login_that_cannot_be_had_is_the_reason(tmp_path: Path, buildx: Program) -> None:
    program = buildx(
        """
        subprocess.run(["docker-credential-deployer", "get"], input=b"127.0.31.1:5000", capture_output=True)
        print("ERROR: failed to solve: no basic auth credentials")
        sys.exit(1)
        """
    )
    registry = PushTarget(None)
    registry.login = UnreachableError("the AWS credentials have expired")
    with pytest.raises(UnreachableError, match="credentials have expired"):
        DockerBuilder(lambda: program, Masker()).build_and_push(request(tmp_path), registry, Silence())


def test_an_image_that_is_not_there_after_all_is_told(tmp_path: Path, buildx: Program) -> None:
    program = buildx("")
    with pytest.raises(UnreachableError, match="does not have it"):
        DockerBuilder(lambda: program, Masker()).build_and_push(request(tmp_path), PushTarget(None, None), Silence())


def test_secrets_are_refused_in_arguments(tmp_path: Path) -> None:
    builder = DockerBuilder(lambda: pytest.fail("buildx was asked for"), Masker([PASSWORD]))
    with pytest.raises(ConfigurationError, match="argument A holds a secret") as caught:
        builder.build_and_push(request(tmp_path, args={"A": f"x{PASSWORD}"}), PushTarget(), Silence())
    assert PASSWORD not in str(caught.value)


def missing() -> Path:
    raise ConfigurationError("buildx was not found", hint="install it")


def test_without_buildx_secrets_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="need BuildKit"):
        DockerBuilder(missing, Masker()).build_and_push(
            request(tmp_path, secrets={"tok": Secret(PASSWORD)}), PushTarget(None), Silence()
        )


def test_without_an_engine_it_is_said_what_helps(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DOCKER_HOST", "tcp://127.0.0.1:9")
    sink = Recorder()
    with pytest.raises(UnreachableError, match="Docker does not answer") as caught:
        DockerBuilder(missing, Masker()).build_and_push(request(tmp_path), PushTarget(None), sink)
    assert "start it" in (caught.value.hint or "")
    assert "classic builder" in str(sink.events[0])


def test_output_is_shown_line_by_line() -> None:
    sink = Recorder()
    output = Output(sink, Masker([PASSWORD]))
    for piece in ("one\ntw", "o\n\n", f"{PASSWORD[:9]}", f"{PASSWORD[9:]} three"):
        output.write(piece)
    output.write("pushed", "push")
    output.end()
    assert [(event.source, event.line) for event in sink.events if isinstance(event, OutputLine)] == [
        ("build", "one"),
        ("build", "two"),
        ("build", "*** three"),
        ("push", "pushed"),
    ]
    assert list(output.lines) == sink.lines
    assert os.linesep not in "".join(sink.lines)


def test_a_builder_of_ones_own_with_its_cache() -> None:
    wanted = BuildRequest(
        Path("/c"),
        IMAGE,
        builder="arm",
        cache=DockerCache(("r:5000/cache:app", "r:5000/cache:main"), "r:5000/cache:app"),
    )
    line = arguments(Path("/buildx"), wanted, {})
    assert line[:5] == ["/buildx", "build", "--progress=plain", "--push", "--builder=arm"]
    assert line[-4:-1] == [
        "--cache-from=type=registry,ref=r:5000/cache:app",
        "--cache-from=type=registry,ref=r:5000/cache:main",
        "--cache-to=type=registry,ref=r:5000/cache:app,mode=max,image-manifest=true,oci-mediatypes=true,ignore-error=true",
    ]
    inline = BuildRequest(Path("/c"), IMAGE, cache=DockerCache(to="inline"))
    assert "--cache-to=type=inline" in arguments(Path("/buildx"), inline, {})


def test_what_a_builder_in_a_cluster_is_reached_by(tmp_path: Path) -> None:
    own = {
        "PATH": "/bin",
        "KUBECONFIG": "/k",
        "AWS_PROFILE": "prod",
        "AWS_SECRET_ACCESS_KEY": "s",
        "BUILDX_CONFIG": str(tmp_path),
    }
    passed = environment(own, Path("/private"), "arm")
    assert {"KUBECONFIG": "/k", "AWS_PROFILE": "prod", "BUILDX_CONFIG": str(tmp_path)}.items() <= passed.items()
    assert "AWS_SECRET_ACCESS_KEY" not in passed
    assert environment({"DOCKER_CONFIG": "/own"}, Path("/p"), "arm")["BUILDX_CONFIG"].endswith("/buildx")


def test_a_builder_that_is_not_there(tmp_path: Path, buildx: Program, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BUILDX_CONFIG", str(tmp_path / "config"))
    (tmp_path / "config/instances").mkdir(parents=True)
    (tmp_path / "config/instances/arm").touch()
    program = buildx("""print('ERROR: no builder "amr" found'); sys.exit(1)""")
    with pytest.raises(ConfigurationError, match="no such builder") as caught:
        DockerBuilder(lambda: program, Masker()).build_and_push(
            request(tmp_path, builder="amr"), PushTarget(None), Silence()
        )
    assert (caught.value.hint or "").startswith("there are arm; ")


def test_a_builder_that_does_not_come_up(tmp_path: Path, buildx: Program) -> None:
    program = buildx(
        """
        print("#1 [internal] waiting for connection\\n#1 ERROR: context deadline exceeded")
        print("ERROR: failed to build: context deadline exceeded")
        sys.exit(1)
        """
    )
    with pytest.raises(UnreachableError, match="the builder does not answer") as caught:
        DockerBuilder(lambda: program, Masker()).build_and_push(
            request(tmp_path, builder="arm"), PushTarget(None), Silence()
        )
    assert caught.value.why == "context deadline exceeded"


def test_a_builder_that_works_is_not_to_blame_for_a_command(tmp_path: Path, buildx: Program) -> None:
    program = buildx(
        """
        print("#7 [2/2] RUN x")
        for number in range(300):
            print(f"#7 0.{number} line")
        print("ERROR: failed to build: process did not complete successfully: exit code: 1")
        sys.exit(1)
        """
    )
    with pytest.raises(DeploymentFailed, match="a command in its Dockerfile failed"):
        DockerBuilder(lambda: program, Masker()).build_and_push(
            request(tmp_path, builder="arm"), PushTarget(None), Silence()
        )


def test_a_cache_that_cannot_be_written_is_a_warning(tmp_path: Path, buildx: Program) -> None:
    program = buildx("print('#6 exporting cache to registry\\n#6 ERROR: 404 Not Found')")
    sink = Recorder()
    builder = DockerBuilder(lambda: program, Masker())
    wanted = request(tmp_path, cache=DockerCache(to="127.0.31.1:5000/cache:app"))
    assert builder.build_and_push(wanted, PushTarget(None, "sha256:1"), sink) == "sha256:1"
    (warning,) = [event for event in sink.events if isinstance(event, WarningRaised)]
    assert warning.text == "the build cache was not written: 404 Not Found"
    assert "127.0.31.1:5000/cache:app" in warning.hint


def test_without_buildx_there_are_no_builders(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="need BuildKit"):
        DockerBuilder(missing, Masker()).build_and_push(request(tmp_path, builder="arm"), PushTarget(None), Silence())
