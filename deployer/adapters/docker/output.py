"""A build's output on its way to the user: masked, line by line, its end kept to explain a failure."""

from __future__ import annotations

from collections import deque

from deployer.events import OutputLine, Sink, WarningRaised
from deployer.masking import Masker

_KEPT = 200


class Output:
    """Takes lines or pieces of them, shows them masked under a name (`build`, `push`), and keeps the last 200."""

    def __init__(self, sink: Sink, masker: Masker) -> None:
        self._sink = sink
        self._masker = masker
        self._stream = masker.stream()
        self._name = "build"
        self._rest = ""
        self.lines: deque[str] = deque(maxlen=_KEPT)

    def write(self, text: str, name: str = "build") -> None:
        """Take a piece of output, with its line ends."""
        if name != self._name:
            self.end()
            self._name = name
        self._show(self._stream.feed(text))

    def end(self) -> None:
        """Show what was held back: nothing more comes."""
        self._show(self._stream.flush())
        if self._rest:
            self._show("\n")

    def warn(self, text: str, hint: str) -> None:
        """Tell what does not stop the build."""
        self._sink.emit(WarningRaised(text, hint=hint))

    def mask(self, text: str) -> str:
        """A single text, masked."""
        return self._masker.mask(text)

    def _show(self, text: str) -> None:
        *lines, self._rest = (self._rest + text).split("\n")
        for line in filter(str.strip, lines):
            self.lines.append(line)
            self._sink.emit(OutputLine(self._name, line, masked=True))
