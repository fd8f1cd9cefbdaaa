"""Opens $VISUAL or $EDITOR on a file in memory, and takes the text back."""

from __future__ import annotations

import os
import shlex
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path

from deployer.adapters import process
from deployer.errors import ConfigurationError

_USUAL = ("vim", "vi", "nano", "emacs")
_VIM = ("-n", "-i", "NONE", "-c", "set nobackup nowritebackup noundofile noswapfile shelltemp&")

# Editors keep what they edit elsewhere, too: swap and undo files, histories of what was copied, backups.
_QUIET: dict[str, Sequence[str]] = {
    "vim": _VIM,
    "nvim": _VIM,
    "nano": ("--ignorercfiles",),
    "emacs": ("--eval", "(setq make-backup-files nil auto-save-default nil create-lockfiles nil)"),
    "micro": ("-backup", "false", "-savehistory", "false"),
}
_VIM_NAMES = ("vim", "gvim", "vim.basic", "vim.tiny", "vim.nox", "vim.gtk3")
_WAIT = {"code": "--wait", "codium": "--wait", "subl": "--wait", "gedit": "--wait", "zed": "--wait"}


class Editor:
    """The editor that the environment names."""

    def __init__(self, environ: Mapping[str, str] | None = None) -> None:
        self._environ = os.environ if environ is None else environ

    def edit(self, text: str, name: str) -> str:
        """The text as the user left it; the file is called `name`, for the editor's colours.

        It lies in a private directory in memory which is removed as a whole, with all that the editor put there.
        Raises ConfigurationError without an editor or storage, when the editor fails, or when the text is not UTF-8.
        """
        argv = self._command()
        storage = process.MemoryDirectory(self._environ)
        with storage as directory:
            file = directory / Path(name).name
            descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            with os.fdopen(descriptor, "wb") as stream:
                stream.write(text.encode())
            environ = {**self._environ, "TMPDIR": os.fspath(directory)}
            with storage.watch() as started:
                code = process.run_in_foreground([*argv, file], env=environ, started=started)
            if code != 0:
                raise ConfigurationError(
                    "the editor failed",
                    where=argv[0],
                    why=f"exit status {code}" if code > 0 else f"signal {-code}",
                    hint="the secrets file is as it was; EDITOR or VISUAL names another editor",
                )
            return _read(file, argv[0])

    def _command(self) -> list[str]:
        """The editor's command line, with what keeps it from writing the text elsewhere."""
        for variable in ("VISUAL", "EDITOR"):
            if wanted := self._environ.get(variable, "").strip():
                try:
                    words = shlex.split(wanted)
                except ValueError:
                    raise ConfigurationError(f"{variable} cannot be understood", why="a quote is not closed") from None
                return _quiet(words, self._environ)
        for name in _USUAL:
            if shutil.which(name, path=self._environ.get("PATH")):
                return _quiet([name], self._environ)
        raise ConfigurationError("there is no editor", hint="set EDITOR, for example EDITOR=nano")


def _quiet(words: list[str], environ: Mapping[str, str]) -> list[str]:
    path = shutil.which(words[0], path=environ.get("PATH"))
    names = [Path(words[0]).name, *([Path(path).resolve().name] if path else [])]
    kind = next((_kind(name) for name in names if _kind(name) in _QUIET), "")
    wait = [_WAIT[names[0]]] if names[0] in _WAIT and _WAIT[names[0]] not in words else []
    return [*words, *_QUIET.get(kind, ()), *wait]


def _kind(name: str) -> str:
    return "vim" if name in _VIM_NAMES else "emacs" if name.startswith("emacs-") else name


def _read(file: Path, editor: str) -> str:
    try:
        return file.read_bytes().decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = error.object.count(b"\n", 0, error.start) + 1
        raise ConfigurationError("what the editor saved is not UTF-8", where=f"line {line}") from None
    except OSError as error:
        raise ConfigurationError("what the editor saved cannot be read", where=editor, why=error.strerror) from None
