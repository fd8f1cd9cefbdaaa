"""What a target's configuration becomes before it can be observed: its Docker context, and its manifests."""

from __future__ import annotations

from deployer.config import Configuration
from deployer.errors import NotPermitted
from deployer.events import Sink
from deployer.execute.image_ports import DockerContext
from deployer.execute.lifted import stored
from deployer.execute.ports import Cluster
from deployer.execute.services import Services
from deployer.model import App, Image, Secret, Settings
from deployer.plan.manifests import PreparedManifests, SourceManifest, prepare
from deployer.plan.manifests.lifted import texts_of


def docker_context(configuration: Configuration, services: Services, sink: Sink) -> DockerContext | None:
    """A target's Docker context, its artefacts fetched into the cache; None for an app without a Docker part."""
    app = configuration.app
    if app.docker is None:
        return None
    fetcher = services.fetcher(configuration.settings, configuration.target)
    artefacts = fetcher.fetch(app.docker.download, sink)
    return services.contexts().observe(app, artefacts, configuration.render_text)


def prepared_manifests(
    configuration: Configuration,
    services: Services,
    image: Image | None,
    docker_hash: str | None,
    key: Secret | None = None,
) -> PreparedManifests:
    """A target's manifests with this image in them, as they are given to Helm; what they made of secrets is masked.

    `key` is as for `plan.manifests.prepare`.
    """
    manifests = configuration.manifests(docker_hash)
    services.keep_secret(text for one in manifests for text in one.secret_texts())
    sources = [SourceManifest(one.content, one.where, one.locate, secrets=one.secrets) for one in manifests]
    prepared = prepare(sources, configuration.settings, configuration.app, image, key)
    services.keep_secret(texts_of(prepared.lifted))
    return prepared


def keep_lifted(services: Services, cluster: Cluster, settings: Settings, app: App) -> None:
    """Mask what earlier deployments have lifted into Secrets: it may be in no file any more. One question."""
    try:
        services.keep_secret(texts_of(stored(cluster, settings.namespace, app.app_name).values()))
    except NotPermitted:
        return  # nor may anybody read Helm's releases then, and that is told better
