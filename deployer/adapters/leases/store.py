"""What the locks need of a cluster."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Protocol

from deployer.model import Json, ObjectKey


class LeaseStore(Protocol):
    """Objects that change only as they were seen. `timeout` (seconds) means: one attempt, that must not take longer."""

    def get(self, key: ObjectKey, *, timeout: float | None = None) -> Json | None:
        """The live object, None when there is none."""
        ...

    def list(self, api_version: str, kind: str, namespace: str | None) -> Sequence[Json]:
        """The live objects of a kind in a namespace."""
        ...

    def create(self, manifest: Json) -> Json | None:
        """Make an object; None when there is one of that name."""
        ...

    def replace(self, manifest: Json, *, timeout: float | None = None) -> Json | None:
        """Put it in the place of the live object that has its uid and resourceVersion; None when none has them now."""
        ...

    def delete_unchanged(self, seen: Json, *, timeout: float | None = None) -> bool:
        """Delete the object that was seen; False when it has changed or gone since."""
        ...

    def now(self) -> datetime:
        """The time by the API server's clock, within about a second."""
        ...
