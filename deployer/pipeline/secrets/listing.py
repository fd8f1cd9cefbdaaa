"""`deploy secrets keys`: the names in secrets files, as anybody can read them there; nothing is decrypted."""

from __future__ import annotations

from collections.abc import Iterable

from deployer.config.secret_files import SecretFile
from deployer.config.sops_files import stored_values
from deployer.errors import DeployError, raise_all
from deployer.model.secret_files import SecretKey
from deployer.pipeline.secrets import storage
from deployer.pipeline.secrets.keys import show_key


def list_keys(files: Iterable[SecretFile]) -> list[SecretKey]:
    """The keys of each file, in its order. Raises everything that is wrong with the files."""
    found: list[SecretKey] = []
    errors: list[DeployError] = []
    for file in files:
        try:
            _, tree = storage.existing(file)
        except DeployError as error:
            errors.append(error)
            continue
        found += [
            SecretKey(file.name, value.node.line, show_key(value.path), value.kind, value.encrypted)
            for value in stored_values(tree)
        ]
    raise_all(errors)
    return found
