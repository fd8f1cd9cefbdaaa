"""`deploy jenkins`: what it writes, what it leaves alone, and what it says of bad input."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path

import pytest

from deployer.cli import main

EXAMPLE = Path(__file__).parents[2] / "examples/jenkins"


@pytest.fixture
def example(tmp_path: Path) -> Path:
    return Path(shutil.copytree(EXAMPLE, tmp_path / "example"))


def test_generating_again_writes_nothing_and_check_says_so(example: Path, capsys: pytest.CaptureFixture[str]) -> None:
    written = {file: file.stat().st_mtime_ns for file in (example / "jenkins").iterdir()}
    assert main(["jenkins", "generate", "-C", str(example)]) == 0
    assert all(line.endswith(": unchanged") for line in capsys.readouterr().out.splitlines())
    assert {file: file.stat().st_mtime_ns for file in (example / "jenkins").iterdir()} == written
    assert main(["jenkins", "generate", "--check", "-C", str(example)]) == 0


def test_check_ends_with_3_where_files_differ_and_writes_nothing(
    example: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    changed, missing = example / "jenkins/deploy.Jenkinsfile", example / "jenkins/jobs.groovy"
    changed.write_text(changed.read_text() + "// mine\n")
    missing.unlink()
    assert main(["jenkins", "generate", "--check", "-C", str(example)]) == 3
    told = [f"{changed}: differs", f"{missing}: is missing", "`deploy jenkins generate` writes them anew"]
    assert capsys.readouterr().out.splitlines() == told
    assert not missing.exists()
    assert main(["jenkins", "generate", "-C", str(example)]) == 0
    assert main(["jenkins", "generate", "--check", "-C", str(example)]) == 0


def test_where_the_repository_lies_is_known_from_git(example: Path) -> None:
    """Jenkins checks out the whole work tree."""
    subprocess.run(["git", "init", "-q", example.parent], check=True)
    settings = example / "deployer.yml"
    settings.write_text("".join(line for line in settings.read_text().splitlines(True) if "Path:" not in line))
    assert main(["jenkins", "generate", "-C", str(example)]) == 0
    assert "scriptPath('example/jenkins/' + name" in (example / "jenkins/jobs.groovy").read_text()
    settings.write_text(settings.read_text() + "    Path: sub/./other/\n")
    assert main(["jenkins", "generate", "-C", str(example)]) == 0
    assert "scriptPath('sub/other/jenkins/' + name" in (example / "jenkins/jobs.groovy").read_text()


@pytest.mark.parametrize("path", ["../up", "/top", "' '"])
def test_a_path_that_is_not_in_the_checkout_is_refused(
    example: Path, path: str, capsys: pytest.CaptureFixture[str]
) -> None:
    (example / "deployer.yml").write_text(f"Jenkins: {{Repository: {{Path: {path}}}}}\n")
    assert main(["jenkins", "generate", "-C", str(example)]) == 2
    assert "Jenkins.Repository.Path must" in capsys.readouterr().err


def test_files_of_somebody_else_are_kept(example: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "out"
    out.mkdir()
    (out / "deploy.Jenkinsfile").write_text("pipeline {}\n")
    assert main(["jenkins", "generate", "-C", str(example), "--out", str(out)]) == 2
    told = capsys.readouterr().err
    assert "deploy.Jenkinsfile would be overwritten" in told
    assert "--force" in told
    assert [file.name for file in out.iterdir()] == ["deploy.Jenkinsfile"]
    assert main(["jenkins", "generate", "-C", str(example), "--out", str(out), "--force"]) == 0
    assert len(list(out.iterdir())) == 6


def test_a_directory_that_cannot_be_written_is_told(
    example: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "file").touch()
    for out in (tmp_path / "file", tmp_path / "file/below", Path("/proc/nothing")):
        assert main(["jenkins", "generate", "-C", str(example), "--out", str(out)]) == 2
        assert str(out) in capsys.readouterr().err


def test_a_report_becomes_a_description_and_test_results(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    report, results = tmp_path / "report.json", tmp_path / "report.xml"
    report.write_text(json.dumps({"ok": False, "errors": [{"what": "no such app"}], "exitCode": 2}))
    assert main(["jenkins", "report", str(report), "--junit", str(results)]) == 0
    assert capsys.readouterr().out == "no such app\n"
    assert '<error message="no such app">' in results.read_text()


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"{",
        b"[]",
        b"{}",
        b'{"targets": [1]}',
        b'{"regions": [1]}',
        b'{"regions": [{"revisions": 5}]}',
        b'{"errors": "no"}',
        b'{"branches": [], "errors": []}',
        b"\xff",
        b"[" * 100_000,
    ],
)
@pytest.mark.parametrize("command", ["report", "choices"])
def test_what_is_no_report_is_told(
    tmp_path: Path, command: str, content: bytes, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "report.json").write_bytes(content)
    assert main(["jenkins", command, str(tmp_path / "report.json")]) == 2
    assert "this is no report" in capsys.readouterr().err


def test_no_choices_are_an_error(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "history.json").write_text('{"regions": [{"region": "london", "revisions": []}]}')
    assert main(["jenkins", "choices", str(tmp_path / "history.json")]) == 2
    assert "there is nothing to go back to" in capsys.readouterr().err
    assert main(["jenkins", "choices", str(tmp_path / "missing.json")]) == 2


def test_the_report_of_another_command_is_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """An empty build description, or a green test result, would be taken for a deployment that did nothing."""
    history, deployment = tmp_path / "history.json", tmp_path / "deployment.json"
    history.write_text('{"regions": [{"region": "london", "revisions": []}]}')
    deployment.write_text('{"targets": []}')
    assert main(["jenkins", "report", str(history)]) == 2
    assert main(["jenkins", "choices", str(deployment)]) == 2
    assert "`deploy history --json`" in capsys.readouterr().err


def test_a_history_that_could_not_be_read_says_why(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "history.json").write_text('{"ok": false, "errors": [{"what": "there is no app web"}]}')
    assert main(["jenkins", "choices", str(tmp_path / "history.json")]) == 2
    assert "there is no app web" in capsys.readouterr().err
