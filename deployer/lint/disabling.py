"""Which findings the repository does not want: by a comment in the line, or by its own settings of lint.

`# lint: disable=rule-a,rule-b` counts for its own line, and for the next one where it stands alone. Settings stand in
`deployer.yml` (`Lint: {Disable: [rule], KubernetesVersion: "1.34"}`) or in `pyproject.toml` (`[tool.deploy.lint]`,
`disable`, `kubernetes-version`).
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from deployer.config import document
from deployer.config.nodes import MappingNode, plain
from deployer.config.suggestions import did_you_mean
from deployer.errors import ConfigurationError, Location
from deployer.lint.finding import RULES, Finding

_COMMENT = re.compile(r"#\s*lint:\s*disable=([\w\s,-]+)")
_YAML, _TOML = "deployer.yml", "pyproject.toml"


@dataclass(frozen=True)
class LintSettings:
    """What a repository asks of lint."""

    disable: frozenset[str] = frozenset()
    kubernetes_version: str | None = None


def settings(root: Path) -> LintSettings:
    """The repository's own settings of lint. Raises ConfigurationError."""
    found: dict[str, Any] = {}
    if (root / _TOML).is_file():
        try:
            content = tomllib.loads((root / _TOML).read_text("utf-8"))
        except (OSError, ValueError) as error:
            raise ConfigurationError("this file cannot be read", where=Location(_TOML), why=str(error)) from None
        found |= _table(content, ("tool", "deploy", "lint"))
    file = _TOML
    if (root / _YAML).is_file():
        entry = document.read(root / _YAML, _YAML).entries.get("Lint")
        if entry is not None:
            file = _YAML
            found |= plain(entry.value) if isinstance(entry.value, MappingNode) else {"Lint": None}
    names = {re.sub(r"(?<=[a-z])(?=[A-Z])", "-", str(key)).lower(): value for key, value in found.items()}
    for key in names.keys() - {"disable", "kubernetes-version"}:
        raise ConfigurationError(
            f"{key} is no setting of lint", where=Location(file), hint="there are disable and kubernetes-version"
        )
    rules, version = names.get("disable") or [], names.get("kubernetes-version")
    if not isinstance(rules, list) or not all(isinstance(rule, str) for rule in rules):
        raise ConfigurationError("disable must be a list of rules", where=Location(file))
    check_rules(rules, file)
    if version is not None and not isinstance(version, str):
        raise ConfigurationError("kubernetes-version must be a text", where=Location(file), hint="put it in quotes")
    return LintSettings(frozenset(rules), version)


def check_rules(rules: Iterable[str], file: str) -> None:
    """Raises ConfigurationError for a rule that does not exist."""
    for rule in rules:
        if rule not in RULES:
            raise ConfigurationError(
                f"lint has no rule {rule}",
                where=Location(file),
                hint=did_you_mean(rule, RULES) or f"the rules are {', '.join(RULES)}",
            )


def kept(findings: Iterable[Finding], root: Path, disabled: frozenset[str]) -> list[Finding]:
    """The findings without those that are disabled."""
    lines: dict[str, list[str]] = {}
    result = []
    for one in findings:
        if one.rule in disabled:
            continue
        if one.line and one.file not in lines:  # what has no line may be no ordinary file, and never end
            try:
                lines[one.file] = (root / one.file).read_text("utf-8").splitlines() if one.file else []
            except (OSError, ValueError):
                lines[one.file] = []
        if not _disabled(lines.get(one.file, []), one):
            result.append(one)
    return result


def _disabled(lines: list[str], finding: Finding) -> bool:
    if not 0 < finding.line <= len(lines):
        return False
    above = lines[finding.line - 2].strip() if finding.line > 1 else ""
    texts = (lines[finding.line - 1], above if above.startswith("#") else "")
    found = (match[1] for text in texts if (match := _COMMENT.search(text)))
    return any(finding.rule in {rule.strip() for rule in rules.split(",")} for rules in found)


def _table(content: Any, path: tuple[str, ...]) -> dict[str, Any]:
    for part in path:
        content = content.get(part) if isinstance(content, dict) else None
    return content if isinstance(content, dict) else {}
