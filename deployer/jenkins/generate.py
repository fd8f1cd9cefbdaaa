"""Makes the text of each file: a declarative pipeline per purpose, and a Job DSL script for the jobs that run them."""

from __future__ import annotations

from importlib.resources import files
from typing import Any

from deployer.jenkins import groovy
from deployer.jenkins.content import Content
from deployer.model.jenkins import JenkinsAccess, JenkinsSettings

MARK = "// Made by `deploy jenkins generate`"
"""How every file begins that is ours to write again."""

PURPOSES = {
    "deploy": "deploys one app to one region",
    "waves": "deploys one app to all regions of a stage, in waves",
    "all": "deploys all apps: staging stages first, production after approval",
    "rollback": "brings back a deployment that is chosen from history",
    "drift": "looks for what differs from the repository, every night",
}
JOBS = "jobs.groovy"
_WRAPPER = JenkinsSettings().wrapper


def generate(content: Content, settings: JenkinsSettings, *, prefix: str = "") -> dict[str, str]:
    """File name → text, the same for the same repository.

    `prefix` is where the repository lies in what Jenkins checks out: empty, or `sub/directory/`.
    """
    from jinja2 import Environment, FunctionLoader, StrictUndefined

    templates = files(__package__).joinpath("templates")
    environment = Environment(  # noqa: S701 -- Groovy is no HTML; its values go through `literal`
        loader=FunctionLoader(lambda name: templates.joinpath(name).read_text("utf-8")),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters |= {"literal": groovy.literal, "literals": groovy.literals, "comment": groovy.comment}
    known: dict[str, Any] = {
        "mark": MARK,
        "content": content,
        "settings": settings,
        "agents": {region: settings.agents.regions.get(region, settings.agents.default) for region in content.regions},
        "access": _access(content, settings),
        "purposes": PURPOSES,
        "prefix": prefix,
        "wrapper": f"./{prefix}wrapper" if settings.wrapper == _WRAPPER else settings.wrapper,
    }
    names = {purpose: f"{purpose}.Jenkinsfile" for purpose in PURPOSES}
    made = {
        name: environment.get_template(f"{name}.j2").render(known | {"purpose": purpose})
        for purpose, name in names.items()
    }
    made[JOBS] = environment.get_template(f"{JOBS}.j2").render(known | {"purpose": "jobs"})
    return made


def _access(content: Content, settings: JenkinsSettings) -> dict[str, JenkinsAccess]:
    """The credentials of each stage that has any."""
    found = {stage: settings.credentials.stages.get(stage, settings.credentials.default) for stage in content.stages}
    return {stage: access for stage, access in found.items() if access != JenkinsAccess()}
