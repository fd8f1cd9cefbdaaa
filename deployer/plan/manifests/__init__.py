"""An app's Kubernetes manifests: checked, brought to today's APIs, completed, and written as canonical JSON."""

from deployer.plan.manifests.immutable import immutable_changes
from deployer.plan.manifests.kinds import is_hook, object_key
from deployer.plan.manifests.ownership import foreign_object
from deployer.plan.manifests.preparing import PreparedManifests, pin, prepare
from deployer.plan.manifests.size import RELEASE_LIMIT, check_release_size, release_size
from deployer.plan.manifests.source import CannotLift, ManifestWarning, SourceManifest

__all__ = [
    "RELEASE_LIMIT",
    "CannotLift",
    "ManifestWarning",
    "PreparedManifests",
    "SourceManifest",
    "check_release_size",
    "foreign_object",
    "immutable_changes",
    "is_hook",
    "object_key",
    "pin",
    "prepare",
    "release_size",
]
