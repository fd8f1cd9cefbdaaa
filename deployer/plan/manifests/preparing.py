"""From an app's rendered manifests to what is given to Helm: checked, converted, completed, as canonical texts."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace

from deployer.errors import raise_all
from deployer.model import App, Image, Json, ObjectKey, Secret, Settings
from deployer.plan.manifests import kinds
from deployer.plan.manifests.canonical import canonical_text, check_values
from deployer.plan.manifests.conversion import convert
from deployer.plan.manifests.identity import check_identity, check_known, check_place, check_unique, flatten
from deployer.plan.manifests.kinds import mappings
from deployer.plan.manifests.lifting import PLACEHOLDER_KEY, Naming, lift
from deployer.plan.manifests.metadata import check_metadata, drop_servers_fields
from deployer.plan.manifests.pods import check_pods, texts_in_env
from deployer.plan.manifests.secrecy import check_secrets
from deployer.plan.manifests.source import Findings, ManifestWarning, SourceManifest
from deployer.plan.manifests.specs import check_spec, check_together

_IMAGE_TEMPLATE = '"{{ AwsEcrPrefix }}/{{ AppName }}:{{ Tag }}-{{ DockerHash }}"'


@dataclass(frozen=True)
class PreparedManifests:
    """The app's objects as they are given to Helm, in the order of the app file.

    `objects` and `texts` are the same manifests, as JSON objects and as canonical texts; `sources` know their places in
    the app file; `namespace` is the release's. `lifted` are Secrets that hold what the objects' pods use of secrets:
    they are in the cluster before the release is, and no part of it. `unsaved_key` is the Secret for a new key that
    their names were made with.
    """

    namespace: str
    objects: tuple[Json, ...]
    texts: tuple[str, ...]
    warnings: tuple[ManifestWarning, ...] = ()
    sources: tuple[SourceManifest, ...] = ()
    lifted: tuple[Json, ...] = field(default=(), repr=False)
    unsaved_key: Json | None = field(default=None, repr=False)

    @property
    def members(self) -> tuple[Json, ...]:
        """The objects that stay as part of the release."""
        return tuple(manifest for manifest in self.objects if not kinds.is_hook(manifest))

    @property
    def hooks(self) -> tuple[Json, ...]:
        """The objects that Helm runs as hooks."""
        return tuple(manifest for manifest in self.objects if kinds.is_hook(manifest))

    @property
    def keys(self) -> tuple[ObjectKey, ...]:
        """The keys of all objects, in their order."""
        return tuple(kinds.object_key(manifest, self.namespace) for manifest in self.objects)

    @property
    def hosts(self) -> tuple[str, ...]:
        """The hosts that the Ingresses have rules for, each once."""
        rules = (
            rule
            for manifest in self.objects
            if manifest["kind"] == "Ingress"
            for rule in mappings(kinds.dig(manifest, ("spec", "rules")))
        )
        hosts = (rule.get("host") for rule in rules)
        return tuple(dict.fromkeys(host for host in hosts if isinstance(host, str) and host))


def prepare(
    manifests: Sequence[SourceManifest],
    settings: Settings,
    app: App,
    image: Image | None = None,
    key: Secret | None = None,
) -> PreparedManifests:
    """Check, convert and complete an app's manifests; the same input gives the same texts.

    `image` is the app's own, pinned where its digest is known. `key` names what is lifted where the stage has no
    FingerprintKey; without either the names are placeholders. Raises ConfigurationError, or an ErrorGroup of all that
    is wrong. The input is left as it is.
    """
    findings = Findings()
    named = [
        source for source in flatten(manifests) if check_values(source, findings) and check_identity(source, findings)
    ]
    for source in named:
        check_secrets(source, findings)
    spelt = _as_spelt(image, app) if image is not None else None
    prepared = [
        result for source in named if (result := _prepare_one(source, settings, image, spelt, findings)) is not None
    ]
    key = settings.fingerprint_key or key
    naming = Naming(app.app_name, settings.namespace, key.reveal().encode() if key else PLACEHOLDER_KEY)
    lifted = tuple(secret for source in prepared for secret in lift(source, naming, findings))
    check_unique(prepared, findings)
    if not findings.errors:
        check_together(prepared, findings)
    raise_all(findings.errors)
    objects = tuple(source.content for source in prepared)
    if app.docker is not None and image is not None and not _uses(objects, image):
        findings.warnings.append(
            ManifestWarning(
                f"no container of {app.app_name} uses the image that its Docker part makes",
                hint=f"name it in a container: {_IMAGE_TEMPLATE} (here {image.reference})",
            )
        )
    texts = tuple(canonical_text(manifest) for manifest in objects)
    return PreparedManifests(settings.namespace, objects, texts, tuple(findings.warnings), tuple(prepared), lifted)


def pin(manifests: Iterable[Json], image: Image, spelt: str | None = None) -> tuple[Json, ...]:
    """Manifests whose containers name the image's reference, now with its digest. Changes the manifests given.

    `spelt` is how templates spell that reference, where they do it in another way.
    """
    result = tuple(manifests)
    for manifest in result:
        for _, container in kinds.containers(manifest):
            if container.get("image") in (image.reference, spelt or image.reference):
                container["image"] = image.pinned
    return result


def _prepare_one(
    source: SourceManifest, settings: Settings, image: Image | None, spelt: str | None, findings: Findings
) -> SourceManifest | None:
    check_known(source, findings)
    converted = convert(source, findings)
    if converted is None:
        return None
    result = replace(source, content=converted)
    check_place(result, settings.namespace, findings)
    check_metadata(result, findings)
    check_pods(result, findings)
    check_spec(result, findings)
    texts_in_env(result, findings)
    drop_servers_fields(result, findings)
    _keep_claims(converted)
    if image is not None:
        pin([converted], image, spelt)
    return result


def _as_spelt(image: Image, app: App) -> str:
    """The image's reference with AppName in it, which for a branch is not what its images are called."""
    return replace(image, repository=image.repository.removesuffix(app.repository) + app.app_name).reference


def _keep_claims(manifest: Json) -> None:
    """A claimed volume stays when the release goes, or no longer has it: data is never deleted on the way."""
    if manifest["kind"] == "PersistentVolumeClaim" and kinds.is_builtin(manifest):
        annotations = manifest["metadata"].get("annotations") or {}
        if isinstance(annotations, dict):
            manifest["metadata"]["annotations"] = {kinds.KEEP: "keep", **annotations}


def _uses(manifests: Iterable[Json], image: Image) -> bool:
    return any(
        container.get("image") in (image.reference, image.pinned)
        for manifest in manifests
        for _, container in kinds.containers(manifest)
    )
