"""Decides what is to be done, without any input or output."""
