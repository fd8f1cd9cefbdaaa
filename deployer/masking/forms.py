"""What a secret looks like when it turns up in a text: the spellings of a value that are searched for."""

from __future__ import annotations

import base64
import contextlib
import html
import json
import re
from collections.abc import Iterator, Mapping
from urllib.parse import quote, quote_plus

from deployer.masking.addresses import credentials
from deployer.masking.flat import without_breaks

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
_GO_LETTERS = {"\a": "\\a", "\b": "\\b", "\f": "\\f", "\n": "\\n", "\r": "\\r", "\t": "\\t", "\v": "\\v"}
_YAML_LETTERS = {0: "\\0", 0x1B: "\\e", 0x85: "\\N", 0xA0: "\\_", 0x2028: "\\L", 0x2029: "\\P"}
_HEX = re.compile(r"(\\u)([0-9a-f]{4})")
_MOST_SPACES = 16
_SHORTEST_WRAPPED = 12
_SHORTEST_LEAF = 16
_SHORTEST_ENCODED = 12
_ENCODED = re.compile(r"[A-Za-z0-9+/_-]+={0,2}")
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
        spellings = _spellings(part) if len(part) <= _EVERY_SPELLING_UP_TO else {part, *_base64(part), *_encoded(part)}
        for spelling in spellings:
            yield from _pieces(without_breaks(spelling))


def _parts(value: str) -> Iterator[str]:
    """The value, each of its lines, the credentials in a URL, and the longer texts in a JSON document."""
    whole = value.strip()
    yield from _leaves(whole)
    lines = whole.splitlines() if "\n" in whole or "\r" in whole else []
    # A line such as -----BEGIN CERTIFICATE----- is no secret.
    for part in (whole, *(line.strip() for line in lines if not line.startswith("-----"))):
        if not is_trivial(part):
            yield part
            yield from (text for text in dict.fromkeys(credentials(part)) if not is_trivial(text))


def _leaves(value: str) -> Iterator[str]:
    """Texts of at least 16 characters in a JSON object: who reads it shows them apart. Addresses are no secrets."""
    if not value.startswith("{"):
        return
    with contextlib.suppress(ValueError, RecursionError):
        waiting = [json.loads(value)]
        while waiting:
            match waiting.pop():
                case dict() as mapping:
                    waiting += mapping.values()
                case list() as items:
                    waiting += items
                case str() as text if "://" not in text or any(credentials(text)):
                    yield from (part for part in _parts(text) if len(part) >= _SHORTEST_LEAF)


def _spellings(value: str) -> set[str]:
    escaped = _json(value)
    ascii_only = json.dumps(value)[1:-1]
    escapes = {escaped, ascii_only, *(_replace(text, _GO_ESCAPES) for text in (escaped, ascii_only))}
    escapes |= {_HEX.sub(lambda match: match[1] + match[2].upper(), text) for text in escapes}
    percent = {
        quote(value, safe="", errors="surrogatepass"),
        quote(value, errors="surrogatepass"),
        quote_plus(value, errors="surrogatepass"),
    }
    return {
        value,
        *escapes,
        *(_json(text) for text in escapes),  # JSON in a JSON text, as our chart's values are
        escaped.replace("/", "\\/"),
        ascii_only.replace("/", "\\/"),
        *_go(value),
        *percent,
        *(re.sub(r"%[0-9A-F]{2}", lambda match: match[0].lower(), text) for text in percent),
        value.replace("'", "'\"'\"'"),  # Python's shlex
        value.replace("'", "'\\''"),
        re.sub(r"([^\w@%+=:,./\n-])", r"\\\1", value),  # bash's printf %q
        value.replace("'", "''"),  # YAML, single-quoted
        _yaml(value),
        repr(value)[1:-1],
        _replace(value, _HTML_ESCAPES),
        html.escape(value),
        _replace(value, {**_HTML_ESCAPES, '"': "&#34;", "'": "&#39;"}),  # Go's templates, and Jinja2's
        _replace(value, {**_HTML_ESCAPES, '"': "&quot;", "'": "&#39;"}),
        *_base64(value),
        *_encoded(value),
        *_wrapped(value),
    }


def _go(value: str) -> Iterator[str]:
    """As Go quotes a text (`%q`, and `%+q` in ASCII): helm and sops do so in their messages."""
    for ascii_only in (False, True):
        yield "".join(_go_character(character, ascii_only=ascii_only) for character in value)


def _go_character(character: str, *, ascii_only: bool) -> str:
    if character in '"\\':
        return "\\" + character
    if character in _GO_LETTERS:
        return _GO_LETTERS[character]
    code = ord(character)
    if code < 0x20 or code == 0x7F:
        return f"\\x{code:02x}"
    if code < 0x7F or (character.isprintable() and not ascii_only):
        return character
    return f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"


def _yaml(value: str) -> str:
    """As YAML's double quotes hold it where a writer keeps to ASCII (PyYAML)."""
    shown = []
    for character in value:
        code = ord(character)
        if character in '"\\' or character in _GO_LETTERS:
            shown.append("\\" + character if character in '"\\' else _GO_LETTERS[character])
        elif 0x20 <= code < 0x7F:
            shown.append(character)
        else:
            shown.append(_YAML_LETTERS.get(code) or _yaml_code(code))
    return "".join(shown)


def _yaml_code(code: int) -> str:
    return f"\\x{code:02X}" if code < 0x100 else f"\\u{code:04X}" if code < 0x10000 else f"\\U{code:08X}"


def _wrapped(value: str) -> Iterator[str]:
    """A text with spaces, wrapped at any one of them: what wraps puts a line break in its place."""
    for piece in _pieces(value):
        spaces = [index for index, character in enumerate(piece) if character == " "]
        for index in spaces[:_MOST_SPACES]:
            if len(piece) > _SHORTEST_WRAPPED:
                yield piece[:index] + piece[index + 1 :]


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


def _encoded(value: str) -> Iterator[str]:
    """A value that is base64 itself, in both alphabets and without its padding."""
    text = without_breaks(value)
    if len(text) >= _SHORTEST_ENCODED and _ENCODED.fullmatch(text):
        text = text.rstrip("=")
        yield text
        yield text.replace("+", "-").replace("/", "_")
        yield text.replace("-", "+").replace("_", "/")


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
