"""The Slack endpoint: starts the stand-in for Slack, and reads what it received."""

from __future__ import annotations

import http.client
import json
import os
import sys
from pathlib import Path
from typing import Any

from deployer.errors import UnreachableError
from deployer.sandbox import files, health
from deployer.sandbox.layout import SHARED_ADDRESS, SLACK_ENDPOINT, SLACK_PORT
from deployer.sandbox.processes import Daemon, Machine, ensure


def ensure_slack(machine: Machine) -> bool:
    """Have the Slack endpoint running; True when it was started now."""
    source = Path(__file__).with_name("slack_server.py").read_text()
    program = machine.layout.state / "slack_server.py"  # the same for every checkout, which would else start it anew
    files.write(program, source)
    python = os.path.realpath(sys.executable)  # whichever environment we run in, it is the same program
    command: list[str | Path] = [python, "-I", "-S", program, SHARED_ADDRESS, str(SLACK_PORT)]
    return ensure(machine, Daemon("slack", command, slack_health, configuration=(source,)))


def slack_health() -> str | None:
    """None when the Slack endpoint answers, else why not."""
    return health.answers(f"{SLACK_ENDPOINT}/healthz")


def messages() -> list[dict[str, Any]]:
    """What was announced since the sandbox came up, oldest first: see `slack_server.Workspace`."""
    try:
        _, body = health.ask(f"{SLACK_ENDPOINT}/messages", timeout=5.0)
    except (OSError, http.client.HTTPException) as error:
        raise UnreachableError(
            "the sandbox's Slack endpoint does not answer",
            where=SLACK_ENDPOINT,
            why=str(error),
            hint="`deploy sandbox up` starts or repairs it",
        ) from error
    found: list[dict[str, Any]] = json.loads(body)
    return found
