"""The app's own files, below `apps/NAME/`: found first, and read only when they are in its Docker context."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from deployer.adapters.context.hashing import hash_files
from deployer.adapters.context.tree import Copied, Item, text_item
from deployer.errors import ConfigurationError, Location
from deployer.model import ContextEntry

_TEMPLATE = ".j2"
_UNREADABLE = "a file of the Docker context cannot be read"
_SPECIAL = "the Docker context holds something that is neither file, directory nor link"
_NOT_UTF_8 = "the name of a file is not UTF-8"

Kind = Literal["file", "template", "link"]
Renderer = Callable[[str, Location], str]


@dataclass(frozen=True, slots=True)
class Found:
    """Something in the directory: its path in the context, and in the repository.

    `problem` is why it can be in no context, in the words of an error; `why` is what the system says of it.
    """

    path: Path
    name: str
    origin: str
    kind: Kind = "file"
    problem: str = ""
    why: str | None = None

    def refusal(self) -> ConfigurationError:
        """The problem as an error."""
        return ConfigurationError(self.problem, where=self.origin, why=self.why)


def find(directory: Path, root: Path) -> Iterator[Found]:
    """All that lies below a directory of the repository at `root`, links not followed.

    Directories are not counted for themselves: Git does not keep empty ones. Raises ConfigurationError when the
    directory itself cannot be read; one below it is found with its problem.
    """
    base = directory.relative_to(root) if directory.is_relative_to(root) else directory
    remaining = [""]
    while remaining:
        above = remaining.pop()
        try:
            with os.scandir(directory / above) as listing:
                items = list(listing)
        except OSError as error:
            unreadable = replace(_found(directory / above, base, above), problem=_UNREADABLE, why=error.strerror)
            if not above:
                raise unreadable.refusal() from error
            yield unreadable
            continue
        for item in items:
            name = f"{above}/{item.name}" if above else item.name
            found = _found(Path(item.path), base, name)
            if item.is_symlink():
                yield replace(found, kind="link")
            elif item.is_dir():
                remaining.append(name)
            elif not item.is_file():
                yield replace(found, problem=found.problem or _SPECIAL)
            elif found.path.suffix == _TEMPLATE:
                yield replace(found, kind="template", name=found.name.removesuffix(_TEMPLATE))
            else:
                yield found


def read(found: Sequence[Found], render: Renderer) -> Iterator[Item]:
    """What was found, as parts of the context; templates are rendered. Raises ConfigurationError."""
    for one in found:
        if one.problem:
            raise one.refusal()
    files = [one for one in found if one.kind == "file"]
    try:
        facts = hash_files([one.path for one in files])
    except OSError as error:
        origins = {os.fspath(one.path): one.origin for one in files}
        raise ConfigurationError(
            _UNREADABLE, where=origins.get(os.fspath(error.filename)), why=error.strerror
        ) from error
    for one, known in zip(files, facts, strict=True):
        entry = ContextEntry(one.name, "file", known.executable, known.size, known.sha256)
        yield Item(entry, one.origin, Copied(one.path, own=True))
    for one in found:
        try:
            if one.kind == "link":
                yield Item(ContextEntry(one.name, "link", target=_target(one)), one.origin)
            elif one.kind == "template":
                executable = bool(one.path.stat().st_mode & stat.S_IXUSR)
                yield text_item(
                    one.name, render(_text(one), Location(one.origin, 1)), one.origin, executable=executable
                )
        except OSError as error:
            raise ConfigurationError(_UNREADABLE, where=one.origin, why=error.strerror) from error


def _found(path: Path, base: Path, name: str) -> Found:
    origin = f"{base.as_posix()}/{name}".rstrip("/")
    encoded = os.fsencode(name)
    try:
        return Found(path, encoded.decode("utf-8"), origin)
    except UnicodeDecodeError:
        return Found(path, encoded.decode("utf-8", "replace"), ascii(origin), problem=_NOT_UTF_8)


def _target(link: Found) -> str:
    try:
        return os.fsencode(os.readlink(link.path)).decode("utf-8")  # noqa: PTH115 -- Path would tidy it
    except UnicodeDecodeError as error:
        raise ConfigurationError("the target of a link is not UTF-8", where=link.origin, why=str(error)) from None


def _text(template: Found) -> str:
    try:
        return template.path.read_bytes().decode("utf-8")
    except UnicodeDecodeError as error:
        raise ConfigurationError("a template is not UTF-8", where=template.origin, why=str(error)) from None
