"""The newest revision of every release in a namespace, read without the many older ones."""

from __future__ import annotations

from collections.abc import Collection

from deployer.adapters.helm.encoding import DEPLOYMENT_ID, ENDED, SECRET_TYPE, VERIFIED, revision_of
from deployer.adapters.helm.storage import SecretStore
from deployer.model import Json, Revision
from deployer.model.status import ReleaseHead

_PORTION = 50
"""Names of releases in one selector: their names have at most 53 characters, and URLs have their limits."""


def heads(secrets: SecretStore, namespace: str, names: Collection[str] | None) -> dict[str, ReleaseHead]:
    """The newest revision of each release (`names`: of these alone), and the newest that is verified.

    What Helm calls superseded is never the newest, and is most of what is stored: of that only the verified ones are
    read which a revision that is not verified has followed, and the failed ones which a rollback has.
    """
    newest: dict[str, Revision] = {}
    for chosen in _choices(names):
        _take_newest(secrets, namespace, f"owner=helm,status!=superseded{chosen}", newest)
    good = {name: revision for name, revision in newest.items() if revision.verified}
    for chosen in _choices(newest.keys() - good.keys()):
        _take_newest(secrets, namespace, f"owner=helm,{VERIFIED}=true{chosen}", good, verified=True)
    failed = _failed(secrets, namespace, [name for name, revision in newest.items() if _is_rollback(revision)])
    return {
        name: ReleaseHead(revision, good.get(name), (name, revision.deployment_id) in failed)
        for name, revision in newest.items()
    }


def _is_rollback(revision: Revision) -> bool:
    return revision.record is not None and revision.record.action == "rollback"


def _failed(secrets: SecretStore, namespace: str, names: Collection[str]) -> set[tuple[str | None, str | None]]:
    """The releases and deployments of which one of our marks says that they did not end well."""
    found = set()
    for chosen in _choices(names):
        for secret in secrets.list("v1", "Secret", namespace, selector=f"owner=helm,{ENDED}{chosen}"):
            labels = secret["metadata"].get("labels") or {}
            found.add((labels.get("name"), labels.get(DEPLOYMENT_ID)))
    return found


def _take_newest(
    secrets: SecretStore, namespace: str, selector: str, found: dict[str, Revision], *, verified: bool = False
) -> None:
    chosen = secrets.list("v1", "Secret", namespace, selector=selector)
    for secret in sorted(chosen, key=_number, reverse=True):
        name = (secret["metadata"].get("labels") or {}).get("name")
        if name is None or name in found or secret.get("type") != SECRET_TYPE:
            continue
        revision = revision_of(secret)
        if revision and (revision.verified or not verified):
            found[name] = revision


def _choices(names: Collection[str] | None) -> list[str]:
    """The part of a selector that chooses releases by name, in portions; one that chooses all for None."""
    if names is None:
        return [""]
    ordered = sorted(names)
    return [f",name in ({','.join(ordered[at : at + _PORTION])})" for at in range(0, len(ordered), _PORTION)]


def _number(secret: Json) -> int:
    number = str((secret["metadata"].get("labels") or {}).get("version"))
    return int(number) if number.isdecimal() else 0
