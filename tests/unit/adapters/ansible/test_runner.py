"""Hook playbooks, run by the real ansible-playbook."""

from __future__ import annotations

import contextlib
import os
import re
import threading
import time
from pathlib import Path
from typing import Any

import pytest

from deployer.adapters.ansible import AnsibleRunner
from deployer.errors import DeploymentFailed
from deployer.events import Event, OutputLine
from deployer.execute.hook_ports import HookRequest
from deployer.masking import Masker
from deployer.model import Target

TARGET = Target("prod", "london", "site")
SECRET = "p{{ q }}w-\"quoted\"-'x'-ünïcode-🔑\nsecond-line-of-it"

LONG = f"{600 + os.getpid()}"
"""Seconds by which this run's processes are known from others'."""


class Lines:
    def __init__(self) -> None:
        self.lines: list[str] = []
        self.seen = threading.Event()

    def emit(self, event: Event) -> None:
        assert isinstance(event, OutputLine)
        assert event.target == TARGET
        self.lines.append(event.line)
        if "READY" in event.line:
            self.seen.set()


def play(*tasks: str) -> str:
    lines = "".join(f"    - {task}\n" for task in tasks)
    return f"- hosts: localhost\n  gather_facts: false\n  tasks:\n{lines}"


def run(root: Path, text: str, *arguments: str, timeout: float = 60, **variables: Any) -> list[str]:
    (root / "hook.yml").write_text(text)
    lines = Lines()
    request = HookRequest("BeforeUpgrade", "hook.yml", TARGET, variables, timeout, arguments)
    AnsibleRunner(root, Masker([SECRET])).run(request, lines)
    return lines.lines


def test_variables_arrive_as_they_are_and_are_masked_in_the_output(tmp_path: Path) -> None:
    lines = run(
        tmp_path,
        play(
            f"copy: {{content: '{{{{ Values.site.PASSWORD }}}}', dest: {tmp_path}/password, mode: '0600'}}",
            "debug: {msg: 'it is {{ Values.site.PASSWORD }}, {{ Replicas + 1 }}, {{ extra }}'}",
        ),
        "-e",
        "extra=given",
        Values={"site": {"PASSWORD": SECRET}},
        Replicas=2,
    )
    assert (tmp_path / "password").read_text() == SECRET
    output = "\n".join(lines)
    assert "it is ***, 3, given" in output
    assert "second-line" not in output
    assert "TASK [debug]" in output


def test_no_secret_is_seen_in_processes_or_left_in_files(tmp_path: Path) -> None:
    look = f"shell: 'cat /proc/[0-9]*/environ /proc/[0-9]*/cmdline > {tmp_path}/seen 2> /dev/null || true'"
    scratch = "tempfile: {}"
    lines = run(
        tmp_path,
        play(
            look, f"copy: {{content: '{{{{ PASSWORD }}}}', dest: {tmp_path}/copy}}", "debug: {var: ansible_check_mode}"
        ),
        PASSWORD=SECRET,
    )
    assert lines and scratch
    seen = (tmp_path / "seen").read_bytes()
    assert b"hook.yml" in seen
    assert b"second-line" not in seen
    (tmp_path / "copy").unlink()
    for directory in [*Path("/dev/shm").glob("deploy-*"), tmp_path]:
        for place, _, names in os.walk(directory):  # other tests' directories go while we look
            for name in names:
                with contextlib.suppress(FileNotFoundError):
                    assert b"second-line" not in (Path(place) / name).read_bytes()


def test_a_locale_that_the_machine_does_not_have_is_no_obstacle(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("LC_ALL", raising=False)
    monkeypatch.setenv("LANG", "xx_YY.UTF-8")  # as it may come by ssh
    assert any("hello" in line for line in run(tmp_path, play("debug: {msg: hello}")))


def test_a_failing_task_is_named_with_its_place_and_host(tmp_path: Path) -> None:
    with pytest.raises(DeploymentFailed) as caught:
        run(tmp_path, play("debug: {msg: fine}", f"{{name: Migrate, fail: {{msg: 'no database for {SECRET[-11:]}'}}}}"))
    error = caught.value
    assert error.what == "the hook hook.yml (BeforeUpgrade) failed"
    assert str(error.where) == "hook.yml:5"
    assert error.why is not None
    assert error.why.startswith("the task 'Migrate' failed on localhost: no database for ")
    assert error.exit_code == 1


def test_what_a_task_said_is_masked_before_it_is_cut(tmp_path: Path) -> None:
    task = """shell: {cmd: 'cat >&2; exit 3', stdin: '{{ PASSWORD + ("x" * 1990) }}'}"""
    with pytest.raises(DeploymentFailed) as caught:
        run(tmp_path, play(task), PASSWORD=SECRET)
    assert caught.value.why is not None
    assert caught.value.why.endswith("***" + "x" * 1990)
    assert "of-it" not in caught.value.why


def test_what_a_task_must_not_log_is_not_told(tmp_path: Path) -> None:
    with pytest.raises(DeploymentFailed) as caught:
        run(tmp_path, play("{name: Quiet, fail: {msg: unknown-to-the-mask}, no_log: true}"))
    assert "unknown-to-the-mask" not in str(caught.value)
    assert "Quiet" in str(caught.value)


def test_a_rescued_failure_is_none(tmp_path: Path) -> None:
    text = play("{block: [{fail: {msg: x}}], rescue: [{debug: {msg: saved}}]}")
    assert any("saved" in line for line in run(tmp_path, text))


def test_what_ansible_refuses_to_begin_is_told_in_its_words(tmp_path: Path) -> None:
    with pytest.raises(DeploymentFailed) as caught:
        run(tmp_path, play("no_such_module: {}"))
    assert "no_such_module" in str(caught.value)


def test_a_hook_has_its_time(tmp_path: Path) -> None:
    began = time.monotonic()
    with pytest.raises(DeploymentFailed, match="did not end within 2 s"):
        run(tmp_path, play(f"command: sleep {LONG}"), timeout=2)
    assert time.monotonic() - began < 30
    assert not _sleeping(LONG)


def test_what_left_its_group_has_no_more_time_than_the_hook(tmp_path: Path) -> None:
    with pytest.raises(DeploymentFailed, match="did not end within 4 s"):
        run(tmp_path, play(f"shell: trap '' TERM; setsid sleep {LONG} & sleep {LONG}"), timeout=4)
    assert not _sleeping(LONG)


def test_what_a_stopped_hook_says_as_it_ends_is_not_told(tmp_path: Path) -> None:
    (tmp_path / "hook.yml").write_text(play("debug: {msg: READY}", f"command: sleep {LONG}"))
    lines, runner = Lines(), AnsibleRunner(tmp_path, Masker())
    emit = lines.emit

    def stop_at_once(event: Event) -> None:
        emit(event)
        if lines.seen.is_set():
            runner.stop()

    lines.emit = stop_at_once  # type: ignore[method-assign]
    with pytest.raises(DeploymentFailed, match="it was stopped"):
        runner.run(HookRequest("BeforeUpgrade", "hook.yml", TARGET, {}, 60), lines)
    assert "READY" in lines.lines[-1]


@pytest.mark.parametrize("command", [f"sleep {LONG}", f"setsid --wait sleep {LONG}"], ids=["its own", "a session"])
def test_a_stopped_hook_ends_with_all_that_it_started(tmp_path: Path, command: str) -> None:
    (tmp_path / "hook.yml").write_text(play("debug: {msg: READY}", f"command: {command}"))
    lines, runner, errors = Lines(), AnsibleRunner(tmp_path, Masker()), []

    def work() -> None:
        try:
            runner.run(HookRequest("BeforeUpgrade", "hook.yml", TARGET, {}, 60), lines)
        except DeploymentFailed as error:
            errors.append(error)

    thread = threading.Thread(target=work)
    thread.start()
    assert lines.seen.wait(120)
    deadline = time.monotonic() + 60
    while not _sleeping(LONG):
        assert time.monotonic() < deadline
        time.sleep(0.02)
    runner.stop()
    thread.join(60)
    assert "it was stopped" in str(errors[0])
    assert not _sleeping(LONG)


def _sleeping(seconds: str) -> list[str]:
    found = []
    for name in filter(str.isdigit, os.listdir("/proc")):  # noqa: PTH208
        try:
            command = Path(f"/proc/{name}/cmdline").read_bytes()
        except OSError:
            continue
        if re.fullmatch(rb"sleep\x00" + seconds.encode() + rb"\x00", command):
            found.append(name)
    return found
