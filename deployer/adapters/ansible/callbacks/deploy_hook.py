"""Tells the process that started ansible-playbook which task failed, on a file descriptor that it names."""

from __future__ import annotations

import contextlib
import json
import os
from typing import Any

from ansible.plugins.callback import CallbackBase  # type: ignore[import-untyped]

DOCUMENTATION = """
name: deploy_hook
type: aggregate
short_description: Tells `deploy` which task of a hook failed
description: Used by `deploy` alone, for an app's hooks.
"""

_DESCRIPTOR = "DEPLOY_HOOK_REPORT"
_LONGEST = 256 * 1024
"""Characters of each text. Far more than is shown: who shows them masks them first, and cuts them then."""


class CallbackModule(CallbackBase):  # type: ignore[misc]
    """One JSON line for each task that failed and was not ignored."""

    CALLBACK_VERSION = 2.0
    CALLBACK_TYPE = "aggregate"
    CALLBACK_NAME = "deploy_hook"
    CALLBACK_NEEDS_ENABLED = False

    def v2_runner_on_failed(self, result: Any, ignore_errors: bool = False) -> None:
        """A task failed on a host."""
        if not ignore_errors:
            self._tell(result)

    def v2_runner_on_unreachable(self, result: Any) -> None:
        """A host could not be reached."""
        self._tell(result)

    def v2_runner_item_on_failed(self, result: Any) -> None:
        """An item of a task's loop failed: it says more than the task will."""
        self._tell(result)

    def _tell(self, result: Any) -> None:
        number = os.environ.get(_DESCRIPTOR, "")
        if not number.isdigit():
            return
        outcome = result.result
        message, said = outcome.get("censored") or outcome.get("msg") or "", ""
        if not outcome.get("censored"):
            said = outcome.get("stderr") or outcome.get("module_stderr") or ""
        failure = {
            "task": result.task.get_name(),
            "path": result.task.get_path(),
            "host": result.host.get_name(),
            "message": str(message)[:_LONGEST],
            "said": str(said)[-_LONGEST:],
        }
        with contextlib.suppress(OSError):  # nobody wants to know any more
            os.write(int(number), json.dumps(failure).encode() + b"\n")
