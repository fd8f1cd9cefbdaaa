"""What is asked before something is changed: once, on a terminal, and of stages that want it."""

from __future__ import annotations

import os
import pty
from collections.abc import Callable, Iterator
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from deployer.cli.confirmation import confirm_adoption, confirm_deletions, confirm_going_back
from deployer.errors import HeldError
from deployer.model import ObjectKey, Target
from deployer.model.changes import FieldChange, ObjectChange, Preview
from deployer.plan.adoption import Adopted, Adoption
from deployer.plan.steps import Plan, TargetPlan

KEY = ObjectKey("apps/v1", "Deployment", "default", "web")
SHOWN = Preview((ObjectChange(KEY, "change", (FieldChange("spec.replicas", "changed", 2, 3),)),))
DATA = ObjectKey("apps/v1", "StatefulSet", "default", "db")


def planned(preview: Preview | None = SHOWN, **more: Any) -> Plan:
    target = TargetPlan(
        Target("prod", "london", "web"), release_action="upgrade", reasons=("x",), preview=preview, **more
    )
    return Plan((target,))


@pytest.fixture
def terminal(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[str], None]]:
    """Standard input is a terminal; what is typed there."""
    ours, theirs = pty.openpty()
    with os.fdopen(theirs) as stream:
        monkeypatch.setattr("sys.stdin", stream)

        def type_in(text: str) -> None:
            os.write(ours, text.encode())

        yield type_in
    os.close(ours)


def test_a_stage_that_asks_is_shown_what_changes_and_asked_once(
    terminal: Callable[[str], None], capsys: pytest.CaptureFixture[str]
) -> None:
    terminal("y\n")
    confirm_deletions(planned(), yes=False, pause=nullcontext)
    told = capsys.readouterr().err
    assert "spec.replicas  2 → 3" in told
    assert told.count("[y/N]") == 1
    assert "Do that in prod london?" in told


@pytest.mark.parametrize("answer", ["n\n", "\n", "no\n", "\x04"])
def test_anything_but_a_yes_changes_nothing(terminal: Callable[[str], None], answer: str) -> None:
    terminal(answer)
    with pytest.raises(HeldError) as caught:
        confirm_deletions(planned(), yes=False, pause=nullcontext)
    assert (caught.value.exit_code, caught.value.what) == (4, "nothing was changed")


@pytest.mark.parametrize("ask", [confirm_deletions, confirm_going_back, confirm_adoption])
def test_without_a_terminal_the_plan_is_shown_and_nothing_changed(
    ask: Callable[..., None], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with Path(os.devnull).open() as nothing:
        monkeypatch.setattr("sys.stdin", nothing)
        with pytest.raises(HeldError) as caught:
            ask(planned(), yes=False, pause=nullcontext)
        assert "--yes" in str(caught.value.hint)
        assert "Confirm: true" in str(caught.value.why)
        assert "spec.replicas  2 → 3" in capsys.readouterr().err
        ask(planned(), yes=True, pause=nullcontext)
    assert capsys.readouterr().err == ""


def test_data_that_goes_is_part_of_the_same_question(
    terminal: Callable[[str], None], capsys: pytest.CaptureFixture[str]
) -> None:
    terminal("y\n")
    confirm_deletions(planned(deletions=(DATA,)), yes=False, pause=nullcontext)
    told = capsys.readouterr().err
    assert "this deployment deletes StatefulSet/db in london, which is not in the app file." in told
    assert told.count("[y/N]") == 1


def test_an_adoption_asks_once_too(terminal: Callable[[str], None], capsys: pytest.CaptureFixture[str]) -> None:
    terminal("y\n")
    adopted = Adopted(KEY, None)
    preview = replace(SHOWN, taken=(str(adopted),))
    confirm_adoption(planned(preview, adoption=Adoption((adopted,))), yes=False, pause=nullcontext)
    told = capsys.readouterr().err
    assert told.count("[y/N]") == 1
    assert "spec.replicas  2 → 3" in told
    assert told.count("made by hand") == 1


def test_other_stages_are_not_asked(capsys: pytest.CaptureFixture[str]) -> None:
    confirm_deletions(planned(None), yes=False, pause=nullcontext)
    assert capsys.readouterr().err == ""
