"""The story of each command that works on releases: one module a command, read from top to bottom."""
