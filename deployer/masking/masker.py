"""The masker: replaces every spelling of every known secret in a text."""

from __future__ import annotations

import threading
from bisect import bisect_right
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

from deployer.masking.flat import Positions, without_breaks
from deployer.model import Secret

if TYPE_CHECKING:
    from deployer.masking.stream import MaskingStream

MARK = "***"
"""What stands in the place of a secret."""

_SHORTEST_OVER_LINES = 8
_HEAD = 4
_MIDDLE = 8
_MOST_MIDDLES = 4000

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
    """An Aho-Corasick automaton over all patterns, which looks at each byte once."""

    def __init__(self, values: Iterable[str], public: frozenset[str]) -> None:
        from ahocorasick_rs import BytesAhoCorasick, Implementation

        from deployer.masking.forms import patterns

        self._patterns = sorted({pattern for value in values for pattern in patterns(value)} - public)
        contents = [_bytes(pattern) for pattern in self._patterns]
        self._automaton = BytesAhoCorasick(contents)
        # A search for their middles alone is small enough for the fastest kind, and rules out nearly all texts.
        middles = sorted({content[max(0, (len(content) - _MIDDLE) // 2) :][:_MIDDLE] for content in contents})
        kind = Implementation.DFA if len(middles) <= _MOST_MIDDLES else None
        self._middles = BytesAhoCorasick(middles, implementation=kind)
        self._heads = frozenset(pattern[:_HEAD] for pattern in self._patterns)
        self.longest = max(map(len, self._patterns), default=0)

    def spans(self, text: str) -> list[Span]:
        """Where secrets stand: (start, end) in order, neither overlapping nor touching.

        Line breaks in the text are ignored, but short patterns must not reach over one: their ends meet by chance.
        """
        if not self.longest:
            return []
        flat = without_breaks(text)
        content = _bytes(flat)
        if not self._middles.find_matches_as_indexes(content):
            return []
        matches = self._automaton.find_matches_as_indexes(content, overlapping=True)
        index = _characters(content, (each for _, *ends in matches for each in ends))
        place = Positions(text)
        found: list[Span] = []
        for pattern, first, end in matches:
            start, last = place(index[first]), place(index[end] - 1)
            length = len(self._patterns[pattern])
            if last + 1 - start == length or length >= _SHORTEST_OVER_LINES:
                found.append((start, last + 1))
        return merged(found)

    def unfinished(self, flat: str) -> int:
        """The length of the longest end of a text (without line breaks) that may be the beginning of a secret."""
        for start in range(max(0, len(flat) - self.longest + 1), len(flat)):
            tail = flat[start:]
            if len(tail) >= _HEAD and tail[:_HEAD] not in self._heads:  # as nearly all are
                continue
            index = bisect_right(self._patterns, tail)  # the first that is more than the tail
            if index < len(self._patterns) and self._patterns[index].startswith(tail):
                return len(tail)
        return 0


def _bytes(text: str) -> bytes:
    """Bytes that were no UTF-8 may have become lone surrogates, which are searched for like everything else."""
    return text.encode("utf-8", "surrogatepass")


def _characters(content: bytes, offsets: Iterable[int]) -> Mapping[int, int]:
    """Byte offset → character index, for offsets at which a character begins or the text ends."""
    if content.isascii():
        return _Same()
    found, before, count = {}, 0, 0
    for offset in sorted(set(offsets)):
        count += len(content[before:offset].decode("utf-8", "surrogatepass"))
        found[offset], before = count, offset
    return found


class _Same(dict[int, int]):
    """Gives each number itself."""

    def __missing__(self, key: int) -> int:
        return key


def merged(spans: Iterable[Span]) -> list[Span]:
    """The spans in order, with those that overlap or touch made one."""
    result: list[Span] = []
    for start, end in sorted(spans):
        if result and start <= result[-1][1]:
            result[-1] = (result[-1][0], max(end, result[-1][1]))
        else:
            result.append((start, end))
    return result
