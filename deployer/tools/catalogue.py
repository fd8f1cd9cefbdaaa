"""The tools that we call: which versions fit, and where each comes from when this machine lacks it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

Version = tuple[int, ...]


def parse_version(text: str) -> Version:
    """`3.22.0` → (3, 22, 0)."""
    return tuple(int(part) for part in text.split("."))


@dataclass(frozen=True, slots=True)
class GoBuild:
    """A build from a Go module of ours that pins the tool and all that it needs.

    `module` is a directory below `deployer/tools/modules`; `minutes` is what the build takes on two cores.
    """

    module: str
    package: str
    ldflags: str = ""
    minutes: float = 2


@dataclass(frozen=True, slots=True)
class DebianPackage:
    """A Debian package. With `unpack` the tool is taken out of it into our cache, and nothing is installed.

    Unpacked are packages that would start a service on this machine or replace another package.
    """

    package: str
    unpack: bool = False


@dataclass(frozen=True, slots=True)
class Tool:
    """One program.

    `version` is what a build gives. `at_least` (inclusive) and `below` (exclusive) say which versions on PATH fit.
    `ask` are the arguments that make it print its version, found by the first group of `pattern`. `executables` are
    the names to look for; `directories` are searched after PATH, or instead of it when `on_path` is false.
    `static`: only a statically linked executable fits.
    """

    name: str
    purpose: str
    version: str | None = None
    at_least: str = "0"
    below: str | None = None
    ask: tuple[str, ...] = ("--version",)
    pattern: str = r"(\d+\.\d+(?:\.\d+)?)"
    executables: tuple[str, ...] = ()
    directories: tuple[str, ...] = ()
    on_path: bool = True
    static: bool = False
    source: GoBuild | DebianPackage | None = None

    @property
    def names(self) -> tuple[str, ...]:
        """The names of its executable, the first one being that in the cache."""
        return self.executables or (self.name,)

    @property
    def needed(self) -> str:
        """The versions that fit, for people: `3.9 or later, below 4`; empty when any will do."""
        lower = f"{self.at_least} or later" if self.at_least != "0" else ""
        upper = f"below {self.below}" if self.below else ""
        return ", ".join(part for part in (lower, upper) if part)

    def version_in(self, output: str) -> str | None:
        """The version in what it printed when asked; None when there is none."""
        found = re.search(self.pattern, output, re.MULTILINE)
        return found[1] if found else None

    def fits(self, version: str) -> bool:
        """Whether this version may be used."""
        number = parse_version(version)
        return parse_version(self.at_least) <= number and (self.below is None or number < parse_version(self.below))


_KUBERNETES = "1.34.4"
_KUBERNETES_FLAGS = (
    f"-X k8s.io/component-base/version.gitVersion=v{_KUBERNETES}"
    " -X k8s.io/component-base/version.gitMajor=1 -X k8s.io/component-base/version.gitMinor=34"
)


def _kubernetes(name: str, purpose: str, minutes: float) -> Tool:
    # Only this minor version: 1.35 refuses cgroup v1 unless told otherwise.
    return Tool(
        name,
        purpose,
        version=_KUBERNETES,
        at_least="1.34",
        below="1.35",
        source=GoBuild("kubernetes", f"k8s.io/kubernetes/cmd/{name}", _KUBERNETES_FLAGS, minutes),
    )


_ALL = (
    Tool("git", "the commit that a deployment is made from", source=DebianPackage("git")),
    Tool(
        "sops",
        "decrypts the secrets of a stage",
        version="3.13.3",
        at_least="3.9",  # the first one with subcommands (`sops decrypt`)
        below="4",
        ask=("--version", "--disable-version-check"),
        source=GoBuild("sops", "github.com/getsops/sops/v3/cmd/sops"),
    ),
    Tool(
        "helm",
        "changes releases in a cluster",
        version="3.22.0",
        at_least="3.14",
        below="5",
        ask=("version", "--template", "{{.Version}}"),
        pattern=r"^v(\d+\.\d+\.\d+)",  # pyhelm3 needs all three parts
        source=GoBuild("helm", "helm.sh/helm/v3/cmd/helm", "-X helm.sh/helm/v3/internal/version.version=v3.22.0"),
    ),
    Tool(
        "helm4",
        "the next major version of helm, which the adapter is tested with",
        version="4.3.1",
        at_least="4.0",
        below="5",
        ask=("version", "--template", "{{.Version}}"),
        pattern=r"^v(\d+\.\d+\.\d+)",
        executables=("helm4", "helm"),
        source=GoBuild("helm4", "helm.sh/helm/v4/cmd/helm", "-X helm.sh/helm/v4/internal/version.version=v4.3.1"),
    ),
    Tool(
        "docker",
        "asks the Docker engine to build and push images",
        at_least="20.10",
        source=DebianPackage("docker.io"),
    ),
    Tool(
        "buildx",
        "builds images with BuildKit",
        version="0.33.0",
        at_least="0.10",
        ask=("version",),
        pattern=r"\bv(\d+\.\d+\.\d+)",
        executables=("buildx", "docker-buildx"),
        directories=(
            "~/.docker/cli-plugins",
            "/usr/local/lib/docker/cli-plugins",
            "/usr/local/libexec/docker/cli-plugins",
            "/usr/lib/docker/cli-plugins",
            "/usr/libexec/docker/cli-plugins",
        ),
        source=GoBuild(
            "buildx",
            "github.com/docker/buildx/cmd/buildx",
            "-X github.com/docker/buildx/version.Version=v0.33.0",
        ),
    ),
    Tool(
        "buildkitd",
        "a builder of one's own on this machine, which remote builds are tested with",
        version="0.29.0",
        at_least="0.13",
        pattern=r"\bv(\d+\.\d+\.\d+)",
        source=GoBuild(
            "buildkitd",
            "github.com/moby/buildkit/cmd/buildkitd",
            "-X github.com/moby/buildkit/version.Version=v0.29.0",
            3,
        ),
    ),
    Tool(
        "kubectl",
        "for looking into a cluster by hand; we do not call it",
        ask=("version", "--client"),
        source=DebianPackage("kubernetes-client"),
    ),
    Tool(
        "java",
        "runs the pipelines that are generated for Jenkins, in tests",
        at_least="11",
        source=DebianPackage("default-jre-headless"),
    ),
    Tool("mvn", "gets what those tests need", at_least="3.6", source=DebianPackage("maven")),
    Tool("dockerd", "the sandbox's Docker engine", at_least="20.10", source=DebianPackage("docker.io")),
    Tool("containerd", "runs the sandbox's pods", at_least="1.6", below="3", source=DebianPackage("containerd")),
    Tool("runc", "runs the sandbox's containers", at_least="1.1", source=DebianPackage("runc")),
    Tool("iptables", "the sandbox's pod networks", source=DebianPackage("iptables")),
    Tool(
        "cni",  # the directory of `bridge` holds its companions `host-local`, `loopback` and `portmap`
        "the sandbox's pod networks",
        pattern=r"CNI protocol versions supported:.*?(\d+\.\d+\.\d+)$",
        at_least="0.4",
        executables=("bridge",),
        directories=("/usr/lib/cni", "/opt/cni/bin", "/usr/libexec/cni"),
        on_path=False,  # `bridge` there is another program, of iproute2
        source=DebianPackage("containernetworking-plugins", unpack=True),
    ),
    Tool(
        "etcd",
        "keeps the sandbox's clusters",
        at_least="3.4",
        below="3.7",
        source=DebianPackage("etcd-server", unpack=True),
    ),
    Tool(
        "docker-registry",
        "the sandbox's image registries",
        at_least="2.7",
        below="3",
        source=DebianPackage("docker-registry", unpack=True),
    ),
    Tool(
        "busybox",
        "the content of the sandbox's base images",
        ask=(),
        pattern=r"BusyBox v(\d+\.\d+\.\d+)",
        static=True,
        source=DebianPackage("busybox-static", unpack=True),
    ),
    _kubernetes("kube-apiserver", "the sandbox's clusters", 4),
    _kubernetes("kube-controller-manager", "the sandbox's clusters", 1.5),
    _kubernetes("kube-scheduler", "the sandbox's clusters", 0.5),
    _kubernetes("kubelet", "the sandbox's clusters", 1),
    Tool(
        "traefik",
        "the sandbox's ingress controllers",
        version="3.5.3",
        at_least="3.5",
        below="4",
        ask=("version",),
        pattern=r"Version:\s+(\d+\.\d+\.\d+)",
        source=GoBuild(
            "traefik",
            "github.com/traefik/traefik/v3/cmd/traefik",
            "-X github.com/traefik/traefik/v3/pkg/version.Version=3.5.3",
            5.5,
        ),
    ),
)

TOOLS: Mapping[str, Tool] = MappingProxyType({tool.name: tool for tool in _ALL})

DEPLOYMENT = ("git", "sops", "helm", "docker", "buildx")
"""What every deployment needs."""

SANDBOX = (
    *("dockerd", "containerd", "runc", "iptables", "cni", "etcd", "docker-registry", "busybox"),
    *("kube-apiserver", "kube-controller-manager", "kube-scheduler", "kubelet", "traefik"),
)
"""What the sandbox needs besides."""

OPTIONAL = ("kubectl", "helm4", "buildkitd", "java", "mvn")
