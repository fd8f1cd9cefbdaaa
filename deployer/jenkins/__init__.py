"""Pipelines for Jenkins, generated from what a deployment repository holds (docs/jenkins.md)."""
