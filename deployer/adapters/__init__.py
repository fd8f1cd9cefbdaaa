"""Adapters: each fills one port with a real service or tool."""
