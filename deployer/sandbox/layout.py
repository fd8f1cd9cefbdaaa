"""Names, addresses, ports and directories of the sandbox: the facts that all of its parts share."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

STAGE = "local"
DNS_DOMAIN = "deploy.test"
ACCOUNT = "123456789012"
KMS_ALIAS = "alias/deployer-local"
BUCKET = "my-artifacts"
INGRESS_CLASS = "nginx"

SHARED_ADDRESS = "127.0.31.254"
ETCD_PORT = 2379
ETCD_PEER_PORT = 2380
AWS_PORT = 4566
SLACK_PORT = 4567
DNS_PORT = 8053
API_PORT = 6443
REGISTRY_PORT = 5000
INGRESS_PORT = 8080
INGRESS_PING_PORT = 8081
CONTROLLER_MANAGER_PORT = 10257
SCHEDULER_PORT = 10259
KUBELET_PORT = 10250
KUBELET_HEALTH_PORT = 10248

AWS_ENDPOINT = f"http://{SHARED_ADDRESS}:{AWS_PORT}"
SLACK_ENDPOINT = f"http://{SHARED_ADDRESS}:{SLACK_PORT}"
NAME_SERVER = f"{SHARED_ADDRESS}:{DNS_PORT}"
PUBLIC_REGISTRY = f"{SHARED_ADDRESS}:{REGISTRY_PORT}"
BASE_IMAGE = f"{PUBLIC_REGISTRY}/base/busybox:1"
PAUSE_IMAGE = f"{PUBLIC_REGISTRY}/base/pause:1"

DOCKER_BRIDGE = "sbx-docker"
DOCKER_ADDRESS = "10.231.254.1"

CGROUP = "deployer-sandbox"
RUN_DIRECTORY = Path("/run/deployer-sandbox")
"""Sockets and mounts: short paths (a Unix socket's may have 107 bytes) that do not outlive a reboot."""


@dataclass(frozen=True, slots=True)
class Region:
    """One region of the stage. `index` counts from 1 and decides every address that the region has."""

    name: str
    index: int
    aws_region: str

    @property
    def address(self) -> str:
        """The loopback address of everything that the region offers."""
        return f"127.0.31.{self.index}"

    @property
    def registry(self) -> str:
        """Host and port of its image registry."""
        return f"{self.address}:{REGISTRY_PORT}"

    @property
    def api_server(self) -> str:
        """The URL of its Kubernetes API."""
        return f"https://{self.address}:{API_PORT}"

    @property
    def ingress(self) -> str:
        """Host and port at which its apps are served."""
        return f"{self.address}:{INGRESS_PORT}"

    @property
    def pod_subnet(self) -> str:
        """Its pods' addresses, and its node's."""
        return f"10.231.{self.index}.0/24"

    @property
    def node_address(self) -> str:
        """The bridge's own address: a kubelet refuses a loopback one."""
        return f"10.231.{self.index}.1"

    @property
    def service_subnet(self) -> str:
        """Its services' addresses, which are never routed."""
        return f"10.231.{100 + self.index}.0/24"

    @property
    def service_address(self) -> str:
        """The address of the `kubernetes` service: the first of its subnet."""
        return f"10.231.{100 + self.index}.1"

    @property
    def bridge(self) -> str:
        """The interface's name, which the kernel limits to 15 characters."""
        return f"sbx-{self.name}"[:15]

    @property
    def cgroup(self) -> str:
        """Its pods' control group, below the root of every hierarchy."""
        return f"{CGROUP}/{self.name}"

    @property
    def load_balancer(self) -> str:
        """The name of its load balancer in the AWS endpoint."""
        return f"deployer-{self.name}"

    @property
    def cluster(self) -> str:
        """The name of its EKS cluster in the AWS endpoint."""
        return f"deployer-{self.name}"

    @property
    def kms_alias_arn(self) -> str:
        """Its KMS key, by the alias that stays when the key is made anew."""
        return f"arn:aws:kms:{self.aws_region}:{ACCOUNT}:{KMS_ALIAS}"


REGIONS = (
    Region("london", 1, "eu-west-2"),
    Region("virginia", 2, "us-east-1"),
    Region("seoul", 3, "ap-northeast-2"),
)

SECRETS_FILES = (f"secrets_{STAGE}.yml", *(f"secrets_{STAGE}.{region.name}.yml" for region in REGIONS))
"""The stage's encrypted files below `group_vars/`."""


@dataclass(frozen=True, slots=True)
class Layout:
    """Where the sandbox keeps its files. `state` stays over `down`; `run` is emptied by it."""

    state: Path
    run: Path = RUN_DIRECTORY

    @property
    def processes(self) -> Path:
        """One record per process that we started."""
        return self.state / "processes"

    @property
    def logs(self) -> Path:
        """One log per process, and the one before it."""
        return self.state / "logs"

    @property
    def keys(self) -> Path:
        """Certificates, keys and tokens of the clusters."""
        return self.state / "keys"

    @property
    def lock(self) -> Path:
        """Held by whoever changes the sandbox."""
        return self.state / "lock"

    @property
    def marker(self) -> Path:
        """Says what was last asked for: `up` or `down`. Missing: the sandbox was never started."""
        return self.state / "marker"

    @property
    def docker_socket(self) -> Path:
        """Docker's default socket, which `docker` and its libraries use unless told otherwise."""
        return Path("/var/run/docker.sock")

    def region(self, region: Region) -> Path:
        """What belongs to one region and stays over `down`."""
        return self.state / "regions" / region.name

    def region_run(self, region: Region) -> Path:
        """What belongs to one region and goes with `down`."""
        return self.run / region.name

    def containerd_socket(self, region: Region) -> Path:
        """Where the region's containerd listens."""
        return self.region_run(region) / "containerd.sock"

    def log(self, process: str) -> Path:
        """The log of a process."""
        return self.logs / f"{process}.log"


def current() -> Layout:
    """The layout of this machine's sandbox.

    The addresses exist once per machine, so a sandbox that is running is found wherever its state is;
    else the state is `sandbox/` in the user's cache directory.
    """
    try:
        return Layout((RUN_DIRECTORY / "state").readlink())
    except OSError:
        import platformdirs

        return Layout(Path(platformdirs.user_cache_dir("deployer")) / "sandbox")
