"""One helm command: pyhelm3's argument lists, our way of running them. Imported only where helm is run."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Callable, Coroutine, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

from pyhelm3 import Command  # type: ignore[import-untyped]

from deployer.adapters.helm.refusals import HelmRefused
from deployer.model import Json

T = TypeVar("T")


Run = Callable[[Sequence[str], bytes | None], tuple[int, str, str]]
"""Runs helm with arguments and an input: its exit status, standard output and standard error."""


class HelmCommand(Command):  # type: ignore[misc]  # pyhelm3 has no types
    """Builds the arguments of one helm command and runs them without a shell, a log, or asyncio's processes.

    `server_side`: this helm (4) applies on the server, also where Helm 3 made the release, and wins over other writers
    of a field, as Helm 3 does.
    """

    def __init__(self, run: Run, *, server_side: bool, history: int) -> None:
        super().__init__(history_max_revisions=history)
        self._run = run
        self._server_side = server_side
        self._extra: tuple[str, ...] = ()
        self._values: bytes | None = None

    async def run(self, command: list[Any], input: bytes | None = None) -> bytes:
        """Takes the place of pyhelm3's: it would go through a shell, and log what it runs.

        Its `input` gives way to our spelling of the values: helm reads JSON as YAML, which differs in a few characters.
        """
        argv = [*(str(argument) for argument in command), *self._extra]
        returncode, stdout, stderr = self._run(argv, self._values)
        if returncode != 0:
            raise HelmRefused(returncode, stderr)
        return stdout.encode()

    def upgrade_release(
        self,
        name: str,
        namespace: str,
        chart: Path,
        values: Json,
        *,
        labels: Mapping[str, str],
        description: str,
        timeout: float,
        take_over: bool = False,
    ) -> int:
        """`helm upgrade --install`; the new revision's number. `take_over`: also objects that are not the release's."""
        self._values = yaml_json(values)
        # helm would spend half of its time on checking fields that the server's strict dry run has checked.
        self._extra = (
            f"--labels={','.join(f'{key}={value}' for key, value in labels.items())}",
            "--disable-openapi-validation",
            *(("--take-ownership",) if take_over else ()),
        )
        release: Json = _finish(
            self.install_or_upgrade(
                name,
                chart,
                values,
                namespace=namespace,
                timeout=_seconds(timeout),
                description=description,
                create_namespace=False,
                server_side="true" if self._server_side else None,
                force_conflicts=self._server_side,
            )
        )
        return int(release["version"])

    def roll_back(self, name: str, namespace: str, to: int, *, timeout: float) -> None:
        """`helm rollback`."""
        self._extra = ("--server-side=true", "--force-conflicts") if self._server_side else ()
        _finish(self.rollback(name, to, namespace=namespace, timeout=_seconds(timeout)))

    def uninstall_release(self, name: str, namespace: str, *, timeout: float) -> None:
        """`helm uninstall`, which is content when there is no such release."""
        self._extra = ("--ignore-not-found",)
        _finish(self.uninstall(name, namespace=namespace, timeout=_seconds(timeout)))


# What YAML readers refuse or fold when it stands unescaped. Characters beyond U+FFFF stay as they are: JSON writes them
# as two escapes, which YAML takes for two invalid characters.
_UNSAFE = re.compile("[\x7f-\x9f\u2028\u2029\ufeff\ufffe\uffff]")


def yaml_json(content: Json) -> bytes:
    """JSON that reads the same as YAML."""
    text = json.dumps(content, ensure_ascii=False)
    return _UNSAFE.sub(lambda match: f"\\u{ord(match[0]):04x}", text).encode("utf-8", "replace")


def _finish(work: Coroutine[Any, Any, T]) -> T:
    return asyncio.run(work)


def _seconds(timeout: float) -> str:
    return f"{max(1, round(timeout))}s"
