"""The last mask before a terminal: events and errors without secrets, whoever made their texts."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from deployer.errors import DeployError
from deployer.events import Event, OutputLine, PhaseFinished, RolloutProgress, Sink, WarningRaised
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
            case OutputLine():
                return replace(event, line=self._mask(event.line))
            case WarningRaised():
                return replace(event, text=self._mask(event.text), hint=self._mask(event.hint))
            case PhaseFinished():
                return replace(event, detail=self._mask(event.detail))
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
