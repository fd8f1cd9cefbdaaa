"""Any secret, in any chunks, in any spelling that is documented: it never comes through."""

from __future__ import annotations

import base64
import html
import io
import json
import shlex
import textwrap
from collections.abc import Callable
from urllib.parse import quote, quote_plus

import pytest
import yaml
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from deployer.masking import MARK, Masker
from deployer.masking.forms import is_trivial

Spell = Callable[[str], str]


def _yaml(text: str, **options: object) -> str:
    stream = io.StringIO()
    yaml.safe_dump({"key": text}, stream, width=10**6, **options)  # type: ignore[call-overload]
    return stream.getvalue()


def _go(text: str, *, ascii_only: bool) -> str:
    """Go's `%q` and `%+q`, written down once more: character by character as strconv.Quote documents it."""
    letters = {"\a": "a", "\b": "b", "\f": "f", "\n": "n", "\r": "r", "\t": "t", "\v": "v", '"': '"', "\\": "\\"}
    shown = []
    for character in text:
        code = ord(character)
        if character in letters:
            shown.append("\\" + letters[character])
        elif character.isprintable() and (code < 0x7F or not ascii_only):
            shown.append(character)
        else:
            digits = ("x", 2) if code < 0x80 else ("u", 4) if code < 0x10000 else ("U", 8)
            shown.append(f"\\{digits[0]}{code:0{digits[1]}x}")
    return f'"{"".join(shown)}"'


SPELLINGS: dict[str, Spell] = {
    "plain": lambda text: text,
    "base64": lambda text: base64.b64encode(text.encode()).decode(),
    "base64 without padding": lambda text: base64.b64encode(text.encode()).decode().rstrip("="),
    "URL-safe base64": lambda text: base64.urlsafe_b64encode(text.encode()).decode(),
    "base64, one byte on": lambda text: base64.b64encode(b"u" + text.encode() + b"zz").decode(),
    "base64, two bytes on": lambda text: base64.urlsafe_b64encode(b"u:" + text.encode() + b"z").decode(),
    "base64, wrapped": lambda text: "\n".join(textwrap.wrap(base64.b64encode(text.encode()).decode(), 20)),
    "URL": lambda text: quote(text, safe=""),
    "URL, a path": quote,
    "URL, a form": quote_plus,
    "URL, lower case": lambda text: "".join(quote(c, safe="").lower() if quote(c, safe="") != c else c for c in text),
    "JSON": json.dumps,
    "JSON, not ASCII": lambda text: json.dumps(text, ensure_ascii=False),
    "JSON, twice": lambda text: json.dumps(json.dumps(text)),
    "JSON, twice, not ASCII": lambda text: json.dumps(json.dumps(text, ensure_ascii=False), ensure_ascii=False),
    "Python": repr,
    "shell": shlex.quote,
    "YAML": lambda text: _yaml(text, allow_unicode=True),
    "YAML, ASCII": lambda text: _yaml(text, default_style='"'),
    "YAML, single-quoted": lambda text: _yaml(text, default_style="'", allow_unicode=True),
    "YAML, a block": lambda text: _yaml(text, default_style="|", allow_unicode=True),
    "Go": lambda text: _go(text, ascii_only=False),
    "Go, ASCII": lambda text: _go(text, ascii_only=True),
    "HTML": html.escape,
    "HTML, Go's": lambda text: html.escape(text).replace("&quot;", "&#34;").replace("&#x27;", "&#39;"),
    "indented": lambda text: textwrap.indent(text, "      "),
}

LETTERS = "abcXYZ0189+/=-_. '\"\\$%{}<>&!#é密🔑"
SECRET = (
    st.text(LETTERS, min_size=8, max_size=90)
    .map(str.strip)
    .filter(lambda text: len(text) >= 8 and len(set(text)) > 3 and not is_trivial(text))
)
LINES = st.lists(st.text("abcXYZ0189+/=", min_size=12, max_size=64), min_size=2, max_size=5).map("\n".join)


def streamed(masker: Masker, text: str, cuts: list[int]) -> str:
    masking, parts, position = masker.stream(), [], 0
    for cut in sorted(cut % (len(text) + 1) for cut in cuts):
        parts.append(masking.feed(text[position:cut]))
        position = cut
    return "".join([*parts, masking.feed(text[position:]), masking.flush()])


@pytest.mark.parametrize("spelling", SPELLINGS)
@settings(max_examples=30)
@given(secret=SECRET, cuts=st.lists(st.integers(0, 10_000), max_size=6))
def test_no_spelling_of_a_secret_comes_through(spelling: str, secret: str, cuts: list[int]) -> None:
    spelt = SPELLINGS[spelling](secret)
    masker = Masker([secret, "another-one"])
    text = f"(before)\n[{spelt}]\n(after)"
    for shown in (masker.mask(text), streamed(masker, text, cuts)):
        assert MARK in shown
        assert spelt not in shown
        assert secret not in shown
        # Little more than quotes, padding and what base64 mixes with its neighbours is left of it.
        assert len(shown.replace(MARK, "").replace(" ", "").replace("\n", "")) <= len("(before)[](after)key:|-") + 12


@pytest.mark.parametrize("spelling", SPELLINGS)
@settings(max_examples=20)
@given(secret=LINES, cuts=st.lists(st.integers(0, 10_000), max_size=6))
def test_a_secret_of_several_lines_does_not_come_through(spelling: str, secret: str, cuts: list[int]) -> None:
    assume(not any(is_trivial(line) for line in secret.splitlines()))
    text = f"(before)\n[{SPELLINGS[spelling](secret)}]\n(after)"
    masker = Masker([secret])
    for shown in (masker.mask(text), streamed(masker, text, cuts)):
        assert MARK in shown
        assert len(shown.replace(MARK, "").replace(" ", "").replace("\n", "")) <= len("(before)[](after)key:|-") + 24


@settings(max_examples=30)
@given(words=st.lists(st.text("abcdef", min_size=4, max_size=9), min_size=4, max_size=12), width=st.integers(20, 60))
def test_a_text_of_words_that_a_terminal_wraps_does_not_come_through(words: list[str], width: int) -> None:
    secret = " ".join(words)
    assume(len(secret) <= 64 and len(set(secret)) > 3)
    masker = Masker([secret])
    head, _, tail = secret.partition(" ")
    assert masker.mask(f"x {head}\n   {tail} y") == f"x {MARK} y"


def test_the_longer_texts_in_a_json_document_are_masked_apart() -> None:
    document = {"type": "service_account", "private_key": "9a8b7c6d5e4f3a2b1c0d", "uri": "https://accounts.example/o"}
    masker = Masker([json.dumps(document, indent=2)])
    assert masker.mask("key 9a8b7c6d5e4f3a2b1c0d at https://accounts.example/o") == (
        f"key {MARK} at https://accounts.example/o"
    )
    assert "9a8b" not in masker.mask(json.dumps(document))
