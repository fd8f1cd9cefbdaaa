"""Collects what this machine has and lacks: tools, the toolchain that builds them, and the services around them."""

from __future__ import annotations

import os
import platform
import shutil
import sys
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from enum import Enum
from functools import partial
from importlib.resources import files
from pathlib import Path

from deployer.adapters import process
from deployer.errors import DeployError
from deployer.tools import go
from deployer.tools.catalogue import DEPLOYMENT, OPTIONAL, SANDBOX, TOOLS, DebianPackage, GoBuild, Tool, parse_version
from deployer.tools.resolve import Candidate, cache_directory, candidates, find


class Group(Enum):
    """What a finding matters for."""

    DEPLOYMENT = "every deployment"
    SANDBOX = "the sandbox"
    OPTIONAL = "optional"
    ACCOUNT = "the stage"


class State(Enum):
    """How a finding is to be read. AUTOMATIC: not there yet, and we get it by ourselves when it is needed."""

    OK = "ok"
    AUTOMATIC = "automatic"
    MISSING = "missing"


@dataclass(frozen=True, slots=True)
class Finding:
    """One tool or service. `found` and `needed` are versions or a few words, `remedy` is what to do (else empty)."""

    subject: str
    group: Group
    state: State
    purpose: str
    found: str = ""
    where: str = ""
    needed: str = ""
    remedy: str = ""


Check = Callable[[], Finding]

_NEEDED_SPACE = 6 * 2**30
"""Bytes that building every tool takes, Go's own caches included."""

_CAP_NET_ADMIN, _CAP_SYS_ADMIN = 12, 21
"""Bits of capabilities(7)."""


def examine(extra: Iterable[Check] = ()) -> tuple[Finding, ...]:
    """Everything, changing nothing; takes seconds at most. `extra` are checks that know more (AWS, a cluster).

    A check that raises DeployError becomes a finding too.
    """
    checks: list[Check] = [partial(_tool, name, Group.DEPLOYMENT) for name in DEPLOYMENT]
    checks += [_python, _go, _cache, _docker_engine]
    checks += [partial(_tool, name, Group.SANDBOX) for name in SANDBOX]
    checks += [_privileges]
    checks += [partial(_tool, name, Group.OPTIONAL) for name in OPTIONAL]
    checks += extra
    with ThreadPoolExecutor(8) as pool:
        return tuple(pool.map(_safely, checks))


def healthy(findings: Sequence[Finding], groups: Sequence[Group] = (Group.DEPLOYMENT, Group.ACCOUNT)) -> bool:
    """Whether nothing is missing for these purposes."""
    return not any(finding.state is State.MISSING and finding.group in groups for finding in findings)


def _safely(check: Check) -> Finding:
    try:
        return check()
    except DeployError as error:
        return Finding(error.what, Group.ACCOUNT, State.MISSING, "", found=error.why or "", remedy=error.hint or "")


def _tool(name: str, group: Group) -> Finding:
    tool = TOOLS[name]
    known = list(candidates(tool))
    best = next((candidate for candidate in known if candidate.fits), None)
    if best:
        where = str(best.path)
        return Finding(name, group, State.OK, tool.purpose, best.version or "", where, tool.needed)
    others = ", ".join(_describe(candidate) for candidate in known)
    state, remedy = _how_to_get(tool)
    if group is Group.OPTIONAL and state is State.MISSING:
        state = State.AUTOMATIC
    return Finding(name, group, state, tool.purpose, others, needed=tool.needed, remedy=remedy)


def _describe(candidate: Candidate) -> str:
    return f"{candidate.version or 'unknown version'} ({candidate.path})"


def _how_to_get(tool: Tool) -> tuple[State, str]:
    """Whether we can get it here by ourselves, and how else it is got."""
    match tool.source:
        case GoBuild(minutes=minutes):
            if go.version() is None:
                return State.MISSING, f"install Go, or put {tool.name} {tool.needed} on PATH"
            return State.AUTOMATIC, f"built when it is first needed (about {minutes:g} min)"
        case DebianPackage(package=package, unpack=unpack):
            apt = shutil.which("apt-get") is not None
            if apt and unpack:
                return State.AUTOMATIC, f"unpacked from Debian's {package} when it is first needed"
            command = f"apt-get install {package}"
            if apt and os.geteuid() == 0 and tool.name in SANDBOX:
                return State.AUTOMATIC, f"the sandbox installs it: {command}"
            return State.MISSING, f"as root: {command}" if apt else f"install it; Debian's package is {package}"
    return State.MISSING, f"put {tool.name} {tool.needed} on PATH".rstrip()


def _python() -> Finding:
    version = platform.python_version()
    return Finding("python", Group.DEPLOYMENT, State.OK, "runs this tool", version, sys.executable, "3.11 or later")


def _go() -> Finding:
    """Needed only while a tool is to be built."""
    modules = {tool.source.module for tool in TOOLS.values() if isinstance(tool.source, GoBuild)}
    to_build = [
        name for name in (*DEPLOYMENT, *SANDBOX) if isinstance(TOOLS[name].source, GoBuild) and find(name) is None
    ]
    least = max(
        (go.needed((files("deployer.tools") / "modules" / module / "go.mod").read_text("utf-8")) for module in modules),
        key=parse_version,
    )
    purpose = f"builds {', '.join(to_build)}" if to_build else "builds tools; all of them are here already"
    group = Group.DEPLOYMENT if set(to_build) & set(DEPLOYMENT) else Group.SANDBOX if to_build else Group.OPTIONAL
    version = go.version()
    needed = f"{least} or later"
    where = shutil.which("go") or ""
    try:
        go.check("a tool", f"go {least}\n")
    except DeployError as error:
        state = State.MISSING if to_build else State.AUTOMATIC
        return Finding("go", group, state, purpose, version or "", where, needed, error.hint or "")
    return Finding("go", group, State.OK, purpose, version or "", where, needed)


def _cache() -> Finding:
    directory = cache_directory().parent
    existing = next(path for path in (directory, *directory.parents) if path.exists())
    purpose = "keeps tools, artefacts and virtual environments"
    elsewhere = "XDG_CACHE_HOME names another place"
    if not os.access(existing, os.W_OK):
        return Finding("cache", Group.DEPLOYMENT, State.MISSING, purpose, "not writable", str(directory), "", elsewhere)
    free = shutil.disk_usage(existing).free
    found = f"{free / 2**30:.1f} GB free"
    everything = all(find(name) for name in (*DEPLOYMENT, *SANDBOX) if isinstance(TOOLS[name].source, GoBuild))
    enough = everything or free >= _NEEDED_SPACE
    needed = "" if everything else f"{_NEEDED_SPACE / 2**30:.0f} GB to build every tool"
    state = State.OK if enough else State.MISSING
    remedy = "" if enough else f"make room; {elsewhere}"
    return Finding("cache", Group.DEPLOYMENT, state, purpose, found, str(directory), needed, remedy)


def _docker_engine() -> Finding:
    subject, purpose = "Docker engine", "builds and pushes images"
    docker = find("docker")
    start = "start it (systemctl start docker); `deploy sandbox up` starts one where there is none"
    if docker is None:
        return Finding(
            subject, Group.DEPLOYMENT, State.MISSING, purpose, "no docker command to ask it with", remedy=start
        )
    where = os.environ.get("DOCKER_HOST", "")
    try:
        answer = process.run([docker, "version", "--format", "{{.Server.Version}}"], timeout=10)
    except DeployError as error:
        return Finding(subject, Group.DEPLOYMENT, State.MISSING, purpose, error.what, where, "", start)
    if answer.ok and answer.stdout.strip():
        return Finding(subject, Group.DEPLOYMENT, State.OK, purpose, answer.stdout.decode().strip(), where)
    why = answer.stderr.decode("utf-8", "replace").strip()
    if "permission denied" in why:
        start = "add yourself to the group docker (as root: usermod -aG docker USER), and log in again"
    found = why.splitlines()[0] if why else "no answer"
    return Finding(subject, Group.DEPLOYMENT, State.MISSING, purpose, found, where, "", start)


def _privileges() -> Finding:
    """The sandbox starts container engines and makes cgroups, bridges and mounts."""
    subject, purpose = "privileges", "the sandbox's nodes: cgroups, bridges, mounts"
    missing = []
    if sys.platform != "linux":
        missing.append("Linux")
    else:
        if os.geteuid() != 0:
            missing.append("root")
        held = _capabilities()
        missing += [
            name
            for name, bit in (("CAP_SYS_ADMIN", _CAP_SYS_ADMIN), ("CAP_NET_ADMIN", _CAP_NET_ADMIN))
            if not held >> bit & 1
        ]
        if not os.access("/sys/fs/cgroup", os.W_OK):
            missing.append("a cgroup file system that can be written")
    found = f"without {', '.join(missing)}" if missing else "root"
    remedy = "run as root on a Linux machine (a container must be privileged)" if missing else ""
    state = State.MISSING if missing else State.OK
    return Finding(subject, Group.SANDBOX, state, purpose, found, needed="root with its capabilities", remedy=remedy)


def _capabilities() -> int:
    """The effective capabilities of this process as a bit set (proc(5))."""
    try:
        for line in Path("/proc/self/status").read_text().splitlines():
            if line.startswith("CapEff:"):
                return int(line.split()[1], 16)
    except (OSError, ValueError, IndexError):
        pass
    return 0
