"""Jinja2 macros that templates import from the repository's `macros/` directory, and which keep the types of values.

A macro sees its arguments and nothing else. One whose body is a single expression gives that expression's value: a
mapping stays one, as in `{% macro hpa(name) %}{{ {"kind": …} }}{% endmacro %}`. Every other macro gives text.
"""

from __future__ import annotations

import re
import threading
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from jinja2 import nodes
from jinja2.compiler import Frame
from jinja2.environment import Template
from jinja2.exceptions import TemplateSyntaxError
from jinja2.nativetypes import NativeCodeGenerator

from deployer.config.lazy import as_text, plain, settle
from deployer.config.suggestions import did_you_mean
from deployer.errors import ConfigurationError, Location

if TYPE_CHECKING:
    from deployer.config.templating import Environment

DIRECTORY = "macros"
_NAME = re.compile(rf"{DIRECTORY}(/[A-Za-z0-9_-][A-Za-z0-9_.-]*)+\.j2\Z")
_MAX_BYTES = 1024 * 1024
_HINT = f'{{% from "{DIRECTORY}/FILE.j2" import NAME %}}'


class MacroGenerator(NativeCodeGenerator):
    """Jinja2's compiler, which leaves values as they are, also those that are known beforehand."""

    def _output_child_to_const(self, node: nodes.Expr, frame: Frame, finalize: Any) -> Any:
        if not isinstance(node, nodes.TemplateData):
            raise nodes.Impossible
        return super()._output_child_to_const(node, frame, finalize)


def joined(values: Iterable[Any]) -> Any:
    """What a macro gives: its one value, where nothing but space is around it; else all of it as text."""
    parts = list(values)
    told = [part for part in parts if not isinstance(part, str) or part.strip()]
    if len(told) == 1 and not isinstance(told[0], str):
        return plain(settle(told[0]))  # here, so that what is undefined fails in the macro
    return "".join(part if isinstance(part, str) else as_text(part) for part in parts)


class Macros:
    """The files of a repository's `macros/`, each of which is read and compiled once."""

    def __init__(self, root: Path | None, environment: Environment) -> None:
        self._root = root
        self._environment = environment
        self._files: dict[str, Template] = {}
        self._sources: dict[str, str] = {}
        self._lock = threading.RLock()

    def get(self, name: object) -> Template:
        """A file by its path from the root of the repository. Raises ConfigurationError."""
        with self._lock:
            if not isinstance(name, str) or not _NAME.match(name):
                raise ConfigurationError(
                    f"a template can import macros only, from {DIRECTORY}/ of the repository", hint=_HINT
                )
            if name not in self._files:
                self._sources[name] = text = self._read(name)
                check(self._environment.parse(text, name, name).body, Location(name))
                code = self._environment.compile(text, name=name, filename=name)
                self._files[name] = Template.from_code(self._environment, code, self._environment.globals)
            return self._files[name]

    def source(self, name: str) -> str:
        """The text of a file that was read."""
        return self._sources.get(name, "")

    def _read(self, name: str) -> str:
        if self._root is None:
            raise ConfigurationError("a template cannot import macros here")
        path = self._root / name
        where = Location(name)
        try:
            home = (self._root / DIRECTORY).resolve()
            if not path.resolve(strict=True).is_relative_to(home):
                raise ConfigurationError(f"this file is not in {DIRECTORY}/", where=where, why="a link leads elsewhere")
            if not path.is_file():
                raise ConfigurationError("this is not an ordinary file", where=where)
            with path.open("rb") as file:
                content = file.read(_MAX_BYTES + 1)
            if len(content) > _MAX_BYTES:
                raise ConfigurationError(f"this file is larger than {_MAX_BYTES // 2**20} MiB", where=where)
            return content.decode("utf-8-sig")
        except FileNotFoundError:
            raise ConfigurationError(f"there is no {name}", hint=did_you_mean(name, self._names())) from None
        except UnicodeDecodeError:
            raise ConfigurationError("this file is not UTF-8 text", where=where) from None
        except (OSError, RuntimeError) as error:
            why = getattr(error, "strerror", None) or "a link leads to itself"
            raise ConfigurationError("this file cannot be read", where=where, why=why) from None

    def _names(self) -> list[str]:
        root = self._root or Path()
        return [str(path.relative_to(root)) for path in sorted((root / DIRECTORY).rglob("*.j2"))[:1000]]


def place(error: BaseException) -> Location | None:
    """The line of a macro's file that an exception came from, None where it came from none."""
    if isinstance(error, TemplateSyntaxError) and (error.name or "").startswith(f"{DIRECTORY}/"):
        return Location(str(error.name), error.lineno)
    found = None
    traceback = error.__traceback__
    while traceback is not None:
        template = traceback.tb_frame.f_globals.get("__jinja_template__")
        if template is not None and isinstance(template.name, str) and template.name.startswith(f"{DIRECTORY}/"):
            found = Location(template.name, template.get_corresponding_lineno(traceback.tb_lineno))
        traceback = traceback.tb_next
    return found


def check(body: Iterable[nodes.Node], home: Location | None = None) -> None:
    """Raises ConfigurationError for what a template may not have of others: everything but their macros."""
    for node in body:
        for one in (node, *node.find_all((nodes.Import, nodes.FromImport, nodes.Include, nodes.Extends))):
            where = Location(home.file, one.lineno) if home else None
            if isinstance(one, (nodes.Include, nodes.Extends)):
                hint = f"put what they share into a macro: {_HINT}"
                raise ConfigurationError("a template cannot include or extend another one", where=where, hint=hint)
            if isinstance(one, (nodes.Import, nodes.FromImport)) and one.with_context:
                hint = "give them what they need as arguments"
                raise ConfigurationError("macros cannot be imported with context", where=where, hint=hint)
