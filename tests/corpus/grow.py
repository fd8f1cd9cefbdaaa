"""Grows the corpus: breaks the good repository in many ways, and keeps one case of each way and place.

    python -m tests.corpus.grow

The same seed gives the same cases. Every mutation makes a mistake; what is taken for a good repository all the same is
listed on standard error, to be looked at: either the mutation is harmless there, or a mistake goes unnoticed.
"""

from __future__ import annotations

import json
import random
import re
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from deployer.errors import DeployError
from deployer.lint.run import lint
from tests.corpus.base import FILES

CASES = Path(__file__).with_name("cases.json")
SEED = 20261121
WANTED = 320

_EXPRESSION = re.compile(r"\{\{ ([^{}]+) \}\}")
_BAD_EXPRESSIONS = (
    "Misssing",
    "Values.nowhere.at.all",
    "{0}.nothing_there",
    "{0} | no_such_filter",
    "{0} is no_such_test",
    "{0} {0}",
    "{0} +",
    "({0}",
    "{0})",
    "'unclosed",
    "1 / 0",
    "{0} + 1 + []",
    "lookup('file', '/etc/passwd')",
    "query('env')",
    "''.__class__.__mro__",
    "self.__init__.__globals__",
    "now()",
    "range(10 ** 9) | list",
    "10 ** 99999999",
    "'x' * 10 ** 9",
    "{0} | from_json",
    "DockerHash.nothing",
    "cycler()",
    "{0}[",
    "{0}.",
    "| upper",
    "undefined_function({0})",
    "({0} | list)[99]",
    "mandatory",
    "{0} if",
    "not",
    "{0} | to_datetime",
)
_BAD_BLOCKS = (
    "{{",
    "{%",
    "{% if %}",
    "{% if STAGE %}",
    "{% endif %}",
    "{% for x in %}",
    "{% for x in 5 %}{{ x }}{% endfor %}",
    "{#",
    "{% include 'x' %}",
    "{% extends 'x' %}",
    "{% import 'x' as y %}",
    "{% raw %}",
    "{% macro %}",
    "{% set = 1 %}",
    "{% unknown %}",
    "{{ }}",
    "{% call x() %}{% endcall %}",
    "{% block a %}",
)
_BAD_VALUES = ("[]", "{}", "[1]", "{a: 1}", "-1.5", "[[[", "*nowhere", "!vault x", "!!python/object:os x")
_LINES = (
    "\t- tab",
    "no colon here",
    "key: value: again",
    "- item where a key belongs",
    "'unclosed",
    "<<: 5",
    "? [a, b]\n: c",
    "&a [*a]",
    "a: &b {x: *b}",
    "---\nsecond: document",
    "%YAML 9.9",
    "@reserved",
    "`reserved`",
    "a: b\n   c: d",
    "STAGE: mine",
    "DockerHash: mine",
    "Profiles: [nowhere]",
    "Profiles: {spot: [1]}",
    "Profiles: {spot: {Pod: {tolerations: []}}}",
    "Defaults: {Deployment: 5}",
    "Defaults: {Pod: {spec: {hostname: '{{ Misssing }}'}}}",
    "{{ template }}: key",
    "5: number",
    'key: "\\q"',
    "\x00",
)

Change = tuple[str, str, str]
"""File, the text in it that is replaced (once), and what by."""


def mutations() -> Iterator[tuple[str, Change]]:
    """Every way to break the repository at every place: what sort of mistake it is, and the change."""
    for file, text in FILES.items():
        for line in text.splitlines():
            if text.count(f"{line}\n") != 1:
                continue
            for match in _EXPRESSION.finditer(line):
                for bad in _BAD_EXPRESSIONS:
                    broken = "{{ " + bad.format(match[1]) + " }}"
                    yield f"expression {bad}", (file, line + "\n", line.replace(match[0], broken, 1) + "\n")
            if '"' in line and "{{" in line:
                for bad in _BAD_BLOCKS:
                    yield f"block {bad}", (file, line + "\n", line.replace('"', f'"{bad}', 1) + "\n")
            for bad in _LINES:
                if not line.startswith(" ") and not line.startswith("-"):
                    yield f"line {bad!r}", (file, line + "\n", f"{bad}\n{line}\n")
            key = re.match(r"( *(?:- )?)([A-Za-z]+): (.+)$", line)
            if key:
                for bad in _BAD_VALUES:
                    yield f"value {bad}", (file, line + "\n", f"{key[1]}{key[2]}: {bad}\n")
                yield "duplicate", (file, line + "\n", f"{line}\n{key[1].replace('-', ' ')}{key[2]}: {key[3]}\n")
            named = re.match(r"( *(?:- )?)([A-Za-z]{4,}):", line)
            if named:
                letters = named[2]
                for name in (
                    letters[:-1],
                    letters[0] + letters[2:],
                    letters[1] + letters[0] + letters[2:],
                    letters + "x",
                ):
                    yield "misspelt key", (file, f"{named[1]}{letters}:", f"{named[1]}{name}:")
                if (
                    "Environments" in line
                    or "Helm" in line
                    or "apiVersion" in line
                    or "kind" in line
                    or "image" in line
                ):
                    yield "missing", (file, line + "\n", "\n")


def grow() -> list[dict[str, str]]:
    """The cases. Each sort of mistake comes at least once, then places are chosen at random."""
    chosen = random.Random(SEED)
    every = list(mutations())
    chosen.shuffle(every)
    first: dict[str, tuple[str, Change]] = {}
    for sort, change in every:
        first.setdefault(sort, (sort, change))
    order = [*first.values(), *(one for one in every if first[one[0]] is not one)]
    cases: list[dict[str, str]] = []
    seen: set[Change] = set()
    with tempfile.TemporaryDirectory() as directory:
        for sort, change in order:
            if len(cases) >= WANTED:
                break
            if change in seen:
                continue
            seen.add(change)
            write(Path(directory), change)
            if _is_refused(Path(directory)):
                file, old, new = change
                cases.append({"sort": sort, "file": file, "old": old, "new": new})
            else:
                sys.stderr.write(f"taken for good: {sort}: {change}\n")
    return cases


def _is_refused(root: Path) -> bool:
    try:
        return any(one.severity == "error" for one in lint(root))
    except DeployError:
        return True


def write(root: Path, change: Change) -> None:
    """The repository with one change in it."""
    for name, text in FILES.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text.replace(change[1], change[2], 1) if name == change[0] else text)


def load() -> list[dict[str, Any]]:
    """The cases as they were grown."""
    cases: list[dict[str, Any]] = json.loads(CASES.read_text())
    return cases


if __name__ == "__main__":
    CASES.write_text(json.dumps(grow(), indent=0, ensure_ascii=False) + "\n")
