"""What a repository has for those who come from `ansible-playbook`; it runs in Ansible, and not in this package."""
