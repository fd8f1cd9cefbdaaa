"""Who deploys: the user of this machine, or the one who started the CI job."""

from __future__ import annotations

import os
from collections.abc import Mapping


def who(environment: Mapping[str, str]) -> str:
    """`anna@laptop`; on Jenkins the user who started the build and the build's tag."""
    import getpass
    import socket

    user = environment.get("BUILD_USER_ID")
    if user is None:
        try:
            user = getpass.getuser()
        except (KeyError, OSError):  # a container whose user has no name
            user = str(os.getuid())
    return f"{user}@{environment.get('BUILD_TAG') or socket.gethostname()}"
