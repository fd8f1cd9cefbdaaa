"""Reads the deployment repository: group_vars layers, settings, apps and their templates."""
