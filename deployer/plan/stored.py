"""A stored revision's manifests, as they are applied again: objects, the images in them, and what is secret in them."""

from __future__ import annotations

import base64
from collections.abc import Iterable, Iterator

from deployer.model import Image, Json, ObjectKey, Revision
from deployer.plan.manifests import PreparedManifests, SourceManifest
from deployer.plan.manifests.canonical import canonical_text
from deployer.plan.manifests.conversion import convert
from deployer.plan.manifests.kinds import HOOK, containers, dig, is_hook, mappings, object_key
from deployer.plan.manifests.source import Findings

_ROLLBACK_HOOKS = frozenset({"pre-rollback", "post-rollback"})


def prepared_again(revision: Revision, namespace: str, place: str) -> PreparedManifests:
    """The objects that a rollback to this revision applies, and the hooks that it runs.

    What another tool stored with an API that is gone meanwhile is brought to today's, as it is before Helm applies it.
    `place` is where errors say they are.
    """
    objects = []
    for content in revision.objects():
        if not dig(content, ("metadata", "name")) or not _is_applied(content):
            continue
        today = None if revision.manifests else convert(SourceManifest(content), Findings())
        objects.append(today or content)
    sources = tuple(SourceManifest(content, f"{place}, revision {revision.number}") for content in objects)
    return PreparedManifests(namespace, tuple(objects), tuple(map(canonical_text, objects)), sources=sources)


def members_of(revision: Revision, namespace: str) -> dict[ObjectKey, Json]:
    """The objects that belong to a revision, as it has them; hooks are none of them."""
    return {
        object_key(content, namespace): content
        for content in revision.objects()
        if content["metadata"].get("name") and "apiVersion" in content and not is_hook(content)
    }


def own_images(objects: Iterable[Json], prefix: str) -> tuple[Image, ...]:
    """The images below an `AwsEcrPrefix` that the objects' containers run, each once."""
    named = (str(container.get("image")) for one in objects for _, container in containers(one))
    found = (Image.parse(name) for name in named if name.startswith(f"{prefix.rstrip('/')}/"))
    return tuple(dict.fromkeys(image for image in found if image is not None))


def secret_texts(revision: Revision) -> Iterator[str]:
    """What of a stored revision may be a secret of its time, which today's configuration does not know any more.

    That is all that its Secrets hold and all values of its containers' environment, but what its record shows.
    """
    record = revision.record
    shown = {record.version, record.tag, record.image, record.digest, record.git_commit} if record else set()
    for content in revision.objects():
        for text in (*_secret_data(content), *_environment(content)):
            if text not in shown:
                yield text


def _is_applied(content: Json) -> bool:
    """Whether a rollback applies the object: hooks only when they are a rollback's."""
    hook = dig(content, ("metadata", "annotations", HOOK))
    return not isinstance(hook, str) or bool({event.strip() for event in hook.split(",")} & _ROLLBACK_HOOKS)


def _secret_data(content: Json) -> Iterator[str]:
    if content.get("kind") != "Secret":
        return
    for text in (dig(content, ("stringData",)) or {}).values():
        yield str(text)
    for text in (dig(content, ("data",)) or {}).values():
        try:
            yield base64.b64decode(str(text), validate=True).decode()
        except ValueError:
            yield str(text)


def _environment(content: Json) -> Iterator[str]:
    for _, container in containers(content):
        for entry in mappings(container.get("env")):
            if isinstance(entry.get("value"), str):
                yield entry["value"]
