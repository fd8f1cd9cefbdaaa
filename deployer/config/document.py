"""Reads a YAML file into nodes that know their file, line and column.

The types are those of YAML 1.1 as Ansible reads it, with one exception: timestamps stay the text that they are
written as. Events are composed here and not by PyYAML, whose composer keeps no duplicate keys and follows nesting
without a limit (deep input ends the process).
"""

from __future__ import annotations

import stat
from pathlib import Path
from typing import Any, NamedTuple, NoReturn

import yaml
from yaml.constructor import SafeConstructor

from deployer.config.nodes import Entry, MappingNode, Node, ScalarNode, SequenceNode
from deployer.errors import ConfigurationError, Location

MAX_BYTES = 10 * 1024 * 1024
MAX_DEPTH = 100
MAX_NODES = 200_000
"""Of one file, counting what aliases repeat."""

_TAG = "tag:yaml.org,2002:"
_TEXT_TAGS = {_TAG + "str", _TAG + "timestamp", _TAG + "value", "!"}
_CONSTRUCTORS = {"int": "construct_yaml_int", "float": "construct_yaml_float", "bool": "construct_yaml_bool"}
_CONSTRUCTOR = SafeConstructor()
_RESOLVERS: dict[str, list[tuple[str, Any]]] = yaml.SafeLoader.yaml_implicit_resolvers
_MERGE = object()
_IN_PROGRESS = object()

_BRACES_HINT = "a value that begins with '{{' must be quoted: key: \"{{ … }}\""
_TAG_HINTS = {
    "!vault": "Ansible Vault is not read here; keep secrets in group_vars/secrets_STAGE.yml, encrypted by SOPS",
}


def read(path: Path, name: str) -> MappingNode:
    """The content of a YAML file; an empty file is an empty mapping. `name` is what errors call the file."""
    place = Location(name)
    try:
        status = path.stat()
        if not stat.S_ISREG(status.st_mode):
            raise ConfigurationError("this is not an ordinary file", where=place)
        if status.st_size > MAX_BYTES:
            raise ConfigurationError(f"this file is larger than {MAX_BYTES // 2**20} MiB", where=place)
        content = path.read_bytes()
    except OSError as error:
        raise ConfigurationError("this file cannot be read", where=place, why=error.strerror or str(error)) from error
    return parse(content, name)


def parse(content: bytes | str, name: str) -> MappingNode:
    """The mapping that a YAML text holds. Raises ConfigurationError for everything that it should not be."""
    text = _decode(content if isinstance(content, bytes) else content.encode("utf-8", "surrogateescape"), name)
    node = _compose(text, name)
    if node is None or (isinstance(node, ScalarNode) and node.value is None):
        return MappingNode({}, name)
    if not isinstance(node, MappingNode):
        kind = "a list" if isinstance(node, SequenceNode) else "a single value"
        raise ConfigurationError(
            f"the file must be a mapping (KEY: VALUE), but it is {kind}",
            where=node.location,
            hint=None if isinstance(node, SequenceNode) else "is there a space after each colon?",
        )
    return node


def _decode(content: bytes, name: str) -> str:
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        column = error.start - (content.rfind(b"\n", 0, error.start) + 1) + 1
        raise ConfigurationError(
            "this file is not UTF-8 text",
            where=Location(name, line, column),
            why=f"byte 0x{content[error.start]:02x} does not belong there",
            hint="save it as UTF-8, or keep binary content as base64 text",
        ) from None


def _compose(text: str, name: str) -> Node | None:
    loader = yaml.CSafeLoader(text)
    try:
        return _Composer(loader, name).document()
    except yaml.YAMLError as error:
        raise _syntax_error(error, text, name) from None
    finally:
        loader.dispose()


class _Anchored(NamedTuple):
    """What an alias stands for: how many values that are, and how many levels of them below the first."""

    node: Any
    size: int
    levels: int


class _Composer:
    """Turns the events of one YAML stream into nodes."""

    def __init__(self, loader: Any, file: str) -> None:
        self._next = loader.get_event
        self._file = file
        self._anchors: dict[str, _Anchored] = {}
        self._count = 0
        self._deepest = 0

    def document(self) -> Node | None:
        self._next()  # the stream's start
        event = self._next()
        if isinstance(event, yaml.StreamEndEvent):
            return None
        node: Node = self._node(self._next(), 0)
        self._next()  # the document's end
        following = self._next()
        if not isinstance(following, yaml.StreamEndEvent):
            self._fail("the file holds more than one YAML document", following, hint="remove the '---' in the middle")
        return node

    def _node(self, event: Any, depth: int) -> Any:
        self._reach(depth, event)
        self._count += 1
        if self._count > MAX_NODES:
            self._fail(f"the file holds more than {MAX_NODES:,} values", event, hint="aliases that repeat each other?")
        if isinstance(event, yaml.AliasEvent):
            return self._alias(event, depth)
        if event.anchor is None:
            return self._content(event, depth)
        before, outside, self._deepest = self._count, self._deepest, depth
        self._anchors[event.anchor] = _Anchored(_IN_PROGRESS, 0, 0)
        node = self._content(event, depth)
        self._anchors[event.anchor] = _Anchored(node, self._count - before + 1, self._deepest - depth)
        self._deepest = max(self._deepest, outside)
        return node

    def _reach(self, depth: int, event: Any) -> None:
        if depth > MAX_DEPTH:
            self._fail(f"this is nested more than {MAX_DEPTH} levels deep", event)
        self._deepest = max(self._deepest, depth)

    def _content(self, event: Any, depth: int) -> Any:
        if isinstance(event, yaml.ScalarEvent):
            return self._scalar(event)
        if isinstance(event, yaml.SequenceStartEvent):
            return self._sequence(event, depth)
        return self._mapping(event, depth)

    def _alias(self, event: Any, depth: int) -> Any:
        if event.anchor not in self._anchors:
            self._fail(f"the alias *{event.anchor} has no anchor &{event.anchor} before it", event)
        anchored = self._anchors[event.anchor]
        if anchored.node is _IN_PROGRESS:
            self._fail(f"the alias *{event.anchor} stands inside its own anchor", event)
        self._reach(depth + anchored.levels, event)
        self._count += anchored.size
        return anchored.node

    def _sequence(self, event: Any, depth: int) -> SequenceNode:
        self._check_tag(event, "seq")
        items: list[Node] = []
        while not isinstance(following := self._next(), yaml.SequenceEndEvent):
            item = self._node(following, depth + 1)
            if item is _MERGE:
                item = ScalarNode("<<", self._file, *_position(following))
            items.append(item)
        return SequenceNode(tuple(items), self._file, *_position(event))

    def _mapping(self, event: Any, depth: int) -> MappingNode:
        self._check_tag(event, "map")
        entries: dict[Any, Entry] = {}
        merged: list[MappingNode] = []
        while not isinstance(key_event := self._next(), yaml.MappingEndEvent):
            key = self._node(key_event, depth + 1)
            value_event = self._next()
            value = self._node(value_event, depth + 1)
            if value is _MERGE:
                value = ScalarNode("<<", self._file, *_position(value_event))
            if key is _MERGE:
                merged += self._merged(value, value_event)
                continue
            if not isinstance(key, ScalarNode):
                both_flow = event.flow_style and isinstance(key, MappingNode) and key.flow
                hint = _BRACES_HINT if both_flow else None
                self._fail("a key must be a single value, not a list or mapping", key_event, hint=hint)
            place = Location(self._file, *_position(key_event))
            if key.value in entries:
                first = entries[key.value].location
                self._fail(f"the key {key.value!s} stands here twice", key_event, why=f"first in line {first.line}")
            entries[key.value] = Entry(place, value)
        for mapping in merged:
            for name, entry in mapping.entries.items():
                entries.setdefault(name, entry)
        return MappingNode(entries, self._file, *_position(event), flow=bool(event.flow_style))

    def _merged(self, node: Any, event: Any) -> list[MappingNode]:
        """The mappings that a merge key (`<<`) names, the strongest first."""
        parts = node.items if isinstance(node, SequenceNode) else (node,)
        mappings = [part for part in parts if isinstance(part, MappingNode)]
        if len(mappings) != len(parts):
            self._fail("the merge key << takes a mapping, or a list of mappings", event)
        return mappings

    def _scalar(self, event: Any) -> Any:
        line, column = _position(event)
        tag, value = event.tag, event.value
        if tag is None:
            tag = _implicit_tag(value) if event.implicit[0] else _TAG + "str"
        if tag == _TAG + "merge":
            return _MERGE
        literal = tag == "!unsafe"
        if tag in _TEXT_TAGS or literal:
            return ScalarNode(value, self._file, line, column, block=event.style == "|", literal=literal)
        if tag == _TAG + "null":
            return ScalarNode(None, self._file, line, column)
        constructor = _CONSTRUCTORS.get(tag.removeprefix(_TAG))
        if constructor is None or not tag.startswith(_TAG):
            self._refuse_tag(tag, event)
        try:
            parsed = getattr(_CONSTRUCTOR, constructor)(yaml.ScalarNode(tag, value))
        except (ValueError, LookupError, OverflowError):
            self._fail(f"this is not {'an' if 'int' in tag else 'a'} {tag.removeprefix(_TAG)}", event)
        return ScalarNode(parsed, self._file, line, column)

    def _check_tag(self, event: Any, kind: str) -> None:
        if event.tag not in (None, "!", _TAG + kind):
            self._refuse_tag(event.tag, event)

    def _refuse_tag(self, tag: str, event: Any) -> NoReturn:
        shown = "!!" + tag.removeprefix(_TAG) if tag.startswith(_TAG) else tag
        self._fail(f"the tag {shown} is not known here", event, hint=_TAG_HINTS.get(shown))

    def _fail(self, what: str, event: Any, *, why: str | None = None, hint: str | None = None) -> NoReturn:
        raise ConfigurationError(what, where=Location(self._file, *_position(event)), why=why, hint=hint)


def _position(event: Any) -> tuple[int, int]:
    return event.start_mark.line + 1, event.start_mark.column + 1


def _implicit_tag(value: str) -> str:
    """The YAML 1.1 type of a plain scalar, by PyYAML's own tables."""
    for tag, pattern in _RESOLVERS.get(value[:1], []):
        if pattern.match(value):
            return tag
    return _TAG + "str"


def _syntax_error(error: yaml.YAMLError, text: str, name: str) -> ConfigurationError:
    """What libyaml says, with a hint for what is usually behind it."""
    if isinstance(error, yaml.reader.ReaderError):
        before = text[: error.position] if isinstance(error.position, int) else ""
        place = Location(name, before.count("\n") + 1)
        return ConfigurationError("this is not YAML", where=place, why="it holds a control character")
    mark = getattr(error, "problem_mark", None) or getattr(error, "context_mark", None)
    place = Location(name, mark.line + 1, mark.column + 1) if mark else Location(name)
    problem = getattr(error, "problem", None) or "it cannot be read"
    context = getattr(error, "context", None)
    return ConfigurationError(
        "this is not YAML",
        where=place,
        why=f"{problem} {context}" if context else problem,
        hint=_syntax_hint(problem, _line(text, mark), mark),
    )


def _line(text: str, mark: Any) -> str:
    lines = text.split("\n")
    return lines[mark.line] if mark and mark.line < len(lines) else ""


def _syntax_hint(problem: str, line: str, mark: Any) -> str | None:
    if line[: len(line) - len(line.lstrip())].count("\t"):
        return "indent with spaces; YAML does not take tabs"
    if "found character" in problem and mark and line[mark.column : mark.column + 1] in ("%", "@", "`"):
        return f"a value that begins with '{line[mark.column]}' must be quoted"
    if "mapping values are not allowed" in problem:
        return "a value that contains ': ' must be quoted; else look at the indentation"
    if "{{" in line and "expected" in problem:
        return _BRACES_HINT
    if "expected" in problem:
        return "look at indentation, quotes and brackets here and in the lines before"
    return None
