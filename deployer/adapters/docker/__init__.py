"""Docker on this machine: builds images and pushes them."""

from deployer.adapters.docker.builder import DockerBuilder

__all__ = ["DockerBuilder"]
