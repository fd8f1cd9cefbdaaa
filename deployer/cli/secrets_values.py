"""Where the value of a secret comes from: a prompt that shows nothing, or standard input."""

from __future__ import annotations

import json
import math
import sys
from decimal import Decimal
from typing import Any

from deployer.cli.messages import show_warning
from deployer.config.nodes import ScalarNode
from deployer.errors import UsageError

MOST = 1024 * 1024
"""Bytes of one value: a Kubernetes Secret takes no more."""
_CIPHERTEXT = "ENC[AES256_GCM,"


def read_value(key: str, place: str, kind: str, *, generate: bool = False) -> Any:
    """The value for a key, of the wanted kind (text, number, boolean, json). Raises UsageError, without the value."""
    if generate:
        import secrets

        return secrets.token_hex(32)
    value = typed(_asked(key, place) if sys.stdin.isatty() else _piped(), kind)
    if ScalarNode(value, place).is_template:
        show_warning(
            f"{key} is a template: it has {{{{, {{% or {{#; where it is not meant so, {{% raw %}} goes before it"
        )
    return value


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
            if text.startswith(_CIPHERTEXT):
                hint = "give its plain text: SOPS encrypts it for this file"
                raise UsageError("the value is what SOPS has encrypted elsewhere", where="standard input", hint=hint)
            return text
        case "boolean" if text.strip().lower() in ("true", "false"):
            return text.strip().lower() == "true"
        case "number" | "json":
            try:
                value = json.loads(
                    text, parse_constant=_refuse, parse_int=_whole, parse_float=_exact, object_pairs_hook=_mapping
                )
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


def _whole(digits: str) -> int:
    """SOPS would round what does not fit into 64 bits."""
    number = int(digits)
    if number.bit_length() > 63:
        raise _inexact()
    return number


def _exact(digits: str) -> float:
    number = float(digits)
    if not math.isfinite(number) or Decimal(repr(number)) != Decimal(digits):
        raise _inexact()
    return number


def _inexact() -> UsageError:
    hint = "set it as a text: leave --type out, or put it in quotes"
    return UsageError("the number cannot be kept as it is", why="it has too many digits", hint=hint)


def _mapping(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """A mapping, none of whose keys stands there twice."""
    if len(dict(pairs)) < len(pairs):
        raise UsageError("a key stands twice in the value", where="--type json")
    return dict(pairs)
