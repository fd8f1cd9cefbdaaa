"""The app to which clients are led: ours, in all regions of the sandbox, with DNS that its deployments write."""

from __future__ import annotations

import contextlib
import shlex
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path
from tempfile import TemporaryDirectory

from benchmarks.measuring import Run, run, say
from benchmarks.region import Cluster
from benchmarks.sides import Ours
from deployer.sandbox.layout import DNS_DOMAIN, REGIONS, STAGE

INTERVAL, THRESHOLD, TTL = 10, 3, 60
"""Of the health checks, which Route 53 makes every 10 or 30 s; and of an alias to a load balancer, which is AWS's."""

_MIB = 1024 * 1024
_SETTINGS = f"""
  Interval: {INTERVAL}
  FailureThreshold: {THRESHOLD}
Dns:
  Manage: true
Rollout:
  DrainGrace: 30
"""


class Led(Ours):
    """See the module; its host is `host`."""

    def __init__(self, clusters: Sequence[Cluster], directory: Path, command: Sequence[str]) -> None:
        super().__init__(clusters[0], directory, _MIB, command, others=clusters[1:], name="benchmark-led")
        self.host = f"{self.name}.{DNS_DOMAIN}"
        for region in REGIONS:
            file = directory / f"group_vars/{STAGE}.{region.name}.yml"
            text = file.read_text()
            where = text.index("HealthCheck:\n") + len("HealthCheck:\n")
            settings = _SETTINGS.lstrip("\n").partition("Dns:")
            file.write_text(text[:where] + settings[0] + text[where:] + settings[1] + settings[2])

    def command(self, *arguments: str) -> Run:
        """Run the tool; raises Failed unless it ends with 0."""
        return run([*self._command, *arguments], env=self._environment, cwd=self.directory)

    def close(self) -> None:
        """See `Side`; its DNS goes as well."""
        with contextlib.suppress(Exception):
            self.command("remove", STAGE, "all", "myapp", "--yes")
        super().close()


@contextlib.contextmanager
def led(command: str) -> Iterator[tuple[Led, dict[str, Cluster]]]:
    """The app, deployed, and the regions' clusters."""
    with ExitStack() as stack:
        clusters = [stack.enter_context(Cluster(region.name)) for region in REGIONS]
        directory = Path(stack.enter_context(TemporaryDirectory(prefix="benchmark-"))) / "benchmark-led"
        directory.mkdir()
        side = Led(clusters, directory, shlex.split(command))
        stack.callback(side.close)
        say("a first deployment, with its DNS")
        side.forget()
        side.deploy()
        yield side, {cluster.region: cluster for cluster in clusters}
