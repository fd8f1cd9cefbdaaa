"""Actions, which Ansible runs on the controller."""
