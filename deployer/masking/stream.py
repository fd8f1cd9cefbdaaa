"""Masking of a text that comes in chunks, as the output of a running program does."""

from __future__ import annotations

from typing import TYPE_CHECKING

from deployer.masking.flat import Positions, without_breaks
from deployer.masking.masker import MARK, merged

if TYPE_CHECKING:
    from deployer.masking.masker import Masker

_HEAD = 4
_MOST_HELD = 1024


class MaskingStream:
    """Masks chunk by chunk, and finds secrets that chunk borders or line breaks cut in two.

    What may be the beginning of a secret is held back until the next chunk decides. At a line's end that takes at
    least 4 characters, since nearly every line ends with some secret's first letter: of a secret that is cut after its
    first 1 to 3 characters, the first line shows those and the next line is masked. Not safe to share between threads.
    """

    def __init__(self, masker: Masker) -> None:
        self._masker = masker
        self._text = ""  # what later chunks may turn into a part of a secret
        self._shown = 0  # how much of it went out
        self._masked = 0  # how much of it is known to be secret
        self._after_mark = False

    def feed(self, chunk: str) -> str:
        """Take a chunk of any length; what can be shown by now."""
        return self._advance(chunk, last=False)

    def flush(self) -> str:
        """The rest, at the end of the text. The stream can be used again."""
        return self._advance("", last=True)

    def _advance(self, chunk: str, *, last: bool) -> str:
        search = self._masker.search()
        self._text += chunk
        text = self._text
        keep = show = len(text)
        spans = merged([*(search.spans(text) if search else []), *([(0, self._masked)] if self._masked else [])])
        if search and not last:
            end = text[-_MOST_HELD:]
            flat = without_breaks(end)
            held = search.unfinished(flat)
            if held:
                keep = show = Positions(end)(len(flat) - held) + max(0, len(text) - _MOST_HELD)
                if held < _HEAD and text.endswith(("\n", "\r")):
                    show = len(text)
        show = max(show, self._shown)
        output = self._render(spans, show)
        self._masked = max((end - keep for start, end in spans if start <= keep < end), default=0)
        self._text, self._shown = text[keep:], show - keep
        return output

    def _render(self, spans: list[tuple[int, int]], show: int) -> str:
        parts: list[str] = []
        position = self._shown
        for start, end in spans:
            if end <= position or start >= show:
                continue
            if start > position:
                parts.append(self._text[position:start])
                self._after_mark = False
            if not self._after_mark:
                parts.append(MARK)
                self._after_mark = True
            position = min(end, show)
        if position < show:
            parts.append(self._text[position:show])
            self._after_mark = False
        return "".join(parts)
