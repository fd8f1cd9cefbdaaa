"""`$(NAME)` in a container's environment: the cases are those of Kubernetes' own tests of its expansion."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from deployer.plan.manifests.expansion import Environment, Unknown, expand

CONTEXT = {"VAR_A": "A", "VAR_B": "B", "VAR_C": "C", "VAR_REF": "$(VAR_A)", "VAR_EMPTY": ""}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("$(VAR_A)", "A"),
        ("___$(VAR_B)___", "___B___"),
        ("$(VAR_A)-$(VAR_A)", "A-A"),
        ("foo$(VAR_EMPTY)bar", "foobar"),
        ("$(VAR_REF)", "$(VAR_A)"),
        ("$$(VAR_A)", "$(VAR_A)"),
        ("$$$(VAR_A)", "$A"),
        ("$$$$(VAR_A)", "$$(VAR_A)"),
        ("$VAR_A", "$VAR_A"),
        ("$(MISSING)", "$(MISSING)"),
        ("$(VAR_A", "$(VAR_A"),
        ("$(VAR_A$(VAR_B)", "$(VAR_A$(VAR_B)"),
        ("f000-$$VAR_A", "f000-$VAR_A"),
        ("foo$", "foo$"),
        ("$$", "$"),
        ("$()", "$()"),
        ("$?_boo-$(VAR_A)", "$?_boo-A"),
        ("\n", "\n"),
    ],
)
def test_a_text_becomes_what_kubernetes_makes_of_it(text: str, expected: str) -> None:
    assert expand(text, CONTEXT.get) == expected


@given(st.text(alphabet="$()AB \n", max_size=30))
def test_what_refers_to_nothing_loses_only_its_escapes(text: str) -> None:
    assert expand(text, lambda name: None).count("$") <= text.count("$")
    assert expand(text.replace("$", "$$"), CONTEXT.get) == text


def test_a_variable_sees_those_before_it_as_they_were() -> None:
    environment = Environment()
    environment.add("USER", "bob")
    environment.add("LOGIN", "$(USER)@$(HOST)")
    environment.add("USER", "eve")
    assert environment.read("$(LOGIN) $(USER) $(LATER)") == "bob@$(HOST) eve $(LATER)"


def test_what_only_the_cluster_knows_is_told_apart_also_at_second_hand() -> None:
    environment = Environment()
    environment.add_unknown("POD")
    environment.add("NAME", "x-$(POD)")
    for text in ("$(POD)", "$(NAME)", "$(DB_SERVICE_HOST)", "$(DB_PORT_5432_TCP)"):
        with pytest.raises(Unknown):
            environment.read(text)
    assert environment.read("$(OTHER)") == "$(OTHER)"
    with pytest.raises(Unknown, match="OTHER"):
        Environment(others=True).read("$(OTHER)")
