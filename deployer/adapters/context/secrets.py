"""Refuses secrets in what would become a part of an image."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from deployer.adapters.context.tree import Copied, Item, Text
from deployer.errors import ConfigurationError, Location, raise_all
from deployer.masking import Masker
from deployer.model import DockerSpec

Span = tuple[int, int]

_LEAST = 8
"""Characters of a secret that a text must hold to be refused for it."""

_CHUNK = 1024 * 1024
_SAMPLE = 8 * 1024

_HINT = (
    "everybody who can pull the image could read it: name it in Docker.Secrets and use it with "
    "`RUN --mount=type=secret,id=…`, or hand it to the container when it runs"
)


def refuse_secrets(docker: DockerSpec, items: Iterable[Item], where: Location, masker: Masker) -> None:
    """Raise ConfigurationError, one per place, where a secret stands in an own file, the Dockerfile or an argument.

    Own files are those of `apps/NAME/` and of the app file. Artefacts, and binary files of more than 1 MiB, are not
    searched: secrets are not written there by hand, and 14 MB a second would be too slow for them.
    """
    search = masker.search()
    if search is None:
        return
    errors = [
        ConfigurationError(f"the build argument {name} holds a secret", where=where, hint=_HINT)
        for name, value in docker.args.items()
        if _telling(search.spans(value))
    ]
    for item in items:
        for line, text in _texts(item, search.longest):
            spans = _telling(search.spans(text))
            if spans:
                number = line + text.count("\n", 0, spans[0][0])
                errors.append(_refusal(item, number, where))
                break
    raise_all(errors)


def _telling(spans: Sequence[Span]) -> Sequence[Span]:
    """Without the short ones: a word like `Hello` may stand in a text and be some secret's value by chance.

    A template that uses a secret, however short, has been refused before, when it was rendered.
    """
    return [(start, end) for start, end in spans if end - start >= _LEAST]


def _texts(item: Item, overlap: int) -> Iterator[tuple[int, str]]:
    """The content of an own file in pieces that overlap, each with the number of its first line."""
    match item.source:
        case Text(content):
            yield 1, content.decode("utf-8")
        case Copied(path, own=True):
            yield from _pieces(path, overlap)


def _pieces(path: Path, overlap: int) -> Iterator[tuple[int, str]]:
    line, before = 1, ""
    with path.open("rb") as file:
        if b"\0" in file.read(_SAMPLE) and path.stat().st_size > _CHUNK:
            return
        file.seek(0)
        while chunk := file.read(_CHUNK):
            text = before + chunk.decode("utf-8", "replace")
            yield line, text
            before = text[-4 * overlap :]
            line += text.count("\n", 0, len(text) - len(before))


def _refusal(item: Item, line: int, where: Location) -> ConfigurationError:
    if isinstance(item.source, Copied):
        return ConfigurationError(
            "a file of the Docker context holds a secret", where=Location(item.origin, line), hint=_HINT
        )
    return ConfigurationError(
        f"line {line} of {item.entry.path} holds a secret",
        where=where,
        why=f"it would be in the image, from {item.origin}",
        hint=_HINT,
    )
