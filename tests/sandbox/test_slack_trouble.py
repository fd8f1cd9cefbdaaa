"""A Slack that is down, silent or refusing never makes a deployment fail."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from tests.sandbox.helpers import Project
from tests.sandbox.surroundings import CLOSED, unique


@contextmanager
def silent_server() -> Iterator[str]:
    """Takes connections and says nothing."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        kept: list[socket.socket] = []

        def accept() -> None:
            while True:
                try:
                    kept.append(server.accept()[0])
                except OSError:
                    return

        thread = threading.Thread(target=accept, daemon=True)
        thread.start()
        yield f"127.0.0.1:{server.getsockname()[1]}"
        server.shutdown(socket.SHUT_RDWR)
        thread.join(5)
        for each in kept:
            each.close()


@pytest.mark.parametrize("slack", ["down", "silent", "refusing"])
def test_slack_costs_a_warning_and_no_more(good: Project, slack: str) -> None:
    good.values["GREETING"] = unique("slack")
    with silent_server() as silent:
        address = {"down": f"http://{CLOSED}/", "silent": f"http://{silent}/"}.get(slack)
        if address:
            good.stage["Slack"]["ApiUrl"] = address
        else:
            good.token = "revoked"
        good.write()
        running = good.start("local", "london", good.name, "--json")
        done = running.done().expect(0)
    ended = time.time()
    assert done.target["outcome"] == "deployed"
    assert done.stderr.count("warning: ") == 1, done.stderr
    assert "warning: Slack was not told" in done.stderr
    if slack == "silent":  # it was being asked since before the release was changed
        assert ended - running.time_of("outside check done") < 5 + 2
