"""Tells of a deployment that some of its regions have and others have not."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from deployer.model.recovery import PartialFleet


def partial_lines(one: PartialFleet) -> Iterator[str]:
    """Which regions run it, which do not, and the commands for either way on."""
    version = f" (version {one.version})" if one.version else ""
    yield f"deployment {one.deployment_id} of {one.application}{version} has not reached all of its regions"
    yield f"  runs in      {', '.join(one.reached)}"
    for number, (region, runs) in enumerate(one.lacking.items()):
        yield f"  {'' if number else 'not in':<12} {region}: {runs}"
    if one.unseen:
        yield f"  not looked at {', '.join(one.unseen)}"
    if one.finish:
        yield f"  finish it    {one.finish}"
    if one.take_back:
        yield f"  take it back {one.take_back}"


def partial_entry(one: PartialFleet) -> dict[str, Any]:
    """The same in a JSON document."""
    return {
        "deployment": one.deployment_id,
        "application": one.application,
        "version": one.version,
        "reached": list(one.reached),
        "lacking": dict(one.lacking),
        "unseen": list(one.unseen),
        "finish": one.finish,
        "takeBack": one.take_back,
    }
