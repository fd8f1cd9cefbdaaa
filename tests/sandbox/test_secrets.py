"""`deploy secrets` with the sandbox's KMS: what it does, and that no value is seen anywhere while it does it."""

from __future__ import annotations

import json
import os
import pty
import signal
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
import yaml

from deployer.adapters import process
from deployer.sandbox.layout import REGIONS as SANDBOX
from deployer.tools import require
from tests.sandbox.clusters import Namespace
from tests.sandbox.helpers import Project
from tests.sandbox.leaks import Search, canaries
from tests.sandbox.processes import Watch
from tests.sandbox.region import eventually
from tests.sandbox.surroundings import Json
from tests.sandbox.tool import Done

KEYS = [region.kms_alias_arn for region in SANDBOX]
FILE = "group_vars/secrets_local.yml"


@pytest.fixture
def project(tmp_path: Path, clusters: dict[str, Namespace]) -> Project:
    project = Project(tmp_path, clusters).write()
    rules = {"creation_rules": [{"path_regex": "group_vars/secrets_local", "kms": KEYS}]}
    (project.root / ".sops.yaml").write_text(yaml.safe_dump(rules))
    (project.root / "group_vars/secrets_local.known").unlink()
    return project


def git(project: Project, *arguments: str, check: bool = True) -> subprocess.CompletedProcess[str]:
    who = ("-c", "user.name=x", "-c", "user.email=x@y.test")
    command = ["git", *who, *arguments]
    return subprocess.run(
        command, cwd=project.root, env=project.environment, capture_output=True, text=True, check=check
    )


def secrets(project: Project, *arguments: str, stdin: str = "", watch: Search | None = None, **env: str) -> Done:
    """Run `deploy secrets` with something on standard input; `watch` looks at every process meanwhile."""
    began = time.monotonic()
    running = subprocess.Popen(
        [sys.executable, "-m", "deployer", "secrets", *arguments],
        cwd=project.root,
        env={**project.environment, **env},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    with Watch(running.pid, pause=0.001) as seen:
        stdout, stderr = running.communicate(stdin, timeout=120)
    done = Done(running.returncode, stdout, stderr, time.monotonic() - began)
    if watch is not None:
        for command in seen.commands:
            watch.look(f"the arguments {command[:80]!r}", command)
        for environment in seen.environments:
            watch.look("an environment", environment)
        watch.done(f"secrets {arguments[0]}", done)
        assert seen.looks > 5
    return done


def values(project: Project, file: str = FILE) -> Json:
    environ = {"AWS_PROFILE": "local", "AWS_CONFIG_FILE": str(project.root / ".sandbox/aws-config")}
    result = process.run(
        [require("sops"), "decrypt", "--output-type", "json", project.root / file],
        env={"PATH": os.environ["PATH"], "HOME": "/", **environ},
    )
    assert result.ok, result.stderr
    content: Json = json.loads(result.stdout)
    return content


def test_no_value_is_seen_on_its_way_into_a_file_and_out_of_it(project: Project, tmp_path: Path) -> None:
    shapes = canaries()
    search = Search(shapes)
    for name, value in shapes.items():
        secrets(project, "set", "local", f"Values.{project.name}.{name}", stdin=value, watch=search).expect(0)
    assert values(project)["Values"][project.name] == project.values | shapes
    git(project, "init", "-q")
    git(project, "add", "-A")
    git(project, "commit", "-qm", "x")
    editor = tmp_path / "editor"
    editor.write_text('#!/bin/sh\nsed -i "s/^# .*//; s/URL: /URL2: /" "$1"\nsleep 0.2\n')
    editor.chmod(0o755)
    secrets(project, "edit", "local", watch=search, EDITOR=str(editor)).expect(0)
    assert values(project)["Values"][project.name]["URL2"] == shapes["URL"]
    diff = secrets(project, "diff", "HEAD", "--json", watch=search).expect(0).document
    prefix = f"Values.{project.name}"
    assert {(one["key"], one["change"]) for one in diff["changes"]} == {
        (f"{prefix}.URL", "removed"),
        (f"{prefix}.URL2", "added"),
    }
    secrets(project, "rotate", "local", watch=search).expect(0)
    for command in ("keys", "lint"):
        secrets(project, command, "local", "--json", watch=search)
    secrets(project, "unset", "local", f"{prefix}.URL2", watch=search).expect(0)
    # What goes wrong says no value either.
    secrets(project, "set", "local", "Slack", stdin=shapes["PEM"], watch=search).expect(2)
    secrets(project, "set", "local", f"{prefix}.N", "--type", "number", stdin=shapes["URL"], watch=search).expect(2)
    broken = tmp_path / "broken"
    broken.write_text('#!/bin/sh\necho "A: [" >> "$1"\n')
    broken.chmod(0o755)
    secrets(project, "edit", "local", watch=search, EDITOR=str(broken)).expect(2)
    (project.root / ".sandbox/aws-config").write_text("[profile local]\nendpoint_url = http://127.0.0.1:9\n")
    secrets(project, "set", "local", f"{prefix}.X", stdin=shapes["URL"], watch=search, AWS_MAX_ATTEMPTS="1").expect(5)
    search.files(project.directory, *Path("/dev/shm").glob("deploy-*"))
    assert not search.leaks


def test_a_value_in_the_arguments_is_refused_and_not_repeated(project: Project) -> None:
    for arguments in (
        ("A", "hunter2"),
        ("london", "A", "hunter2"),
        ("A=hunter2",),
        ("A", "--hunter2"),
        ("psql://hunter2",),
    ):
        done = secrets(project, "set", "local", *arguments, stdin="x").expect(2)
        assert "hunter2" not in done.output
        assert "argument" in done.stderr or "command line" in done.stderr


def test_a_prompt_shows_nothing_of_what_is_typed(project: Project) -> None:
    ours, theirs = pty.openpty()
    running = subprocess.Popen(
        [sys.executable, "-m", "deployer", "secrets", "set", "local", "A"],
        cwd=project.root,
        env=project.environment,
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        start_new_session=True,
        preexec_fn=lambda: __import__("fcntl").ioctl(theirs, __import__("termios").TIOCSCTTY, 0),
    )
    os.close(theirs)
    shown = b""
    while b"(not shown):" not in shown:
        shown += os.read(ours, 1000)
    os.write(ours, b"hunter2\n")
    assert running.wait(60) == 0
    while b"A set" not in shown:
        shown += os.read(ours, 1000)
    os.close(ours)
    assert b"hunter2" not in shown
    assert values(project)["A"] == "hunter2"


def test_a_new_file_is_for_the_keys_of_its_rule(project: Project) -> None:
    (project.root / "group_vars/secrets_local.seoul.yml").unlink()
    secrets(project, "set", "local", "seoul", "A", "--generate").expect(0)
    content = yaml.safe_load((project.root / "group_vars/secrets_local.seoul.yml").read_text())
    assert [key["arn"] for key in content["sops"]["kms"]] == KEYS
    assert len(values(project, "group_vars/secrets_local.seoul.yml")["A"]) == 64


def test_rotation_survives_a_kill_and_goes_on(project: Project) -> None:
    files = sorted((project.root / "group_vars").glob("secrets_local*.yml"))
    before = {file.name: values(project, f"group_vars/{file.name}") for file in files}
    held = project.directory / "held"
    held.mkdir()
    only_one = f'if [ "$1" = rotate ] && ! mkdir {held}/first; then until [ -e {held}/go ]; do sleep 0.1; done; fi'
    (held / "sops").write_text(f'#!/bin/sh\n{only_one} 2> /dev/null\nexec {require("sops")} "$@"\n')
    (held / "sops").chmod(0o755)
    project.environment["PATH"] = f"{held}:{project.environment['PATH']}"
    running = project.start("secrets", "rotate", "local")
    running.wait_for("(1 of ")
    running.process.kill()
    running.done()
    (held / "go").touch()
    running = project.start("secrets", "rotate", "local", "--json")
    document: Json = running.done().expect(0).document
    states = [one["state"] for one in document["files"]]
    assert "done before" in states
    assert set(states) <= {"rotated", "done before"}
    assert {file.name: values(project, f"group_vars/{file.name}") for file in files} == before
    assert sorted(path.name for path in (project.root / "group_vars").glob("secrets*")) == sorted(before)
    for file in files:
        assert [key["arn"] for key in yaml.safe_load(file.read_text())["sops"]["kms"]] == KEYS


def test_lint_finds_what_a_file_tells_without_a_key_and_with_it(project: Project) -> None:
    secrets(project, "rotate", "local").expect(0)
    assert secrets(project, "lint", "--open", "--json").expect(0).document["findings"] == []
    file = project.root / "group_vars/secrets_local.seoul.yml"
    file.write_text(file.read_text().replace("notmyapp", "nomyapp"))
    found = secrets(project, "lint", "--open", "local", "--json").expect(2).document["findings"]
    assert {"secrets-changed-by-hand", "secrets-parity"} == {one["rule"] for one in found}
    assert {one["rule"] for one in secrets(project, "lint", "--json").expect(2).document["findings"]} == {
        "secrets-parity"
    }


def test_the_hook_looks_at_what_is_committed(project: Project) -> None:
    git(project, "init", "-q")
    git(project, "add", "-A")
    git(project, "commit", "-qm", "x")
    secrets(project, "hook", "install").expect(0)
    (project.root / "apps/other.txt").write_text("x")
    git(project, "add", "-A")
    git(project, "commit", "-qm", "without secrets")
    file = project.root / FILE
    encrypted = file.read_text()
    file.write_text("A: hunter2\n")
    git(project, "add", "-A")
    file.write_text(encrypted)
    refused = git(project, "commit", "-qm", "plaintext", check=False)
    assert refused.returncode != 0
    assert f"{FILE}:1: error: this file is not encrypted" in refused.stderr
    assert "hunter2" not in refused.stderr
    git(project, "add", "-A")
    (project.root / "apps/other.txt").write_text("y")
    git(project, "commit", "-qam", "encrypted")
    secrets(project, "hook", "uninstall").expect(0)
    assert not (project.root / ".git/hooks/pre-commit").exists()
    (project.root / ".git/hooks/pre-commit").write_text("#!/bin/sh\n")
    done = secrets(project, "hook", "install").expect(2)
    assert "deploy secrets hook run" in done.stderr


def test_the_hook_works_in_a_work_tree_and_below_its_top(project: Project, tmp_path: Path) -> None:
    top = tmp_path / "top"
    top.mkdir()
    project.root.rename(top / "below")
    project.root = top / "below"
    git(project, "init", "-q", str(top))
    git(project, "add", "-A")
    git(project, "commit", "-qm", "x")
    secrets(project, "hook", "install").expect(0)
    git(project, "worktree", "add", "--detach", str(tmp_path / "other"))
    for root in (top / "below", tmp_path / "other/below"):
        project.root = root
        (root / "group_vars/secrets_local.london.yml").write_text("A: hunter2\n")
        refused = git(project, "commit", "-qam", "plaintext", check=False)
        assert refused.returncode != 0
        assert "group_vars/secrets_local.london.yml:1: error: this file is not encrypted" in refused.stderr


def test_two_who_set_at_once_do_not_lose_a_value(project: Project) -> None:
    results: list[int] = []

    def work(name: str) -> None:
        for _ in range(20):
            done = secrets(project, "set", "local", name, stdin="x")
            if done.code != 4:
                results.append(done.code)
                return

    threads = [threading.Thread(target=work, args=(f"K{number}",)) for number in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert results == [0, 0, 0]
    assert {"K0", "K1", "K2"} <= set(values(project))


def test_a_signal_ends_a_rotation_that_waits_for_kms(project: Project) -> None:
    files = {path: path.read_bytes() for path in (project.root / "group_vars").iterdir()}
    with socket.create_server(("127.0.0.1", 0)) as silent:
        silent.settimeout(60)
        address = f"http://127.0.0.1:{silent.getsockname()[1]}"
        config = project.root / ".sandbox/aws-config"
        keys = "aws_access_key_id = a\naws_secret_access_key = b\n"
        config.write_text(f"[profile local]\nregion = eu-west-2\nendpoint_url = {address}\n{keys}")
        running = project.start("secrets", "rotate", "local")
        connection, _ = silent.accept()
        with connection, Watch(running.process.pid) as watch:
            running.process.send_signal(signal.SIGINT)
            done = running.done().expect(130)
    assert done.seconds < 60
    assert "the same command goes on" in done.stderr
    eventually(lambda: not watch.orphans)
    assert {path: path.read_bytes() for path in (project.root / "group_vars").iterdir()} == files
