"""Jinja2's filters and tests, and Ansible's, which are loaded when a template first uses one of them.

Ansible's stand in for Jinja2's only where they do something else (`random`, `unique`); those that Ansible redefines
for its own bookkeeping (`default`, `map`, `select`, `groupby`, `defined` …) give the same results in Jinja2. What
would differ from one machine or run to the next is refused (`reproducible`).
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

from jinja2.runtime import Undefined

from deployer.config.reproducible import reproducible
from deployer.config.suggestions import did_you_mean
from deployer.errors import ConfigurationError

Function = Callable[..., Any]

ANSIBLE_WINS = frozenset({"random", "unique"})

LAZY = frozenset(
    {
        "default",
        "d",
        "mandatory",
        "map",
        "select",
        "reject",
        "selectattr",
        "rejectattr",
        "attr",
        "first",
        "last",
        "length",
        "count",
        "bool",
        "string",
        "trim",
    }
)
"""Filters that look at no more of their input than they need, so that lazy values go in as they are."""

_FILTER_MODULES = ("core", "mathstuff", "urls", "urlsplit", "encryption")
_TEST_MODULES = ("core", "files", "mathstuff", "uri")
_PREFIXES = ("ansible.builtin.", "ansible.legacy.")

_TRUE = {"yes", "on", "true", "1"}
_FALSE = {"no", "off", "false", "0"}


def to_bool(value: Any) -> bool:
    """Ansible's `bool`; a value that is none of its words is an error and not false."""
    word = str(value).lower() if isinstance(value, (str, int)) else None
    if word in _TRUE:
        return True
    if word in _FALSE:
        return False
    raise ValueError(f"{value!r} is not a boolean (yes, no, on, off, true, false, 1, 0)")


def mandatory(value: Any, message: str | None = None) -> Any:
    """Ansible's `mandatory`: the value, or an error in the template's own words."""
    if isinstance(value, Undefined) and message is not None:
        raise ValueError(message)
    str(value) if isinstance(value, Undefined) else None
    return value


class Plugins(dict[str, Function]):
    """The filters or tests of an environment, by name; unknown names are looked for in Ansible.

    `wrap` prepares each function of Ansible's, and each of Jinja2's that is not in LAZY, for lazy arguments.
    """

    def __init__(
        self, own: dict[str, Function], load: Callable[[], dict[str, Function]], wrap: Callable[[Function], Function]
    ):
        super().__init__(own)
        self._load = load
        self._wrap = wrap
        for name in ANSIBLE_WINS & own.keys():
            del self[name]

    def get(self, name: str, default: Any = None) -> Any:
        """The function of that name, loading Ansible for names that Jinja2 does not have."""
        try:
            return self[name]
        except KeyError:
            return default

    def __missing__(self, name: str) -> Function:
        short = name
        for prefix in _PREFIXES:
            short = short.removeprefix(prefix)
        if short != name and short in self:
            return self[short]
        function = self._load().get(short)
        if function is None:
            raise KeyError(name)
        self[name] = self._wrap(function)
        return self[name]

    def __contains__(self, name: object) -> bool:
        return super().__contains__(name) or (isinstance(name, str) and self.get(name) is not None)

    def suggestion(self, name: str) -> str | None:
        """A hint for a name that nobody has."""
        if "." in name and not name.startswith(_PREFIXES):
            return "filters and tests of Ansible collections are not offered, only those of ansible.builtin"
        return did_you_mean(name, {*self, *self._load()})


@functools.cache
def ansible_filters() -> dict[str, Function]:
    """Every filter of ansible-core. Takes about 0.3 s."""
    return _load("filter", _FILTER_MODULES, "FilterModule", "filters")


@functools.cache
def ansible_tests() -> dict[str, Function]:
    """Every test of ansible-core."""
    return _load("test", _TEST_MODULES, "TestModule", "tests")


def _load(kind: str, modules: tuple[str, ...], holder: str, method: str) -> dict[str, Function]:
    import importlib

    functions: dict[str, Function] = {}
    try:
        _silence_ansible()
        for name in modules:
            module = importlib.import_module(f"ansible.plugins.{kind}.{name}")
            functions.update(getattr(getattr(module, holder)(), method)())
        return reproducible(kind, functions)
    except Exception as error:  # Ansible reads its own configuration on import and may raise anything
        raise ConfigurationError(
            "Ansible's filters cannot be loaded",
            why=f"{type(error).__name__}: {error}",
            hint="look at ansible.cfg and the ANSIBLE_* variables of your environment",
        ) from error


def _silence_ansible() -> None:
    """Ansible prints warnings that quote values, to the terminal and its log; values may be secret."""
    from ansible.utils.display import Display  # type: ignore[import-untyped]

    def discard(*_: Any, **__: Any) -> None:
        pass

    vars(Display())["display"] = discard
