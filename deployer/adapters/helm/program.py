"""The helm program: which cluster it is told of, what it finds in its environment, and how it is stopped."""

from __future__ import annotations

import json
import os
import signal
import tempfile
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from deployer.adapters import process
from deployer.errors import ConfigurationError, InterruptedBySignal

# What helm and the credential plugins that it starts need, besides AWS_*. Not HELM_*: plugins, repositories, another
# storage driver or a debug flag of the user's would change what we do.
_PASSED = frozenset(
    ["HOME", "KUBECONFIG", "LANG", "LC_ALL", "LOGNAME", "PATH", "SSL_CERT_DIR", "SSL_CERT_FILE", "TMPDIR", "TZ", "USER"]
    + [name for each in ("http_proxy", "https_proxy", "no_proxy") for name in (each, each.upper())]
)


Kubeconfig = Path | Mapping[str, Any]
"""A kubeconfig file, or the content of one."""


class Program:
    """Runs helm against one cluster.

    `helm` gives the executable; `kubeconfig` is a file, the content of one, a call that gives either, or None for
    kubectl's own choice; `directory` is where helm keeps its caches; `environment` is what a credential plugin needs
    beyond the ordinary.
    """

    def __init__(
        self,
        helm: Callable[[], Path],
        *,
        kubeconfig: Kubeconfig | Callable[[], Kubeconfig] | None,
        context: str | None,
        directory: Path,
        environment: Mapping[str, str],
    ) -> None:
        self._helm = helm
        self._kubeconfig = kubeconfig
        self._context = context
        self._directory = directory
        self._environment = dict(environment)
        self._lock = threading.Lock()
        self._running: set[process.Stream] = set()
        self._stopped: set[process.Stream] = set()
        self._major: int | None = None

    def run(
        self,
        arguments: Sequence[str],
        stdin: bytes | None = None,
        *,
        timeout: float,
        on_line: Callable[[str], None] = lambda line: None,
    ) -> tuple[int, str, str]:
        """Run helm to its end: exit status, standard output and standard error. `on_line` sees the latter as it comes.

        Raises ExecutableMissing, TimedOut, and InterruptedBySignal after `stop`.
        """
        output: dict[str, list[str]] = {"stdout": [], "stderr": []}
        with self._access() as (access, descriptors):
            argv: list[process.Argument] = [self._helm(), *arguments, *access]
            stream = process.Stream(
                argv,
                stdin=stdin,
                env=self._variables(),
                timeout=timeout,
                pass_fds=descriptors,
                merge=False,
                grace=30.0,  # helm still has to write down that it was stopped
            )
            with stream, self._registered(stream):
                for line in stream:
                    output[line.source].append(line.text)
                    if line.source == "stderr":
                        on_line(line.text)
        with self._lock:
            stopped = stream in self._stopped
            self._stopped.discard(stream)
        if stopped and stream.returncode != 0:
            raise InterruptedBySignal(signal.SIGTERM, "helm was stopped")
        # Lines of output are one JSON text, of which long lines come in pieces.
        return stream.returncode or 0, "".join(output["stdout"]), "\n".join(output["stderr"])

    def stop(self) -> None:
        """Ask a running helm to stop: it writes down the release as failed. Callable from any thread."""
        with self._lock:
            for stream in self._running - self._stopped:
                stream.terminate()
            self._stopped |= self._running

    def major(self) -> int:
        """The first part of helm's version."""
        with self._lock:
            if self._major is None:
                helm = self._helm()
                result = process.run([helm, "version", "--template", "{{.Version}}"], env=self._variables(), timeout=60)
                version = result.stdout.decode("utf-8", "replace").strip().removeprefix("v")
                if not result.ok or not version.split(".")[0].isdecimal():
                    raise ConfigurationError(
                        "helm does not tell its version",
                        where=str(helm),
                        hint="`deploy doctor` lists the tools that are needed and how to get them",
                    )
                self._major = int(version.split(".")[0])
            return self._major

    @contextmanager
    def _registered(self, stream: process.Stream) -> Iterator[None]:
        with self._lock:
            self._running.add(stream)
        try:
            yield
        finally:
            with self._lock:
                self._running.discard(stream)

    @contextmanager
    def _access(self) -> Iterator[tuple[list[str], tuple[int, ...]]]:
        """The arguments that name the cluster, and the descriptors that they refer to."""
        context = ["--kube-context", self._context] if self._context else []
        match self._kubeconfig() if callable(self._kubeconfig) else self._kubeconfig:
            case None:
                yield context, ()
            case Path() as file:
                yield [*context, "--kubeconfig", str(file.absolute())], ()
            case content:
                with _readable(json.dumps(content).encode()) as (path, descriptors):
                    yield [*context, "--kubeconfig", path], descriptors

    def _variables(self) -> dict[str, str]:
        kept = {name: value for name, value in os.environ.items() if name in _PASSED or name.startswith("AWS_")}
        directories = {
            "HELM_CACHE_HOME": "cache",
            "HELM_CONFIG_HOME": "config",
            "HELM_DATA_HOME": "data",
            "HELM_PLUGINS": "plugins",
            "KUBECACHEDIR": "kubernetes",  # what the API server offers, remembered for some hours
        }
        return kept | {name: str(self._directory / part) for name, part in directories.items()} | self._environment


@contextmanager
def _readable(content: bytes) -> Iterator[tuple[str, tuple[int, ...]]]:
    """A path under which a child reads the content, as often as it likes, and the descriptors that it must inherit."""
    if hasattr(os, "memfd_create"):
        descriptor = os.memfd_create("kubeconfig", 0)
        try:
            os.write(descriptor, content)
            yield f"/proc/self/fd/{descriptor}", (descriptor,)
        finally:
            os.close(descriptor)
    else:  # a private file, where the system has no anonymous ones
        with tempfile.NamedTemporaryFile() as file:
            file.write(content)
            file.flush()
            yield file.name, ()
