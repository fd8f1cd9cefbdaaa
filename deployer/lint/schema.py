"""Checks manifests against Kubernetes' own schemas, which the package kubernetes-validate carries for each version.

Only its files are used. Its validator, jsonschema, takes some 10 ms for a Deployment; these schemas use few keywords
(type, enum, required, properties, additionalProperties, items, oneOf of types, $ref), and those are checked here.
"""

from __future__ import annotations

import functools
import importlib.util
import json
import re
from collections.abc import Iterator
from pathlib import Path as FilePath
from typing import Any

from deployer.config.suggestions import did_you_mean
from deployer.config.validation import show_value
from deployer.errors import Location, UsageError
from deployer.lint.collecting import Findings
from deployer.model import Json
from deployer.plan.manifests import SourceManifest
from deployer.plan.paths import Path, path_text

_PACKAGE = "kubernetes_validate"
_VERSION = re.compile(r"v(\d+)\.(\d+)\.\d+-local-strict\Z")
_WORDS = {
    "string": "a text",
    "integer": "a whole number",
    "number": "a number",
    "boolean": "true or false",
    "array": "a list",
    "object": "a mapping",
}
_NAMES: dict[type, tuple[str, ...]] = {
    str: ("string",),
    bool: ("boolean",),
    int: ("integer", "number"),
    float: ("number",),
    list: ("array",),
    dict: ("object",),
    type(None): ("null",),
}


@functools.cache
def versions() -> dict[tuple[int, int], FilePath]:
    """Kubernetes versions and the files of their schemas. Empty where the package is not installed."""
    spec = importlib.util.find_spec(_PACKAGE)
    places = spec.submodule_search_locations if spec else None
    root = FilePath(next(iter(places))) / "kubernetes-json-schema" if places else None
    found = {}
    for path in root.iterdir() if root and root.is_dir() else ():
        if match := _VERSION.match(path.name):
            found[int(match[1]), int(match[2])] = path / "_definitions.json"
    return found


class Schemas:
    """The schemas of one Kubernetes version (`1.34`; None: the newest there is). Raises UsageError for another."""

    def __init__(self, version: str | None) -> None:
        self._file = _file(version)

    def check(self, source: SourceManifest, findings: Findings, environment: str, hidden: set[Location]) -> None:
        """A finding for each place that the schema refuses, other than places that stand-ins fill (`hidden`)."""
        definitions, names = _load(self._file)
        manifest = source.content
        name = names.get((manifest["apiVersion"], manifest["kind"]))
        if name is None:  # a custom resource
            return
        for path, what, hint in _faults(manifest, definitions[name], definitions, ()):
            where = source.at(path)
            if where not in hidden:
                text = f"{source.title}: {path_text(path)} {what}" if path else f"{source.title} {what}"
                findings.add("kubernetes-schema", where, text, hint, environment=environment)


@functools.cache
def _load(file: FilePath | None) -> tuple[Json, dict[tuple[str, str], str]]:
    """The definitions of a version, and which of them each API version and kind has."""
    definitions: Json = json.loads(file.read_bytes())["$defs"] if file else {}
    names: dict[tuple[str, str], str] = {}
    for name, definition in definitions.items():
        for one in definition.get("x-kubernetes-group-version-kind") or ():
            api = "/".join(filter(None, (one["group"], one["version"])))
            names.setdefault((api, one["kind"]), name)
    return definitions, names


def _file(version: str | None) -> FilePath | None:
    known = versions()
    if not known:
        return None
    if version is None:
        return known[max(known)]
    match = re.match(r"v?(\d+)\.(\d+)(\.\d+)?\Z", str(version))
    wanted = (int(match[1]), int(match[2])) if match else None
    if wanted not in known:
        shown = f"{'.'.join(map(str, min(known)))} to {'.'.join(map(str, max(known)))}"
        raise UsageError(f"there are no schemas of Kubernetes {version}", hint=f"there are those of {shown}")
    return known[wanted]


def _faults(value: Any, schema: Json, definitions: Json, path: Path) -> Iterator[tuple[Path, str, str | None]]:
    while "$ref" in schema:
        schema = definitions[schema["$ref"].rpartition("/")[2]]
    names = _NAMES.get(type(value), ())
    kinds = schema.get("type") or [kind for one in schema.get("oneOf", ()) for kind in _list(one["type"])]
    if kinds and not set(names) & set(_list(kinds)):
        wanted = " or ".join(_WORDS[kind] for kind in _list(kinds) if kind in _WORDS)
        yield path, f"must be {wanted}: it is {show_value(value)}", _hint(value, _list(kinds))
        return
    if "enum" in schema and value is not None and value not in schema["enum"]:
        shown = ", ".join(map(str, schema["enum"]))
        yield path, f"is {show_value(value)}, which is none of {shown}", did_you_mean(str(value), schema["enum"])
    if isinstance(value, dict):
        yield from _mapping_faults(value, schema, definitions, path)
    elif isinstance(value, list) and "items" in schema:
        for index, item in enumerate(value):
            yield from _faults(item, schema["items"], definitions, (*path, index))


def _mapping_faults(value: Json, schema: Json, definitions: Json, path: Path) -> Iterator[tuple[Path, str, str | None]]:
    properties, others = schema.get("properties") or {}, schema.get("additionalProperties", True)
    for key in schema.get("required") or ():
        if value.get(key) is None:
            misspelt = [name for name in value if name not in properties]
            yield path, f"has no {key}", (did_you_mean(key, misspelt) and f"{misspelt[0]} is probably meant") or None
    for key, item in value.items():
        if key in properties:
            if item is not None:
                yield from _faults(item, properties[key], definitions, (*path, key))
        elif others is False and properties:
            hint = did_you_mean(key, properties) or f"known here: {', '.join(list(properties)[:12])}"
            yield (*path, key), "is not known to Kubernetes", hint
        elif isinstance(others, dict) and item is not None:
            yield from _faults(item, others, definitions, (*path, key))


def _list(value: Any) -> list[str]:
    return value if isinstance(value, list) else [value]


def _hint(value: Any, kinds: list[str]) -> str | None:
    if isinstance(value, str) and {"integer", "number", "boolean"} & set(kinds):
        return "write it without quotes; a template that is one expression keeps its type"
    return "put it in quotes" if "string" in kinds and not isinstance(value, dict | list) else None
