"""Variables of the command line (`-e`, `--version`) and the built-in ones."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Sequence
from functools import cache
from pathlib import Path

from deployer.config import document, encrypted
from deployer.config.evaluation import Builtins
from deployer.config.layers import merge
from deployer.config.nodes import Entry, MappingNode, ScalarNode
from deployer.errors import ConfigurationError, Location, UsageError
from deployer.model import Target

COMMAND_LINE = "--extra-vars"
VERSION_OPTION = "--version"

RESERVED = frozenset({"STAGE", "REGION", "APPLICATION", "BRANCH", "DockerHash", "GitCommit", "DeploymentId"})
"""Built-in variables that nothing may set."""

FROM_APP = frozenset({"Version", "Tag"})
"""Built-in variables that come from the app file, or from the command line."""

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*\Z")
_WORD = re.compile(
    r"""(?: "(?:\\.|[^"\\])*" | '[^']*' | \{\{.*?\}\} | \{%.*?%\} | [^\s"'] )+""", re.VERBOSE | re.DOTALL
)
_QUOTE_HINT = "quote a value that has spaces or quotes: -e 'KEY=\"a b\"'"


def extra_variables(options: Sequence[str], version: str | None = None) -> MappingNode:
    """What `-e` and `--version` say, as the layer that wins over all.

    An option is `KEY=VALUE …` as in Ansible (values are texts; quotes keep spaces), a JSON or YAML mapping in braces,
    or `@FILE` (`@-`: standard input). Later options win. Raises UsageError, or ConfigurationError for the content of a
    file.
    """
    layers = [_option(option) for option in options]
    if version is not None:
        if any("Version" in layer.entries for layer in layers):
            raise UsageError("the version is given twice", why="both --version and -e set Version")
        if not version:
            raise UsageError("--version is empty")
        layers.append(_mapping({"Version": ScalarNode(version, VERSION_OPTION, literal=True)}, VERSION_OPTION))
    merged = merge(layers)
    for name in merged.entries:
        if name in RESERVED:
            raise UsageError(f"-e cannot set {name}", why="it is a built-in variable")
        if not isinstance(name, str) or not _NAME.match(name):
            raise UsageError(f"-e cannot set {name!r}", why="a variable's name has letters, digits and underscores")
    return merged


def _option(option: str) -> MappingNode:
    text = option.strip()
    if text.startswith("@"):
        return _file(text[1:])
    if text.startswith(("{", "[")):
        try:
            return document.parse(text, COMMAND_LINE)
        except ConfigurationError as error:
            raise UsageError(
                "-e is not a JSON or YAML mapping",
                why=": ".join(filter(None, (error.what, error.why))),
                hint=error.hint,
            ) from None
    return _pairs(text)


def _file(name: str) -> MappingNode:
    content = _standard_input() if name == "-" else document.read(Path(name).expanduser(), name)
    if encrypted.is_encrypted(content):
        raise ConfigurationError("-e cannot read a file that SOPS encrypted", where=Location(name))
    return content


@cache
def _standard_input() -> MappingNode:
    """What standard input has, which can be read only once."""
    try:
        content = sys.stdin.buffer.read(document.MAX_BYTES + 1)
    except (OSError, ValueError) as error:
        why = getattr(error, "strerror", None) or "it is closed"
        raise UsageError("-e @- cannot read standard input", why=why) from None
    if len(content) > document.MAX_BYTES:
        raise UsageError(f"-e @-: standard input is larger than {document.MAX_BYTES // 2**20} MiB")
    return document.parse(content, "-")


def _pairs(text: str) -> MappingNode:
    entries: dict[str, ScalarNode] = {}
    position = 0
    while position < len(text):
        word = _WORD.match(text, position)
        if not word:
            raise UsageError("-e is not KEY=VALUE", why="a quote is not closed", hint=_QUOTE_HINT)
        key, equals, value = word.group().partition("=")
        if not equals:
            raise UsageError("-e is not KEY=VALUE", why=f"{key!r} has no '=' after it", hint=_QUOTE_HINT)
        if not _NAME.match(key):
            hint = 'for keys inside a mapping write JSON: -e \'{"Values": {"myapp": {"Replicas": 3}}}\''
            raise UsageError("-e is not KEY=VALUE", why=f"{key!r} is no name for a variable", hint=hint)
        entries[key] = ScalarNode(_unquote(value), COMMAND_LINE)
        position = word.end()
        while position < len(text) and text[position].isspace():
            position += 1
    if not entries:
        raise UsageError("-e is empty", hint="write -e KEY=VALUE, -e '{JSON}' or -e @FILE")
    return _mapping(entries, COMMAND_LINE)


def _unquote(value: str) -> str:
    if len(value) >= 2 and value[0] == value[-1] == "'":
        return value[1:-1]
    if len(value) >= 2 and value[0] == value[-1] == '"':
        return re.sub(r"\\(.)", r"\1", value[1:-1])
    return value


def _mapping(values: dict[str, ScalarNode], file: str) -> MappingNode:
    return MappingNode({key: Entry(Location(file), value) for key, value in values.items()}, file)


def builtins(target: Target, git_commit: Callable[[], str | None], deployment_id: Callable[[], str]) -> Builtins:
    """The variables that every template of a target has, apart from those that the app file gives.

    `git_commit` and `deployment_id` are called when a template first uses them.
    """
    return {
        "STAGE": target.stage,
        "REGION": target.region,
        "APPLICATION": target.app,
        "BRANCH": target.branch or "",
        "GitCommit": git_commit,
        "DeploymentId": deployment_id,
    }


def refuse_builtins(layer: MappingNode, *, app: bool) -> list[ConfigurationError]:
    """An error for each built-in variable that a file tries to set. An app may set Version and Tag."""
    refused = RESERVED if app else RESERVED | FROM_APP
    return [
        ConfigurationError(
            f"{name} is a built-in variable and cannot be set here",
            where=entry.location,
            hint=f"set {name} in apps/NAME.yml" if name in FROM_APP else "give your variable another name",
        )
        for name, entry in layer.entries.items()
        if name in refused
    ]
