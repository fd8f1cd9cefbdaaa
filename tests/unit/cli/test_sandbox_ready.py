from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from deployer.cli.sandbox_ready import ready_sandbox


@pytest.mark.parametrize("there", [True, False])
def test_only_secrets_that_were_there_are_told_as_written_anew(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, there: bool
) -> None:
    (tmp_path / "group_vars").mkdir()
    if there:
        (tmp_path / "group_vars/secrets_local.yml").touch()
    monkeypatch.setattr("deployer.sandbox.state.state", lambda: "up")
    monkeypatch.setattr("deployer.sandbox.state.has_access", lambda root: False)
    written = SimpleNamespace(written=["group_vars/secrets_local.yml"])
    monkeypatch.setattr("deployer.sandbox.sandbox.up", lambda sink, root: written)
    told: list[Any] = []
    ready_sandbox(SimpleNamespace(emit=told.append), tmp_path)
    assert ["written anew" in one.text for one in told] == [True] * there
