"""Manifests as JSON texts: the same manifest is always the same text, and no value is damaged on the way.

The texts are printed verbatim into a chart and read there as YAML, of which JSON is a subset but for a few characters.
"""

from __future__ import annotations

import json
import math
import re
from datetime import date, datetime
from typing import Any

from deployer.model import Json
from deployer.plan.manifests.source import Findings, SourceManifest
from deployer.plan.paths import Path

_MAXIMUM_DEPTH = 64
_MAXIMUM_VALUES = 100_000
_MAXIMUM_BITS = 1024

# What YAML readers refuse or fold when it stands unescaped. Characters beyond U+FFFF must stay as they are: JSON writes
# them as two escapes, which YAML takes for two (invalid) characters.
_UNSAFE = re.compile("[\x7f-\x9f\u2028\u2029\ufeff\ufffe\uffff]")

QUOTE_HINT = 'put it in quotes; a template that is one expression keeps its type: end it with "| string"'


def canonical_text(manifest: Json) -> str:
    """The manifest as one line of JSON, keys sorted, numbers as they are (`1.0` and big integers included)."""
    text = json.dumps(manifest, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)
    return _UNSAFE.sub(lambda match: f"\\u{ord(match[0]):04x}", text)


def check_values(source: SourceManifest, findings: Findings) -> bool:
    """Whether the content is plain JSON of a sane size; what is not is added to the findings."""
    before = len(findings.errors)
    _Walk(source, findings).visit(source.content, ())
    return len(findings.errors) == before


def copy(value: Any) -> Any:
    """A copy of plain JSON in which nothing is shared (YAML aliases are one object seen twice)."""
    if isinstance(value, dict):
        return {key: copy(item) for key, item in value.items()}
    return [copy(item) for item in value] if isinstance(value, list | tuple) else value


class _Walk:
    def __init__(self, source: SourceManifest, findings: Findings) -> None:
        self._source = source
        self._findings = findings
        self._count = 0

    def visit(self, value: Any, path: Path) -> None:
        self._count += 1
        if self._count > _MAXIMUM_VALUES:
            if self._count == _MAXIMUM_VALUES + 1:
                self._error(
                    (), f"has more than {_MAXIMUM_VALUES:,} values", "split it, or look for runaway YAML aliases"
                )
            return
        match value:
            case None | bool():
                pass
            case dict() | list() | tuple() if len(path) >= _MAXIMUM_DEPTH:
                self._error(
                    path[:4], f"is nested more than {_MAXIMUM_DEPTH} levels deep", "look for a cycle of aliases"
                )
            case dict():
                for key, item in value.items():
                    if self._key(key, path):
                        self.visit(item, (*path, key))
            case list() | tuple():
                for index, item in enumerate(value):
                    self.visit(item, (*path, index))
            case str():
                self._text(value, path)
            case int():
                if value.bit_length() > _MAXIMUM_BITS:
                    self._error(path, "is a number too large for any machine", QUOTE_HINT)
            case float():
                if not math.isfinite(value):
                    self._error(path, "is not a finite number, which JSON cannot hold", QUOTE_HINT)
            case datetime() | date():
                self._error(path, "is read as a date by YAML", "put it in quotes to have it as text")
            case _:
                self._error(path, f"is a {type(value).__name__}, which a manifest cannot hold", QUOTE_HINT)

    def _key(self, key: Any, path: Path) -> bool:
        if isinstance(key, str):
            self._text(key, path)
            return True
        self._error(path, f"has a key that is not a text but a {type(key).__name__}", "put the key in quotes")
        return False

    def _text(self, text: str, path: Path) -> None:
        try:
            text.encode()
        except UnicodeEncodeError:
            self._error(path, "holds half of a surrogate pair, which is not valid text", "write the character itself")

    def _error(self, path: Path, what: str, hint: str) -> None:
        self._findings.error(self._source, path, what, hint)
