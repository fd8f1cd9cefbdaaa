"""Reads the layers of several stages and regions, each file once, with SOPS working in the background."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from types import TracebackType
from typing import Any, Protocol

from deployer.config import apps, document, encrypted, variables
from deployer.config.branches import check_layer
from deployer.config.evaluation import Evaluator
from deployer.config.layers import Layer, branch_files, layer_files, merge
from deployer.config.nodes import MappingNode
from deployer.config.plain_keys import plain_keys
from deployer.config.settings import AwsAccess, ChooseProfile, aws_access
from deployer.config.templating import Templates
from deployer.errors import ConfigurationError, DeployError, Location, raise_all


class Decrypt(Protocol):
    """Decrypts a SOPS file (`execute.ports.SecretsDecryptor.decrypt`). Called from threads."""

    def __call__(self, file: Path, *, profile: str | None, config_file: str | None = None) -> Any:
        """Its content as plain values."""
        ...


_WORKERS = 8


class LayerReader:
    """The content of group_vars files. Use it in a `with` block, which ends when SOPS has ended, or a signal arrives.

    `start` reads the layers of a stage and region and sends the encrypted ones to SOPS; `contents` waits for them.
    `open_too` is as in `encrypted.with_positions`.
    """

    def __init__(
        self,
        root: Path,
        decrypt: Decrypt,
        templates: Templates,
        *,
        extra: MappingNode,
        choose_profile: ChooseProfile | None = None,
        open_too: bool = False,
    ) -> None:
        self.root = root
        self._decrypt = decrypt
        self.templates = templates
        self._extra = extra
        self._choose_profile = choose_profile
        self._open_too = open_too
        self._pool = ThreadPoolExecutor(_WORKERS, thread_name_prefix="sops")
        self._documents: dict[Path, MappingNode] = {}
        self._decrypting: dict[Path, Future[Any]] = {}
        self._decrypted: dict[Path, MappingNode] = {}
        self._plain_keys: dict[Path, frozenset[str]] = {}

    def __enter__(self) -> LayerReader:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        # A signal is not kept waiting for SOPS, which may wait for KMS: whoever started it ends it.
        signalled = error is not None and not isinstance(error, Exception)
        self._pool.shutdown(wait=not signalled, cancel_futures=True)

    def start(self, stage: str, region: str, branch: str | None = None) -> tuple[tuple[Layer, ...], AwsAccess]:
        """Begin with a stage and region: its layers that exist, least specific first, and how its AWS is reached.

        What a branch says of AWS is no help with secrets, which are those of the stage. Raises every error in the
        files themselves, so far as that shows before decryption.
        """
        layers = tuple(layer for layer in layer_files(self.root, stage, region) if layer.exists)
        of_branch = tuple(layer for layer in branch_files(self.root, branch) if layer.exists)
        _all((*layers, *of_branch), self._read)
        plain = [layer for layer in layers if not layer.secret]
        own = self._access(plain, stage, region)
        for layer in layers:
            if layer.secret and layer.path not in self._decrypting:
                shared = [one for one in plain if layer.region or one.region is None]
                self._plain_keys[layer.path] = plain_keys(merge([self._read(one) for one in shared]))
                access = own if layer.region else self._shared_access(plain, stage) or own
                self._decrypting[layer.path] = self._pool.submit(
                    self._decrypt, layer.path, profile=access.profile, config_file=access.config_file
                )
        return (*layers, *of_branch), own

    def contents(self, layers: Iterable[Layer]) -> list[MappingNode]:
        """The content of layers that were started, decrypted. Raises every error."""
        return _all(layers, self._content)

    def secret_documents(self, layers: Iterable[Layer]) -> list[MappingNode]:
        """The decrypted ones of some layers."""
        return [self._decrypted[layer.path] for layer in layers if layer.path in self._decrypted]

    @property
    def decrypted(self) -> list[MappingNode]:
        """All documents that were decrypted so far."""
        return list(self._decrypted.values())

    def _read(self, layer: Layer) -> MappingNode:
        """A file as it is written, once."""
        if layer.path in self._documents:
            return self._documents[layer.path]
        content = document.read(layer.path, layer.name)
        place = Location(layer.name)
        if layer.secret and not encrypted.is_encrypted(content):
            raise ConfigurationError(
                "this file is not encrypted",
                where=place,
                hint=f"run `sops encrypt --in-place {layer.name}` before it is committed",
            )
        if not layer.secret and encrypted.is_encrypted(content):
            raise ConfigurationError(
                "this file is encrypted, but only secrets_*.yml are decrypted",
                where=place,
                hint="rename it, or decrypt it",
            )
        raise_all(
            [
                *apps.check_group_vars(content),
                *variables.refuse_builtins(content, app=False),
                *check_layer(layer, content),
            ]
        )
        self._documents[layer.path] = content
        return content

    def _content(self, layer: Layer) -> MappingNode:
        content = self._documents[layer.path]
        if not layer.secret:
            return content
        if layer.path not in self._decrypted:
            values = self._decrypting[layer.path].result()
            plain = self._plain_keys[layer.path]
            self._decrypted[layer.path] = encrypted.with_positions(
                content, values, open_too=self._open_too, plain=plain
            )
        return self._decrypted[layer.path]

    def _shared_access(self, plain: Sequence[Layer], stage: str) -> AwsAccess | None:
        """From the layers that the stage's regions share; None when those say nothing about it."""
        shared = [layer for layer in plain if layer.region is None]
        keys = {*self._extra.entries, *(key for layer in shared for key in self._read(layer).entries)}
        return self._access(shared, stage, None) if keys & {"AwsProfile", "AwsConfigFile"} else None

    def _access(self, plain: Sequence[Layer], stage: str, region: str | None) -> AwsAccess:
        tree = merge([*(self._read(layer) for layer in plain), self._extra])
        names = {"STAGE": stage} | ({"REGION": region} if region else {})
        unavailable = {} if region else {"REGION": "the secrets of a stage are decrypted once, for all its regions"}
        evaluator = Evaluator(tree, names, self.templates, unavailable=unavailable)
        return aws_access(evaluator, self.root, stage, self._choose_profile)


def _all(layers: Iterable[Layer], read: Callable[[Layer], MappingNode]) -> list[MappingNode]:
    """What `read` gives for each layer; all errors at once."""
    contents: list[MappingNode] = []
    errors: list[DeployError] = []
    for layer in layers:
        try:
            contents.append(read(layer))
        except DeployError as error:
            errors.append(error)
    raise_all(errors)
    return contents
