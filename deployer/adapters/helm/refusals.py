"""What helm says when it fails, as errors for the user."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from deployer.errors import ConfigurationError, DeployError, DeploymentFailed, HeldError, UnreachableError, UsageError
from deployer.model import Revision

_REMOVED_API = re.compile(
    r"current release manifest contains removed kubernetes api"
    r"|unable to build kubernetes objects (from (current|new) release manifest|for delete)",
    re.IGNORECASE,
)
_PENDING = re.compile(
    r"another operation \(install/upgrade/rollback\) is in progress"
    r"|release: already exists|\"sh\.helm\.release\.v1\.[^\"]*\" already exists"
    r"|cannot re-use a name that is still in use"
)
"""The others are said when two begin at the same moment, and want to store the same revision."""
_LOG_PREFIX = re.compile(r"^[IWEF]\d{4} [\d:.]+ +\d+ [\w.]+:\d+\] ")
_LONGEST = 4000


class HelmRefused(Exception):
    """Helm exited with a status other than 0. `stderr` is not masked."""

    def __init__(self, returncode: int, stderr: str) -> None:
        super().__init__(f"helm exited with status {returncode}")
        self.returncode = returncode
        self.stderr = stderr


@dataclass(frozen=True)
class _Known:
    pattern: re.Pattern[str]
    kind: type[DeployError]
    what: str
    hint: str | None = None


def _known(pattern: str, kind: type[DeployError], what: str, hint: str | None = None) -> _Known:
    return _Known(re.compile(pattern, re.IGNORECASE | re.DOTALL), kind, what, hint)


# The first that fits is meant: what says more stands before what says less.
_TABLE: Sequence[_Known] = (
    _known(
        r"invalid ownership metadata|resource that already exists",
        ConfigurationError,
        "an object of this name exists already and is not part of the release",
        "give yours another name, or take it over: `deploy adopt` shows what that changes, and asks",
    ),
    _known(
        r"unknown flag: --take-ownership",
        ConfigurationError,
        "this helm cannot take over what belongs to others",
        "it needs helm 3.17 or later; `deploy doctor` says which one is used",
    ),
    _known(
        r"release: not found|release has no \d+ version",
        UsageError,
        "there is no such release or revision",
        "`helm history` lists what there is",
    ),
    _known(
        r"release name is invalid",
        ConfigurationError,
        "the app's name cannot be that of a Helm release",
        "a release is named by at most 53 lower-case letters, digits and `-`",
    ),
    _known(
        r"request entity too large|etcdserver: request is too large|must be no more than|may not be more than 1048576",
        ConfigurationError,
        "the release is larger than a cluster can store (1,048,576 bytes for Helm's record of it)",
        "move large data out of the manifests, e.g. into the image",
    ),
    _known(
        r"no matches for kind",
        ConfigurationError,
        "the cluster does not know a kind in the manifests",
        "a custom kind needs its CustomResourceDefinition first; `kubectl api-resources` lists what there is",
    ),
    _known(
        r"field is immutable|updates to statefulset spec for fields other than|is immutable after creation",
        ConfigurationError,
        "the manifests change a field that cannot be changed in place",
        "give the object another name, or delete the old one first",
    ),
    _known(
        r"exceeded quota",
        ConfigurationError,
        "the namespace's quota does not allow it",
        "ask for less, or have the quota raised",
    ),
    _known(
        r"namespaces \"[^\"]*\" not found",
        ConfigurationError,
        "the namespace does not exist",
        "make it first: kubectl create namespace NAME",
    ),
    _known(
        r"hooks? failed|failed (pre|post)-(install|upgrade|rollback|delete)",
        DeploymentFailed,
        "a Helm hook of the release failed",
        "its Job is still in the cluster: `kubectl logs` shows why",
    ),
    _known(
        r"timed out waiting|context deadline exceeded",
        DeploymentFailed,
        "helm waited for a hook, or for the cluster, until its time was up",
        "--timeout allows more",
    ),
    _known(
        r"cannot \w+ resource|is forbidden: User",
        UnreachableError,
        "we are not allowed to change something in the cluster",
        "the cluster's administrator grants this with a Role and a RoleBinding (on EKS: an access entry)",
    ),
    _known(
        r"Unauthorized|must be logged in|getting credentials",
        UnreachableError,
        "the cluster does not accept our credentials",
        "log in again",
    ),
    _known(
        r"cluster unreachable|connection refused|i/o timeout|no such host|network is unreachable|connection reset"
        r"|TLS handshake|x509:|unexpected EOF|etcdserver:|http2: ",
        UnreachableError,
        "the cluster does not answer",
        "is it up and reachable from here?",
    ),
    _known(
        r"is invalid:|YAML parse error|strict decoding error|ValidationError|admission webhook .* denied"
        r"|violates PodSecurity",
        ConfigurationError,
        "the cluster refuses a manifest",
    ),
)


def is_removed_api(stderr: str) -> bool:
    """Whether helm failed on a stored manifest whose API the cluster no longer has."""
    return _REMOVED_API.search(stderr) is not None and "no matches for kind" in stderr


def is_pending(stderr: str) -> bool:
    """Whether helm refused because a revision is pending, or was just made by somebody else."""
    return _PENDING.search(stderr) is not None


def refusal(action: str, stderr: str, mask: Callable[[str], str]) -> DeployError:
    """The error for what helm wrote to its standard error; `action` is `upgrade`, `rollback` or `uninstall`."""
    why = mask(message_of(stderr))[:_LONGEST]
    for known in _TABLE:
        if known.pattern.search(stderr):
            return known.kind(known.what, where=f"helm {action}", why=why, hint=known.hint)
    return DeploymentFailed(f"helm {action} failed", why=why)


def held(revision: Revision | None) -> HeldError:
    """The error for a release in which another operation is under way, or was cut off."""
    why = None
    if revision:
        record = revision.record
        who = record.who if record and record.who else "unknown"
        since = revision.updated.isoformat(timespec="seconds") if revision.updated else "unknown"
        why = f"revision {revision.number} is {revision.status} since {since}, by {who}"
        why += f", deployment {revision.deployment_id}" if revision.deployment_id else ""
    return HeldError(
        "another operation on this release is under way",
        why=why,
        hint="wait for it; if it was killed, the next deployment repairs the release",
    )


def message_of(stderr: str) -> str:
    """Helm's own words without the warnings before them."""
    _, mark, message = stderr.rpartition("Error: ")
    return (message if mark else stderr).strip() or "it gave no reason"


def readable(line: str) -> str:
    """A line of helm's log without what its logger puts before it."""
    return _LOG_PREFIX.sub("", line).strip().strip('"').replace('\\"', '"')
