"""Finds secrets that stand where more than the container can read them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from deployer.lint.collecting import Findings
from deployer.plan.manifests import SourceManifest
from deployer.plan.manifests.identity import flatten
from deployer.plan.manifests.secrecy import HINT, in_the_open
from deployer.plan.paths import path_text


def check(sources: Sequence[SourceManifest], findings: Findings, environment: str) -> list[SourceManifest]:
    """A finding for each secret that stands where it may not; the manifests (of lists, one by one) without those."""
    return [_check(source, findings, environment) for source in flatten(sources)]


def _check(source: SourceManifest, findings: Findings, environment: str) -> SourceManifest:
    if not isinstance(source.content, dict):
        return source
    held = source.tainted()
    for path, names in in_the_open(source):
        del held[path]
        shown = f"{path_text(path)} holds" if path else "holds"
        text = f"{source.title}: {shown} a secret: {', '.join(names[:3])}"
        findings.add("secret-in-the-open", source.at(path), text, HINT, environment=environment)
    return replace(source, secrets={(*source.base, *path): names for path, names in held.items()})
