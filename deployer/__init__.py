"""Deploys an application, described in one YAML file, to Kubernetes in many AWS regions."""

__version__ = "0.1.0"
