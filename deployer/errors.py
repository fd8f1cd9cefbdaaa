"""Every error that a user can meet, as one tree.

DeployError                  what failed, where, why, what to do next
├── DeploymentFailed     1   a region did not end up as asked
├── UsageError           2   the command line is wrong
├── ConfigurationError   2   a file, a value or a template is wrong
├── HeldError            4   a lock or a guard refused
│   └── ConflictError    4   it is no longer as we saw it: somebody else changed it
├── UnreachableError     5   a service (AWS, Docker, registry, cluster) did not answer or refused us
│   └── NotPermitted     5   it knows us, and does not allow this one thing
├── InterruptedBySignal  128+N
└── ErrorGroup               several of the above at once; the most severe one decides the exit code

Adapters raise these; `cli` turns them into messages and exit codes in one place.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TypeVar

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Location:
    """A place in a file of the deployment repository. `line` and `column` count from 1; None when unknown."""

    file: str
    line: int | None = None
    column: int | None = None

    def __str__(self) -> str:
        return ":".join(str(part) for part in (self.file, self.line, self.column) if part is not None)


class DeployError(Exception):
    """An error with everything that its reader needs.

    `what` is one sentence without a final full stop; `where` names file and line, or a region, key or URL;
    `why` is the cause as the failing part told it (already masked); `hint` is what to do next;
    `chain` leads from the outermost place to the innermost one (template references, includes).
    `regions` are those that it is about, where a command has several.
    """

    exit_code = 1
    regions: tuple[str, ...] = ()

    def __init__(
        self,
        what: str,
        *,
        where: Location | str | None = None,
        why: str | None = None,
        hint: str | None = None,
        chain: Sequence[str] = (),
    ) -> None:
        super().__init__(what)
        self.what = what
        self.where = where
        self.why = why
        self.hint = hint
        self.chain = tuple(chain)

    def leaves(self) -> Iterator[DeployError]:
        """The single errors in this one: itself, unless it is a group."""
        yield self

    def __str__(self) -> str:
        place = f"{self.where}: " if self.where else ""
        cause = f": {self.why}" if self.why else ""
        return f"{place}{self.what}{cause}"


class DeploymentFailed(DeployError):
    """The deployment was begun and did not succeed; the report says what state each region is in."""

    exit_code = 1


class UsageError(DeployError):
    """The command line asks for something that does not exist or does not fit together."""

    exit_code = 2


class ConfigurationError(DeployError):
    """A file of the deployment repository, or a value or template in it, is wrong."""

    exit_code = 2


class HeldError(DeployError):
    """A lock or a guard refused; nothing was changed."""

    exit_code = 4


class ConflictError(HeldError):
    """What was to be changed is no longer as it was seen: somebody else has changed it. We have changed nothing."""


class UnreachableError(DeployError):
    """A service that we need could not be reached, or did not let us in."""

    exit_code = 5


class NotPermitted(UnreachableError):
    """A service knows who we are and does not allow what we asked; other questions may be answered."""


class InterruptedBySignal(DeployError):
    """The user or the system asked us to stop. `at_once`: they asked again while we were cleaning up."""

    at_once = False

    def __init__(self, signal_number: int, what: str = "stopped by a signal") -> None:
        super().__init__(what)
        self.signal_number = signal_number
        self.exit_code = 128 + signal_number


class Stop(KeyboardInterrupt):
    """Raised wherever the program is when a signal arrives.

    Not a DeployError nor an Exception: nothing that handles those on its way may take it for its own. Those who wait
    for work turn it into an InterruptedBySignal once they have cleaned up.
    """

    def __init__(self, signal_number: int) -> None:
        super().__init__()
        self.signal_number = signal_number


def interruption(stop: KeyboardInterrupt) -> InterruptedBySignal:
    """The error of an arrived signal; Ctrl-C where nothing says which."""
    import signal

    number = signal.Signals(getattr(stop, "signal_number", signal.SIGINT))
    return InterruptedBySignal(number, f"stopped by {number.name}")


class ErrorGroup(DeployError):
    """Several independent errors, all of them to be shown.

    The exit code is the one of the error that must be mended first: usage and configuration (2), then guards (4),
    then services (5), then failures (1).
    """

    _severity = (2, 4, 5, 1)

    def __init__(self, errors: Sequence[DeployError]) -> None:
        self.errors = tuple(leaf for error in errors for leaf in error.leaves())
        super().__init__(f"{len(self.errors)} errors")
        codes = {error.exit_code for error in self.errors}
        self.exit_code = next((code for code in self._severity if code in codes), max(codes, default=1))

    def leaves(self) -> Iterator[DeployError]:
        """The errors in the group."""
        yield from self.errors

    def __str__(self) -> str:
        return "\n".join(str(error) for error in self.errors)


def raise_all(errors: Sequence[DeployError]) -> None:
    """Raise nothing, the only error, or a group of all of them."""
    if len(errors) == 1:
        raise errors[0]
    if errors:
        raise ErrorGroup(errors)


def attempt(question: Callable[[], T]) -> T | DeployError:
    """The answer, or the error in its place. Raises InterruptedBySignal: nothing more is asked then."""
    try:
        return question()
    except InterruptedBySignal:
        raise
    except DeployError as error:
        return error


def sure(answer: T | DeployError) -> T:
    """The answer of `attempt`. Raises the error that is in its place."""
    if isinstance(answer, DeployError):
        raise answer
    return answer
