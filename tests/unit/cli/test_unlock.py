import io
import sys
from types import SimpleNamespace
from typing import Any

import pytest

from deployer.cli import unlock
from deployer.errors import DeployError, ErrorGroup, UnreachableError
from deployer.model import Holder, LockState, ReleaseLock, Target

HELD = ReleaseLock(
    Target("prod", "london", "myapp"), LockState(Holder("d-1", "anna@laptop", "m", "2026-11-21"), 9.0, "v")
)
BROKEN = ReleaseLock(Target("prod", "seoul", "myapp"), error=UnreachableError("the cluster does not answer"))
WIRING: Any = SimpleNamespace(mask=lambda text: text.replace("laptop", "***"))


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def confirm(monkeypatch: pytest.MonkeyPatch, stdin: io.StringIO, *, yes: bool = False) -> None:
    monkeypatch.setattr(sys, "stdin", stdin)
    unlock._confirm([HELD, BROKEN], [HELD], yes, WIRING)


@pytest.mark.parametrize("answer", ["y\n", "YES\n"])
def test_it_goes_on_when_told_to(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], answer: str
) -> None:
    confirm(monkeypatch, Terminal(answer))
    shown = capsys.readouterr()
    assert "anna@*** holds it" in shown.err
    assert "Free it? [y/N]" in shown.err
    assert shown.out == ""


@pytest.mark.parametrize("answer", ["n\n", "\n", "", "perhaps\n"])
def test_anything_else_means_no(monkeypatch: pytest.MonkeyPatch, answer: str) -> None:
    with pytest.raises(ErrorGroup) as refused:
        confirm(monkeypatch, Terminal(answer))
    assert refused.value.exit_code == 4
    assert [type(error) for error in refused.value.errors][1:] == [UnreachableError], "what is wrong elsewhere is told"


def test_without_a_terminal_nothing_is_freed_unless_it_is_said_so(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(DeployError) as refused:
        confirm(monkeypatch, io.StringIO("y\n"))
    held = next(refused.value.leaves())
    assert held.exit_code == 4
    assert held.why is not None and "anna@***" in held.why
    assert held.hint is not None and "--yes" in held.hint
    capsys.readouterr()
    confirm(monkeypatch, io.StringIO(""), yes=True)
    assert "anna@*** holds it" in capsys.readouterr().err
