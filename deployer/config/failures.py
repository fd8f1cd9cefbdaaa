"""Says what went wrong in a template, without repeating anything secret."""

from __future__ import annotations

import os
import re
from collections.abc import Collection
from typing import Any, NoReturn

from jinja2.exceptions import SecurityError, TemplateSyntaxError

from deployer.config.lazy import source_of
from deployer.config.nodes import show_path
from deployer.config.suggestions import did_you_mean, near
from deployer.config.templating import Environment, MissingValue
from deployer.errors import ConfigurationError

_NO_PLUGIN = re.compile(r"No (filter|test) named '([^']*)'")
_NO_MACRO = re.compile(r"the template '([^']*)' .* does not export the requested name")
_MAX_REASON = 500


class UnseenFailure(ConfigurationError):
    """A template failed over what a secret holds: without its real value nobody can tell whether it would.

    `secrets` are the names of those that it had used by then.
    """

    secrets: frozenset[str] = frozenset()


_RAW_HINT = "a text that contains '{{', '{%' or '{#' is a template; put {% raw %} … {% endraw %} around what is not"


def explain(
    error: Exception,
    *,
    text: str,
    hidden: bool,
    secrets: Collection[str],
    names: Collection[object],
    scope: str,
    environment: Environment,
) -> ConfigurationError:
    """The error of a template, to be given its place.

    `text` is the template; `hidden` when that is a secret itself. `secrets` are the names of the secrets that it used
    before it failed: the texts of exceptions quote values, so then they are withheld. `names` are all variables.
    """
    if hidden:
        fault = "uses what is not defined" if isinstance(error, MissingValue) else "fails"
        return ConfigurationError(f"this secret value is a template that {fault}", hint=_RAW_HINT)
    match error:
        case MissingValue():
            return _missing(error, text, secrets, names, scope)
        case TemplateSyntaxError() | RuntimeError() if match := _NO_PLUGIN.search(str(error)):
            kind, name = match.groups()
            plugins = environment.filters if kind == "filter" else environment.tests
            return ConfigurationError(f"there is no {kind} {name}", hint=plugins.suggestion(name))
        case TemplateSyntaxError():
            return ConfigurationError("the template is not valid Jinja2", why=error.message, hint=_RAW_HINT)
        case RecursionError() | SyntaxError():
            return ConfigurationError("the template is nested too deeply")
        case MemoryError():
            return ConfigurationError("the template makes a value that is too large")
        case SecurityError():
            return ConfigurationError(
                "the template asks for something that templates may not have", why=_reason(error, secrets)
            )
    kind = UnseenFailure if secrets else ConfigurationError
    return kind("the template fails", why=_reason(error, secrets))


def _missing(
    error: MissingValue, text: str, secrets: Collection[str], names: Collection[object], scope: str
) -> ConfigurationError:
    if error.name is None:
        asked = re.findall(r"variable (\S+) is not set", str(error))
        why = str(error) if not secrets or (asked and asked[0] in text) else _reason(error, secrets)
        return ConfigurationError("the template uses what is not defined", why=why)
    name = str(error.name)
    if match := _NO_MACRO.search(str(error)):
        return ConfigurationError(f"{match[1]} has no macro {name}")
    if secrets and name not in text:
        return UnseenFailure("the template uses what is not defined")
    if error.owner is None:
        return ConfigurationError(f"{name} is undefined", hint=did_you_mean(name, names) or scope or None)
    source = source_of(error.owner)
    if source is None:
        keys = list(error.owner) if isinstance(error.owner, dict) else ()
        kind = "null" if error.owner is None else type(error.owner).__name__
        failure = UnseenFailure if secrets else ConfigurationError
        return failure(f"a value of type {kind} has no {name}", hint=did_you_mean(name, keys))
    mapping, path = source
    guesses = [f"{key} ({mapping.entries[key].location})" for key in near(name, mapping.entries)]
    return ConfigurationError(
        f"{show_path(path)} has no {name}",
        hint=f"did you mean {' or '.join(guesses)}?" if guesses else _known(mapping.entries),
    )


def _known(keys: Collection[Any]) -> str:
    shown = ", ".join(str(key) for key in list(keys)[:10])
    return f"it has {shown}{' …' if len(keys) > 10 else ''}" if shown else "it is empty"


def _reason(error: Exception, secrets: Collection[str]) -> str:
    if secrets:
        return f"the reason is withheld, since it may quote {', '.join(sorted(secrets)[:3])}"
    reason = " ".join(str(error).split()) or "no reason given"
    reason = reason if len(reason) <= _MAX_REASON else reason[:_MAX_REASON] + "…"
    speaks_for_itself = isinstance(error, (ValueError, TypeError, OverflowError, SecurityError))
    return reason if speaks_for_itself else f"{type(error).__name__}: {reason}"


def unavailable(name: str, why: str) -> NoReturn:
    """A variable that exists, but not where it is used."""
    raise ConfigurationError(f"{name} cannot be used here", why=why)


def no_lookups(*_: object, **__: object) -> NoReturn:
    """Ansible's `lookup` and `query`."""
    raise ConfigurationError(
        "lookups are not offered, other than lookup('env', 'NAME')",
        hint="put the value into group_vars, or pass it with -e NAME=VALUE",
    )


def no_clock(*_: object, **__: object) -> NoReturn:
    """Ansible's `now`."""
    raise ConfigurationError(
        "now() is not offered",
        why="every deployment would differ from the one before",
        hint="DeploymentId and GitCommit name a deployment",
    )


def environment_variable(name: str) -> str | None:
    """A variable of the process' environment."""
    return os.environ.get(name)
