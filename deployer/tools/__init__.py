"""Finds the tools that we call, and builds the ones that this machine lacks."""
