import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from deployer.adapters import process
from deployer.adapters.process.guardian import Guardian
from deployer.errors import ConfigurationError, DeployError, InterruptedBySignal

PYTHON = sys.executable


def python(code: str, *arguments: str) -> list[str]:
    return [PYTHON, "-c", code, *arguments]


def gone(pid: int) -> bool:
    """Whether the process ends (a signal takes a moment); a zombie that waits for its reaper counts as ended."""
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        try:
            if Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z":
                return True
        except (FileNotFoundError, ProcessLookupError):
            return True
        time.sleep(0.005)
    return False


def wait_for(file: Path) -> str:
    """The content of a file that a child is about to write."""
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        if file.exists() and (content := file.read_text()):
            return content
        time.sleep(0.005)
    raise AssertionError(f"{file} was never written")


def test_output_and_status_are_collected() -> None:
    result = process.run(python("import sys; print('out'); print('err', file=sys.stderr); sys.exit(3)"))
    assert (result.returncode, result.stdout, result.stderr, result.ok) == (3, b"out\n", b"err\n", False)


def test_stdin_is_given_and_closed() -> None:
    content = bytes(range(256)) * 4096
    assert process.run(["cat"], stdin=content).stdout == content


def test_without_stdin_the_input_is_empty() -> None:
    assert process.run(["cat"], timeout=30).stdout == b""


def test_input_that_nobody_reads_is_no_error() -> None:
    assert process.run(["true"], stdin=b"x" * 1_000_000).ok


def test_environment_is_replaced_and_directory_changed(tmp_path: Path) -> None:
    code = "import os; print(os.getcwd(), 'HOME' in os.environ, os.environ['ONLY'])"
    result = process.run(python(code), env={"ONLY": "this"}, cwd=tmp_path)
    assert result.stdout.decode().split() == [str(tmp_path.resolve()), "False", "this"]


def test_file_descriptors_are_passed() -> None:
    read, write = os.pipe()
    os.write(write, b"secret")
    os.close(write)
    try:
        assert process.run(["cat", f"/dev/fd/{read}"], pass_fds=[read]).stdout == b"secret"
    finally:
        os.close(read)


def test_child_has_a_session_of_its_own() -> None:
    sid = int(process.run(python("import os; print(os.getsid(0))")).stdout)
    assert sid != os.getsid(0)


@pytest.mark.parametrize("name", ["no-such-program-here", "/nowhere/program", "/etc/passwd/program"])
def test_missing_executable(name: str) -> None:
    with pytest.raises(process.ExecutableMissing) as caught:
        process.run([name, "--token=hunter2"])
    assert Path(name).name in caught.value.what
    assert caught.value.exit_code == 2
    assert "hunter2" not in str(caught.value)


def test_what_is_not_a_program(tmp_path: Path) -> None:
    (tmp_path / "tool").write_bytes(b"\x00\x01\x02")
    with pytest.raises(process.ExecutableMissing, match="cannot be run"):
        process.run([tmp_path / "tool"])
    (tmp_path / "tool").chmod(0o755)
    with pytest.raises(process.ExecutableMissing, match="cannot be run"):
        process.run([tmp_path / "tool"])


def test_missing_directory_is_not_called_a_missing_program(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError) as caught:
        process.run(["true"], cwd=tmp_path / "gone")
    assert not isinstance(caught.value, process.ExecutableMissing)
    assert caught.value.where == str(tmp_path / "gone")


def test_too_long_arguments_are_an_error_of_ours() -> None:
    with pytest.raises(DeployError, match="cannot be started"):
        process.run(["true", "x" * 10_000_000])
    with pytest.raises(ConfigurationError, match="cannot be started"):
        process.run(["true", "a\0b"])


def test_timeout_ends_the_whole_group_and_keeps_what_was_written() -> None:
    with pytest.raises(process.TimedOut, match="sh did not finish within 10 s") as caught:
        process.run(["sh", "-c", "echo $$; sleep 600 & echo $!; wait"], timeout=10.0)
    pids = [int(line) for line in caught.value.stdout.split()]
    assert len(pids) == 2
    assert all(gone(pid) for pid in pids)


def test_who_ignores_sigterm_is_killed() -> None:
    with process.Stream(["sh", "-c", "trap '' TERM; echo $$; while :; do sleep 600; done"], grace=0.1) as running:
        pid = int(next(iter(running)).text)
    assert running.returncode == -signal.SIGKILL
    assert gone(pid)


def test_children_that_ignore_sigterm_are_killed_with_their_parent() -> None:
    script = "(trap '' TERM; sh -c 'echo $$; exec sleep 600') & wait"
    with process.Stream(["sh", "-c", script], grace=0.1) as running:
        pid = int(next(iter(running)).text)
    assert gone(pid)


def test_stop_all_ends_programs_of_other_threads(tmp_path: Path) -> None:
    file = tmp_path / "pid"
    code = "import os, sys, time; open(sys.argv[1], 'w').write(str(os.getpid())); time.sleep(600)"
    caught: list[DeployError] = []

    def work() -> None:
        try:
            process.run(python(code, str(file)))
        except DeployError as error:
            caught.append(error)

    worker = threading.Thread(target=work)
    worker.start()
    pid = int(wait_for(file))
    process.stop_all(signal.SIGINT)
    worker.join(30)
    assert [type(error) for error in caught] == [InterruptedBySignal]
    assert caught[0].exit_code == 130
    assert gone(pid)


@pytest.mark.parametrize("ending", ["sys.exit(5)", "process.end_all(); os._exit(5)"])
def test_programs_of_workers_that_nobody_waits_for_end_with_us(tmp_path: Path, ending: str) -> None:
    file = tmp_path / "pid"
    code = (
        "import os, pathlib, sys, threading, time\n"
        "from deployer.adapters import process\n"
        "file = pathlib.Path(sys.argv[1])\n"
        "command = ['sh', '-c', f'echo $$ > {file}; exec sleep 600']\n"
        "threading.Thread(target=process.run, args=[command], daemon=True).start()\n"
        "while not (file.exists() and file.read_text()): time.sleep(.005)\n"
        f"{ending}"
    )
    assert process.run(python(code, str(file)), cwd=Path(__file__).parents[3]).returncode == 5
    assert gone(int(file.read_text()))


def test_programs_end_when_we_are_killed(tmp_path: Path) -> None:
    """SIGKILL leaves us no moment: the guardian ends what still runs, by SIGTERM, and nothing that ended before."""
    file, marked = tmp_path / "pid", tmp_path / "terminated"
    code = (
        "import pathlib, sys, time\n"
        "from deployer.adapters import process\n"
        "process.run(['true'])\n"
        "trap = f'trap \"echo > {sys.argv[2]}; exit\" TERM'\n"
        "with process.Stream(['sh', '-c', f'{trap}; sleep 600 & echo $$ $!; wait']) as running:\n"
        "    pathlib.Path(sys.argv[1]).write_text(next(iter(running)).text)\n"
        "    time.sleep(600)"
    )
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[3])}
    running = subprocess.Popen(python(code, str(file), str(marked)), env=environment)
    pids = [int(pid) for pid in wait_for(file).split()]
    running.kill()
    running.wait()
    assert all(map(gone, pids))
    assert marked.exists()


def test_the_guardian_forgets_what_has_ended(tmp_path: Path) -> None:
    file = tmp_path / "pid"
    with subprocess.Popen(["sh", "-c", f"echo $$ > {file}; exec sleep 600"], process_group=0) as other:
        wait_for(file)
        guardian = Guardian()
        guardian.watch(other.pid)
        guardian.release(other.pid)
        guardian.close()
        assert guardian.pid is not None
        assert gone(guardian.pid)
        assert other.poll() is None
        other.kill()


def test_ctrl_c_ends_the_program(tmp_path: Path) -> None:
    """The child would outlive Ctrl-C otherwise: it has left our process group."""
    file = tmp_path / "pid"
    child = "import os, sys, time; open(sys.argv[1], 'w').write(str(os.getpid())); time.sleep(600)"
    parent = (
        "import sys; from deployer.adapters import process\n"
        "try: process.run([sys.executable, '-c', sys.argv[2], sys.argv[1]])\n"
        "except KeyboardInterrupt: sys.exit(7)"
    )
    with process.Stream(python(parent, str(file), child), cwd=Path(__file__).parents[3]) as running:
        pid = int(wait_for(file))
        os.kill(running.pid, signal.SIGINT)
        assert list(running) == []
    assert running.returncode == 7
    assert gone(pid)


def test_lines_come_while_the_program_runs() -> None:
    code = "import sys; print('ready', flush=True); print('got', sys.stdin.readline().strip(), file=sys.stderr)"
    with process.Stream(python(code), stdin=b"word\n") as running:
        lines = [line.text for line in running]
    assert lines == ["ready", "got word"]
    assert running.returncode == 0


def test_first_line_is_there_before_the_end(tmp_path: Path) -> None:
    code = (
        "import sys, time, pathlib; print('first', flush=True)\n"
        "while not pathlib.Path(sys.argv[1]).exists(): time.sleep(.01)"
    )
    with process.Stream(python(code, str(tmp_path / "go"))) as running:
        assert next(iter(running)).text == "first"
        (tmp_path / "go").touch()
        assert list(running) == []
    assert running.returncode == 0


def test_separate_streams_are_named() -> None:
    code = "import sys; print('one'); sys.stdout.flush(); sys.stderr.write('two')"
    with process.Stream(python(code), merge=False) as running:
        assert set(running) == {process.Line("one", "stdout"), process.Line("two", "stderr")}


def test_lines_that_are_not_text_or_never_end() -> None:
    with process.Stream(["printf", r"\377\r\nok"]) as running:
        assert [line.text for line in running] == ["\ufffd", "ok"]
    with process.Stream(python("print('x' * 200_000)")) as running:
        lines = [line.text for line in running]
    assert max(map(len, lines)) <= 65536
    assert "".join(lines) == "x" * 200_000


def test_leaving_early_ends_the_program() -> None:
    with process.Stream(["sh", "-c", "echo $$; exec sleep 600"]) as running:
        pid = int(next(iter(running)).text)
    assert gone(pid)
    assert running.returncode == -signal.SIGTERM


def test_stream_timeout() -> None:
    running = process.Stream(["sleep", "600"], timeout=0.1)
    with pytest.raises(process.TimedOut, match=r"sleep did not finish within 0\.1 s"), running:
        list(running)
    assert running.returncode == -signal.SIGTERM


def test_stream_can_be_asked_to_stop() -> None:
    code = (
        "import signal, sys, time\n"
        "signal.signal(15, lambda *_: (print('bye', flush=True), sys.exit(4)))\n"
        "print('up', flush=True)\ntime.sleep(600)"
    )
    with process.Stream(python(code)) as running:
        lines = iter(running)
        assert next(lines).text == "up"
        running.terminate()
        assert [line.text for line in lines] == ["bye"]
    assert running.returncode == 4
