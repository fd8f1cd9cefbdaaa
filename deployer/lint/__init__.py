"""Finds mistakes in a deployment repository without any key, cluster or network (docs/lint.md)."""
