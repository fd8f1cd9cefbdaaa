"""What the API server says when it refuses, as errors for the user."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import TYPE_CHECKING

from deployer.errors import ConfigurationError, DeployError, NotPermitted, UnreachableError
from deployer.model import Json

if TYPE_CHECKING:
    import httpx2

_NOT_ALLOWED = re.compile(r"\bUser \".*\" cannot \w+ resource\b|\bcannot \w+ path\b", re.DOTALL)
_UNTYPED = re.compile(
    r"failed to create typed patch object|field not declared in schema|unable to convert unstructured object"
)
_LONGEST = 2000


def status_of(response: httpx2.Response) -> Json:
    """The answer's Status object (https://kubernetes.io/docs/reference/kubernetes-api/common-definitions/status/)."""
    try:
        content = response.json()
    except ValueError:
        return {}
    return content if isinstance(content, dict) and content.get("kind") == "Status" else {}


def is_unread(response: httpx2.Response) -> bool:
    """Whether a patch was refused for what it is, before anything was looked at that it would make."""
    causes = (status_of(response).get("details") or {}).get("causes") or () if response.status_code == 422 else ()
    return any(cause.get("field") == "patch" for cause in causes)


def refusal(response: httpx2.Response, what: str, where: str, mask: Callable[[str], str]) -> DeployError:
    """The error for an answer of 400 or more.

    `what` says what we tried. Who may not do it, or finds the server failing, gets an UnreachableError; who asked for
    something that the cluster does not accept gets a ConfigurationError.
    """
    status = status_of(response)
    message = str(status.get("message") or response.text.strip() or f"HTTP {response.status_code}")
    why = mask(message)[:_LONGEST]
    code = response.status_code
    if code == 403 and (_NOT_ALLOWED.search(message) or not status):
        return NotPermitted(
            f"{what}: we are not allowed to",
            where=where,
            why=why,
            hint="the cluster's administrator grants this with a Role and a RoleBinding (on EKS: an access entry)",
        )
    # What a server-side apply cannot type is a mistake of the manifest, although the server answers with a 500.
    if (code == 429 or code >= 500) and not _UNTYPED.search(message):
        return UnreachableError(f"{what}: the cluster failed", where=where, why=why, hint="try again later")
    return ConfigurationError(f"{what}: the cluster refuses", where=where, why=why, hint=_hint(code, status, message))


def _hint(code: int, status: Json, message: str) -> str | None:
    details = status.get("details") or {}
    if code == 404 and details.get("kind") == "namespaces":
        return f"make the namespace first: kubectl create namespace {details.get('name')}"
    if "field is immutable" in message or "updates to statefulset spec" in message or "is immutable after" in message:
        return "this field cannot be changed in place: give the object another name, or delete the old one first"
    if "unknown field" in message or "field not declared in schema" in message:
        return "the field is misspelt, or stands at the wrong level"
    if "exceeded quota" in message:
        return "ask for less, or have the namespace's quota raised"
    return None
