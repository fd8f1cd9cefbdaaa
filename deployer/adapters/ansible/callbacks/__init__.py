"""Plugins that ansible-playbook loads by itself from this directory."""
