"""The order of regions: what the command line and `Rollout` say, and what they may not."""

from __future__ import annotations

import pytest

from deployer.errors import ConfigurationError, UsageError
from deployer.model import RolloutSettings
from deployer.plan.order import Order, order_of, parse_waves

REGIONS = ("london", "seoul", "virginia")


def order(*rollouts: RolloutSettings, regions: tuple[str, ...] = REGIONS, **given: object) -> Order:
    settings = rollouts or (RolloutSettings(),)
    each = list(settings) * (1 if len(settings) > 1 else len(regions))
    return order_of(regions, each, known=REGIONS, **given)  # type: ignore[arg-type]


def test_all_regions_at_once_when_nobody_says_otherwise() -> None:
    assert order() == Order((REGIONS,), 0.0, "hold")


def test_regions_that_no_wave_names_come_last_and_together() -> None:
    assert order(RolloutSettings(waves=("seoul",))).waves == (("seoul",), ("london", "virginia"))


def test_a_wave_without_any_wanted_region_is_none() -> None:
    waves = order(RolloutSettings(waves=("seoul", "london+virginia")), regions=("london",)).waves
    assert waves == (("london",),)


def test_the_command_line_wins() -> None:
    rollout = RolloutSettings(waves=("seoul",), bake=60, on_failure="rollback")
    found = order(rollout, waves="london+seoul,virginia", bake=0.0, on_failure="hold")
    assert found == Order((("london", "seoul"), ("virginia",)), 0.0, "hold")


def test_the_longest_bake_counts() -> None:
    assert order(RolloutSettings(bake=5), RolloutSettings(bake=9), RolloutSettings()).bake == 9


def test_unknown_regions_are_named_with_the_known_ones() -> None:
    with pytest.raises(UsageError, match="tokyo") as caught:
        order(waves="tokyo,london")
    assert caught.value.hint == "its regions are london, seoul, virginia"
    with pytest.raises(ConfigurationError, match="tokyo"):
        order(RolloutSettings(waves=("tokyo",)))


@pytest.mark.parametrize("text", ["", "london,,seoul", "london+", "london,london", "a+a"])
def test_what_is_no_list_of_waves_is_refused(text: str) -> None:
    with pytest.raises(UsageError):
        parse_waves(text)


def test_a_bad_list_in_a_file_is_the_files_fault() -> None:
    with pytest.raises(ConfigurationError, match="two waves"):
        order(RolloutSettings(waves=("london", "london")))


@pytest.mark.parametrize("others", [{"waves": ("seoul",)}, {"on_failure": "rollback"}], ids=["waves", "on failure"])
def test_regions_that_disagree_are_refused(others: dict[str, object]) -> None:
    with pytest.raises(ConfigurationError, match="differs between regions"):
        order(RolloutSettings(), RolloutSettings(**others), RolloutSettings())  # type: ignore[arg-type]
