"""AWS sessions: one per profile, config file and region, shared by everything that asks AWS."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator
from typing import Any

from deployer.adapters.aws.faults import Access, fault_of_setup, translate
from deployer.adapters.aws.profiles import check_config_file
from deployer.model import Secret

CONNECT_TIMEOUT = 5.0
READ_TIMEOUT = 30.0
ATTEMPTS = 3
ATTEMPTS_OF = {"route53": 8}
"""Route 53 takes 5 requests a second from a whole account, and one change at a time of a zone."""


class Session:
    """Clients for one region with one profile's credentials. Safe to share between threads.

    `botocore` is used without `boto3`: its clients are the same, and its import takes 0.1 s less.
    """

    def __init__(self, access: Access, loader: _SharedLoader) -> None:
        self.access = access
        self._loader = loader
        self._lock = threading.Lock()
        self._session: Any = None
        self._clients: dict[str, Any] = {}

    @property
    def region(self) -> str:
        """The AWS region (`eu-west-2`)."""
        return self.access.region

    def client(self, service: str) -> Any:
        """The botocore client of a service (`s3`), made once. Timeouts: 5 s to connect, 30 s to read; `ATTEMPTS`.

        Its calls raise botocore's errors: wrap them in `asking`, or use `translate`.
        Raises ConfigurationError for an unknown profile or region, UnreachableError when credentials cannot be fetched.
        """
        with self._lock:
            if service not in self._clients:
                with self.asking(f"{service}:*"):
                    self._clients[service] = self._new_client(service)
            return self._clients[service]

    def signing(self) -> tuple[Any, Any]:
        """botocore's credentials (None when there are none) and event emitter, for requests that we sign ourselves."""
        with self._lock:
            session = self._own_session()
            return session.get_credentials(), session.get_component("event_emitter")

    def secrets(self) -> list[Secret]:
        """What of the credentials must be masked: the secret key and the session token."""
        with self.asking("sts:GetCallerIdentity"):
            credentials, _ = self.signing()
            if credentials is None:
                return []
            frozen = credentials.get_frozen_credentials()
        return [Secret(text) for text in (frozen.secret_key, frozen.token) if text]

    @contextlib.contextmanager
    def asking(self, action: str) -> Iterator[None]:
        """Turn botocore's errors into ours. `action` is the IAM action that the calls inside need."""
        from botocore.exceptions import BotoCoreError, ClientError

        try:
            yield
        except (BotoCoreError, ClientError) as error:
            raise translate(error, self.access, action) from error
        except Exception as error:
            fault = fault_of_setup(error, self.access)
            if fault is None:  # not botocore's
                raise
            raise fault from error

    def _own_session(self) -> Any:
        if self._session is None:
            from botocore.session import Session as BotocoreSession

            check_config_file(self.access.config_file)
            session = BotocoreSession(profile=self.access.profile)
            if self.access.config_file is not None:
                session.set_config_variable("config_file", self.access.config_file)
            session.register_component("data_loader", self._loader.get(session))
            self._session = session
        return self._session

    def _new_client(self, service: str) -> Any:
        from botocore.config import Config

        from deployer import __version__

        return self._own_session().create_client(
            service,
            region_name=self.region,
            config=Config(
                connect_timeout=CONNECT_TIMEOUT,
                read_timeout=READ_TIMEOUT,
                retries={"mode": "standard", "total_max_attempts": ATTEMPTS_OF.get(service, ATTEMPTS)},
                user_agent_extra=f"deployer/{__version__}",
            ),
        )


class Sessions:
    """All sessions of a run."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._loader = _SharedLoader()
        self._sessions: dict[Access, Session] = {}

    def of(self, region: str, profile: str | None = None, config_file: str | None = None) -> Session:
        """The session of a region, profile and config file (an absolute path). Asks nothing and imports nothing yet."""
        access = Access(region, profile, config_file)
        with self._lock:
            return self._sessions.setdefault(access, Session(access, self._loader))

    def prepare(self, session: Session, *services: str) -> threading.Thread:
        """Import and build the clients in the background, as while SOPS decrypts; errors come when they are used."""

        def build() -> None:
            with contextlib.suppress(Exception):
                for service in services:
                    session.client(service)

        thread = threading.Thread(target=build, name="aws-clients", daemon=True)
        thread.start()
        return thread


class _SharedLoader:
    """botocore's descriptions of services, parsed once for all sessions."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._loader: Any = None

    def get(self, session: Any) -> Any:
        with self._lock:
            if self._loader is None:
                self._loader = session.get_component("data_loader")
            return self._loader
