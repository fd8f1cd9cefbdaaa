"""A headless Chromium, Debian's, which is installed when it is missing; what it asks the network for is recorded."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import filelock

_INSTALL = ["apt-get", "--yes", "--quiet", "--no-install-recommends", "-o", "DPkg::Lock::Timeout=300"]
_QUIET = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-default-apps",
    "--disable-extensions",
    "--disable-sync",
    "--hide-scrollbars",
    "--no-first-run",
]

_OWN = re.compile(r"^(?:https?://)?[\w.-]+\.(?:google|googleapis|gvt1)\.com\b")
"""What Chromium asks for on its own account, whatever page it shows."""


def chromium() -> str:
    """The program; installs it where it is missing, and waits for another worker that does."""
    with filelock.FileLock(Path(tempfile.gettempdir()) / "deployer-tests-chromium.lock"):
        if shutil.which("chromium") is None:
            environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
            for arguments in (["install", "chromium"], ["update"], ["install", "chromium"]):
                subprocess.run([*_INSTALL, *arguments], env=environment, stdout=subprocess.DEVNULL, check=False)
                if shutil.which("chromium"):
                    break
    found = shutil.which("chromium")
    assert found, "chromium cannot be installed: `apt-get install chromium` says why"
    return found


class Browser:
    """Opens files. `asked` is what pages asked the network for, all of it in vain."""

    def __init__(self, program: str, profile: Path, proxy: str, asked: list[str]) -> None:
        self._command = [
            program,
            *_QUIET,
            f"--user-data-dir={profile}",
            f"--proxy-server={proxy}",
            "--proxy-bypass-list=<-loopback>",
        ]
        self.asked = asked

    def document(self, page: Path, *, width: int = 1280, dark: bool = False) -> str:
        """The page's elements as they stand once it is loaded, as HTML."""
        return self._run(page, "--dump-dom", width=width, dark=dark)

    def picture(self, page: Path, file: Path, *, width: int = 1280, height: int = 900, dark: bool = False) -> None:
        """What is seen of the page, as PNG."""
        self._run(page, f"--screenshot={file}", width=width, height=height, dark=dark)

    def _run(self, page: Path, *options: str, width: int, height: int = 900, dark: bool = False) -> str:
        scheme = f"--blink-settings=preferredColorScheme={0 if dark else 1}"
        command = [*self._command, scheme, f"--window-size={width},{height}", *options, page.as_uri()]
        done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
        assert done.returncode == 0, done.stderr
        return done.stdout


@contextmanager
def browser(directory: Path) -> Iterator[Browser]:
    """A browser with a profile of its own, behind a proxy that lets nothing through."""
    asked: list[str] = []

    class Refuse(BaseHTTPRequestHandler):
        def refuse(self) -> None:
            if not _OWN.search(self.path):
                asked.append(self.path)
            self.send_error(403)

        do_GET = do_HEAD = do_POST = do_CONNECT = refuse  # noqa: N815 -- http.server's names

        def log_message(self, format: str, *arguments: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Refuse) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        try:
            yield Browser(chromium(), directory / "profile", f"http://127.0.0.1:{server.server_port}", asked)
        finally:
            server.shutdown()
