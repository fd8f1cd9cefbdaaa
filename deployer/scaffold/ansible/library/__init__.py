"""The documentation of the actions, as modules."""
