import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from deployer import tools
from deployer.adapters import process
from deployer.errors import ConfigurationError, DeployError, ErrorGroup, UnreachableError
from deployer.events import OutputLine, PhaseFinished, PhaseStarted
from deployer.tools.resolve import cache_directory, find
from tests.unit.tools.conftest import AddProgram, Recorder

ROOT = Path(__file__).parents[3]

COMPILES = r"""
while [ $# -gt 0 ]; do case $1 in -o) out=$2; shift ;; -ldflags) flags=$2; shift ;; esac; package=$1; shift; done
echo github.com/example/package
case $package in
    *sops*) printf '#!/bin/sh\necho sops 3.13.3\n' > "$out" ;;
    *helm/v3*) printf '#!/bin/sh\necho v3.22.0\n' > "$out" ;;
    *) printf '#!/bin/sh\necho Kubernetes v1.34.4\n' > "$out" ;;
esac
chmod +x "$out"
"""


def go_that(builds: str, *, version: str = "1.26.8", toolchain: str = "auto") -> str:
    return f"""
case $1 in
    version) echo "go version go{version} linux/amd64" ;;
    env) echo {toolchain} ;;
    build) {builds} ;;
esac"""


def test_a_missing_tool_is_built_into_the_cache(add_program: AddProgram, recorder: Recorder) -> None:
    add_program("go", go_that(COMPILES))
    path = tools.require("sops", recorder)
    assert path == cache_directory() / "sops/3.13.3/sops"
    assert subprocess.run([path], capture_output=True, check=True).stdout == b"sops 3.13.3\n"
    assert find("sops") == path
    assert recorder.events[0] == PhaseStarted("build sops 3.13.3")
    assert isinstance(recorder.events[-1], PhaseFinished) and not recorder.events[-1].failed


def test_what_is_there_is_not_built_again(add_program: AddProgram, recorder: Recorder) -> None:
    go = add_program("go", go_that(COMPILES))
    path = tools.require("sops")
    go.unlink()
    assert tools.require("sops", recorder) == path
    assert recorder.events == []


def test_go_is_told_what_to_build(add_program: AddProgram, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GOFLAGS", "-mod=mod")
    monkeypatch.setenv("GOOS", "plan9")
    monkeypatch.setenv("GOPROXY", "https://proxy.example")
    add_program(
        "go", go_that(f'printf "%s\\n" "$@" > {tmp_path}/argv; env > {tmp_path}/env; ls > {tmp_path}/ls; {COMPILES}')
    )
    tools.require("helm")
    argv = (tmp_path / "argv").read_text().splitlines()
    assert argv[-1] == "helm.sh/helm/v3/cmd/helm"
    assert {"-mod=readonly", "-trimpath"} <= set(argv)
    assert argv[argv.index("-ldflags") + 1] == "-s -w -X helm.sh/helm/v3/internal/version.version=v3.22.0"
    environment = dict(line.split("=", 1) for line in (tmp_path / "env").read_text().splitlines() if "=" in line)
    assert environment["GOFLAGS"] == "-buildvcs=false"
    assert environment["CGO_ENABLED"] == "0"
    assert environment["GOPROXY"] == "https://proxy.example"
    assert "GOOS" not in environment
    assert (tmp_path / "ls").read_text().split() == ["go.mod", "go.sum"]


def test_several_tools_of_one_module_and_of_others(add_program: AddProgram) -> None:
    add_program("go", go_that(COMPILES))
    paths = tools.ensure(["kubelet", "sops", "kube-scheduler", "helm"])
    assert list(paths) == ["kubelet", "sops", "kube-scheduler", "helm"]
    assert all(path.is_file() for path in paths.values())


def test_without_go_the_message_names_what_to_install() -> None:
    with pytest.raises(ConfigurationError) as caught:
        tools.require("sops")
    assert "needs Go, which was not found" in caught.value.what
    assert "Go 1.25.8 or later" in (caught.value.hint or "")


@pytest.mark.parametrize(
    ("version", "toolchain", "refused"),
    [
        ("1.19.8", "", True),
        ("1.21.0", "auto", False),
        ("1.24.4", "local", True),
        ("1.24.4", "go1.24.4", True),
        ("1.24.4", "go1.24.4+auto", False),
        ("1.25.8", "local", False),
        ("1.26", "local", False),
    ],
)
def test_an_old_go_must_be_able_to_fetch_a_newer_one(
    add_program: AddProgram, version: str, toolchain: str, refused: bool
) -> None:
    add_program("go", go_that(COMPILES, version=version, toolchain=toolchain))
    if not refused:
        assert tools.require("sops")
        return
    with pytest.raises(ConfigurationError, match=r"needs Go 1\.25\.8, and this machine has ") as caught:
        tools.require("sops")
    assert caught.value.exit_code == 2
    assert "Go 1.25.8" in (caught.value.hint or "")


@pytest.mark.parametrize(
    ("output", "kind", "says"),
    [
        ("go: x@v1: dial tcp: lookup proxy.example: no such host", UnreachableError, "module proxy"),
        ("write /x: no space left on device", DeployError, "5 GB"),
        ("compile: signal: killed", DeployError, "4 GB"),
        ("verifying x@v1: checksum mismatch\nSECURITY ERROR", DeployError, "pinned"),
        ("# x\nx.go:1:1: syntax error", DeployError, "what Go complains about"),
    ],
)
def test_a_failed_build_says_what_to_do(
    add_program: AddProgram, recorder: Recorder, output: str, kind: type[DeployError], says: str
) -> None:
    add_program("go", go_that(f"printf '%s\\n' '{output}'; exit 1"))
    with pytest.raises(kind) as caught:
        tools.require("sops", recorder)
    assert type(caught.value) is kind
    assert says in (caught.value.hint or "")
    assert find("sops") is None
    assert isinstance(recorder.events[-1], PhaseFinished) and recorder.events[-1].failed


def test_a_build_that_gives_another_version_is_not_used(add_program: AddProgram) -> None:
    add_program("go", go_that(COMPILES.replace("3.13.3", "3.10.0")))
    with pytest.raises(DeployError, match=r"what was built is not sops 3\.13\.3"):
        tools.require("sops")
    assert find("sops") is None


def test_one_failure_does_not_lose_the_other_tools(add_program: AddProgram) -> None:
    add_program("go", go_that(f'case "$*" in *sops*) exit 1 ;; *kubelet*) exit 1 ;; esac; {COMPILES}'))
    with pytest.raises(ErrorGroup) as caught:
        tools.ensure(["sops", "helm", "kubelet"])
    assert sorted(error.what.split()[0] for error in caught.value.errors) == ["kubelet", "sops"]
    assert find("helm")


def test_progress_is_told_while_it_builds(
    add_program: AddProgram, recorder: Recorder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("deployer.tools.build._TELL_EVERY", 0.0)
    add_program("go", go_that(f"echo go: downloading example.com/x v1.0.0; {COMPILES}"))
    tools.require("sops", recorder)
    lines = [event.line for event in recorder.events if isinstance(event, OutputLine)]
    assert lines[1:] == ["downloading example.com/x v1.0.0", "1 packages compiled, now github.com/example/package"]


def test_leftovers_of_a_killed_build_are_removed(add_program: AddProgram) -> None:
    leftover = cache_directory() / ".build-old"
    (leftover / "module").mkdir(parents=True)
    add_program("go", go_that(COMPILES))
    tools.require("sops")
    assert sorted(path.name for path in cache_directory().iterdir()) == [".lock", "sops"]


def test_two_at_once_build_once(add_program: AddProgram, tmp_path: Path) -> None:
    add_program("go", go_that(f"echo built >> {tmp_path}/count; {COMPILES}"))
    script = "from deployer import tools; print(tools.require('sops'))"
    starts = [
        subprocess.Popen([sys.executable, "-c", script], cwd=ROOT, stdout=subprocess.PIPE, text=True) for _ in range(3)
    ]
    outputs = {start.communicate(timeout=60)[0].strip() for start in starts}
    assert outputs == {str(cache_directory() / "sops/3.13.3/sops")}
    assert (tmp_path / "count").read_text() == "built\n"


def test_waiting_for_another_process_is_told(add_program: AddProgram) -> None:
    import filelock

    add_program("go", go_that(COMPILES))
    cache_directory().mkdir(parents=True)
    lock = filelock.FileLock(cache_directory() / ".lock", thread_local=False)
    lock.acquire()

    class ReleasesWhenTold(Recorder):
        def emit(self, event: object) -> None:
            if isinstance(event, OutputLine) and "waiting" in event.line:
                lock.release()

    assert tools.require("sops", ReleasesWhenTold())


def test_ctrl_c_ends_the_build_and_leaves_nothing_half_done(add_program: AddProgram, tmp_path: Path) -> None:
    add_program("go", go_that(f"echo $$ > {tmp_path}/pid; exec sleep 600"))
    script = (
        "import os, pathlib, signal, sys, threading, time\n"
        "from deployer import tools\n"
        "pid = pathlib.Path(sys.argv[1])\n"
        "def interrupt():\n"
        "    while not (pid.exists() and pid.read_text()): time.sleep(.01)\n"
        "    os.kill(os.getpid(), signal.SIGINT)\n"
        "threading.Thread(target=interrupt, daemon=True).start()\n"
        "try: tools.require('sops')\n"
        "except KeyboardInterrupt: sys.exit(9)"
    )
    ended = subprocess.run([sys.executable, "-c", script, str(tmp_path / "pid")], cwd=ROOT, timeout=60, check=False)
    assert ended.returncode == 9
    with pytest.raises(ProcessLookupError):
        os.kill(int((tmp_path / "pid").read_text()), signal.SIG_DFL)
    assert [path.name for path in cache_directory().iterdir()] == [".lock"]


def test_stopping_all_programs_stops_a_build(add_program: AddProgram, tmp_path: Path) -> None:
    add_program("go", go_that("echo example.com/x; exec sleep 600"))
    caught: list[BaseException] = []

    def build() -> None:
        try:
            tools.require("sops", StopsWhenBuilding())
        except DeployError as error:
            caught.append(error)

    class StopsWhenBuilding(Recorder):
        def emit(self, event: object) -> None:
            if isinstance(event, OutputLine) and "compiled" in event.line:
                process.stop_all(signal.SIGINT)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("deployer.tools.build._TELL_EVERY", 0.0)
        worker = threading.Thread(target=build)
        worker.start()
        worker.join(60)
    assert [getattr(error, "exit_code", None) for error in caught] == [130]


def test_a_cache_that_cannot_be_made_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
    with pytest.raises(ConfigurationError) as caught:
        tools.require("sops")
    assert caught.value.where == str(tmp_path / "file/deployer/tools")
    assert "XDG_CACHE_HOME" in (caught.value.hint or "")
