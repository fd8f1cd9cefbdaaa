"""Finds profiles that no app chooses, and kinds in them that are probably misspelt."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping

from deployer.config.layers import DIRECTORY
from deployer.config.nodes import Entry, MappingNode, Path, show_path
from deployer.config.profiles import DEFAULTS, PROFILES
from deployer.config.suggestions import did_you_mean
from deployer.lint.collecting import Findings
from deployer.plan.manifests.kinds import API_VERSIONS


def check_unused(
    documents: Mapping[str, MappingNode],
    used: Collection[Path],
    broken: Iterable[str],
    findings: Findings,
    *,
    all_apps: bool,
) -> None:
    """As for values: nothing is said where an app has errors, or is not looked at."""
    if not all_apps or set(broken):
        return
    for file, document in documents.items():
        if not file.startswith(DIRECTORY):
            continue
        for path, entry in _profiles(document):
            if path not in used:
                hint = "an app chooses it in its Profiles: […]"
                findings.add("unused-profile", entry.location, f"no app chooses {show_path(path)}", hint)
                continue
            for kind, one in _kinds(entry, path):
                _check_kind(kind, one, used, findings)
        if (defaults := document.entries.get(DEFAULTS)) is not None:
            for kind, one in _kinds(defaults, (DEFAULTS,)):
                _check_kind(kind, one, used, findings)


def _check_kind(path: Path, entry: Entry, used: Collection[Path], findings: Findings) -> None:
    if path in used:
        return
    kind = str(path[-1])
    if kind not in API_VERSIONS and (hint := did_you_mean(kind, API_VERSIONS)):
        findings.add("unused-profile", entry.location, f"{show_path(path)}: no manifest is a {kind}", hint)


def _profiles(document: MappingNode) -> Iterator[tuple[Path, Entry]]:
    entry = document.entries.get(PROFILES)
    if entry is not None and isinstance(entry.value, MappingNode):
        for name, one in entry.value.entries.items():
            yield (PROFILES, name), one


def _kinds(entry: Entry, path: Path) -> Iterator[tuple[Path, Entry]]:
    if isinstance(entry.value, MappingNode):
        for kind, one in entry.value.entries.items():
            yield (*path, kind), one
