"""Keys of secrets files as they are typed: `Values.myapp.PASSWORD`, `Values["my.app"].Hosts[0]`."""

from __future__ import annotations

import re

from deployer.config.nodes import MappingNode, Node, Path, SequenceNode, show_path
from deployer.config.suggestions import did_you_mean
from deployer.errors import Location, UsageError

_PART = re.compile(
    r"""(?P<start>^|\.)(?P<word>\w[\w-]*) | \[(?P<index>\d+)\]
    | \[(?P<quote>["'])(?P<text>[^\[\]"']+)(?P=quote)\]""",
    re.VERBOSE,
)
_WORD = re.compile(r"\w[\w-]*\Z")
_LONGEST = 300


def parse_key(text: str) -> tuple[str | int, ...]:
    """The path that a key names. Raises UsageError, which never repeats the text: it may be a value."""
    path: list[str | int] = []
    position = 0
    while position < len(text) <= _LONGEST:
        part = _PART.match(text, position)
        if part is None:
            break
        path.append(int(part["index"]) if part["index"] else part["word"] or part["text"])
        position = part.end()
    if not path or position != len(text) or isinstance(path[0], int):
        raise UsageError(
            "this is not a key",
            where="KEY",
            why="values are never taken from the command line, where other users and the shell's history see them"
            if re.search(r"[=\s]|://", text) or text.startswith("-") or len(text) > _LONGEST
            else "it is not of the form Values.myapp.PASSWORD",
            hint='write Values.myapp.PASSWORD, or Values["my.app"].Hosts[0]; '
            "the value is asked for, or comes from standard input",
        )
    if path[0] == "sops":
        raise UsageError("`sops` is SOPS' own part of the file", where="KEY")
    return tuple(path)


def show_key(path: Path) -> str:
    """A path as it is typed; a key with dots or the like stands in quotes."""
    if not any(isinstance(part, str) and not _WORD.match(part) for part in path):
        return show_path(path)
    text = ""
    for part in path:
        if isinstance(part, int) and not isinstance(part, bool):
            text += f"[{part}]"
        elif isinstance(part, str) and not _WORD.match(part):
            text += f'["{part}"]'
        else:
            text += f".{part}" if text else str(part)
    return text


def find(tree: MappingNode, path: tuple[str | int, ...], *, where: str) -> Node | None:
    """What stands at a path; None when there is nothing. Raises UsageError where a value is in the way."""
    node: Node = tree
    for depth, part in enumerate(path):
        match node:
            case MappingNode() if isinstance(part, str):
                if part not in node.entries:
                    if any(isinstance(item, int) and item > 0 for item in path[depth + 1 :]):
                        what = f"there is no list {show_key(path[: depth + 1])}"
                        raise UsageError(what, where=where, hint="the first item is [0]")
                    return None
                node = node.entries[part].value
            case SequenceNode() if isinstance(part, int):
                if part > len(node.items):
                    raise UsageError(
                        f"{show_key(path[:depth])} has {len(node.items)} items", where=where, hint="the first is [0]"
                    )
                if part == len(node.items):
                    return None
                node = node.items[part]
            case _:
                kind = {MappingNode: "a mapping", SequenceNode: "a list"}.get(type(node), "a single value")
                raise UsageError(
                    f"{show_key(path[:depth])} is {kind}",
                    where=Location(where, node.line),
                    why="the key goes through it",
                )
    return node


def unknown(tree: MappingNode, path: tuple[str | int, ...], where: str) -> UsageError:
    """The error for a key that is not there, with what was probably meant."""
    from deployer.config.sops_files import stored_values

    keys = [show_key(value.path) for value in stored_values(tree)]
    return UsageError(
        f"there is no key {show_key(path)}",
        where=where,
        hint=did_you_mean(show_key(path), keys) or "`deploy secrets keys`",
    )
