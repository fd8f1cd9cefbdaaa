"""Jinja2 as Ansible sets it up, with strict undefined, a sandbox, and values that are evaluated when used.

A text that is exactly one expression gives that expression's value with its type; everything else gives text.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from jinja2 import nodes
from jinja2.compiler import CodeGenerator, Frame
from jinja2.environment import Template
from jinja2.runtime import Context, StrictUndefined
from jinja2.sandbox import SandboxedEnvironment
from jinja2.utils import missing

from deployer.config import filters, macros
from deployer.config.lazy import OMIT, LazyMapping, as_text, settle, settled
from deployer.config.reproducible import tells_the_time

_RESULT = "deployer_result"
_MAX_TEXT = 10 * 1024 * 1024
_TOO_LONG = f"the text is longer than {_MAX_TEXT // 2**20} MiB"
_MAX_EXPONENT = 10_000


class MissingValue(Exception):
    """A template used what is not defined. `name`: of what; `owner`: what has no such key, None for a variable."""

    def __init__(self, name: Any, owner: Any, hint: str | None) -> None:
        super().__init__(hint or "undefined")
        self.name = name
        self.owner = owner


class Missing(StrictUndefined):
    """An undefined value: fails when it is used, and so do its attributes, unless `default` or `defined` ask first."""

    __slots__ = ()

    def __init__(self, hint: str | None = None, obj: Any = missing, name: Any = None, exc: Any = None) -> None:
        super().__init__(hint, obj, name)
        owner = None if obj is missing else obj
        self._undefined_exception: Any = exc or (lambda _: MissingValue(name, owner, hint))

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        return self

    def __getitem__(self, key: Any) -> Any:
        return self


class Deferred:
    """A variable that was named but not used yet: Jinja2 asks for all names of a template before it runs it."""

    __slots__ = ("get",)

    def __init__(self, get: Callable[[], Any]) -> None:
        self.get = get


class _Generator(CodeGenerator):
    """Jinja2's compiler, with variables that are evaluated where they are used (so not in a branch not taken)."""

    def visit_Name(self, node: nodes.Name, frame: Frame) -> None:  # noqa: N802 - Jinja2's visitor
        if node.ctx != "load":
            super().visit_Name(node, frame)
            return
        self.write("environment.force(")
        super().visit_Name(node, frame)
        self.write(")")


class ScopedContext(Context):
    """Jinja2's context, whose variables come from `find`, a function from a name to a value or to `missing`."""

    find: Callable[[str], Any] = staticmethod(lambda _: missing)

    def resolve_or_missing(self, key: str) -> Any:
        """A variable set in the template, else one of ours, else one of Jinja2's functions."""
        if key in self.vars:
            return self.vars[key]
        value = self.find(key)
        return self.parent.get(key, missing) if value is missing else value


class Environment(SandboxedEnvironment):
    """What all templates share. Holds no values, so it may be used from several threads."""

    code_generator_class = _Generator
    context_class = ScopedContext
    intercepted_binops = frozenset({"*", "**"})
    macros: macros.Macros

    def __init__(self) -> None:
        super().__init__(
            trim_blocks=True,
            keep_trailing_newline=True,
            undefined=Missing,
            finalize=as_text,
            autoescape=False,
            cache_size=0,
        )
        del self.globals["lipsum"]
        self.globals["omit"] = OMIT
        own: dict[str, Any] = {name: f if name in filters.LAZY else settled(f) for name, f in self.filters.items()}
        own |= {"bool": filters.to_bool, "mandatory": filters.mandatory}
        self.filters: Any = filters.Plugins(own, filters.ansible_filters, settled)
        self.tests: Any = filters.Plugins(dict(self.tests), filters.ansible_tests, settled)

    def get_template(self, name: Any, parent: str | None = None, globals: Any = None) -> Template:
        """A file of macros, for `import`."""
        return self.macros.get(name)

    @staticmethod
    def force(value: Any) -> Any:
        """The value of a variable that is used now."""
        return value.get() if type(value) is Deferred else value

    def getattr(self, obj: Any, attribute: str) -> Any:
        """`obj.attribute`: Python's attribute where the sandbox allows it, else the mapping's key."""
        if isinstance(obj, Missing):
            return obj
        value = super().getattr(obj, attribute)
        if isinstance(value, Missing) and isinstance(obj, (LazyMapping, dict)) and attribute in obj:
            return obj[attribute]
        return value

    def is_safe_attribute(self, obj: Any, attr: str, value: Any) -> bool:
        """Whether templates may have an attribute of Python's."""
        return not tells_the_time(obj, attr) and super().is_safe_attribute(obj, attr, value)

    def getitem(self, obj: Any, argument: Any) -> Any:
        """`obj[argument]`."""
        return obj if isinstance(obj, Missing) else super().getitem(obj, argument)

    def call_binop(self, context: Context, operator: str, left: Any, right: Any) -> Any:
        """`*` and `**`, within bounds."""
        if operator == "**" and isinstance(right, (int, float)) and abs(right) > _MAX_EXPONENT:
            raise OverflowError(f"the exponent is larger than {_MAX_EXPONENT:,}")
        for content, times in ((left, right), (right, left)):
            if isinstance(content, (str, list, tuple)) and isinstance(times, int) and len(content) * times > _MAX_TEXT:
                raise OverflowError("the result would be too large")
        return super().call_binop(context, operator, left, right)


class _MacroGenerator(_Generator, macros.MacroGenerator):
    """For files of macros."""


class _MacroEnvironment(Environment):
    """What the files of macros share: the values that macros give keep their types."""

    code_generator_class = _MacroGenerator
    concat = staticmethod(macros.joined)

    def __init__(self) -> None:
        super().__init__()
        self.finalize = None


class Compiled:
    """One template, ready to be evaluated in any context."""

    def __init__(self, environment: Environment, source: str, *, native: bool) -> None:
        body = environment.parse(source).body
        macros.check(body)
        self._imports = [node for node in body if isinstance(node, (nodes.Import, nodes.FromImport))]
        outputs = [part for node in body if isinstance(node, nodes.Output) for part in node.nodes]
        if self._imports:  # space around them is no part of the value
            outputs = [part for part in outputs if not (isinstance(part, nodes.TemplateData) and part.data.isspace())]
        only_output = all(isinstance(node, nodes.Output) for node in body)
        only_one = len(outputs) == 1 and not isinstance(outputs[0], nodes.TemplateData)
        rest = [node for node in body if node not in self._imports]
        self._environment = environment
        self._single = native and only_one and all(isinstance(node, nodes.Output) for node in rest)
        self._simple = outputs if only_output and all(map(_is_simple, outputs)) else None
        self._template = None if self._simple is not None else self._compile(body, outputs)

    def _compile(self, body: list[nodes.Node], outputs: list[nodes.Expr]) -> Template:
        if self._single:
            target = nodes.Name(_RESULT, "store", lineno=1)
            body = [*self._imports, nodes.Assign(target, outputs[0], lineno=outputs[0].lineno)]
        tree = nodes.Template(body, lineno=1)
        tree.set_environment(self._environment)
        return self._environment.from_string(tree)

    def evaluate(self, find: Callable[[str], Any], functions: Mapping[str, Any], reached: Callable[[int], None]) -> Any:
        """The template's value. `reached` is told the line (from 1) that was evaluated when it fails."""
        if self._simple is not None:
            return self._walk(find, functions, reached)
        assert self._template is not None  # noqa: S101 - one of the two is set
        parent = {**self._environment.globals, **functions}
        context = ScopedContext(self._environment, parent, None, self._template.blocks)
        context.find = find
        try:
            text = _joined(self._template.root_render_func(context))
            return _checked(settle(context.vars[_RESULT])) if self._single else text
        except Exception as error:
            reached(_failed_line(error, self._template))
            raise

    def _walk(self, find: Callable[[str], Any], functions: Mapping[str, Any], reached: Callable[[int], None]) -> Any:
        """Evaluates names, attributes and items without compiling: most templates are no more than that."""
        values = []
        for part in self._simple or ():
            try:
                value = self._simple_value(part, find, functions)
                if self._single:
                    return _checked(settle(value))
                values.append(value if isinstance(part, nodes.TemplateData) else as_text(value))
            except Exception:
                reached(part.lineno)
                raise
        return _joined(values)

    def _simple_value(self, node: nodes.Expr, find: Callable[[str], Any], functions: Mapping[str, Any]) -> Any:
        match node:
            case nodes.TemplateData():
                return node.data
            case nodes.Const():
                return node.value
            case nodes.Name():
                value = self._environment.force(find(node.name))
                if value is missing:
                    value = functions.get(node.name, self._environment.globals.get(node.name, missing))
                return self._environment.undefined(name=node.name) if value is missing else value
            case nodes.Getattr():
                return self._environment.getattr(self._simple_value(node.node, find, functions), node.attr)
            case nodes.Getitem():
                owner = self._simple_value(node.node, find, functions)
                return self._environment.getitem(owner, self._simple_value(node.arg, find, functions))
        raise AssertionError(node)


def _joined(parts: Iterable[str]) -> str:
    """The text of a template, which ends too long a loop."""
    found: list[str] = []
    size = 0
    for part in parts:
        size += len(part)
        if size > _MAX_TEXT:
            raise OverflowError(_TOO_LONG)
        found.append(part)
    return "".join(found)


def _checked(value: Any) -> Any:
    if isinstance(value, str) and len(value) > _MAX_TEXT:
        raise OverflowError(_TOO_LONG)
    return value


def _is_simple(node: nodes.Node) -> bool:
    match node:
        case nodes.TemplateData() | nodes.Const() | nodes.Name():
            return True
        case nodes.Getattr():
            return _is_simple(node.node)
        case nodes.Getitem():
            return _is_simple(node.node) and _is_simple(node.arg)
    return False


def _failed_line(error: Exception, template: Template) -> int:
    """The template line that an exception came from, by the traceback of Jinja2's generated code."""
    line = 1
    traceback = error.__traceback__
    while traceback is not None:
        if traceback.tb_frame.f_globals.get("__jinja_template__") is template:
            line = template.get_corresponding_lineno(traceback.tb_lineno)
        traceback = traceback.tb_next
    return line


class Templates:
    """Compiles each template once. `root` is the repository, whose macros they may import."""

    def __init__(self, root: Path | None = None) -> None:
        self.environment = Environment()
        of_macros = _MacroEnvironment()
        self.environment.macros = of_macros.macros = macros.Macros(root, of_macros)
        self._compiled: dict[tuple[str, bool], Compiled] = {}

    def compile(self, source: str, *, native: bool = True) -> Compiled:
        """Raises jinja2.TemplateSyntaxError, or whatever Python's compiler says of a monster."""
        key = (source, native)
        if key not in self._compiled:
            self._compiled[key] = Compiled(self.environment, source, native=native)
        return self._compiled[key]

    def prepare(self, source: str) -> None:
        """Compile ahead; errors are kept for when the template is used."""
        with suppress(Exception):
            self.compile(source)
