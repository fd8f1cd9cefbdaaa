"""Where a manifest may hold a secret: in a container's environment, in a file of a volume, in a Secret of its own."""

from __future__ import annotations

from collections.abc import Iterator

from deployer.model.basics import FROM_ENVIRONMENT
from deployer.plan.manifests import kinds
from deployer.plan.manifests.conversion import removal_of
from deployer.plan.manifests.source import Findings, SecretInTheOpen, SourceManifest
from deployer.plan.paths import Path

HINT = "give it to a container's env or to a file in a volume; what is no secret is named in PlainKeys, in group_vars"


def check_secrets(source: SourceManifest, findings: Findings) -> None:
    """An error for each place where a secret could be read by more than the container that it is meant for."""
    for path, names in in_the_open(source):
        where = f"holds a secret: {', '.join(names[:3])}"
        findings.error(source, path, where if path else f"{where} (where in it cannot be told)", HINT, SecretInTheOpen)


def in_the_open(source: SourceManifest) -> Iterator[tuple[Path, list[str]]]:
    """The paths at which a secret may not stand, each with the names of the secrets that are used there."""
    kind = str(source.content.get("kind"))
    # What is lifted is known to us, once it is converted. A version that nobody has would keep its secrets.
    builtin = kinds.is_builtin(source.content) or removal_of(source.content) is not None
    for path, names in source.tainted().items():
        encrypted = sorted(name for name in names if not name.startswith(FROM_ENVIRONMENT))
        if encrypted and not (builtin and may_hold(kind, path)):
            yield path, encrypted


def may_hold(kind: str, path: Path) -> bool:
    """Whether a secret may stand at a path of Kubernetes' own kind: it is lifted, or is a Secret's to begin with."""
    if kind == "Secret":
        return path[:1] in (("data",), ("stringData",))
    template = kinds.POD_TEMPLATES.get(kind)
    if template is None or path[: len(template)] != template:
        return False
    match path[len(template) :]:
        case ("spec", section, int(), "env") | ("spec", section, int(), "env", int()):
            return section in kinds.CONTAINER_LISTS  # a list or an item that is one expression
        case ("spec", section, int(), "env", int(), "value"):
            return section in kinds.CONTAINER_LISTS
        case ("spec", "volumes", int(), "secret", "data" | "stringData", *_):
            return True
        case ("spec", "volumes", int(), "projected", "sources", int(), "secret", "data" | "stringData", *_):
            return True
    return False
