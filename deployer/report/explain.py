"""Where values come from, as text and as a JSON document (docs/json.md)."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from typing import Any

from deployer.config.explaining import Explained, Explanation, Held
from deployer.config.nodes import show_path
from deployer.report.words import printable

_LONGEST = 100
HIDDEN = "•••"


def explanation_lines(explanation: Explanation) -> Iterator[str]:
    """One paragraph for each value: what it is, where it stands, what it overrode, and what its template used."""
    for one in explanation.values:
        yield f"{show_path(one.path)}{_equals(one)}"
        yield f"    {_place(one)}"
        yield from _original(one, "    ")
        yield from _overrode(one.overrode, "    ")
        yield from _uses(one.uses, "    ")
    if explanation.left_out:
        yield f"({', '.join(explanation.left_out)}: name one as KEY to see it)"


def _uses(uses: Sequence[Explained], indent: str) -> Iterator[str]:
    for one in uses:
        yield f"{indent}uses {show_path(one.path)}{_equals(one)}"
        yield f"{indent}    {_place(one)}"
        yield from _original(one, indent + "    ")
        yield from _overrode(one.overrode, indent + "    ")
        yield from _uses(one.uses, indent + "    ")


def _original(one: Explained, indent: str) -> Iterator[str]:
    if one.original is not None:
        yield f"{indent}made of {_text(one.original, one.secret)} for the branch"


def _overrode(overrode: Sequence[Held], indent: str) -> Iterator[str]:
    for held in reversed(overrode):
        yield f"{indent}overrode {held.where}{_profile(held)}: {_text(held.value, held.secret)}"


def _equals(one: Explained) -> str:
    if one.later:
        return f": {one.later}"
    if one.error is not None:
        return f" has no value: {printable(one.error.what)}" + (f" ({one.error.hint})" if one.error.hint else "")
    return f" = {_text(one.value, one.secret)}" + _made_of(one)


def _made_of(one: Explained) -> str:
    own = show_path(one.path)
    others = [name for name in one.made_of if name != own]
    if not others:
        return " (encrypted)" if one.secret else ""
    return f" (made of {', '.join(others)})"


def _place(one: Explained) -> str:
    place = f"{one.held.where}{_profile(one.held)}" if one.held.where else one.origin
    return f"{place}: {_short(one.held.template)}" if one.held.template is not None else place


def _profile(held: Held) -> str:
    return f" ({held.profile})" if held.profile else ""


def _text(value: Any, secret: bool) -> str:
    return HIDDEN if secret else _short(json.dumps(value, ensure_ascii=False, default=str))


def _short(text: str) -> str:
    text = printable(" ".join(text.split()))
    return text if len(text) <= _LONGEST else text[: _LONGEST - 1] + "…"


def explanation_document(explanations: Sequence[Explanation]) -> dict[str, Any]:
    """The documented JSON document; what is secret has the value null."""
    return {
        "ok": True,
        "targets": [
            {
                "stage": one.target.stage,
                "region": one.target.region,
                "application": one.target.application,
                "layers": [
                    {"file": layer.name, "exists": layer.exists, "encrypted": layer.secret} for layer in one.layers
                ],
                "values": [_entry(value) for value in one.values],
                "leftOut": list(one.left_out),
            }
            for one in explanations
        ],
    }


def _entry(one: Explained) -> dict[str, Any]:
    return {
        "key": show_path(one.path),
        "value": None if one.secret else json.loads(json.dumps(one.value, default=str)),
        "secret": one.secret,
        "madeOf": list(one.made_of),
        **_where(one.held),
        "origin": one.origin or None,
        "template": one.held.template,
        "error": str(one.error) if one.error else one.later or None,
        "overrode": [
            {
                "value": None if held.secret else json.loads(json.dumps(held.value, default=str)),
                "secret": held.secret,
                **_where(held),
            }
            for held in one.overrode
        ],
        "uses": [_entry(used) for used in one.uses],
    }


def _where(held: Held) -> dict[str, Any]:
    place = held.where
    return {
        "file": place.file if place else None,
        "line": place.line if place else None,
        "column": place.column if place else None,
        "profile": held.profile or None,
    }
