"""The nouns of a deployment, as frozen dataclasses that everything else shares.

The classes with `__pydantic_config__` are also the schema of the user's files: `config` validates YAML into them,
spelling each field in PascalCase (`aws_ecr_prefix` is the key `AwsEcrPrefix`).
"""

from deployer.model.app import App, DockerCache, DockerSpec, Download, InlineFile
from deployer.model.basics import Json, Secret, Target, pascal_case
from deployer.model.image import Artefact, ContextEntry, EntryKind, Image
from deployer.model.lock import Holder, LockState, ReleaseLock
from deployer.model.permission import Permission
from deployer.model.release import DeploymentRecord, Ending, ObjectKey, Revision
from deployer.model.result import SUCCESSES, DeploymentResult, Outcome, PhaseTiming, TargetResult
from deployer.model.rollout import ContainerEvidence, Evidence, PodState, Verdict, WorkloadState
from deployer.model.settings import (
    BranchSettings,
    ClusterSettings,
    DnsSettings,
    EcrSettings,
    GitHubSettings,
    HealthCheckSettings,
    RolloutSettings,
    Settings,
    SlackSettings,
    WebhookSettings,
)

__all__ = [
    "SUCCESSES",
    "App",
    "Artefact",
    "BranchSettings",
    "ClusterSettings",
    "ContainerEvidence",
    "ContextEntry",
    "DeploymentRecord",
    "DeploymentResult",
    "DnsSettings",
    "DockerCache",
    "DockerSpec",
    "Download",
    "EcrSettings",
    "Ending",
    "EntryKind",
    "Evidence",
    "GitHubSettings",
    "HealthCheckSettings",
    "Holder",
    "Image",
    "InlineFile",
    "Json",
    "LockState",
    "ObjectKey",
    "Outcome",
    "Permission",
    "PhaseTiming",
    "PodState",
    "ReleaseLock",
    "Revision",
    "RolloutSettings",
    "Secret",
    "Settings",
    "SlackSettings",
    "Target",
    "TargetResult",
    "Verdict",
    "WebhookSettings",
    "WorkloadState",
    "pascal_case",
]
