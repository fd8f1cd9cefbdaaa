"""`deploy secrets rotate`: new data keys for many files, going on where an interrupted run stopped."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from deployer.config import document
from deployer.config.secret_files import RULES, SecretFile
from deployer.config.sops_files import creation_rules, recipients
from deployer.errors import ConfigurationError, DeployError, InterruptedBySignal, Location
from deployer.model.secret_files import RotatedFile
from deployer.pipeline.secrets import storage
from deployer.pipeline.secrets.changing import relative
from deployer.pipeline.secrets.ports import EncryptedFile, OpenFile

_WORKERS = 4
_REMEMBERED = 24 * 3600.0
"""Seconds for which an interrupted rotation is gone on with; later one begins afresh."""

Told = Callable[[RotatedFile, int, int], None]


class Progress:
    """Which files an unfinished rotation has done, by the digests of what it wrote: a file in the cache, no secrets.

    Where that cannot be written, `warn` is told once, and `kept` is False: only the convenience is lost.
    """

    def __init__(
        self, path: Path, *, now: Callable[[], float] = time.time, warn: Callable[[str], None] = lambda _: None
    ) -> None:
        self.kept = True
        self._path = path
        self._warn = warn
        self._lock = threading.Lock()
        self._done: dict[str, str] = {}
        with contextlib.suppress(OSError, ValueError, TypeError, AttributeError):
            found = json.loads(path.read_text())
            if 0 <= now() - float(found["begun"]) < _REMEMBERED:
                self._done = {str(name): str(digest) for name, digest in found["done"].items()}
                self._begun = float(found["begun"])
                return
        self._begun = now()

    def has(self, file: SecretFile, content: bytes) -> bool:
        """Whether the file is as that rotation left it."""
        return self._done.get(str(file.path)) == hashlib.sha256(content).hexdigest()

    def add(self, file: SecretFile, content: bytes) -> None:
        """Remember that a file is to become this content; before it is written, so that no file is done twice."""
        with self._lock:
            self._done[str(file.path)] = hashlib.sha256(content).hexdigest()
            try:
                self._write()
            except OSError as error:
                if self.kept:
                    self._warn(
                        f"an interrupted rotation cannot go on where it stopped: {error.strerror} ({self._path})"
                    )
                self.kept = False

    def _write(self) -> None:
        self._path.parent.mkdir(parents=True, exist_ok=True)
        temporary = self._path.with_suffix(f".{os.getpid()}")
        try:
            temporary.write_text(json.dumps({"begun": self._begun, "done": self._done}))
            temporary.replace(self._path)
        except OSError:
            with contextlib.suppress(OSError):
                temporary.unlink()
            raise

    def forget(self) -> None:
        """Begin afresh."""
        self._done.clear()
        with contextlib.suppress(OSError):
            self._path.unlink()


def rotate(
    root: Path,
    files: Sequence[SecretFile],
    open_file: OpenFile,
    progress: Progress,
    told: Told,
    *,
    interrupt: Callable[[], None] = lambda: None,
) -> list[DeployError]:
    """Renew the data key of each file, and its recipients where `.sops.yaml` has others; the errors, file by file.

    Several files at a time; `told` learns of each as it ends, with how many are done and how many there are. Each file
    is replaced as a whole; on a signal `interrupt` ends what runs, and no other file is begun. What was rotated by a
    run that did not finish within the last day is not rotated again.
    """
    lock = threading.Lock()
    over = threading.Event()
    count = 0

    def work(file: SecretFile) -> DeployError | None:
        nonlocal count
        error = None
        if over.is_set():
            return None
        try:
            done = _rotate(root, file, open_file(file), progress)
        except DeployError as raised:
            if isinstance(raised, InterruptedBySignal):
                over.set()
                return None
            done, error = RotatedFile(file.name, "failed"), raised
        with lock:
            count += 1
            told(done, count, len(files))
        return error

    with ThreadPoolExecutor(_WORKERS, thread_name_prefix="rotate") as pool:
        try:
            errors = [error for error in pool.map(work, files) if error is not None]
        except BaseException:
            over.set()
            interrupt()
            raise
    if not errors and not over.is_set():
        progress.forget()
    return errors


def _rotate(root: Path, file: SecretFile, sops: EncryptedFile, progress: Progress) -> RotatedFile:
    content, tree = storage.existing(file)
    if progress.has(file, content):
        return RotatedFile(file.name, "done before")
    after = content
    rules = storage.rules_for(root)
    updated = False
    if rules is not None:
        name = relative(file, rules)
        found = creation_rules(document.parse(rules.read_bytes(), RULES))
        rule = next((rule for rule in found if rule.is_for(name)), None)
        if rule is not None and rule.keys and rule.keys != set(recipients(tree)):
            after = sops.update_keys(after, rules, name)
            updated = True
    after = sops.rotate(after)
    if sops.values(after) != sops.values(content):
        raise ConfigurationError(
            "the file would not hold the same values after its rotation", where=Location(file.name),
            hint="it is as it was",
        )  # fmt: skip
    progress.add(file, after)
    storage.write(file, content, after)
    return RotatedFile(file.name, "rotated", updated)
