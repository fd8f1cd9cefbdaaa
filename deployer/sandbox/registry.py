"""The image registries: one per region that asks for a login, as ECR does, and a public one for base images."""

from __future__ import annotations

from pathlib import Path

from deployer.sandbox import files, health
from deployer.sandbox.layout import ACCOUNT, PUBLIC_REGISTRY, REGIONS
from deployer.sandbox.processes import Daemon, Machine, ensure

USER = "AWS"
PASSWORD = f"{ACCOUNT}-auth-token"  # what moto's ECR authorization token decodes to
_HTPASSWD = f"{USER}:$2y$05$cCNOmt4hZmgqyH3m.a.lTOPXUuvB7TA5lkWGxtNpefbGY9f1Q2J3C\n"  # bcrypt of it

REGISTRIES = {"public": PUBLIC_REGISTRY, **{region.name: region.registry for region in REGIONS}}
"""Name → host and port."""


def ensure_registry(machine: Machine, name: str) -> bool:
    """Have one of `REGISTRIES` running; True when it was started now."""
    layout = machine.layout
    directory = layout.state / "registries" / name
    directory.mkdir(parents=True, exist_ok=True)
    authentication = ""
    if name != "public":
        files.write(directory / "htpasswd", _HTPASSWD)
        authentication = f'auth: {{htpasswd: {{realm: sandbox, path: "{directory / "htpasswd"}"}}}}'
    text = f"""version: 0.1
log: {{level: warn, accesslog: {{disabled: true}}}}
storage:
  filesystem: {{rootdirectory: "{directory / "data"}"}}
  delete: {{enabled: true}}
  maintenance: {{uploadpurging: {{enabled: false}}}}
http: {{addr: "{REGISTRIES[name]}", relativeurls: true}}
{authentication}
"""
    file = directory / "registry.yml"
    files.write(file, text)
    command: list[str | Path] = [machine.programs["docker-registry"], "serve", file]
    return ensure(machine, Daemon(f"registry-{name}", command, lambda: registry_health(name), configuration=(text,)))


def registry_health(name: str) -> str | None:
    """A registry that asks for a login refuses us: that is well too."""
    return health.answers(f"http://{REGISTRIES[name]}/v2/", expected=(200,) if name == "public" else (401,))
