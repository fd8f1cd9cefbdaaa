"""What lint found, as text, JSON (docs/json.md), SARIF 2.1.0, and GitHub's workflow commands."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from typing import Any

from deployer import __version__
from deployer.lint.finding import RULES, Finding
from deployer.report.words import printable

_MANY = 4


def text(findings: Sequence[Finding]) -> str:
    """A line for each finding as compilers write it, then what to do about it, and where it shows."""
    lines = []
    for one in findings:
        lines.append(f"{_place(one)}: {one.severity}: {printable(one.message)} [{one.rule}]")
        if one.hint:
            lines.append(f"    {printable(one.hint)}")
        lines += [f"    by {printable(step)}" for step in one.chain[:-1]]
        if one.environments:
            lines.append(f"    in {_environments(one.environments)}")
    return "\n".join([*lines, summary(findings)])


def summary(findings: Sequence[Finding]) -> str:
    """`2 errors, 1 warning`."""
    errors, warnings = _counts(findings)
    if not findings:
        return "nothing found"
    words = [(errors, "error"), (warnings, "warning")]
    return ", ".join(f"{count} {word}{'' if count == 1 else 's'}" for count, word in words if count)


def json_text(findings: Sequence[Finding]) -> str:
    """The documented JSON document."""
    errors, warnings = _counts(findings)
    document = {
        "ok": not errors,
        "errors": errors,
        "warnings": warnings,
        "findings": [
            {
                "rule": one.rule,
                "severity": one.severity,
                "file": one.file or None,
                "line": one.line or None,
                "column": one.column or None,
                "message": one.message,
                "hint": one.hint or None,
                "chain": list(one.chain),
                "environments": list(one.environments),
            }
            for one in findings
        ],
    }
    return json.dumps(document, indent=2)


def sarif(findings: Sequence[Finding]) -> str:
    """A SARIF log (https://docs.oasis-open.org/sarif/sarif/v2.1.0/sarif-v2.1.0.html), for code scanning services."""
    names = list(RULES)
    rules = [
        {
            "id": name,
            "shortDescription": {"text": rule.summary},
            "defaultConfiguration": {"level": rule.severity},
        }
        for name, rule in RULES.items()
    ]
    log = {
        "$schema": "https://json.schemastore.org/sarif-2.1.0.json",
        "version": "2.1.0",
        "runs": [
            {
                "tool": {"driver": {"name": "deploy lint", "version": __version__, "rules": rules}},
                "columnKind": "unicodeCodePoints",
                "results": [_result(one, names) for one in findings],
            }
        ],
    }
    return json.dumps(log, indent=2)


def github(findings: Sequence[Finding]) -> str:
    """Workflow commands, which GitHub Actions shows beside the lines of a change."""
    lines = []
    for one in findings:
        place = {"file": one.file, "line": one.line, "col": one.column, "title": one.rule}
        properties = ",".join(f"{key}={_escaped(str(value), ':,')}" for key, value in place.items() if value)
        message = ". ".join(filter(None, (one.message, one.hint)))
        lines.append(f"::{one.severity} {properties}::{_escaped(message)}")
    return "\n".join([*lines, summary(findings)])


FORMATS: dict[str, Callable[[Sequence[Finding]], str]] = {
    "text": text,
    "json": json_text,
    "sarif": sarif,
    "github": github,
}


def _counts(findings: Sequence[Finding]) -> tuple[int, int]:
    errors = sum(one.severity == "error" for one in findings)
    return errors, len(findings) - errors


def _place(one: Finding) -> str:
    return ":".join(str(part) for part in (one.file or "(repository)", one.line, one.column) if part)


def _environments(names: Sequence[str]) -> str:
    more = len(names) - _MANY
    return ", ".join(names[:_MANY]) + (f" and {more} more" if more > 0 else "")


def _result(one: Finding, names: list[str]) -> dict[str, Any]:
    message = ". ".join(filter(None, (one.message, one.hint)))
    region = {"startLine": one.line, "startColumn": one.column or 1} if one.line else None
    location: dict[str, Any] = {"artifactLocation": {"uri": one.file}}
    if region:
        location["region"] = region
    return {
        "ruleId": one.rule,
        "ruleIndex": names.index(one.rule),
        "level": one.severity,
        "message": {"text": message},
        "locations": [{"physicalLocation": location}] if one.file else [],
    }


def _escaped(value: str, more: str = "") -> str:
    """As GitHub's toolkit escapes values of workflow commands."""
    for character in "%\r\n" + more:
        value = value.replace(character, f"%{ord(character):02X}")
    return value
