"""Asks a region's cluster whether it would let a release in: lock, namespace, permissions, what the objects name."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from typing import TypeVar

from deployer.errors import ConfigurationError, DeployError, HeldError, NotPermitted, UnreachableError, raise_all
from deployer.execute.parallel import values_of
from deployer.execute.ports import Cluster
from deployer.execute.work import RegionPorts
from deployer.model import Json, ObjectKey
from deployer.plan.manifests import PreparedManifests
from deployer.plan.manifests.kinds import dig
from deployer.plan.manifests.references import INGRESS_CLASS, STORAGE_CLASS, Reference, references
from deployer.plan.manifests.source import Findings
from deployer.plan.permissions import listed, needed

T = TypeVar("T")

_DEFAULT_INGRESS_CLASS = "ingressclass.kubernetes.io/is-default-class"
_MOST_ASKED = 20
"""Objects of the namespace that are looked for at most, one question each."""

_SHOWN = 12


class Troubles:
    """Keeps the errors of steps that fail, so that the next step may be tried. Safe to use from threads."""

    def __init__(self) -> None:
        self.errors: list[DeployError] = []

    def attempt(self, step: Callable[[], T]) -> T | None:
        """What the step gives; None when it fails, and its errors are kept."""
        try:
            return step()
        except DeployError as error:
            self.errors += error.leaves()
            return None

    def attempt_all(self, *steps: Callable[[], object]) -> None:
        """Try all steps at once."""
        values_of([partial(self.attempt, step) for step in steps])

    def has(self, kind: type[DeployError]) -> bool:
        """Whether any error is of this kind."""
        return any(isinstance(error, kind) for error in self.errors)

    @property
    def unreachable(self) -> bool:
        """Whether a service did not answer, so that asking it again would only take time."""
        return any(isinstance(one, UnreachableError) and not isinstance(one, NotPermitted) for one in self.errors)

    def drop(self, kind: type[DeployError]) -> None:
        """Forget the errors of a kind: another one has told the same better."""
        self.errors = [error for error in self.errors if not isinstance(error, kind)]

    def raise_all(self) -> None:
        """Raise everything that was kept, the same error once."""
        raise_all(list({(type(one), str(one), one.hint): one for one in self.errors}.values()))


class NoNamespace(ConfigurationError):
    """The release's namespace is missing or going: everything in it would be refused for that alone."""


@dataclass(frozen=True)
class Entry:
    """What is to enter a region's cluster: a release, and its manifests as far as they are known.

    `removed` are objects of the current revision that the new one no longer has. With `refuse_held`, a lock that
    somebody holds is an error: nobody is going to wait for it.
    """

    name: str
    namespace: str
    ports: RegionPorts
    prepared: PreparedManifests | None = None
    removed: Sequence[ObjectKey] = ()
    refuse_held: bool = False


def check(entry: Entry) -> tuple[str, ...]:
    """Every reason why the cluster would not let the release in, raised together; warnings for what may be meant so.

    Changes nothing. About four questions to the API server for an ordinary app.
    """
    troubles, findings = Troubles(), Findings()
    for step in (
        partial(check_lock, entry),
        partial(_check_namespace, entry),
        partial(_check_permissions, entry, troubles),
        partial(_check_references, entry, findings),
    ):
        troubles.attempt(step)
        if troubles.has(NoNamespace) or troubles.unreachable:
            break
    troubles.errors += findings.errors
    troubles.raise_all()
    return tuple(map(str, findings.warnings))


def check_lock(entry: Entry) -> None:
    """Raises HeldError when somebody else works on the release and nobody wants to wait. An expired lock is free."""
    if not entry.refuse_held:
        return
    state = entry.ports.locks.look(entry.name, entry.namespace)
    if state is None or state.expired:
        return
    raise HeldError(
        f"{entry.name} is being worked on by somebody else",
        where=f"Lease deploy-{entry.name} in namespace {entry.namespace}",
        why=f"held by {state.holder}" if state.holder else "the lock is held by another tool",
        hint="wait until it is done, or add --lock-wait 10m to wait in line; "
        "`deploy unlock` frees a lock that was left behind",
    )


def _check_namespace(entry: Entry) -> None:
    try:
        live = entry.ports.cluster.get(ObjectKey("v1", "Namespace", None, entry.namespace))
    except NotPermitted:
        return  # the manifests' dry runs will tell
    if live is None:
        raise NoNamespace(
            f"there is no namespace {entry.namespace}",
            hint=f"make it (kubectl create namespace {entry.namespace}), or correct Namespace in group_vars",
        )
    if dig(live, ("status", "phase")) == "Terminating":
        raise NoNamespace(
            f"the namespace {entry.namespace} is being deleted", hint="wait until it is gone, then make it anew"
        )


def _check_permissions(entry: Entry, troubles: Troubles) -> None:
    lacking = entry.ports.cluster.denied(needed(entry.namespace, entry.prepared, entry.removed))
    if lacking:
        troubles.drop(NotPermitted)  # all of it is told at once
        raise NotPermitted(
            f"we may not do everything that deploying {entry.name} needs in namespace {entry.namespace}",
            why=f"missing: {listed(lacking)}",
            hint="the cluster's administrator grants this with a Role and a RoleBinding; docs/iam.md has them",
        )


def _check_references(entry: Entry, findings: Findings) -> None:
    """What the manifests name: a class that is missing stops us, anything else may still be made by somebody."""
    cluster = entry.ports.cluster
    classes: dict[tuple[str, str], list[Reference]] = {}
    objects: dict[ObjectKey, Reference] = {}
    for one in references(entry.prepared) if entry.prepared else ():
        if one.is_class:
            classes.setdefault((one.key.api_version, one.key.kind), []).append(one)
        else:
            objects.setdefault(one.key, one)
    for kind, about in classes.items():
        _check_classes(cluster, kind, about, findings)
    for key, first in list(objects.items())[:_MOST_ASKED]:
        with suppress(NotPermitted):
            if cluster.get(key) is None:
                findings.warn(first.source, first.path, f"names the {key}, which the namespace does not have yet")


def _check_classes(cluster: Cluster, kind: tuple[str, str], about: Sequence[Reference], findings: Findings) -> None:
    try:
        live = {str(dig(one, ("metadata", "name"))): one for one in cluster.list(*kind, None)}
    except NotPermitted:
        for one in about:
            if one.key.name:
                findings.warn(
                    one.source, one.path, f"names a class ({kind[1]}), and we may not see which the cluster has"
                )
        return
    for one in about:
        name = one.key.name
        if name in live:
            continue
        if not name and not any(map(_is_default, live.values())):
            findings.warn(one.source, one.path, f"names no class, and no class is the default{_has(live)}")
        elif name:
            what = f"names the {kind[1]} {name}, which the cluster does not have"
            if _may_do_without(one, live):
                findings.warn(one.source, one.path, f"{what}{_has(live)}")
            else:
                findings.error(one.source, one.path, what, _near(name, live))


def _may_do_without(reference: Reference, live: Collection[str]) -> bool:
    """Whether a name may mean something also without its class.

    A volume of that storage class may exist already; and where there are no classes at all, a controller may go by the
    old annotation alone.
    """
    kind = (reference.key.api_version, reference.key.kind)
    return kind == STORAGE_CLASS or (kind == INGRESS_CLASS and reference.path[0] == "metadata" and not live)


def _is_default(ingress_class: Json) -> bool:
    return bool(dig(ingress_class, ("metadata", "annotations", _DEFAULT_INGRESS_CLASS)) == "true")


def _has(names: Collection[str]) -> str:
    """` (the cluster has nginx, traefik)`."""
    shown = sorted(names)
    more = f" and {len(shown) - _SHOWN} more" if len(shown) > _SHOWN else ""
    return f" (the cluster has {', '.join(shown[:_SHOWN]) or 'none'}{more})"


def _near(name: str, names: Collection[str]) -> str:
    import difflib

    close = difflib.get_close_matches(name, names, 1, 0.6)
    return f"{f'did you mean {close[0]}?' if close else 'name another one, or have it made'}{_has(names)}"
