"""The tool as a process: what it says while it runs, and how it ends."""

from __future__ import annotations

import json
import signal
import subprocess
import threading
import time
from dataclasses import dataclass

from tests.sandbox.surroundings import Json


@dataclass(frozen=True)
class Done:
    """How a command ended."""

    code: int
    stdout: str
    stderr: str
    seconds: float

    @property
    def document(self) -> Json:
        """What `--json` printed: one document and nothing else."""
        content: Json = json.loads(self.stdout)
        return content

    @property
    def target(self) -> Json:
        """The only target in the document."""
        (found,) = self.document["targets"]
        target: Json = found
        return target

    @property
    def output(self) -> str:
        return f"--- stdout\n{self.stdout}\n--- stderr\n{self.stderr}"

    def expect(self, code: int) -> Done:
        """Itself, if it ended with this exit code and without a traceback."""
        assert self.code == code, f"exit code {self.code} instead of {code}\n{self.output}"
        assert "Traceback" not in self.stderr + self.stdout, self.output
        assert "defect" not in self.stderr + self.stdout, self.output
        return self


class Running:
    """A command that runs; its standard error is read line by line as it comes (`times`: seconds since the epoch)."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self.process = process
        self.lines: list[str] = []
        self.times: list[float] = []
        self._began = time.monotonic()
        self._changed = threading.Condition()
        self._stdout = ""
        self._readers = [threading.Thread(target=work, daemon=True) for work in (self._read_errors, self._read_output)]
        for reader in self._readers:
            reader.start()

    def _read_errors(self) -> None:
        assert self.process.stderr is not None
        for line in self.process.stderr:
            with self._changed:
                self.lines.append(line.rstrip("\n"))
                self.times.append(time.time())
                self._changed.notify_all()
        with self._changed:
            self._changed.notify_all()

    def _read_output(self) -> None:
        assert self.process.stdout is not None
        self._stdout = self.process.stdout.read()

    def wait_for(self, text: str, seconds: float = 120) -> None:
        """Until a line of standard error contains the text."""
        with self._changed:
            said = self._changed.wait_for(
                lambda: any(text in line for line in self.lines) or self.process.poll() is not None, seconds
            )
        if said and self.process.poll() is not None:
            self._readers[0].join(10)  # it may have been said last
        if not any(text in line for line in self.lines):
            self._give_up()
            raise AssertionError(f"{text!r} was not said:\n" + "\n".join(self.lines))

    def time_of(self, text: str) -> float:
        """When the first line that contains the text was said."""
        return next(when for when, line in zip(self.times, self.lines, strict=True) if text in line)

    def signal(self, number: signal.Signals) -> None:
        self.process.send_signal(number)

    def done(self, seconds: float = 240) -> Done:
        """Wait for its end."""
        try:
            self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            self._give_up()
            raise AssertionError(f"it did not end within {seconds:g} s:\n" + "\n".join(self.lines)) from None
        took = time.monotonic() - self._began
        self._close()
        return Done(self.process.returncode, self._stdout, "\n".join(self.lines), took)

    def _give_up(self) -> None:
        """Leave nothing behind that would disturb the next test."""
        self.process.kill()
        self.process.wait()
        self._close()

    def _close(self) -> None:
        for reader in self._readers:
            reader.join(5)
        for stream in (self.process.stdout, self.process.stderr):
            assert stream is not None
            stream.close()
