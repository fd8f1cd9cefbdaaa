"""Where the value of a secret comes from: a prompt that shows nothing, or standard input."""

from __future__ import annotations

import json
import sys
from typing import Any

from deployer.errors import UsageError

MOST = 1024 * 1024
"""Bytes of one value: a Kubernetes Secret takes no more."""


def read_value(key: str, place: str, kind: str, *, generate: bool = False) -> Any:
    """The value for a key, of the wanted kind (text, number, boolean, json). Raises UsageError, without the value."""
    if generate:
        import secrets

        return secrets.token_hex(32)
    return typed(_asked(key, place) if sys.stdin.isatty() else _piped(), kind)


def _asked(key: str, place: str) -> str:
    import getpass
    import warnings

    with warnings.catch_warnings():
        warnings.simplefilter("error", getpass.GetPassWarning)  # it would show what is typed
        try:
            value = getpass.getpass(f"{key} for {place} (not shown): ", stream=sys.stderr)
        except (EOFError, getpass.GetPassWarning):
            raise UsageError("no value was given", hint="give it on standard input: … < FILE") from None
    if not value:
        raise UsageError(
            "no value was given", why="the answer was empty", hint="`deploy secrets unset` takes a key away"
        )
    return value


def _piped() -> str:
    content = sys.stdin.buffer.read(MOST + 1)
    if len(content) > MOST:
        raise UsageError(
            "the value is larger than 1 MiB", where="standard input", hint="a Kubernetes Secret takes less"
        )
    try:
        text = content.decode("utf-8")
    except UnicodeDecodeError:
        raise UsageError(
            "the value is not UTF-8", where="standard input", hint="keep binary content as base64: base64 FILE | …"
        ) from None
    if not text.strip():
        raise UsageError("no value was given", where="standard input", why="it is empty")
    if "\0" in text:
        raise UsageError("the value has a null byte", where="standard input", hint="keep binary content as base64")
    line = text.removesuffix("\n").removesuffix("\r")
    return line if "\n" not in line else text


def typed(text: str, kind: str) -> Any:
    """The text as a value of a kind."""
    match kind:
        case "text":
            return text
        case "boolean" if text.strip().lower() in ("true", "false"):
            return text.strip().lower() == "true"
        case "number" | "json":
            try:
                value = json.loads(text, parse_constant=_refuse)
            except (ValueError, RecursionError):
                value = None
            if isinstance(value, list):
                hint = "set KEY[0], KEY[1], … one by one, or use `deploy secrets edit`"
                raise UsageError("a list cannot be set as a whole", where=f"--type {kind}", hint=hint)
            number = isinstance(value, (int, float)) and not isinstance(value, bool)
            if number if kind == "number" else value is not None:
                return value
    what = {"number": "a number", "boolean": "true or false", "json": "JSON (and not null)"}[kind]
    raise UsageError(f"the value is not {what}", where=f"--type {kind}")


def _refuse(constant: str) -> Any:
    raise ValueError(constant)
