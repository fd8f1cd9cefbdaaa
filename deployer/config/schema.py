"""The JSON Schemas of app files, group_vars and deployer.yml, made from the model's classes (docs/schema/)."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, get_args

from deployer.config.docker import DEFAULTS as DOCKER_DEFAULTS
from deployer.model import DockerSpec, HealthCheckSettings, RolloutSettings, Settings, WebhookSettings
from deployer.model.hooks import HookEvent, Hooks
from deployer.model.jenkins import JenkinsSettings

_DIALECT = "https://json-schema.org/draft/2020-12/schema"
_TEMPLATE = {"type": "string", "pattern": r"\{\{|\{%", "description": "a template"}
_TEXT = {"type": "string"}
_OPEN = {"type": ["string", "number", "boolean"]}

Schema = dict[str, Any]


def group_vars_schema() -> Schema:
    """Of the files in `group_vars/`. No key is required: each file is one layer of several."""
    schema = _of(Settings)
    schema["properties"]["Values"] = {
        "type": "object",
        "description": "A mapping with a key per app, merged over all layers.",
        "additionalProperties": {"type": ["object", "string", "number", "boolean", "array", "null"]},
    }
    docker = _of(DockerSpec)
    schema["$defs"] |= {"DockerCache": docker["$defs"]["DockerCache"]}
    schema["properties"]["Docker"] = {
        "type": "object",
        "description": "How images are built, for all apps that have a Docker part.",
        "properties": {key: docker["properties"][key] for key in sorted(DOCKER_DEFAULTS)},
        "additionalProperties": False,
    }
    kinds: Schema = {"type": "object", "additionalProperties": {"type": "object"}}
    schema["properties"]["Defaults"] = {
        "description": "Parts of manifests beneath those of every app: kind (or Pod, *) → part (docs/profiles.md).",
        **kinds,
    }
    schema["properties"]["Profiles"] = {
        "type": "object",
        "description": "Parts of manifests that apps choose by name: profile → kind (or Pod, *) → part.",
        "additionalProperties": kinds,
    }
    return _finished(
        schema, "group_vars of deploy", "Variables of a stage or region; other keys are variables of yours."
    )


def app_schema() -> Schema:
    """Of the files in `apps/`."""
    docker = _of(DockerSpec)
    files, arguments = (docker["properties"][name]["anyOf"][0] for name in ("Files", "Args"))
    files["additionalProperties"] = {"anyOf": [_TEXT, files["additionalProperties"]]}
    arguments["additionalProperties"] = _OPEN
    parts = {
        "Docker": docker,
        "HealthCheck": _of(HealthCheckSettings),
        "Rollout": _of(RolloutSettings),
        "Webhook": _of(WebhookSettings),
        "Hooks": _hooks(),
    }
    definitions: Schema = {}
    for part in parts.values():
        definitions |= part.pop("$defs", {})
    schema: Schema = {
        "type": "object",
        "properties": {
            "Name": _described("The app's name; default: the file's name."),
            "AppName": _described("The name of the Helm release and of the image; default: Name."),
            "SubDomain": _described("The regional host is SubDomain.REGION.DnsDomain."),
            "Environments": {
                "type": "array",
                "minItems": 1,
                "items": {"type": "string", "pattern": r"^[A-Za-z0-9][A-Za-z0-9_-]*\.[A-Za-z0-9][A-Za-z0-9_-]*$"},
                "description": "Where it may be deployed: STAGE.REGION.",
            },
            "Needs": {
                "type": "array",
                "items": {"type": "string"},
                "description": "Apps that are deployed before it when both are.",
            },
            "Groups": {
                "type": "array",
                "items": {"type": "string", "pattern": r"^[A-Za-z0-9][A-Za-z0-9._-]*$"},
                "description": "Groups that it belongs to: deploy STAGE REGION --group NAME.",
            },
            "Profiles": {
                "description": "Profiles of group_vars that lie beneath the manifests; later ones win.",
                "anyOf": [{"type": "array", "items": _TEXT}, _TEMPLATE],
            },
            "Version": {"type": ["string", "integer"], "description": "The version that is deployed."},
            "Tag": {
                "type": ["string", "integer"],
                "description": "The image's tag before DockerHash; default: Version.",
            },
            "Slack": {
                "type": "object",
                "properties": {"Channel": _described("The channel instead of the stage's.")},
                "additionalProperties": False,
            },
            **parts,
            "Helm": {
                "description": "Kubernetes manifests.",
                "anyOf": [{"type": "array", "minItems": 1, "items": {"type": ["object", "string"]}}, _TEMPLATE],
            },
        },
        "required": ["Environments", "Helm"],
        "$defs": definitions,
    }
    return _finished(schema, "An app of deploy", "An app's file; other keys are variables of yours.")


def deployer_schema() -> Schema:
    """Of `deployer.yml`, in which nothing is a template."""
    jenkins = _made_of(JenkinsSettings)
    definitions = jenkins.pop("$defs", {})
    lint: Schema = {
        "type": "object",
        "description": "What `deploy lint` is asked (docs/lint.md).",
        "properties": {"Disable": {"type": "array", "items": _TEXT}, "KubernetesVersion": _TEXT},
        "additionalProperties": False,
    }
    schema: Schema = {"type": "object", "properties": {"Jenkins": jenkins, "Lint": lint}, "$defs": definitions}
    finished = _finished(schema, "deployer.yml of deploy", "What a deployment repository sets for all its stages.")
    return finished | {"additionalProperties": False}


def schema_files() -> dict[str, str]:
    """File name → text, as they are published."""
    schemas = {"app.json": app_schema(), "deployer.json": deployer_schema(), "group-vars.json": group_vars_schema()}
    return {name: json.dumps(schema, indent=2, ensure_ascii=False) + "\n" for name, schema in schemas.items()}


def write(directory: Path) -> None:
    """Publish the schemas."""
    for name, text in schema_files().items():
        (directory / name).write_text(text, "utf-8")


def _hooks() -> Schema:
    """Of an app's hooks: a single playbook may stand for a list of one."""
    schema = _of(Hooks)
    for name in get_args(HookEvent):
        schema["properties"][name]["anyOf"].insert(0, _TEXT)
    return schema


def _described(text: str) -> Schema:
    return {"type": "string", "description": text}


def _of(kind: type[Any]) -> Schema:
    """The schema of a class of the model in which every value may be a template."""
    schema = _made_of(kind)
    for part in (schema, *schema.get("$defs", {}).values()):
        for name, value in part.get("properties", {}).items():
            part["properties"][name] = _or_template(value)
    if kind is Settings:
        schema.pop("required")
    return schema


def _made_of(kind: type[Any]) -> Schema:
    """pydantic's schema of a class of the model."""
    from pydantic import TypeAdapter
    from pydantic.json_schema import GenerateJsonSchema
    from pydantic_core import PydanticOmit

    class Generator(GenerateJsonSchema):
        def is_instance_schema(self, schema: Any) -> Any:
            raise PydanticOmit  # a Secret: in a file it is a text

    schema: Schema = TypeAdapter(kind).json_schema(by_alias=True, schema_generator=Generator)
    for part in (schema, *schema.get("$defs", {}).values()):
        for value in part.get("properties", {}).values():
            value.pop("title", None)
    return schema


def _or_template(schema: Schema) -> Schema:
    schema.pop("title", None)
    kinds = [one.get("type") for one in schema.get("anyOf", [schema])]
    return schema if "string" in kinds and "enum" not in schema else _alternative(schema)


def _alternative(schema: Schema) -> Schema:
    about: Schema = {key: schema.pop(key) for key in ("default", "description") if key in schema}
    return {"anyOf": [*schema.get("anyOf", [schema]), _TEMPLATE], **about}


def _finished(schema: Schema, title: str, description: str) -> Schema:
    rest = {key: value for key, value in schema.items() if key not in ("title", "description", "additionalProperties")}
    return {"$schema": _DIALECT, "title": title, "description": description, **rest, "additionalProperties": True}
