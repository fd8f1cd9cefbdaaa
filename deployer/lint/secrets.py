"""Finds secrets that stand where more than the container can read them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from deployer.lint.collecting import Findings
from deployer.plan.manifests import SourceManifest
from deployer.plan.manifests.identity import flatten
from deployer.plan.manifests.kinds import dig
from deployer.plan.manifests.secrecy import HINT, in_the_open
from deployer.plan.paths import Path, path_text

_BASE64 = "ZW5jcnlwdGVk"


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
    content = source.content
    for path in held:
        content = _plausible(content, path)
    return replace(source, content=content, secrets={(*source.base, *path): names for path, names in held.items()})


def _plausible(content: Any, path: Path) -> Any:
    """The content with something in place of a stand-in that would be wrong there, whatever the secret itself is."""
    match path:
        case ("data" | "stringData" as key,) if isinstance(content, dict) and not isinstance(content.get(key), dict):
            return {**content, key: {}}
        case ("data", name) if isinstance(content, dict) and isinstance(dig(content, ("data", name)), str):
            return {**content, "data": {**content["data"], name: _BASE64}}
        case (str() as key, _, *_) if isinstance(content, dict) and key in content:
            return {**content, key: _plausible(content[key], path[1:])}
        case (int() as index, _, *_) if isinstance(content, list) and index < len(content):
            return [*content[:index], _plausible(content[index], path[1:]), *content[index + 1 :]]
    return content
