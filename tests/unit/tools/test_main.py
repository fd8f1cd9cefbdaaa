import pytest

from deployer.tools.__main__ import main
from tests.unit.tools.conftest import AddProgram


def test_tools_are_printed_with_their_paths(add_program: AddProgram, capsys: pytest.CaptureFixture[str]) -> None:
    path = add_program("sops", "echo sops 3.12.1")
    assert main(["sops"]) == 0
    assert capsys.readouterr().out == f"sops {path}\n"


def test_each_error_is_told_with_its_hint(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["sops", "docker"]) == 2
    told = capsys.readouterr().err
    assert "needs Go, which was not found" in told
    assert "install them by your system's packages; on Debian: apt-get install docker.io" in told


def test_unknown_names(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["helmet"]) == 2
    assert "no such tool: helmet" in capsys.readouterr().err
