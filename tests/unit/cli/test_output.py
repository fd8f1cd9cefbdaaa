"""What has been done stays done when nobody can read about it."""

from __future__ import annotations

import io
import sys
from typing import NoReturn

import pytest

from deployer.cli.masked import MaskingSink
from deployer.cli.output import UnwrittenError, print_answer, print_result
from deployer.events import Event, OutputLine


class Full:
    """A stream on a full disk."""

    def write(self, text: str) -> NoReturn:
        raise OSError(28, "No space left on device")

    def flush(self) -> None:
        pass


def test_a_full_disk_is_told_and_raises_nothing(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "stdout", Full())
    print_result("deployed")
    assert "No space left on device" in capsys.readouterr().err


def test_an_answer_that_cannot_be_written_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdout", Full())
    with pytest.raises(UnwrittenError) as caught:
        print_answer("a list")
    assert (caught.value.exit_code, caught.value.why) == (1, "No space left on device")


def test_a_reader_that_has_gone_ends_the_process() -> None:
    class Gone(Full):
        def write(self, text: str) -> NoReturn:
            raise BrokenPipeError

    with pytest.MonkeyPatch.context() as patch, pytest.raises(BrokenPipeError):
        patch.setattr(sys, "stdout", Gone())
        print_result("deployed")


def test_progress_that_nobody_can_see_decides_nothing() -> None:
    class Broken:
        tried = 0

        def emit(self, event: Event) -> None:
            self.tried += 1
            raise BrokenPipeError

    broken = Broken()
    sink = MaskingSink(broken, str)
    for _ in range(3):
        sink.emit(OutputLine("build", "a line"))
    assert broken.tried == 1


def test_a_character_that_standard_output_lacks_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(io.BytesIO(), "latin-1"))
    with pytest.raises(UnwrittenError) as caught:
        print_answer("done ✔")
    assert caught.value.why == r"its encoding, latin-1, has no '\u2714'"
