"""What lint finds, and the rules that it has."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Severity = Literal["error", "warning"]


@dataclass(frozen=True)
class Rule:
    """One kind of mistake. `summary` is one sentence; `hint` is what to do where nothing more is known."""

    severity: Severity
    summary: str
    hint: str = "docs/configuration.md shows every key with an example"


RULES: dict[str, Rule] = {
    "invalid-file": Rule(
        "error",
        "A file cannot be read, or is no valid YAML mapping.",
        "an editor with a YAML mode shows where it goes wrong",
    ),
    "invalid-value": Rule("error", "A value is missing, or not what its key takes."),
    "wrong-type": Rule("error", "A value has another type than its key takes."),
    "unknown-key": Rule("error", "A key is unknown here, probably misspelt."),
    "undefined-variable": Rule(
        "error",
        "A template uses a variable or key that does not exist.",
        "deploy explain STAGE REGION APP shows what there is",
    ),
    "invalid-template": Rule(
        "error", "A template is not valid Jinja2, or fails.", "deploy explain STAGE REGION APP KEY shows what it uses"
    ),
    "circular-reference": Rule(
        "error", "Values refer to each other in a circle.", "give one of them a value of its own"
    ),
    "wrong-need": Rule("error", "An app needs an app that there is not, or two need each other.", "Needs: [APP]"),
    "need-elsewhere": Rule(
        "warning", "An app needs another one that is not deployed to the same environment.", "see whether it is meant"
    ),
    "invalid-hook": Rule(
        "error",
        "A hook's playbook is missing, no list of plays, or outside the repository.",
        "docs/ansible.md has an example",
    ),
    "unused-value": Rule("warning", "No template and no setting uses a value in any environment."),
    "reserved-name": Rule(
        "error", "A stage or app is called like a command, or a variable like a built-in one.", "give it another name"
    ),
    "missing-group-vars": Rule("error", "An app names an environment that group_vars has no file for."),
    "missing-region-file": Rule("warning", "An app names a region that group_vars has no file for, only its stage."),
    "plaintext-secrets": Rule("error", "A secrets file is not encrypted, or an encrypted file is no secrets file."),
    "secret-in-the-open": Rule(
        "error", "A secret stands elsewhere than in a container's env, a file in a volume, or a Secret."
    ),
    "invalid-manifest": Rule(
        "error", "A Kubernetes manifest would be refused.", "the kind's reference shows its shape"
    ),
    "kubernetes-schema": Rule(
        "error",
        "A manifest does not fit the schema of the configured Kubernetes version.",
        "the kind's reference shows its shape",
    ),
    "removed-api": Rule(
        "warning",
        "A manifest uses an API version that Kubernetes has removed; it is converted.",
        "write today's API version",
    ),
    "manifest-warning": Rule(
        "warning", "Something about a manifest is probably not what was meant.", "see whether it is meant"
    ),
    "selector-matches-nothing": Rule("error", "A selector chooses none of the app's pods."),
    "service-port": Rule("error", "A Service's targetPort is no port of the pods that it chooses."),
    "ingress-backend": Rule("error", "An Ingress leads to a port that its Service does not have."),
    "probe-port": Rule("error", "A probe asks a port name that its container does not have."),
    "duplicate-host": Rule("error", "Two apps or stages use the same host and path."),
    "unknown-profile": Rule("error", "An app chooses a profile that group_vars does not define."),
    "shared-by-branches": Rule(
        "warning",
        "A branch of the app could not be deployed beside it, since they would share an object or a host.",
        "docs/branches.md says what a branch needs of its own",
    ),
    "unused-profile": Rule(
        "warning", "No app chooses a profile, or a kind in one is misspelt.", "remove it, or is a name misspelt?"
    ),
    "replicas-and-autoscaler": Rule(
        "warning", "A workload that an autoscaler scales sets its replicas itself.", "leave replicas out"
    ),
    "volume-on-spot": Rule("warning", "A workload on spot nodes claims a volume."),
    "grace-on-spot": Rule("warning", "A workload on spot nodes takes longer to end than the notice of two minutes."),
    "missing-limits": Rule("warning", "A container has no memory limit or no requests."),
    "missing-probe": Rule("warning", "A container with ports has no readiness or liveness probe."),
    "secrets-plain-value": Rule("error", "A value among encrypted ones stands in plain text."),
    "secrets-changed-by-hand": Rule("error", "A secrets file was changed without SOPS, or cannot be opened."),
    "secrets-leftover": Rule("error", "A decrypted copy of a secrets file lies in the repository."),
    "secrets-recipients": Rule("error", "A secrets file is for other keys than .sops.yaml says."),
    "secrets-shared-key": Rule("error", "A key of one stage opens the secrets of another stage."),
    "secrets-shared-person": Rule("warning", "A person's key (age, PGP) opens the secrets of several stages."),
    "secrets-parity": Rule("error", "A secret of one region is missing in another."),
    "secret-like-value": Rule("warning", "A value in a plain file looks like a secret."),
}


@dataclass(frozen=True, order=True)
class Finding:
    """One mistake at one place. `line` and `column` count from 1, 0 when unknown.

    `environments` are those in which it shows (`prod.london`); empty where it does not depend on one.
    """

    file: str
    line: int
    column: int
    rule: str
    message: str
    hint: str = ""
    chain: tuple[str, ...] = ()
    environments: tuple[str, ...] = ()
    severity: Severity = "error"
