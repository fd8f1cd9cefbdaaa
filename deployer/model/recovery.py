"""A deployment that some of its regions have and others have not."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class PartialFleet:
    """A deployment over several regions that has not reached all of them.

    `reached` are the regions that run it, verified; `lacking` those that do not, with what they run instead; `unseen`
    those that the command did not look at. `finish` and `take_back` are command lines, None where there is none.
    """

    deployment_id: str
    application: str
    reached: tuple[str, ...]
    lacking: Mapping[str, str]
    version: str | None = None
    unseen: tuple[str, ...] = ()
    finish: str | None = None
    take_back: str | None = None
