"""Stand-ins for what SOPS holds encrypted, of the right types, for commands that work without any key.

SOPS leaves the keys readable and names each value's type: `ENC[AES256_GCM,data:…,iv:…,tag:…,type:str]`.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from deployer.config import document
from deployer.config.encrypted import METADATA
from deployer.config.nodes import MappingNode, Node, ScalarNode, SequenceNode, show_path
from deployer.config.nodes import Path as KeyPath

_TYPE = re.compile(r"ENC\[AES256_GCM,.*,type:(\w+)\]\Z", re.DOTALL)
_BY_TYPE: dict[str, Any] = {"int": 1, "float": 1.5, "bool": True}
_BY_KEY: dict[KeyPath, str] = {
    ("AwsRegion",): "us-east-1",
    ("AwsEcrPrefix",): "registry.invalid/encrypted",
    ("DnsDomain",): "encrypted.invalid",
    ("Namespace",): "encrypted",
    ("Slack", "WebhookUrl"): "https://slack.invalid/encrypted",
    ("Webhook", "Url"): "https://webhook.invalid/encrypted",
    ("Slack", "ApiUrl"): "https://slack.invalid/",
    ("GitHub", "ApiUrl"): "https://github.invalid",
    ("HealthCheck", "Path"): "/",
    ("HealthCheck", "Protocol"): "HTTPS",
    ("HealthCheck", "ConnectTo"): "encrypted.invalid:443",
    ("Rollout", "OnFailure"): "hold",
}


def stand_in(file: Path, *, profile: str | None = None, config_file: str | None = None) -> Any:
    """In place of decryption: the file's values, those that are encrypted replaced by others of their type."""
    content = document.read(file, file.name)
    visible = {key: entry for key, entry in content.entries.items() if key != METADATA}
    return _value(MappingNode(visible, content.file), ())


def _value(node: Node, path: KeyPath) -> Any:
    match node:
        case MappingNode():
            return {key: _value(entry.value, (*path, key)) for key, entry in node.entries.items()}
        case SequenceNode():
            return [_value(item, (*path, index)) for index, item in enumerate(node.items)]
    return _scalar(node, path)


def _scalar(node: ScalarNode, path: KeyPath) -> Any:
    found = _TYPE.match(node.value) if isinstance(node.value, str) else None
    if found is None:
        return node.value
    if found[1] in _BY_TYPE:
        return _BY_TYPE[found[1]]
    if path[-1:] == ("VERSION",):
        return "0.0.0"
    return _BY_KEY.get(path, f"encrypted-{show_path(path)}")
