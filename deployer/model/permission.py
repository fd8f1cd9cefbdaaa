"""What somebody may do in a cluster."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, order=True)
class Permission:
    """One verb of the Kubernetes API on one kind, or on a subresource of it (`log` of a Pod).

    `namespace` is None for kinds that belong to the whole cluster.
    """

    api_version: str
    kind: str
    verb: str
    namespace: str | None
    subresource: str = ""

    @property
    def resource(self) -> str:
        """`Deployment (apps)`, `Pod/log`: what the verb is about, for people."""
        group = self.api_version.rpartition("/")[0]
        name = f"{self.kind}/{self.subresource}" if self.subresource else self.kind
        return f"{name} ({group})" if group else name
