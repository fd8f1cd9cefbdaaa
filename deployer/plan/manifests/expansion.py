"""What Kubernetes makes of `$(NAME)` in a container's environment, so that it can be done before it is asked.

Source: Kubernetes' `third_party/forked/golang/expansion` and `makeEnvironmentVariables` of its kubelet: a variable may
use those before it; `$$` stands for `$`; what refers to nothing stays as it is.
"""

from __future__ import annotations

import re
from collections.abc import Callable

_REFERENCE = re.compile(r"\$(?:\$|\(([^)]*)\))")
_OF_SERVICES = re.compile(r"[A-Z][A-Z0-9_]*_(SERVICE_HOST|SERVICE_PORT(_[A-Z0-9_]+)?|PORT(_[A-Z0-9_]+)?)")


class Unknown(Exception):
    """A text uses a variable whose value is only known in the cluster; `name` is that variable's."""

    def __init__(self, name: str) -> None:
        super().__init__(name)
        self.name = name


def expand(text: str, value_of: Callable[[str], str | None]) -> str:
    """The text as a container sees it; `value_of` gives a variable's value, None for one that there is not."""

    def replace(found: re.Match[str]) -> str:
        name = found[1]
        if name is None:
            return "$"
        value = value_of(name)
        return found[0] if value is None else value

    return _REFERENCE.sub(replace, text)


class Environment:
    """The variables of one container, in their order. With `others` it may have some that its `env` does not name."""

    def __init__(self, *, others: bool = False) -> None:
        self._others = others
        self._values: dict[str, str | None] = {}

    def read(self, text: str) -> str:
        """A text with the variables before it put in. Raises Unknown."""
        return expand(text, self._value)

    def add(self, name: str, text: str) -> None:
        """A variable that is made of a text."""
        try:
            self._values[name] = self.read(text)
        except Unknown:
            self._values[name] = None

    def add_unknown(self, name: str) -> None:
        """A variable whose value only the cluster knows."""
        self._values[name] = None

    def _value(self, name: str) -> str | None:
        if name in self._values:
            value = self._values[name]
            if value is None:
                raise Unknown(name)
            return value
        if self._others or _OF_SERVICES.fullmatch(name):
            raise Unknown(name)
        return None
