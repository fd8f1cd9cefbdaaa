"""ansible-core: runs an app's hook playbooks as child processes; none of it is imported by us."""

from deployer.adapters.ansible.runner import AnsibleRunner

__all__ = ["AnsibleRunner"]
