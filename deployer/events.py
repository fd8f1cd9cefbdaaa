"""What a running deployment tells its watchers, as frozen dataclasses, and the sink that takes them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from deployer.model import LockState, Target, WorkloadState


@dataclass(frozen=True, slots=True)
class PhaseStarted:
    """`target` is None for work that all targets share (a download, the image)."""

    phase: str
    target: Target | None = None


@dataclass(frozen=True, slots=True)
class PhaseFinished:
    """`detail` is a few words for the reader: `cached`, `sha256:ab12…`, `3 objects changed`."""

    phase: str
    seconds: float
    target: Target | None = None
    detail: str = ""
    failed: bool = False


@dataclass(frozen=True, slots=True)
class DownloadProgress:
    """Bytes of one artefact so far; `total` is None when the server does not say."""

    source: str
    done: int
    total: int | None


@dataclass(frozen=True, slots=True)
class OutputLine:
    """One line of a tool that works for us (`build`, `push`, `helm`). `masked`: it need not be masked once more."""

    source: str
    line: str
    target: Target | None = None
    masked: bool = False


@dataclass(frozen=True, slots=True)
class RolloutProgress:
    """How far the release's workloads are."""

    target: Target
    workloads: tuple[WorkloadState, ...]


@dataclass(frozen=True, slots=True)
class WarningRaised:
    """Something that the user should know and that does not stop the deployment."""

    text: str
    target: Target | None = None
    hint: str = ""


@dataclass(frozen=True, slots=True)
class LockAwaited:
    """Somebody else works on the release, and we wait in line."""

    target: Target
    state: LockState


@dataclass(frozen=True, slots=True)
class WavesPlanned:
    """An app's regions are about to be changed, wave after wave; nothing of them has begun."""

    waves: tuple[tuple[Target, ...], ...]


Event = (
    PhaseStarted
    | PhaseFinished
    | DownloadProgress
    | OutputLine
    | RolloutProgress
    | WarningRaised
    | LockAwaited
    | WavesPlanned
)


class Sink(Protocol):
    """Takes events from any thread; must be quick and must not raise."""

    def emit(self, event: Event) -> None:
        """Take an event."""
        ...


class Both:
    """Passes events on to two sinks; what the second one raises does not keep the first one from hearing them."""

    def __init__(self, first: Sink, second: Sink) -> None:
        self._first = first
        self._second = second

    def emit(self, event: Event) -> None:
        """Pass it on."""
        self._first.emit(event)
        self._second.emit(event)


class Silence:
    """A sink for when nobody watches."""

    def emit(self, event: Event) -> None:
        """Drop the event."""
