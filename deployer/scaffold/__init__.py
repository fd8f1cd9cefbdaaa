"""Makes a new deployment repository that works at once on the sandbox."""
