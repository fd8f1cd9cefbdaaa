"""Checks what an app says of others: the apps that it needs, and its groups."""

from __future__ import annotations

from deployer.config.relations import groups_of, needs_among, needs_of
from deployer.config.repository import Repository
from deployer.errors import DeployError
from deployer.lint.collecting import Findings


def check_relations(repository: Repository, app: str, findings: Findings) -> None:
    """Its `Needs` are apps that can be deployed before it, in each of its environments; its `Groups` have names."""
    try:
        needs = needs_of(repository, app)
        needs_among(repository, [app])
    except DeployError as error:
        findings.error(error, rule="wrong-need")
        needs = ()
    try:
        groups_of(repository, app)
    except DeployError as error:
        findings.error(error)
    own = dict.fromkeys(name for name, _ in repository.environments_of(app))
    for need in needs:
        try:
            others = {name for name, _ in repository.environments_of(need.name)}
        except DeployError:
            continue  # told where that app is linted
        for environment in own:
            if environment not in others:
                findings.add(
                    "need-elsewhere",
                    need.where,
                    f"{app} needs {need.name}, which is not for {environment}",
                    f"add it to the Environments of {need.name}, or deploy it there in another way",
                    environment=environment,
                )
