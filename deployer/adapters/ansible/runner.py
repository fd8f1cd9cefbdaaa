"""Runs a hook playbook with ansible-core in a process of its own, and finds out which task failed."""

from __future__ import annotations

import json
import os
import re
import sys
import threading
from collections import deque
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryFile
from typing import IO, Any

from deployer.adapters.ansible.handover import SCRATCH, environment, named_pipe, variables_text
from deployer.adapters.process import GRACE, MemoryDirectory, Stream, TimedOut, end_marked
from deployer.errors import DeploymentFailed
from deployer.events import OutputLine, Sink
from deployer.execute.hook_ports import HookRequest
from deployer.masking import Masker

_LAST_LINES = 15
_LONGEST = 2000
"""Characters of what a failed task's program has said."""
_BANNER = re.compile(r"^((?:PLAY|TASK|RUNNING HANDLER|PLAY RECAP)\b.*?) \*{3,}$")


class AnsibleRunner:
    """Runs playbooks of the repository `root` with the ansible-core that is installed beside us."""

    def __init__(self, root: Path, masker: Masker, environ: Mapping[str, str] | None = None) -> None:
        self._root = root
        self._masker = masker
        self._environ = os.environ if environ is None else environ
        self._lock = threading.Lock()
        self._running: set[Stream] = set()
        self._stopped = False

    def stop(self) -> None:
        """End what is running, and begin nothing more."""
        with self._lock:
            self._stopped = True
            running = list(self._running)
        for stream in running:
            stream.terminate()

    def run(self, request: HookRequest, sink: Sink) -> None:
        """Run it to its end. Raises DeploymentFailed, ConfigurationError where the machine cannot run hooks."""
        text = variables_text(request.variables)
        with MemoryDirectory() as scratch, named_pipe(scratch, text) as variables, TemporaryFile(dir=scratch) as report:
            output = _Output(request, sink, self._masker)
            try:
                code = self._run(request, variables, report.fileno(), scratch, output)
            except TimedOut:
                output.end()
                raise self._failure(
                    request,
                    f"it did not end within {request.timeout:g} s",
                    hint="Hooks.Timeout is how long it may take",
                ) from None
            output.end()
            if self._stopped and code != 0:
                raise self._failure(request, "it was stopped")
            if code != 0:
                raise self._explain(request, code, _failures(report), output.last)

    def _run(self, request: HookRequest, variables: Path, report: int, scratch: Path, output: _Output) -> int:
        argv = [
            *(sys.executable, "-P", "-m", "ansible", "playbook"),
            *("-e", f"@{variables}"),
            *request.arguments,
            str(self._root / request.playbook),
        ]
        stream = Stream(
            argv,
            env={**environment(self._environ, report, scratch), **request.environment},
            cwd=self._root,
            timeout=request.timeout,
            pass_fds=(report,),
        )
        ended_by_itself = False
        try:
            with self._registered(stream), stream:
                for line in stream:
                    if not self._stopped:  # Python's tracebacks, where the signal met a task that was just beginning
                        output.write(line.text)
            ended_by_itself = not self._stopped
        finally:
            if not ended_by_itself:
                end_marked(SCRATCH, str(scratch), GRACE)
        return stream.returncode if stream.returncode is not None else 1

    @contextmanager
    def _registered(self, stream: Stream) -> Iterator[None]:
        with self._lock:
            self._running.add(stream)
            stopped = self._stopped
        if stopped:
            stream.terminate()
        try:
            yield
        finally:
            with self._lock:
                self._running.discard(stream)

    def _explain(
        self, request: HookRequest, code: int, failures: list[dict[str, Any]], last: Iterable[str]
    ) -> DeploymentFailed:
        """What the callback was told of the task that ended it; else what Ansible said last."""
        if not failures:
            why = "\n".join(last).strip() or f"ansible-playbook ended with {code}"
            return self._failure(request, why)
        failure = failures[0] if len(failures) > 1 and failures[0]["task"] == failures[-1]["task"] else failures[-1]
        path = str(failure["path"] or "").removeprefix(f"{self._root}/")
        message, said = (self._masker.mask(str(failure[key])) for key in ("message", "said"))  # before they are cut
        told = f"{message.strip()}\n{said[-_LONGEST:]}"[: 2 * _LONGEST].strip()
        why = f"the task {failure['task']!r} failed on {failure['host']}: {told}"
        return self._failure(request, why, where=path or request.playbook)

    def _failure(self, request: HookRequest, why: str, *, where: str = "", hint: str | None = None) -> DeploymentFailed:
        mask = self._masker.mask
        return DeploymentFailed(
            f"the hook {request.playbook} ({request.event}) failed",
            where=mask(where) or request.playbook,
            why=mask(why),
            hint=hint,
        )


class _Output:
    """Tells a playbook's output line by line, masked; its last lines are kept."""

    def __init__(self, request: HookRequest, sink: Sink, masker: Masker) -> None:
        self._target = request.target
        self._source = request.event
        self._sink = sink
        self._stream = masker.stream()
        self._rest = ""
        self.last: deque[str] = deque(maxlen=_LAST_LINES)

    def write(self, line: str) -> None:
        """A line of output."""
        self._show(self._stream.feed(line + "\n"))

    def end(self) -> None:
        """What was held back: nothing more comes."""
        self._show(self._stream.flush() + ("\n" if self._rest else ""))

    def _show(self, text: str) -> None:
        *lines, self._rest = (self._rest + text).split("\n")
        for line in filter(str.strip, lines):
            banner = _BANNER.match(line)
            shown = banner[1] if banner else line
            self.last.append(shown)
            self._sink.emit(OutputLine(self._source, shown, self._target))


def _failures(report: IO[bytes]) -> list[dict[str, Any]]:
    """What the callback has written: the tasks that failed, in their order."""
    report.seek(0)
    found = []
    for line in report:
        try:
            failure = json.loads(line)
        except ValueError:  # it was cut off
            continue
        if isinstance(failure, dict) and {"task", "path", "host", "message", "said"} <= failure.keys():
            found.append(failure)
    return found
