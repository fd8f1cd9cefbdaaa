"""Apps deployed from branches, beside the app itself: what such an app, its release and its host are called.

An app of a branch is called `myapp@feature/x`: on the command line, in reports, and in what is kept with releases.
"""

from __future__ import annotations

import hashlib
import re
from datetime import timedelta

SEPARATOR = "@"
MAX_BRANCH = 150
"""Characters. What Route 53 takes as a tag's value has 256, with the app's name among them."""

LIFETIME = "7d, 12h, 1w2d, or never"
"""How a time until a branch expires is written."""

_BRANCH = re.compile(r"[A-Za-z0-9][A-Za-z0-9._/+@-]*\Z")
_LIFETIME = re.compile(r"([0-9]{1,8}[mhdw]){1,4}\Z")
_UNITS = {"m": "minutes", "h": "hours", "d": "days", "w": "weeks"}
_LONGEST = timedelta(days=3660)
_HEX = 6
_LONGEST_LABEL = 30


def named(app: str, branch: str | None) -> str:
    """`myapp@feature/x`, or the app's own name without a branch."""
    return app if branch is None else f"{app}{SEPARATOR}{branch}"


def app_of(name: str) -> str:
    """The app in `myapp@feature/x`: the one that has a file."""
    return name.partition(SEPARATOR)[0]


def branch_of(name: str) -> str | None:
    """The branch in `myapp@feature/x`; None where there is none."""
    _, separator, branch = name.partition(SEPARATOR)
    return branch if separator else None


def is_branch(branch: str) -> bool:
    """Whether a branch of this name can be deployed: what may stand in tags, labels and command lines as it is."""
    return len(branch) <= MAX_BRANCH and _BRANCH.match(branch) is not None


def acceptable(branch: str) -> str:
    """A name like that of a branch which cannot be deployed under its own; empty where nothing is left of it."""
    return re.sub(r"[^A-Za-z0-9._/+@-]+", "-", branch)[:MAX_BRANCH].strip("._/+@-")


def lifetime(text: str) -> timedelta | None:
    """How long a branch is kept after its last deployment; None for `never`. Raises ValueError for what is no time."""
    if text == "never":
        return None
    if not _LIFETIME.match(text):
        raise ValueError(text)
    parts = re.findall(r"([0-9]+)([mhdw])", text)
    total = sum((timedelta(**{_UNITS[unit]: int(number)}) for number, unit in parts), timedelta())
    if not timedelta(minutes=1) <= total <= _LONGEST:
        raise ValueError(text)
    return total


def is_lifetime(text: str) -> bool:
    """Whether it says how long a branch is kept."""
    try:
        lifetime(text)
    except ValueError:
        return False
    return True


def label(branch: str) -> str:
    """A DNS label for a branch, the same everywhere and always: `feature-x-1b2d3f`, at most 30 characters.

    The end is a hash of the branch's whole name, so that `feature/x` and `feature-x` have two.
    """
    digest = hashlib.sha256(branch.encode()).hexdigest()[:_HEX]
    words = re.sub(r"[^a-z0-9]+", "-", branch.lower()).strip("-")[: _LONGEST_LABEL - _HEX - 1].rstrip("-")
    return f"{words}-{digest}" if words else digest


def branched(name: str, branch: str, limit: int) -> str:
    """A name of an app (its release's, the first label of its host) for one of its branches, in `limit` characters.

    A name that is too long is cut, and a hash of all of it says whose it was.
    """
    whole = f"{name}-{label(branch)}"
    if len(whole) <= limit:
        return whole
    digest = hashlib.sha256(f"{name}\0{branch}".encode()).hexdigest()[: _HEX + 2]
    return f"{name[: limit - len(digest) - 1].rstrip('-.')}-{digest}"
