import os
import shutil
import sys
from pathlib import Path

import pytest

from deployer.tools import resolve
from deployer.tools.catalogue import TOOLS, Tool
from deployer.tools.resolve import cached_path, candidates, find, is_static
from tests.unit.tools.conftest import AddProgram

SOPS = TOOLS["sops"]


def fill_cache(tool: Tool) -> Path:
    path = cached_path(tool)
    path.parent.mkdir(parents=True)
    path.write_text("never started")
    path.chmod(0o755)
    return path


def test_nothing_is_found_on_an_empty_machine() -> None:
    assert find("sops") is None


def test_a_fitting_version_on_path_comes_before_the_cache(add_program: AddProgram) -> None:
    fill_cache(SOPS)
    path = add_program("sops", "echo sops 3.12.0")
    assert find("sops") == path


def test_an_unfit_version_on_path_is_passed_over(add_program: AddProgram) -> None:
    path = add_program("sops", "echo sops 3.7.3")
    assert find("sops") is None
    cached = fill_cache(SOPS)
    assert find("sops") == cached
    assert [(item.path, item.version, item.fits) for item in candidates(SOPS)] == [
        (path, "3.7.3", False),
        (cached, "3.13.3", True),
    ]


@pytest.mark.parametrize("script", ["exit 1", "kill -9 $$", "head -c 100000 /dev/zero", "printf '\\377 3.11'"])
def test_a_program_that_is_broken_or_strange(add_program: AddProgram, script: str) -> None:
    add_program("sops", script)
    expected = "3.11" if "3.11" in script else None
    assert [item.version for item in candidates(SOPS)] == [expected]


def test_a_program_that_hangs_is_given_up(add_program: AddProgram, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(resolve, "_ASKING", 0.2)
    add_program("sops", "exec sleep 600")
    assert find("sops") is None


def test_the_version_is_asked_without_the_users_secrets_in_the_environment(
    add_program: AddProgram, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "hunter2")
    add_program("sops", 'if [ "$AWS_SECRET_ACCESS_KEY" ]; then echo 3.1.1; else echo 3.11.1; fi')
    assert [item.version for item in candidates(SOPS)] == ["3.11.1"]


def test_the_cached_tool_is_found_without_starting_anything(monkeypatch: pytest.MonkeyPatch) -> None:
    cached = fill_cache(SOPS)
    monkeypatch.setattr(resolve, "ask_version", lambda *_: pytest.fail("a process was started"))
    assert find("sops") == cached


def test_an_answer_is_remembered_until_the_program_changes(machine: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tool = Tool("ls", "a binary that tells its version")
    binary = shutil.which("ls", path="/usr/bin:/bin")
    assert binary
    shutil.copy(binary, machine / "ls")
    asked: list[Path] = []
    ask = resolve.ask_version

    def count(tool: Tool, path: Path) -> str | None:
        asked.append(path)
        return ask(tool, path)

    monkeypatch.setattr(resolve, "ask_version", count)
    first, second = list(candidates(tool)), list(candidates(tool))
    assert first == second and first[0].version
    assert len(asked) == 1
    os.utime(machine / "ls", ns=(1, 1))
    assert list(candidates(tool)) == first
    assert len(asked) == 2


def test_a_script_is_asked_again_since_it_may_choose_another_version(add_program: AddProgram, tmp_path: Path) -> None:
    (tmp_path / "chosen").write_text("3.11.0")
    add_program("sops", f"cat {tmp_path}/chosen")
    assert [item.version for item in candidates(SOPS)] == ["3.11.0"]
    (tmp_path / "chosen").write_text("3.7.0")
    assert [item.version for item in candidates(SOPS)] == ["3.7.0"]


@pytest.mark.parametrize("content", ["", "{", "[]", '{"ls x": 1}', "\x00\xff"])
def test_damaged_answers_are_asked_for_again(machine: Path, content: str) -> None:
    tool = Tool("ls", "a binary that tells its version")
    shutil.copy(shutil.which("ls", path="/usr/bin:/bin") or "", machine / "ls")
    answers = resolve.cache_directory() / "versions.json"
    answers.parent.mkdir(parents=True)
    answers.write_text(content, "latin-1")
    assert [item.fits for item in candidates(tool)] == [True]


def test_relative_entries_of_path_do_not_count(monkeypatch: pytest.MonkeyPatch, machine: Path) -> None:
    """A deployment repository must not be able to bring its own sops along."""
    (machine / "sops").write_text("#!/bin/sh\necho 3.13.3")
    (machine / "sops").chmod(0o755)
    monkeypatch.chdir(machine)
    monkeypatch.setenv("PATH", ".:")
    assert find("sops") is None


def test_links_to_one_program_are_one_candidate(machine: Path, add_program: AddProgram) -> None:
    path = add_program("docker-buildx", "echo github.com/docker/buildx v0.20.1")
    (machine / "buildx").symlink_to(path)
    assert [item.path for item in candidates(TOOLS["buildx"])] == [machine / "buildx"]


def test_plugins_are_found_where_docker_keeps_them(tmp_path: Path) -> None:
    plugin = tmp_path / "home/.docker/cli-plugins/docker-buildx"
    plugin.parent.mkdir(parents=True)
    plugin.write_text("#!/bin/sh\necho github.com/docker/buildx v0.20.1")
    plugin.chmod(0o755)
    assert find("buildx") == plugin


def test_static_executables_are_told_from_dynamic_ones(tmp_path: Path) -> None:
    assert not is_static(Path(sys.executable).resolve())
    header = bytearray(64 + 56)
    header[:6] = b"\x7fELF\x02\x01"
    header[32] = 64  # e_phoff
    header[54], header[56] = 56, 1  # e_phentsize, e_phnum
    header[64] = 1  # PT_LOAD
    (tmp_path / "static").write_bytes(header)
    assert is_static(tmp_path / "static")
    header[64] = 3  # PT_INTERP
    (tmp_path / "dynamic").write_bytes(header)
    assert not is_static(tmp_path / "dynamic")
    for content in (b"", b"#!/bin/sh\n", b"\x7fELF\x02\x01", bytes(header[:70])):
        (tmp_path / "other").write_bytes(content)
        assert not is_static(tmp_path / "other")
    assert not is_static(tmp_path / "missing")


def test_a_dynamic_busybox_does_not_fit(machine: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shutil.copy(Path(sys.executable).resolve(), machine / "busybox")
    monkeypatch.setattr(resolve, "ask_version", lambda *_: "1.35.0")
    assert [item.fits for item in candidates(TOOLS["busybox"])] == [False]
