"""In which order regions follow each other, and what happens to the others when one fails."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from deployer.errors import ConfigurationError, Location, UsageError
from deployer.model import RolloutSettings

OnFailure = Literal["hold", "rollback"]


@dataclass(frozen=True)
class Order:
    """`waves`: the regions of each wave, none empty; `bake`: seconds for which each must stay healthy before the next.

    `on_failure`: `hold` leaves the regions that have advanced as they are, `rollback` takes them back.
    """

    waves: tuple[tuple[str, ...], ...]
    bake: float = 0.0
    on_failure: OnFailure = "hold"


def parse_waves(text: str) -> tuple[tuple[str, ...], ...]:
    """`seoul,london+virginia` → `(("seoul",), ("london", "virginia"))`. Raises UsageError for what is no such list."""
    waves = tuple(tuple(name.strip() for name in wave.split("+")) for wave in text.split(","))
    names = [name for wave in waves for name in wave]
    if not all(names):
        raise UsageError(f"{text!r} names no region in one place", where="--waves", hint="seoul,london+virginia")
    if twice := sorted({name for name in names if names.count(name) > 1}):
        raise UsageError(f"{', '.join(twice)} is in two waves", where="--waves")
    return waves


def order_of(
    regions: Sequence[str],
    rollouts: Sequence[RolloutSettings],
    *,
    known: Sequence[str],
    waves: str | None = None,
    bake: float | None = None,
    on_failure: OnFailure | None = None,
    place: Location | str = "Rollout",
) -> Order:
    """The order of one app's regions: what the command line says, else what their `Rollout` says.

    `regions` are those to deploy to, with the `rollouts` of each; `known` are all of the app's regions in the stage,
    which waves may name without being deployed to. Regions that no wave names come last, together. Raises UsageError or
    ConfigurationError for unknown regions and for settings that differ between the regions.
    """
    given = parse_waves(waves) if waves is not None else _agreed_waves(regions, rollouts, place)
    if strange := sorted({name for wave in given for name in wave} - set(known)):
        what = f"the waves name {', '.join(strange)}, which this app does not have"
        hint = f"its regions are {', '.join(sorted(known))}"
        raise (
            ConfigurationError(what, where=place, hint=hint)
            if waves is None
            else UsageError(what, where="--waves", hint=hint)
        )
    named = {name for wave in given for name in wave}
    rest = tuple(region for region in regions if region not in named)
    ordered = [tuple(region for region in regions if region in wave) for wave in given]
    return Order(
        waves=tuple(wave for wave in (*ordered, rest) if wave),
        bake=max((one.bake for one in rollouts), default=0.0) if bake is None else bake,
        on_failure=on_failure or _agreed_failure(rollouts, place),
    )


def _agreed_waves(
    regions: Sequence[str], rollouts: Sequence[RolloutSettings], place: Location | str
) -> tuple[tuple[str, ...], ...]:
    distinct = {one.waves: region for one, region in zip(rollouts, regions, strict=True)}
    if len(distinct) > 1:
        raise _differ("Waves", distinct.values(), place)
    waves = next(iter(distinct), ())
    if not waves:
        return ()
    try:
        return parse_waves(",".join(waves))
    except UsageError as error:
        raise ConfigurationError(
            error.what, where=f"{place}, Rollout.Waves", hint="a list such as [seoul, london+virginia]"
        ) from None


def _agreed_failure(rollouts: Sequence[RolloutSettings], place: Location | str) -> OnFailure:
    distinct = {one.on_failure for one in rollouts}
    if len(distinct) > 1:
        raise _differ("OnFailure", distinct, place)
    return next(iter(distinct), "hold")


def _differ(key: str, values: object, place: Location | str) -> ConfigurationError:
    named = ", ".join(sorted(map(str, values)))  # type: ignore[call-overload]
    return ConfigurationError(
        f"Rollout.{key} differs between regions that are deployed to together ({named})",
        where=place,
        hint="set it for the whole stage or in the app file: it is about all regions",
    )
