"""Writes YAML that means the same to readers of YAML 1.1 (PyYAML, kubectl) and of YAML 1.2 (SOPS).

PyYAML puts quotes around what YAML 1.1 would take for another type than text. `1e5`, `0o17` and `2024-1-2` are text
there, and a number or a time to others.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

import yaml

_AMBIGUOUS = re.compile(r"[-+.]?\d[\d_a-fA-FoOxX.:+\-tTzZ ]*|[yYnN]")
_BREAKS = re.compile("[\x85\u2028\u2029]")
"""Line breaks in YAML 1.1, ordinary characters in 1.2."""


class _Dumper(yaml.SafeDumper):
    """Quotes what any reader might not take for text, and writes what is equal twice instead of an alias."""

    def ignore_aliases(self, data: Any) -> bool:
        return True


class _QuotingDumper(_Dumper):
    """Quotes every text."""


def _text(dumper: yaml.SafeDumper, text: str) -> yaml.Node:
    style = '"' if _BREAKS.search(text) else "'" if _AMBIGUOUS.fullmatch(text) else None
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style=style)


_Dumper.add_representer(str, _text)
_QuotingDumper.add_representer(
    str, lambda dumper, text: dumper.represent_scalar("tag:yaml.org,2002:str", text, style='"')
)


def documents(objects: Iterable[Any], *, ascii_only: bool = False) -> str:
    """A stream of YAML documents, to be read by people and programs; in ASCII it means the same."""
    return yaml.dump_all(objects, Dumper=_Dumper, sort_keys=False, allow_unicode=not ascii_only, width=120)


def quoted(values: Mapping[str, Any]) -> str:
    """One YAML document in ASCII, for programs: every text in double quotes."""
    return yaml.dump(values, Dumper=_QuotingDumper, sort_keys=False)
