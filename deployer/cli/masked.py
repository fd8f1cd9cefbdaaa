"""The last mask before a terminal: events and errors without secrets, whoever made their texts."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

from deployer.cli.messages import show_error
from deployer.errors import DeployError, ErrorGroup, interruption
from deployer.events import DownloadProgress, Event, OutputLine, PhaseFinished, RolloutProgress, Sink, WarningRaised
from deployer.masking.document import mask_texts
from deployer.model import WorkloadState

Mask = Callable[[str], str]


class MaskingSink:
    """Passes events on with every text of foreign origin masked: probes, events and tools quote what they like."""

    def __init__(self, sink: Sink, mask: Mask) -> None:
        self._sink = sink
        self._mask = mask
        self._shown = True

    def emit(self, event: Event) -> None:
        """Mask the event and pass it on, as long as it can be shown: what is done must not end for want of a reader."""
        if self._shown:
            try:
                self._sink.emit(self._masked(event))
            except (OSError, ValueError):
                self._shown = False

    def _masked(self, event: Event) -> Event:
        match event:
            case OutputLine(masked=False):
                return replace(event, line=self._mask(event.line))
            case WarningRaised():
                return replace(event, text=self._mask(event.text), hint=self._mask(event.hint))
            case PhaseFinished():
                return replace(event, detail=self._mask(event.detail))
            case DownloadProgress():
                return replace(event, source=self._mask(event.source))
            case RolloutProgress():
                return replace(event, workloads=tuple(map(self._workload, event.workloads)))
            case _:
                return event

    def _workload(self, workload: WorkloadState) -> WorkloadState:
        pods = tuple(replace(pod, reason=self._mask(pod.reason)) for pod in workload.pods)
        return replace(workload, reason=self._mask(workload.reason), pods=pods)


def masked_error(error: DeployError, mask: Mask) -> DeployError:
    """The same error, its texts masked in place."""
    for leaf in error.leaves():
        leaf.what = mask(leaf.what)
        leaf.why = mask(leaf.why) if leaf.why else leaf.why
        leaf.hint = mask(leaf.hint) if leaf.hint else leaf.hint
        leaf.where = mask(leaf.where) if isinstance(leaf.where, str) else leaf.where
        leaf.chain = tuple(map(mask, leaf.chain))
        leaf.args = (leaf.what,)
    return error


@contextmanager
def masked_errors(mask: Mask) -> Iterator[None]:
    """Errors leave the block masked, an interruption as the error of its signal."""
    try:
        yield
    except KeyboardInterrupt as stop:
        raise interruption(stop) from None
    except DeployError as error:
        raise masked_error(error, mask) from None


def show_errors(errors: Sequence[DeployError], mask: Mask) -> int:
    """Write errors, masked, beside the results that there are; the exit code that they end with."""
    group = ErrorGroup(errors)
    show_error(masked_error(group, mask))
    return group.exit_code


def masked_json(document: Mapping[str, Any], mask: Mask) -> str:
    """A document as JSON text, every text in it masked."""
    return json.dumps(mask_texts(document, mask), indent=2)
