"""Checks pod templates and their containers, and makes every `env` value a text."""

from __future__ import annotations

from typing import Any

from deployer.model import Json
from deployer.plan.manifests import kinds
from deployer.plan.manifests.canonical import QUOTE_HINT
from deployer.plan.manifests.names import container_name_problem
from deployer.plan.manifests.source import Findings, SourceManifest
from deployer.plan.paths import Path


def check_pods(source: SourceManifest, findings: Findings) -> None:
    """There is a pod template with containers, each with a name of its own and an image; texts are texts."""
    manifest = source.content
    path = kinds.POD_TEMPLATES.get(manifest["kind"])
    if path is None or not kinds.is_builtin(manifest):
        return
    spec = kinds.dig(manifest, (*path, "spec"))
    if not isinstance(spec, dict):
        findings.error(source, (*path, "spec"), "is missing or not a mapping", "it describes the pod: containers …")
        return
    if not spec.get("containers") or not isinstance(spec["containers"], list):
        findings.error(source, (*path, "spec", "containers"), "is missing or empty", "a pod needs a container")
        return
    names: set[str] = set()
    for field in kinds.CONTAINER_LISTS:
        items = spec.get(field) or ()
        if not isinstance(items, list | tuple):
            findings.error(source, (*path, "spec", field), "is not a list")
            continue
        for index, container in enumerate(items):
            _check_container(source, (*path, "spec", field, index), container, names, findings)


def _check_container(source: SourceManifest, path: Path, container: Any, names: set[str], findings: Findings) -> None:
    if not isinstance(container, dict):
        findings.error(source, path, "is not a mapping", "a container has name, image …")
        return
    name = container.get("name")
    if not isinstance(name, str) or not name:
        findings.error(source, path, "has no name", "name the container")
    elif problem := container_name_problem(name):
        findings.error(source, (*path, "name"), problem)
    elif name in names:
        findings.error(source, (*path, "name"), f"{name} is taken by another container of the pod", "choose another")
    else:
        names.add(name)
    image = container.get("image")
    if not isinstance(image, str) or not image.strip():
        findings.error(source, path, "has no image", "name the image, for instance with its tag")
    elif image != image.strip() or any(character.isspace() for character in image):
        findings.error(source, (*path, "image"), "has white space in it", "fold it into one line")
    for field in ("command", "args"):
        words = container.get(field)
        if words is not None and not isinstance(words, list):
            findings.error(source, (*path, field), "is not a list", 'for instance ["sh", "-c", "…"]')
            continue
        for index, word in enumerate(words or ()):
            if not isinstance(word, str):
                findings.error(source, (*path, field, index), "is not a text", QUOTE_HINT)
    ports = container.get("ports")
    if ports is not None and not isinstance(ports, list):
        findings.error(source, (*path, "ports"), "is not a list", "each port has a containerPort")
        ports = None
    for index, port in enumerate(ports or ()):
        if isinstance(port, dict) and not _is_port(port.get("containerPort")):
            findings.error(
                source, (*path, "ports", index, "containerPort"), "is not a number from 1 to 65535", _UNQUOTE
            )


_UNQUOTE = "a number without quotes; a template that is one expression keeps its type"


def _is_port(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 0 < value < 65536


def texts_in_env(source: SourceManifest, findings: Findings) -> None:
    """Make every `value` of every container's `env` the text that Kubernetes demands: 2 → "2", true → "true".

    Nothing else is converted: in a label, an argument or a ConfigMap a number is refused, as Kubernetes does.
    """
    for path, container in kinds.containers(source.content):
        entries = container.get("env")
        if entries is None:
            continue
        if not isinstance(entries, list):
            findings.error(source, (*path, "env"), "is not a list", "each entry has name and value")
            continue
        seen: set[str] = set()
        for index, entry in enumerate(entries):
            _text_in_entry(source, (*path, "env", index), entry, seen, findings)


def _text_in_entry(source: SourceManifest, path: Path, entry: Any, seen: set[str], findings: Findings) -> None:
    if not isinstance(entry, dict):
        findings.error(source, path, "is not a mapping", "it has name and value, or name and valueFrom")
        return
    name = entry.get("name")
    if not isinstance(name, str) or not name or "=" in name:
        findings.error(source, (*path, "name"), "is missing or not the name of a variable", "a text without =")
        return
    if name in seen:
        findings.warn(source, path, f"sets {name} for a second time; the last one counts", "remove one")
    seen.add(name)
    if "value" not in entry:
        return
    value = entry["value"]
    if value is None and entry.get("valueFrom"):
        del entry["value"]
    elif value is None:
        entry["value"] = ""
        findings.warn(source, path, f"{name} has no value and will be empty", 'write "" where that is meant')
    elif isinstance(value, dict | list):
        findings.error(
            source,
            (*path, "value"),
            f"{name} is a {'mapping' if isinstance(value, dict) else 'list'}, not a text",
            'turn it into text, for instance with "| to_json"',
        )
    elif not isinstance(value, str):
        entry["value"] = env_text(value)


def env_text(value: bool | int | float) -> str:
    """A scalar as YAML spells it: `true`, `2`, `1.0`."""
    return str(value).lower() if isinstance(value, bool) else str(value)


def labels_of_pods(manifest: Json) -> Json | None:
    """The labels that the manifest gives its pods; None when it describes none."""
    found = kinds.pod_template(manifest)
    labels = kinds.dig(found[1], ("metadata", "labels")) if found else None
    return labels if isinstance(labels, dict) else {} if found else None
