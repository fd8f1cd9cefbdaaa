"""Collects findings: errors of other parts become findings, and what several environments share is told once."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import replace

from deployer.config.circles import CircularReference
from deployer.config.failures import UnseenFailure
from deployer.errors import DeployError, Location
from deployer.lint.finding import RULES, Finding
from deployer.plan.manifests import ManifestWarning

_BY_MESSAGE = (
    ("invalid-hook", r"^the hook playbook |^Hooks\.\w+\[\d+\] is a secret"),
    ("unknown-profile", r"^there is no profile | has a profile that there is not$"),
    ("undefined-variable", r" is undefined$|^(?!.*manifest).* has no \S+$|uses what is not defined"),
    ("invalid-template", r"template|filter|\btest\b|lookups|now\(\)|cannot be used here"),
    ("unknown-key", r" is not known$|belongs? in "),
    ("wrong-type", r" must be (a (text|list|mapping|number|whole number|finite number)|true or false)( |$)"),
    ("reserved-name", r"cannot be called|is a built-in variable"),
    ("plaintext-secrets", r"this file is (not )?encrypted|app file cannot be encrypted"),
    ("secret-in-the-open", r"holds a secret$"),
    ("invalid-file", r"YAML|this file|the file|stands here twice|alias|nested|tag |anchor|merge key|are both there"),
)
_WARNINGS = (
    ("removed-api", r"removed|converted|is gone|no longer"),
    ("selector-matches-nothing", r"chooses none"),
)


_Seen = tuple[Finding, dict[str, None]]
"""A finding as it was first seen, and the environments in which it was."""


class Findings:
    """The findings of one process. The same one in several environments is one finding that names them."""

    def __init__(self) -> None:
        self._found: dict[Finding, _Seen] = {}
        self.errors = 0
        """How often an error was found, those counted again that several environments share."""

    def add(
        self, rule: str, where: Location | str | None, message: str, hint: str | None = "", *, environment: str = ""
    ) -> None:
        """One finding."""
        self._keep(rule, where, message, hint, (), environment)

    def error(self, error: DeployError, environment: str = "", *, home: str = "", rule: str = "") -> None:
        """Each leaf of an error. `home`: the file to name where the error names none; `rule`: what it is about."""
        for leaf in error.leaves():
            if isinstance(leaf, UnseenFailure):
                continue
            message = leaf.what + (f": {leaf.why}" if leaf.why else "")
            where = leaf.where if isinstance(leaf.where, Location) and leaf.where.file else Location(home)
            self._keep(rule or _rule_of(leaf), where, message, leaf.hint, leaf.chain, environment)

    def warning(self, warning: ManifestWarning, environment: str) -> None:
        """What was found about a manifest that does not stop a deployment."""
        rule = next((rule for rule, text in _WARNINGS if re.search(text, warning.text)), "manifest-warning")
        self._keep(rule, warning.where, warning.text, warning.hint, (), environment)

    def merge(self, findings: Iterable[Finding]) -> None:
        """Those of another process."""
        for one in findings:
            self._merge(one)

    def all(self) -> list[Finding]:
        """Everything that was found."""
        return [replace(first, environments=tuple(names)) for first, names in self._found.values()]

    def _merge(self, one: Finding) -> None:
        """What differs from one environment to the next, the hint and the chain, is told as it was first seen."""
        key = replace(one, hint="", chain=(), environments=())
        self._found.setdefault(key, (one, {}))[1].update(dict.fromkeys(one.environments))

    def _keep(
        self,
        rule: str,
        where: Location | str | None,
        message: str,
        hint: str | None,
        chain: tuple[str, ...],
        environment: str,
    ) -> None:
        place = where if isinstance(where, Location) else Location(str(where or ""))
        severity = RULES[rule].severity
        self.errors += severity == "error"
        names = (environment,) if environment else ()
        line, column = place.line or 0, place.column or 0
        self._merge(Finding(place.file, line, column, rule, message, hint or RULES[rule].hint, chain, names, severity))


def _rule_of(error: DeployError) -> str:
    if isinstance(error, CircularReference):
        return "circular-reference"
    found = (rule for rule, text in _BY_MESSAGE if re.search(text, error.what))
    return next(found, "invalid-value")
