"""The Docker engine that images are built with: the machine's own where one answers, else one of ours."""

from __future__ import annotations

import http.client
import socket
from pathlib import Path

from deployer.sandbox import files, procfs, teardown
from deployer.sandbox.layout import CGROUP, DOCKER_BRIDGE, Layout
from deployer.sandbox.parts import DOCKER
from deployer.sandbox.processes import Daemon, Machine, ensure, is_alive, read, stop


class _UnixConnection(http.client.HTTPConnection):
    def __init__(self, path: str) -> None:
        super().__init__("localhost", timeout=2.0)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self._path)


def engine_health(layout: Layout) -> str | None:
    """None when an engine answers on the default socket, else why not."""
    connection = _UnixConnection(str(layout.docker_socket))
    try:
        connection.request("GET", "/_ping")
        status = connection.getresponse().status
    except (OSError, http.client.HTTPException) as error:
        return f"{layout.docker_socket} does not answer: {error}"
    finally:
        connection.close()
    return None if status == 200 else f"{layout.docker_socket} answers {status}"


def uses_foreign_engine(layout: Layout) -> bool:
    """Whether somebody else's engine answers: then it is used and left alone."""
    ours = is_alive(read(layout, DOCKER)) or any(process.part == DOCKER for process in procfs.marked(layout.state))
    return not ours and engine_health(layout) is None


def ensure_engine(machine: Machine) -> bool:
    """Have an engine answering on the default socket; True when one was started now."""
    layout = machine.layout
    if uses_foreign_engine(layout):
        stop(layout, [DOCKER])  # forgets one of ours that has ended
        return False
    # The machine's own configuration (/etc/docker/daemon.json) is for the machine's own engine.
    configuration = layout.state / "dockerd.json"
    files.write(configuration, "{}")
    command: list[str | Path] = [
        machine.programs["dockerd"],
        f"--config-file={configuration}",
        f"--data-root={layout.state / 'docker'}",
        f"--exec-root={layout.run / 'docker'}",
        f"--pidfile={layout.run / 'docker.pid'}",
        f"--host=unix://{layout.docker_socket}",
        f"--cgroup-parent=/{CGROUP}/docker",
        "--exec-opt=native.cgroupdriver=cgroupfs",
        f"--bridge={DOCKER_BRIDGE}",
        "--iptables=false",
        "--ip6tables=false",
        "--ip-forward=false",
        "--ip-masq=false",
        "--log-level=warn",
    ]
    if not is_alive(read(layout, DOCKER)):
        # The pid files of an engine that crashed may name somebody else's process by now.
        for stale in (layout.run / "docker.pid", layout.run / "docker" / "containerd" / "containerd.pid"):
            stale.unlink(missing_ok=True)
        teardown.note_docker_key(layout)
    places = [str(machine.programs[name].parent) for name in ("containerd", "runc")]
    environment = {"PATH": ":".join([*places, "/usr/local/sbin", "/usr/sbin", "/usr/local/bin", "/usr/bin", "/bin"])}
    return ensure(machine, Daemon(DOCKER, command, lambda: engine_health(layout), environment))
