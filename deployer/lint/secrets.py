"""Finds secrets that stand where more than the container can read them."""

from __future__ import annotations

from deployer.config.evaluation import FROM_ENVIRONMENT
from deployer.config.manifests import Manifest
from deployer.config.nodes import Path, show_path
from deployer.lint.collecting import Findings
from deployer.plan.manifests.kinds import CONTAINER_LISTS, POD_TEMPLATES

_HINT = "give it to the container's env, or declare a Secret and mount it"


def check(manifest: Manifest, findings: Findings, environment: str) -> None:
    """Every value made of secrets is a container's env value, or stands in the data of a Secret."""
    kind = str(manifest.content.get("kind"))
    for path, names in manifest.secrets.items():
        encrypted = sorted(name for name in names if not name.startswith(FROM_ENVIRONMENT))
        if not encrypted or _may_hold(kind, path):
            continue
        findings.add(
            "secret-in-the-open",
            manifest.locate(path),
            f"{show_path(path) or 'the manifest'} of this {kind} holds a secret: {', '.join(encrypted[:3])}",
            _HINT,
            environment=environment,
        )


def _may_hold(kind: str, path: Path) -> bool:
    if kind == "Secret":
        return len(path) == 2 and path[0] in ("data", "stringData")
    template = POD_TEMPLATES.get(kind)
    if template is None:
        return False
    below = path[len(template) :] if path[: len(template)] == template else ()
    match below:
        case ("spec", section, int(), "env", int(), "value"):
            return section in CONTAINER_LISTS
    return False
