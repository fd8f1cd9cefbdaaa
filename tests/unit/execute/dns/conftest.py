"""What holds for all tests of traffic."""

from __future__ import annotations

import pytest

from deployer.execute import everywhere


@pytest.fixture(autouse=True)
def one_after_another(monkeypatch: pytest.MonkeyPatch) -> None:
    """Regions are asked in their order, so that what is made has the same ids each time."""
    monkeypatch.setattr(everywhere, "_AT_ONCE", 1)
