"""Carries out a plan: the ports to the outside world, the executor, and the watch over a rollout."""
