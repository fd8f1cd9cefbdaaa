"""Checks what a manifest is: API version, kind, name, namespace, top-level fields, and that it is there only once."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Iterator, Sequence

from deployer.errors import ConfigurationError
from deployer.model import Json
from deployer.plan.manifests import kinds
from deployer.plan.manifests.conversion import removal_of
from deployer.plan.manifests.names import name_problem
from deployer.plan.manifests.source import Findings, SourceManifest

_TOP = ("apiVersion", "kind", "metadata", "spec", "data", "status")


def flatten(sources: Sequence[SourceManifest]) -> Iterator[SourceManifest]:
    """The manifests, those in a `List` (or `DeploymentList` …) one by one."""
    for source in sources:
        content = source.content
        kind = content.get("kind") if isinstance(content, dict) else None
        items = content.get("items") if isinstance(content, dict) else None
        if isinstance(kind, str) and kind.endswith("List") and isinstance(items, list):
            yield from flatten([source.inner(item, ("items", index)) for index, item in enumerate(items)])
        else:
            yield source


def check_identity(source: SourceManifest, findings: Findings) -> bool:
    """Whether the manifest says what it is, so that it can be looked at further."""
    content = source.content
    if not isinstance(content, dict):
        read = "empty" if content is None else f"a {_word(content)}"
        findings.error(
            source, (), f"is {read} instead of a mapping", "each item begins with apiVersion, kind, metadata"
        )
        return False
    before = len(findings.errors)
    for field in ("apiVersion", "kind"):
        if not isinstance(content.get(field), str) or not content[field]:
            _missing(source, field, findings)
    metadata = content.get("metadata")
    if not isinstance(metadata, dict):
        _missing(source, "metadata", findings)
    elif not isinstance(metadata.get("name"), str) or not metadata["name"]:
        if metadata.get("generateName"):
            findings.error(source, ("metadata", "generateName"), "is nothing Helm can manage", "give it a fixed name")
        elif "name" in metadata and metadata["name"] is not None:
            findings.error(source, ("metadata", "name"), "is not a text", 'put it in quotes, or add "| string"')
        else:
            findings.error(source, ("metadata",), "has no name", _did_you_mean("name", metadata))
    return len(findings.errors) == before


def check_known(source: SourceManifest, findings: Findings) -> None:
    """Kind and API version belong together, and the top-level fields are ones that the kind has."""
    manifest = source.content
    if removal_of(manifest) is not None:
        return
    api_version, kind = manifest["apiVersion"], manifest["kind"]
    served = kinds.API_VERSIONS.get(kind)
    if served is None and kinds.is_builtin_group(api_version):
        siblings = [name for name, versions in kinds.API_VERSIONS.items() if api_version in versions]
        if close := difflib.get_close_matches(kind, siblings, 1, 0.8):
            findings.error(source, ("kind",), f"is unknown in {api_version}", f"did you mean {close[0]}?")
            return
    if served and api_version not in served and _claims_builtin(api_version):
        findings.error(source, ("apiVersion",), f"{api_version} has no {kind}", f"write {served[0]}")
        return
    allowed = kinds.fields_of(manifest)
    for field in manifest:
        if (field not in allowed) if allowed is not None else _misspelt(field, manifest):
            candidates = [name for name in allowed or _TOP if name not in manifest]
            findings.error(
                source, (field,), f"is not a field of a {kind}", _suggest(field, candidates) or _fields_hint(allowed)
            )


def check_place(source: SourceManifest, namespace: str, findings: Findings) -> None:
    """The name is one that the kind may have, and the namespace is the release's."""
    kind, metadata = source.content["kind"], source.content["metadata"]
    if problem := name_problem(kind, metadata["name"]):
        findings.error(source, ("metadata", "name"), problem, "choose another name")
    stated = metadata.get("namespace")
    if stated is None:
        return
    if kind in kinds.CLUSTER_SCOPED and kinds.is_builtin(source.content):
        findings.error(
            source, ("metadata", "namespace"), f"has no meaning: a {kind} belongs to the whole cluster", "remove it"
        )
    elif not isinstance(stated, str) or stated != namespace:
        findings.error(
            source,
            ("metadata", "namespace"),
            f"is not {namespace}, the namespace of the release",
            "leave it out, or set Namespace in group_vars",
        )


def check_unique(manifests: Iterable[SourceManifest], findings: Findings) -> None:
    """No object stands there twice; the API version's number does not make another object of it."""
    first: dict[tuple[str, str, str], SourceManifest] = {}
    for source in manifests:
        content: Json = source.content
        group = content["apiVersion"].rpartition("/")[0]
        key = (group, content["kind"], content["metadata"]["name"])
        if (earlier := first.setdefault(key, source)) is not source:
            place = f" (the first is at {earlier.at()})" if earlier.at() else ""
            findings.errors.append(
                ConfigurationError(
                    f"{source.title} is there twice{place}",
                    where=source.at(),
                    hint="remove one, or give it another name",
                )
            )


def _missing(source: SourceManifest, field: str, findings: Findings) -> None:
    content = source.content
    if content.get(field) not in (None, ""):
        findings.error(
            source, (field,), f"is a {_word(content[field])}, not a {'mapping' if field == 'metadata' else 'text'}"
        )
    else:
        findings.error(source, (), f"has no {field}", _did_you_mean(field, content))


def _did_you_mean(field: str, content: Json) -> str | None:
    """A hint when another key looks like the one that is missing."""
    lower = {str(key).lower(): str(key) for key in content if key not in _TOP}
    close = difflib.get_close_matches(field.lower(), list(lower), 1, 0.7)
    return f"{lower[close[0]]} is probably a misspelt {field}" if close else f"add {field}"


def _misspelt(field: str, manifest: Json) -> bool:
    """Of a custom resource nothing is known, but a near miss of a common field that is absent is a slip."""
    return field not in _TOP and bool(_suggest(field, [name for name in _TOP[:4] if name not in manifest], 0.75))


def _suggest(field: str, candidates: Sequence[str], cutoff: float = 0.7) -> str | None:
    close = difflib.get_close_matches(field, candidates, 1, cutoff)
    return f"did you mean {close[0]}?" if close else None


def _fields_hint(allowed: frozenset[str] | None) -> str:
    return f"it may have {', '.join(sorted(allowed))}" if allowed else "see the kind's reference"


def _claims_builtin(api_version: str) -> bool:
    """Whether an API version is meant to be Kubernetes' own: a stable version of one of its groups, or nearly one."""
    group, _, version = api_version.rpartition("/")
    if "alpha" in version or "beta" in version:
        return False
    groups = {served.rpartition("/")[0] for versions in kinds.API_VERSIONS.values() for served in versions}
    return group in groups or bool(difflib.get_close_matches(group, groups, 1, 0.85))


def _word(value: object) -> str:
    words = {dict: "mapping", list: "list", str: "text", bool: "boolean", int: "number", float: "number"}
    return words.get(type(value), type(value).__name__)
