"""What a secret looks like when it turns up in a text: the spellings of a value that are searched for."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Iterator, Mapping
from urllib.parse import quote, quote_plus, urlsplit

SHORTEST = 5
"""Values of fewer characters are not masked: they are in every text, and a log of `***` helps nobody."""

LONGEST_PATTERN = 64
"""Longer spellings are searched for in pieces, so that a part of a secret (a truncated log line) is masked as well."""

_EVERY_SPELLING_UP_TO = 16 * 1024
_LONGEST_VALUE = 256 * 1024
_FEWEST_DIGITS = 8

_NUMBER = re.compile(r"[+-]?[\d_]*\.?\d+")
_VERSION = re.compile(r"v?\d+(\.\d+){1,3}([-+][a-z0-9.]{1,12})?")
_GO_ESCAPES = {"<": "\\u003c", ">": "\\u003e", "&": "\\u0026"}
_HTML_ESCAPES = {"&": "&amp;", "<": "&lt;", ">": "&gt;"}
_COMMON_WORDS = (
    "admin allow alpha always anonymous application apply async basic beta black block build cache changeme client "
    "cluster config console container context counter create daemon database debug default delete deploy "
    "description dev developer development disable disabled docker domain empty enable enabled endpoint environment "
    "error errors example external false fatal feature file files format global group guest health hello-world host "
    "hosts http https image index info ingress input internal issue json kubernetes latest level linux list local "
    "localhost logger login main manager master message metrics mysql name names never nginx nobody none normal "
    "notice null object off online option optional output owner password path pods postgres preprod primary private "
    "prod production protected proxy public python queue random read-only readonly redis region release remote "
    "replica replicas report require required restart root route ruby running sandbox secret secrets server service "
    "services session simple stage staging standard start state static status stdout stderr storage string strict "
    "success system table target test testing text time timeout token trace true type undefined unknown update user "
    "username users value values verbose version warn warning worker write"
)
_COMMON = frozenset(_COMMON_WORDS.split())


def is_trivial(value: str) -> bool:
    """Whether masking the value would hide more than it protects.

    That is: fewer than 5 characters, fewer than 3 different ones, a number of fewer than 8 digits, a version (`0.0.1`),
    or a common word of configuration (`production`, `localhost`).
    """
    value = value.strip()
    return (
        len(value) < SHORTEST
        or len(set(value)) < 3
        or value.lower() in _COMMON
        or (len(value) < 32 and bool(_NUMBER.fullmatch(value)) and sum(map(str.isdigit, value)) < _FEWEST_DIGITS)
        or (len(value) < 32 and bool(_VERSION.fullmatch(value.lower())))
    )


def patterns(value: str) -> Iterator[str]:
    """Everything to search for on account of one value: none for a trivial one.

    The patterns have no line breaks (the search ignores those of the text) and at most 64 characters. Of a value over
    16 KiB only the text itself and its base64 are searched for, and of one over 256 KiB only its beginning.
    """
    for part in _parts(value[:_LONGEST_VALUE]):
        spellings = _spellings(part) if len(part) <= _EVERY_SPELLING_UP_TO else {part, *_base64(part)}
        for spelling in spellings:
            yield from _pieces(spelling.replace("\r", "").replace("\n", ""))


def _parts(value: str) -> Iterator[str]:
    """The value, each of its lines, and the password in a URL."""
    whole = value.strip()
    lines = whole.splitlines() if "\n" in whole or "\r" in whole else []
    # A line such as -----BEGIN CERTIFICATE----- is no secret.
    for part in (whole, *(line.strip() for line in lines if not line.startswith("-----"))):
        if not is_trivial(part):
            yield part
            password = _password(part)
            if password and not is_trivial(password):
                yield password


def _password(value: str) -> str | None:
    if "://" not in value or "@" not in value or len(value) > 2048:
        return None
    try:
        return urlsplit(value).password
    except ValueError:
        return None


def _spellings(value: str) -> set[str]:
    escaped = _json(value)
    go = _replace(escaped, _GO_ESCAPES)
    ascii_only = json.dumps(value)[1:-1]
    upper = re.sub(r"\\u[0-9a-f]{4}", lambda match: "\\u" + match[0][2:].upper(), ascii_only)
    percent = [
        quote(value, safe="", errors="surrogatepass"),
        quote(value, errors="surrogatepass"),
        quote_plus(value, errors="surrogatepass"),
    ]
    return {
        value,
        escaped,
        go,
        go.replace("\\u003c", "\\u003C").replace("\\u003e", "\\u003E"),
        ascii_only,
        upper,
        _replace(ascii_only, _GO_ESCAPES),
        escaped.replace("/", "\\/"),
        *(_json(text) for text in (escaped, go)),  # JSON in a JSON text, as our chart's values are
        *percent,
        *(re.sub(r"%[0-9A-F]{2}", lambda match: match[0].lower(), text) for text in percent),
        value.replace("'", "'\"'\"'"),  # Python's shlex
        value.replace("'", "'\\''"),
        re.sub(r"([^\w@%+=:,./\n-])", r"\\\1", value),  # bash's printf %q
        value.replace("'", "''"),  # YAML, single-quoted
        repr(value)[1:-1],
        _replace(value, _HTML_ESCAPES),
        *_base64(value),
    }


def _base64(value: str) -> Iterator[str]:
    """The value in base64, and what of it is the same wherever it stands in a longer text that was encoded.

    An encoded character holds 6 bits; those at the ends that also hold bits of a neighbour are left off.
    """
    content = value.encode("utf-8", "surrogatepass")
    texts = [base64.b64encode(content).decode()]
    for before in range(3):
        encoded = base64.b64encode(b"\0" * before + content).decode()
        texts.append(encoded[(before * 8 + 5) // 6 : (before + len(content)) * 8 // 6])
    for text in texts:
        yield text
        yield text.replace("+", "-").replace("/", "_")


def _pieces(text: str) -> Iterator[str]:
    """The text in pieces of nearly equal length."""
    count = -(-len(text) // LONGEST_PATTERN)
    for index in range(count):
        piece = text[len(text) * index // count : len(text) * (index + 1) // count]
        if len(set(piece)) > 1:
            yield piece


def _json(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)[1:-1]


def _replace(text: str, replacements: Mapping[str, str]) -> str:
    return text.translate({ord(character): escape for character, escape in replacements.items()})
