from __future__ import annotations

import os
import shlex
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from deployer.adapters import process
from deployer.adapters.editor import Editor
from deployer.adapters.editor.editing import _quiet
from deployer.adapters.process import memory
from deployer.errors import ConfigurationError


def editor(tmp_path: Path, script: str) -> Editor:
    """An editor that is a shell script; `$1` is the file."""
    path = tmp_path / "my editor"
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)
    return Editor({"PATH": os.environ["PATH"], "EDITOR": shlex.quote(str(path))})


def test_the_text_comes_back_as_it_was_left(tmp_path: Path) -> None:
    assert editor(tmp_path, 'sed -i s/one/zwei/ "$1"').edit("one: é\n", "group_vars/secrets_prod.yml") == "zwei: é\n"


def test_the_file_is_private_in_memory_and_gone_with_all_that_the_editor_left(tmp_path: Path) -> None:
    seen = tmp_path / "seen"
    script = f'cp "$1" "$1.bak"; {{ echo "$1"; stat -c %a "$1" "$(dirname "$1")"; stat -f -c %T "$1"; }} > {seen}'
    editor(tmp_path, script).edit("a: b\n", "secrets_prod.yml")
    name, mode, directory_mode, kind = seen.read_text().splitlines()
    assert Path(name).name == "secrets_prod.yml"
    assert (mode, directory_mode, kind) == ("600", "700", "tmpfs")
    assert not Path(name).parent.exists()


@pytest.mark.parametrize(
    ("script", "what"),
    [
        ("exit 3", "the editor failed"),
        ("kill -9 $$", "the editor failed"),
        ("printf '\\377' > \"$1\"", "is not UTF-8"),
        ('rm "$1"', "cannot be read"),
    ],
)
def test_an_editor_that_fails_is_told_and_leaves_nothing(tmp_path: Path, script: str, what: str) -> None:
    seen = tmp_path / "seen"
    with pytest.raises(ConfigurationError, match=what):
        editor(tmp_path, f'echo "$1" > {seen}\n{script}').edit("a: b\n", "secrets_prod.yml")
    assert not Path(seen.read_text().strip()).parent.exists()


def test_a_missing_editor_is_told() -> None:
    with pytest.raises(ConfigurationError, match="nowhere-at-all was not found"):
        Editor({"PATH": os.environ["PATH"], "EDITOR": "nowhere-at-all"}).edit("a: b", "x.yml")
    with pytest.raises(ConfigurationError, match="there is no editor"):
        Editor({"PATH": "/nowhere"}).edit("a: b", "x.yml")
    with pytest.raises(ConfigurationError, match="EDITOR cannot be understood"):
        Editor({"PATH": "/nowhere", "EDITOR": "vim '"}).edit("a: b", "x.yml")


def test_visual_goes_before_editor(tmp_path: Path) -> None:
    one = editor(tmp_path, 'echo "b: 2" > "$1"')
    one._environ = {**one._environ, "VISUAL": one._environ["EDITOR"], "EDITOR": "false"}
    assert one.edit("a: b", "x.yml") == "b: 2\n"


@pytest.mark.parametrize(
    ("words", "expected"),
    [(["vim"], "-n"), (["/usr/bin/nvim", "-u", "x"], "NONE"), (["emacs", "-nw"], "--eval"), (["code"], "--wait")],
)
def test_editors_are_kept_from_writing_the_text_elsewhere(words: list[str], expected: str) -> None:
    assert expected in _quiet(list(words), {"PATH": "/nowhere"})


def test_where_nothing_is_memory_nothing_is_written(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(memory, "_kinds", lambda: {"/": "ext4"})
    with pytest.raises(ConfigurationError, match="no storage in memory"), process.MemoryDirectory({}):
        pass


KILLED = """
import sys, os
sys.path.insert(0, sys.argv[1])
from deployer.adapters.editor import Editor
Editor({"PATH": os.environ["PATH"], "EDITOR": sys.argv[2]}).edit("a: canary", "secrets_prod.yml")
"""


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_the_file_goes_and_the_editor_ends_when_we_are_killed(tmp_path: Path, number: int) -> None:
    seen = tmp_path / "seen"
    script = tmp_path / "editor"
    script.write_text(f'#!/bin/sh\necho "$1" > {seen}.new; mv {seen}.new {seen}\nexec sleep 60\n')
    script.chmod(0o755)
    root = Path(__file__).parents[3]
    running = subprocess.Popen([sys.executable, "-c", KILLED, str(root), str(script)])
    try:
        wait_until(seen.exists)
        directory = Path(seen.read_text().strip()).parent
        assert directory.is_dir()
        running.send_signal(number)
        running.wait(20)
        wait_until(lambda: not directory.exists())
        wait_until(lambda: not any(str(seen) in one or "secrets_prod.yml" in one for one in commands(script)))
    finally:
        running.kill()
        running.wait()


def commands(script: Path) -> list[str]:
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            text = path.read_bytes().decode(errors="replace")
        except OSError:
            continue
        if str(script) in text:
            found.append(text)
    return found


def wait_until(true: object, seconds: float = 120) -> None:
    deadline = time.monotonic() + seconds
    while not true():  # type: ignore[operator]
        assert time.monotonic() < deadline, "it did not come to pass"
        time.sleep(0.02)
