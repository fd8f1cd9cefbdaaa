"""The action `deploy`: runs the `deploy` command on the controller and tells Ansible what it did.

    ansible-doc -t module -M playbooks/library deploy

The command is a child process: it masks its own output, and a signal that stops Ansible stops it in order.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import threading
from importlib.util import find_spec
from pathlib import Path

from ansible import context
from ansible.errors import AnsibleActionFail
from ansible.plugins.action import ActionBase
from ansible.utils.display import Display
from ansible.utils.vars import load_extra_vars

_ARGUMENTS = {
    "command": {"type": "str", "choices": ["deploy", "rollback"], "default": "deploy"},
    "stage": {"type": "str", "required": True},
    "region": {"type": "raw", "required": True},
    "application": {"type": "raw", "required": True},
    "version": {"type": "str"},
    "to": {"type": "str"},
    "waves": {"type": "str"},
    "timeout": {"type": "str"},
    "lock_wait": {"type": "str"},
    "extra_vars": {"type": "dict", "no_log": True},
    "own_variables": {"type": "list", "elements": "str"},
    "executable": {"type": "path"},
    "directory": {"type": "path"},
}
_OPTIONS = {
    "deploy": {"version": "--version", "waves": "--waves", "timeout": "--timeout", "lock_wait": "--lock-wait"},
    "rollback": {"to": "--to", "timeout": "--timeout", "lock_wait": "--lock-wait"},
}
_COMMANDS = (
    "adopt", "branches", "deploy", "dns", "doctor", "explain", "history", "init", "jenkins", "lint", "plan", "promote",
    "recover", "remove", "render", "rollback", "sandbox", "secrets", "status", "unlock",
)  # fmt: skip
# What no stage is called: somebody's input must not become another command.
_NOT_FOR_PLANS = ("waves", "timeout", "lock_wait")
_UNTOUCHED = ("unchanged", "not started")
_SIGNALS = (signal.SIGINT, signal.SIGTERM)


class ActionModule(ActionBase):
    """Runs on the controller; nothing is copied to a host."""

    _requires_connection = False
    _supports_check_mode = True
    _supports_diff = True
    TRANSFERS_FILES = False

    def run(self, tmp=None, task_vars=None):
        """The command's JSON document, with what Ansible wants to know of a task."""
        result = super().run(tmp, task_vars)
        _, asked = self.validate_argument_spec(_ARGUMENTS)
        root = Path(asked["directory"] or self._loader.get_basedir())
        if not asked["directory"] and not (root / "apps").is_dir():
            root = root.parent  # playbooks lie in playbooks/
        extra = self._extra_variables(asked)
        arguments = command_line(asked, check=self._task.check_mode, extra=bool(extra))
        child = Child([*executable(asked["executable"], root), *arguments], root, json.dumps(extra) if extra else "")
        code, document = child.result()
        result.update(document)
        result.update(outcome(code, document, child.last_words))
        if self._task.diff:
            result["diff"] = [one for target in document.get("targets", ()) for one in differences(target)]
        return result

    def _extra_variables(self, asked):
        """What the task says, and what stands on the command line of Ansible that the playbook does not use itself."""
        found = {}
        if asked["own_variables"] is not None and asked["command"] == "deploy":
            own = {*asked["own_variables"], "STAGE", "REGION", "APPLICATION"}
            variables = load_extra_vars(self._loader) if context.CLIARGS.get("extra_vars") else {}
            found = {key: one for key, one in variables.items() if key not in own and not key.startswith("ansible_")}
        return plain({**found, **(asked["extra_vars"] or {})})


class Child:
    """The command under way. Its standard error is told as it comes; a signal to us goes to it, once."""

    def __init__(self, argv, directory, stdin):
        self._stopped = None
        self.last_words = []
        before = signal.pthread_sigmask(signal.SIG_BLOCK, _SIGNALS)
        try:
            self._popen = subprocess.Popen(
                argv,
                cwd=directory,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                encoding="utf-8",
                errors="replace",
                start_new_session=True,
                # The child must hear signals that are blocked here until we can pass them on.
                preexec_fn=lambda: signal.pthread_sigmask(signal.SIG_SETMASK, before),
            )
            # Threads that are started now never hear a signal: the main thread would not wake up for it.
            threading.Thread(target=self._feed, args=(stdin,), daemon=True).start()
            self._teller = threading.Thread(target=self._tell, daemon=True)
            self._teller.start()
            for number in _SIGNALS:
                signal.signal(number, self._stop)
        except OSError as error:
            raise AnsibleActionFail(f"{argv[0]} cannot be started: {error.strerror}") from None
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, before)

    def result(self):
        """Its exit code and its JSON document."""
        text = self._popen.stdout.read()
        code = self._popen.wait()
        self._teller.join(5)
        if self._stopped is not None:
            os._exit(128 + self._stopped)  # Ansible is ending, and waits for nothing but our end
        try:
            document = json.loads(text)
        except ValueError:
            document = {}
        return code, document if isinstance(document, dict) else {}

    def _stop(self, number, frame):
        if self._stopped is None:  # Ansible repeats itself, and a second signal would cut the cleaning up short
            self._stopped = number
            self._popen.send_signal(number)

    def _feed(self, text):
        try:
            self._popen.stdin.write(text)
            self._popen.stdin.close()
        except OSError:  # it ended without reading
            pass

    def _tell(self):
        display, erring = Display(), False
        for line in self._popen.stderr:
            line = line.rstrip("\n")
            self.last_words = [*self.last_words[-19:], line]
            erring = erring or line.startswith("error: ")  # errors and warnings are told with the result
            if self._stopped is None and not erring and not line.startswith("warning: ") and "] warning: " not in line:
                display.display(f"  {line}")


def command_line(asked, *, check, extra):
    """The arguments of `deploy`. Variables go to its standard input: arguments are for everybody to see."""
    rollback = asked["command"] == "rollback"
    words = ["rollback"] if rollback else ["plan"] if check else []
    names = asked["application"]
    names = [str(one) for one in names] if isinstance(names, list) else str(names).replace(",", " ").split()
    region = asked["region"]
    region = ",".join(map(str, region)) if isinstance(region, list) else str(region)
    words += [asked["stage"], region, *names]
    for name, text in (("stage", asked["stage"]), ("region", region), *(("application", one) for one in names or [""])):
        if not text or text.startswith("-") or (name == "stage" and text in _COMMANDS):
            raise AnsibleActionFail(f"{text!r} is no {name}")
    if rollback and extra:
        raise AnsibleActionFail("extra_vars does not go together with command: rollback")
    options = _OPTIONS[asked["command"]]
    for name in ("version", "to", "waves", "timeout", "lock_wait"):
        if not asked[name] or (check and name in _NOT_FOR_PLANS):
            continue
        if name not in options:
            raise AnsibleActionFail(f"{name} does not go together with command: {asked['command']}")
        words.append(f"{options[name]}={asked[name]}")
    if rollback and check:
        words.append("--plan")
    elif not check:
        words.append("--yes")
    return [*words, "--json", *(["-e", "@-"] if extra else [])]


def executable(asked, root):
    """The command: as asked; the repository's wrapper; this Python's own `deploy`; the one on the PATH."""
    if asked:
        return [asked]
    if os.access(root / "wrapper", os.X_OK):
        return [str(root / "wrapper")]
    if find_spec("deployer") is not None:
        return [sys.executable, "-P", "-m", "deployer"]
    found = shutil.which("deploy")
    if found is None:
        raise AnsibleActionFail(
            "the deploy command was not found: install it beside Ansible (pip install), link its `wrapper` into "
            f"{root}, or name it with `executable`"
        )
    return [found]


def outcome(code, document, last_words):
    """What Ansible wants to know: changed or not, failed or not, and a message for people."""
    targets = document.get("targets", [])
    report = [line for target in targets for line in report_lines(target)]
    known = {
        "rc": code,
        "changed": any(map(touched, targets)),
        "failed": code != 0,
        "report": report,
        "warnings": list(dict.fromkeys(text for target in targets for text in target.get("warnings", ()))),
    }
    errors = [*document.get("errors", ()), *(one for target in targets for one in target.get("errors", ()))]
    if code != 0:
        told = list(dict.fromkeys(line for error in errors for line in error_lines(error)))
        known["msg"] = "\n".join(told or last_words or [f"deploy ended with {code}"])
    else:
        known["msg"] = "; ".join(report)
    return known


def touched(target):
    """Whether anything was done to a target, or would be; one that failed before there was a revision is as it was."""
    if target.get("outcome") in ("failed", "interrupted"):
        return target.get("revision") is not None
    return target.get("outcome") not in _UNTOUCHED


def report_lines(target):
    """What became of one target, in a line."""
    words = [target.get("outcome", "")]
    if target.get("version"):
        words.append(f"version {target['version']}")
    if target.get("revision"):
        words.append(f"revision {target['revision']}")
    yield f"{target.get('region')} {target.get('application')}: {', '.join(words)}"


def error_lines(error):
    """What failed, where, why, and what to do next."""
    yield error.get("what", "")
    if error.get("regions"):
        yield f"   in: {', '.join(error['regions'])}"
    for label, key in (("where", "where"), ("why", "why"), ("next", "hint")):
        if error.get(key):
            yield f"{label:>5}: " + str(error[key]).replace("\n", "\n       ")


def differences(target):
    """What `--diff` shows of a target: value by value in a plan, else by key. Secrets have fingerprints at most."""
    place = f"{target.get('region')} {target.get('application')}"
    plan = target.get("plan")
    if not plan:
        if lines := [*target.get("reasons", ()), *target.get("changes", ())]:
            yield {"prepared": "\n".join([place, *map(str, lines), ""])}
        return
    image = plan.get("image")
    if image:
        yield sides(f"{place}: image", [("", "tag", image.get("oldTag"), image.get("newTag"))])
    for one in plan.get("objects", ()):
        fields = [
            (
                change["change"],
                change["field"],
                *(("***", "***") if change["secret"] else (change["old"], change["new"])),
            )
            for change in one.get("fields", ())
        ]
        if not fields:
            facts, gone = [one["action"], *one.get("facts", ())], one["action"] == "delete"
            fields = [("removed" if gone else "added", one["object"], fact, fact) for fact in facts]
        yield sides(f"{place}: {one['object']}", fields)
    changed = [one for one in plan.get("secrets", ()) if one["change"] != "same"]
    if changed:
        lines = [(one["change"], one["name"], one.get("before") or "***", one.get("after") or "***") for one in changed]
        yield sides(f"{place}: fingerprints of secrets", lines)
    if plan.get("dns"):
        yield {"prepared": "\n".join([f"{place}: DNS", *plan["dns"], ""])}


def sides(header, fields):
    """The two sides of a difference, a line for each field; a side that has no such field has no line."""
    before = [f"{name}: {shown(old)}\n" for how, name, old, _ in fields if how != "added" and old is not None]
    after = [f"{name}: {shown(new)}\n" for how, name, _, new in fields if how != "removed" and new is not None]
    return {"before_header": header, "after_header": header, "before": "".join(before), "after": "".join(after)}


def shown(value):
    """A value in a line."""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def plain(value):
    """A variable as JSON has it: without what Ansible keeps with it, a vaulted text opened."""
    if isinstance(value, dict):
        return {str(key): plain(one) for key, one in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(one) for one in value]
    if value is None or isinstance(value, bool):
        return value
    for kind in (int, float):
        if isinstance(value, kind):
            return kind(value)
    return str(value)
