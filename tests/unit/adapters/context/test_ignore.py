from __future__ import annotations

import pytest

from deployer.adapters.context.ignore import excluded
from deployer.errors import ConfigurationError
from tests.ignore_cases import KEPT, PATHS, REFUSED

ALWAYS = ("Dockerfile", ".dockerignore")


@pytest.mark.parametrize("text", KEPT)
def test_it_leaves_out_what_buildkit_leaves_out(text: str) -> None:
    """What BuildKit leaves out, it is asked itself by the test of its own in tests/sandbox/test_builders.py."""
    assert set(PATHS) - excluded([*PATHS, *ALWAYS], text, ".dockerignore") == KEPT[text]


def test_what_the_builder_needs_is_never_left_out() -> None:
    assert excluded(["Dockerfile.dockerignore", *ALWAYS, "x/Dockerfile"], "**", ".dockerignore") == {"x/Dockerfile"}


@pytest.mark.parametrize("text", [*REFUSED, "[[:alpha:]]"])
def test_wrong_patterns_are_named(text: str) -> None:
    with pytest.raises(ConfigurationError, match="is no pattern") as caught:
        excluded(["a"], text, "apps/web/.dockerignore")
    assert str(caught.value.where) == f"apps/web/.dockerignore:{len(text.splitlines())}"
    assert repr(text.splitlines()[-1]) in caught.value.what
