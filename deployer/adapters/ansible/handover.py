"""What a playbook is given: variables as YAML through a pipe, and Ansible settings that keep them off the disk."""

from __future__ import annotations

import contextlib
import os
import sys
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import yaml

CALLBACKS = Path(__file__).parent / "callbacks"
REPORT = "DEPLOY_HOOK_REPORT"
"""The environment variable with the file descriptor for what fails; `callbacks/deploy_hook.py` reads it."""

SCRATCH = "ANSIBLE_LOCAL_TEMP"
"""The environment variable with a run's directory: no other run's processes have it with this value."""


@contextmanager
def named_pipe(directory: Path, content: bytes) -> Iterator[Path]:
    """A pipe with a name, from which the content can be read once.

    Ansible resolves the names of files before it opens them, and descriptors below /dev/fd have none that lead back.
    """
    path = directory / "variables"
    os.mkfifo(path, 0o600)
    over = threading.Event()
    writer = threading.Thread(target=_write, args=(path, content, over), daemon=True)
    writer.start()
    try:
        yield path
    finally:
        over.set()
        with contextlib.suppress(OSError):  # a writer to whom nobody has listened still waits for its reader
            os.close(os.open(path, os.O_RDONLY | os.O_NONBLOCK))
        writer.join(5)


def _write(path: Path, content: bytes, over: threading.Event) -> None:
    with contextlib.suppress(OSError), path.open("wb", buffering=0) as pipe:  # its reader may end before it has all
        if not over.is_set():
            pipe.write(content)


def variables_text(variables: Mapping[str, Any]) -> bytes:
    """Variables as Ansible reads them. What looks like a template is a text by now, and is not evaluated again."""
    return yaml.dump(_plain(variables), Dumper=_Dumper, allow_unicode=False, sort_keys=False).encode("ascii")


class _Text(str):
    __slots__ = ()


class _Dumper(yaml.SafeDumper):
    """Writes what is equal twice: an alias is no use to anybody."""

    def ignore_aliases(self, data: Any) -> bool:
        return True


_Dumper.add_representer(_Text, lambda dumper, text: dumper.represent_scalar("!unsafe", str(text), style='"'))


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {str(key): _plain(one) for key, one in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(one) for one in value]
    if isinstance(value, str):
        return _Text(value) if "{" in value else str(value)
    if value is None or isinstance(value, (bool, int, float)):
        return value
    return str(value)


def environment(base: Mapping[str, str], report: int, scratch: Path) -> dict[str, str]:
    """The environment of ansible-playbook: the user's, with what keeps values out of files and logs.

    With pipelining, a module with its arguments goes to Python's standard input and not into a file; what still has to
    be one (`template`, `copy`) lies in `scratch`, which is memory.
    """
    settings = {
        "ANSIBLE_PIPELINING": "True",
        SCRATCH: str(scratch),
        "ANSIBLE_REMOTE_TEMP": str(scratch),
        "ANSIBLE_KEEP_REMOTE_FILES": "False",
        "ANSIBLE_NO_TARGET_SYSLOG": "True",
        "ANSIBLE_LOG_PATH": os.devnull,
        "ANSIBLE_DEBUG": "False",
        "ANSIBLE_NOCOLOR": "True",
        "ANSIBLE_FORCE_COLOR": "False",
        "ANSIBLE_NOCOWS": "True",
        "ANSIBLE_RETRY_FILES_ENABLED": "False",
        "ANSIBLE_LOCALHOST_WARNING": "False",
        "ANSIBLE_INVENTORY_UNPARSED_WARNING": "False",
        "ANSIBLE_CALLBACK_PLUGINS": os.pathsep.join(
            filter(None, (base.get("ANSIBLE_CALLBACK_PLUGINS"), str(CALLBACKS)))
        ),
        REPORT: str(report),
    }
    language = base.get("LC_ALL") or base.get("LC_CTYPE") or base.get("LANG") or ""
    if sys.platform == "linux" or "utf" not in language.lower():
        # Ansible refuses other encodings, and locales that the machine does not have, such as one that came by ssh.
        settings["LC_ALL"] = "C.UTF-8"
    return {**base, **settings}
