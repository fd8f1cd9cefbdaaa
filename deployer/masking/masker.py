"""The masker: replaces every spelling of every known secret in a text."""

from __future__ import annotations

import re
import threading
from bisect import bisect_right
from collections.abc import Iterable
from itertools import islice
from typing import TYPE_CHECKING, Any

from deployer.model import Secret

if TYPE_CHECKING:
    from deployer.masking.stream import MaskingStream

MARK = "***"
"""What stands in the place of a secret."""

_SHORTEST_OVER_LINES = 8
_LINE_BREAK = re.compile(r"[\r\n]")
_SURROGATE = re.compile("[\ud800-\udfff]")

Span = tuple[int, int]


class Masker:
    """Knows the secrets of a deployment and hides them in texts.

    A secret is found as it is, in base64 (anywhere in a longer encoded text, standard or URL-safe), URL-encoded,
    escaped for JSON, YAML, HTML, Python or a shell, wrapped over lines, and line by line; of a long one also a part.
    Trivial values (see `forms.is_trivial`) are left alone, and so are the `public` words, which the program shows
    on purpose although they may stand in a secrets file: names of applications and regions, domains, registries.

    Any thread may mask while another adds. The time to mask a text does not depend on the number of secrets.
    """

    def __init__(self, values: Iterable[str | Secret] = (), *, public: Iterable[str] = ()) -> None:
        self._public = frozenset(public)
        self._lock = threading.Lock()
        self._values: set[str] = set()
        self._search: Search | None = None
        self.add(values)

    def add(self, values: Iterable[str | Secret]) -> None:
        """Learn more secrets; texts that are masked from now on do not show them."""
        texts = {value.reveal() if isinstance(value, Secret) else value for value in values} - self._public
        with self._lock:
            if not texts <= self._values:
                self._values |= texts
                self._search = None

    def mask(self, text: str) -> str:
        """The text with `***` in the place of each secret, or run of secrets."""
        search = self.search() if text else None
        if search is None:
            return text
        shown, position = [], 0
        for start, end in search.spans(text):
            shown += [text[position:start], MARK]
            position = end
        return "".join([*shown, text[position:]]) if position else text

    def stream(self) -> MaskingStream:
        """A masker for a text that comes in chunks."""
        from deployer.masking.stream import MaskingStream

        return MaskingStream(self)

    def search(self) -> Search | None:
        """The search for everything known so far, built when first needed; None while there is nothing to hide."""
        if not self._values:
            return None
        search = self._search
        if search is None:
            with self._lock:
                search = self._search
                if search is None:
                    search = self._search = Search(self._values, self._public)
        return search


class Search:
    """An Aho-Corasick automaton over all patterns, which looks at each character once."""

    def __init__(self, values: Iterable[str], public: frozenset[str]) -> None:
        from ahocorasick import Automaton  # type: ignore[import-not-found]

        from deployer.masking.forms import patterns

        self._automaton: Any = Automaton()
        for value in values:
            for pattern in patterns(value):
                if pattern not in public:
                    self._automaton.add_word(_searchable(pattern), len(pattern))
        self._automaton.make_automaton()
        self.longest = max(self._automaton.values(), default=0)

    def spans(self, text: str) -> list[Span]:
        """Where secrets stand: (start, end) in order, neither overlapping nor touching.

        Line breaks in the text are ignored, but short patterns must not reach over one: their ends meet by chance.
        """
        if not self.longest:
            return []
        flat = FlatText(text)
        found: list[Span] = []
        for last, length in self._automaton.iter(flat.text):
            start, end = flat.position(last + 1 - length), flat.position(last) + 1
            if end - start == length or length >= _SHORTEST_OVER_LINES:
                found.append((start, end))
        return merged(found)

    def unfinished(self, flat: str) -> int:
        """The length of the longest end of a text (without line breaks) that may be the beginning of a secret."""
        for start in range(max(0, len(flat) - self.longest + 1), len(flat)):
            tail = flat[start:]
            if self._automaton.match(tail) and (
                tail not in self._automaton or len(list(islice(self._automaton.keys(tail), 2))) > 1
            ):
                return len(tail)
        return 0


class FlatText:
    """A text without its line breaks, and where each character of it stood."""

    def __init__(self, text: str) -> None:
        self.text = text = _searchable(text)
        self._breaks: list[int] = []
        if "\n" in text or "\r" in text:
            self.text = _LINE_BREAK.sub("", text)
            self._breaks = [match.start() - count for count, match in enumerate(_LINE_BREAK.finditer(text))]

    def position(self, index: int) -> int:
        """Where the character at an index of the flat text stands in the original one."""
        return index + bisect_right(self._breaks, index) if self._breaks else index


def _searchable(text: str) -> str:
    """Bytes that were no UTF-8 may have become lone surrogates, which the automaton does not take."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return _SURROGATE.sub("\ufffd", text)
    return text


def merged(spans: Iterable[Span]) -> list[Span]:
    """The spans in order, with those that overlap or touch made one."""
    result: list[Span] = []
    for start, end in sorted(spans):
        if result and start <= result[-1][1]:
            result[-1] = (result[-1][0], max(end, result[-1][1]))
        else:
            result.append((start, end))
    return result
