"""What one command holds while it runs: its repository, its secrets, sessions, connections and programs."""

from __future__ import annotations

import os
import tempfile
import threading
import time
from collections.abc import Callable, Iterable
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self, TypeVar

from deployer.config import Repository
from deployer.errors import InterruptedBySignal
from deployer.events import Both, Sink
from deployer.masking import Masker
from deployer.model import Holder, Settings

if TYPE_CHECKING:
    import httpx2

    from deployer.adapters.aws.session import Session, Sessions
    from deployer.adapters.telemetry.traces import Traces
    from deployer.execute.ports import SecretsDecryptor

T = TypeVar("T")


class Held:
    """What everything that is wired shares, each thing made once, when it is first asked for."""

    def __init__(self, directory: Path | None, deployment: str) -> None:
        self._repository = Repository.find(Path.cwd(), directory)
        self._deployment = deployment
        self._masker = Masker(public=_names_in(self._repository))
        self._lock = threading.RLock()
        self._stack = ExitStack()
        self._sink: Sink | None = None
        self._sessions: Sessions | None = None
        self._http_client: httpx2.Client | None = None
        self._directory: Path | None = None
        self._commit: str | None = None
        self._asked_git = False
        self._made: dict[tuple[object, ...], Any] = {}
        self._traces: Traces | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if isinstance(error, (KeyboardInterrupt, InterruptedBySignal)):
            threading.Thread(target=_stop_programs, daemon=True).start()
        self._stack.close()

    @property
    def repository(self) -> Repository:
        """What the deployment repository holds."""
        return self._repository

    @property
    def root(self) -> Path:
        """The deployment repository."""
        return self._repository.root

    def mask(self, text: str) -> str:
        """The text without any secret that is known by now."""
        return self._masker.mask(text)

    def keep_secret(self, values: Iterable[str]) -> None:
        """Mask these values, too, from now on."""
        self._masker.add(values)

    def git_commit(self) -> str | None:
        """The deployment repository's commit, `-dirty` appended where tracked files differ; None outside git."""
        with self._lock:
            if not self._asked_git:
                from deployer.adapters.git import commit

                self._commit, self._asked_git = commit(self.root), True
            return self._commit

    def begin_traces(self, command: str, stage: str) -> Traces | str | None:
        """A trace of this command, where the environment asks for it; a warning where there can be none."""
        from deployer.adapters.telemetry import asked_for, begin

        if asked_for(os.environ):
            begun = begin(command, self._deployment, stage, self.mask, os.environ)
            self._traces = None if isinstance(begun, str) else begun
            return begun
        return None

    def watched(self, sink: Sink) -> Sink:
        """The sink, with the trace listening that has begun."""
        return Both(self._traces, sink) if self._traces is not None else sink

    def who(self) -> str:
        """Who deploys, and where from."""
        from deployer.adapters.who import who

        return who(os.environ)

    def holder(self, deployment: str, action: str) -> Holder:
        """This process, as the holder of locks."""
        from datetime import UTC, datetime

        from deployer.adapters.leases import this_machine, this_process

        since = datetime.now(UTC).isoformat(timespec="seconds")
        return Holder(deployment, self.who(), this_machine(), since, action, this_process())

    def _once(self, make: Callable[[], T], *key: object) -> T:
        """What `make` gives, made once for a key: apps of one region share connections, logins and answers."""
        with self._lock:
            if key not in self._made:
                self._made[key] = make()
            made: T = self._made[key]
            return made

    def _sops(self) -> SecretsDecryptor:
        from deployer.adapters.sops import Sops

        return Sops(lambda: self._tool("sops"))

    def _decrypting_once(self) -> Callable[..., Any]:
        """SOPS, asked once for what several questions have in common."""
        known: dict[tuple[bytes, str | None], Any] = {}

        def decrypt(file: Path, *, profile: str | None, config_file: str | None = None) -> Any:
            key = file.read_bytes(), profile
            if key not in known:
                known[key] = self._sops().decrypt(file, profile=profile, config_file=config_file)
            return known[key]

        return decrypt

    def _tool(self, name: str) -> Path:
        from deployer import tools

        return tools.find(name) or tools.require(name, self._sink)

    def _session(self, settings: Settings, region: str | None = None) -> Session:
        with self._lock:
            if self._sessions is None:
                from deployer.adapters.aws.session import Sessions

                self._sessions = Sessions()
        return self._sessions.of(region or settings.aws_region, settings.aws_profile, settings.aws_config_file)

    def _http(self) -> httpx2.Client:
        """One client for all HTTP that is not AWS's or Kubernetes'."""
        with self._lock:
            if self._http_client is None:
                import httpx2

                self._http_client = self._stack.enter_context(httpx2.Client(timeout=30.0))
            return self._http_client

    def _private_directory(self) -> Path:
        """A directory that only this user can read, and that is gone after the command. It never holds a secret."""
        with self._lock:
            if self._directory is None:
                from deployer.adapters import process

                self._directory = Path(self._stack.enter_context(tempfile.TemporaryDirectory(prefix="deploy-")))
                self._stack.callback(process.end_all, 2.0)  # before: a helm that was left behind writes into it
            return self._directory


def _names_in(repository: Repository) -> set[str]:
    """What is shown on purpose although a secret may be called the same: apps, stages, regions."""
    environments = {name for pair in repository.environments for name in pair if name}
    return environments | set(repository.apps)


def cache_directory() -> Path:
    """This user's cache of ours: tools, artefacts."""
    import platformdirs

    return Path(platformdirs.user_cache_dir("deployer"))


def _stop_programs() -> None:
    """End what threads are waiting for (SOPS, for instance), more than once: one may just be starting."""
    from deployer.adapters import process

    for _ in range(10):
        process.stop_all()
        time.sleep(0.2)
