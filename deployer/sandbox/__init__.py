"""The `local` stage: three regional clusters and an AWS on this machine."""
