"""In which order apps follow each other: each after those that it needs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from graphlib import CycleError, TopologicalSorter


def cycle_in(needs: Mapping[str, Sequence[str]]) -> tuple[str, ...]:
    """Apps that need each other, from one of them back to itself; empty when there are none.

    `needs`: app → the apps that it needs. The cycle reads `a needs b needs a`, and begins with its first app by name.
    """
    try:
        TopologicalSorter(needs).prepare()
    except CycleError as error:
        found = list(reversed(error.args[1][1:]))  # graphlib names each before the one that needs it
        first = found.index(min(found))
        ring = found[first:] + found[:first]
        return (*ring, ring[0])
    return ()


def closed_over(needs: Mapping[str, Sequence[str]], failed: Sequence[str]) -> dict[str, str]:
    """The apps that cannot go ahead since one that they need has failed, each with that one; `failed` are left out."""
    held: dict[str, str] = {}
    bad = set(failed)
    for app in TopologicalSorter(needs).static_order():
        if app in bad:
            continue
        culprit = next((needed for needed in needs.get(app, ()) if needed in bad), None)
        if culprit is not None:
            held[app] = culprit
            bad.add(app)
    return held
