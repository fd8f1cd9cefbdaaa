"""`PlainKeys`: names of keys that are no secret although SOPS encrypts them, read before anything is decrypted."""

from __future__ import annotations

from deployer.config.encrypted import PROTECTED
from deployer.config.nodes import MappingNode, ScalarNode, SequenceNode
from deployer.errors import ConfigurationError, raise_all

KEY = "PlainKeys"
_NEVER = PROTECTED | {"Values", "Token", "WebhookUrl"}


def plain_keys(tree: MappingNode) -> frozenset[str]:
    """The names in the merged plain layers. Raises a ConfigurationError for what is no such list."""
    entry = tree.entries.get(KEY)
    if entry is None:
        return frozenset()
    if not isinstance(entry.value, SequenceNode):
        raise ConfigurationError(f"{KEY} must be a list", where=entry.location, hint=f"{KEY}: [LOG_LEVEL, HOST_NAME]")
    errors = []
    names = set()
    for item in entry.value.items:
        name = item.value if isinstance(item, ScalarNode) else None
        if not isinstance(name, str) or not name or (isinstance(item, ScalarNode) and item.is_template):
            hint = "it says what is secret, so it cannot be a template"
            errors.append(ConfigurationError(f"{KEY} must have names of keys", where=item.location, hint=hint))
        elif name in _NEVER:
            hint = "name single keys that everybody may read"
            errors.append(ConfigurationError(f"{KEY} may not have {name}", where=item.location, hint=hint))
        else:
            names.add(name)
    raise_all(errors)
    return frozenset(names)
