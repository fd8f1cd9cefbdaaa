"""Checks secrets files without opening them: plaintext, recipients, and keys that are missing in a region."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence

from deployer.config import document
from deployer.config.encrypted import is_encrypted
from deployer.config.layers import DIRECTORY, SECRETS_PREFIX, SUFFIXES
from deployer.config.nodes import Entry, MappingNode, Node, Path, ScalarNode, scalars, show_path
from deployer.config.repository import Repository
from deployer.config.secret_files import RULES, SecretFile, all_secret_files
from deployer.config.sops_files import (
    CreationRule,
    content_of,
    creation_rules,
    plain_values,
    recipients,
    stored_values,
)
from deployer.errors import DeployError, Location
from deployer.lint.collecting import Findings

_NAME = re.compile(
    r"(password|passwd|passphrase|secret|token|credentials?|(api|private|access|fingerprint|encryption)[_-]?key)$",
    re.IGNORECASE,
)
_VALUE = re.compile(
    r"-----BEGIN [A-Z ]*PRIVATE KEY|://[^/\s:@{]+:[^/\s@{]+@|\bAKIA[0-9A-Z]{16}\b|\bxox[abeprs]-\w|\bgh[opsu]_\w{20}"
    r"|\bAGE-SECRET-KEY-1"
)
_LEFTOVER = re.compile(r"(unencrypted|decrypted|plain)[_.-]|\.dec(rypted)?(~\d*)?(\.ya?ml)?$", re.IGNORECASE)
_PEOPLE = ("age ", "pgp ")


def check_content(name: str, content: bytes | None, findings: Findings) -> MappingNode | None:
    """What is wrong with one file of group_vars by itself; its tree when it is an encrypted one.

    `content` is what is to be looked at (None: the name alone), so that the index of git can be as well.
    """
    base = name.rpartition("/")[2]
    if _LEFTOVER.search(base):
        hint = "remove it; if it was ever committed, change its secrets: history keeps them"
        findings.add("secrets-leftover", Location(name), "this looks like a decrypted copy", hint)
        return None
    if content is None or not base.endswith(SUFFIXES):
        return None
    try:
        tree = document.parse(content, name)
    except DeployError as error:
        findings.error(error, home=name)
        return None
    if not base.startswith(SECRETS_PREFIX):
        if is_encrypted(tree):
            findings.add(
                "plaintext-secrets", Location(name), "this file is encrypted, but only secrets_*.yml are decrypted"
            )
        else:
            _check_plain(tree, findings)
        return None
    if not is_encrypted(tree):
        findings.add(
            "plaintext-secrets",
            Location(name, 1),
            "this file is not encrypted",
            f"`sops encrypt --in-place {name}`; if it was ever committed or sent, change its secrets",
        )
        return None
    for value in plain_values(tree):
        findings.add(
            "secrets-plain-value",
            value.node.location,
            f"{show_path(value.path)} stands in plain text among encrypted values",
            "set it with `deploy secrets set`; if it was ever committed or sent, change it",
        )
    return tree


def _check_plain(tree: MappingNode, findings: Findings) -> None:
    """Warnings for values in a plain file that look like secrets; the value itself is not repeated."""
    for path, node in scalars(tree):
        if not isinstance(node.value, str) or not node.value.strip() or "{{" in node.value:
            continue
        names = [part for part in path if isinstance(part, str)]
        if _VALUE.search(node.value) or (names and _NAME.search(names[-1])):
            findings.add(
                "secret-like-value",
                node.location,
                f"{show_path(path)} looks like a secret in a plain file",
                "move it with `deploy secrets set`; `# lint: disable=secret-like-value` if it is none",
            )


def check_secrets(repository: Repository, stage: str | None, regions: str | None, findings: Findings) -> None:
    """Everything that is wrong with the secrets files of a stage or region, or of all; opens none of them."""
    wanted = {file.name for file in all_secret_files(repository, stage, regions)}
    everything = all_secret_files(repository)
    trees: dict[str, MappingNode] = {}
    for file in everything:
        found = findings if file.name in wanted else Findings()
        tree = _read(file, found)
        if tree is not None:
            trees[file.name] = tree
    if stage is None:
        _check_others(repository, {file.name for file in everything}, findings)
    else:
        _check_plain_layers(repository, stage, findings)
    rules = _Rules(repository)
    files = [file for file in everything if file.name in trees]
    for file in files:
        if file.name in wanted:
            _check_recipients(file, trees[file.name], rules, findings)
    _check_shared_keys(files, trees, rules, wanted, findings)
    for name in dict.fromkeys(file.stage for file in files if file.name in wanted):
        _check_parity(repository, name, [file for file in files if file.stage == name], trees, findings)


def _read(file: SecretFile, findings: Findings) -> MappingNode | None:
    try:
        document.read(file.path, file.name)  # its size and kind
        return check_content(file.name, file.path.read_bytes(), findings)
    except (DeployError, OSError) as error:
        if isinstance(error, DeployError):
            findings.error(error, home=file.name)
        return None


def _check_others(repository: Repository, known: set[str], findings: Findings) -> None:
    for path in sorted((repository.root / DIRECTORY).iterdir()):
        name = f"{DIRECTORY}/{path.name}"
        if name not in known and path.is_file():
            readable = path.suffix in SUFFIXES and path.stat().st_size <= document.MAX_BYTES
            check_content(name, path.read_bytes() if readable else None, findings)


def _check_plain_layers(repository: Repository, stage: str, findings: Findings) -> None:
    for path in sorted((repository.root / DIRECTORY).iterdir()):
        if path.suffix in SUFFIXES and path.stem.partition(".")[0] == stage and path.is_file():
            check_content(f"{DIRECTORY}/{path.name}", path.read_bytes(), findings)


# --- for whom the files are encrypted --------------------------------------------------------------------------------


class _Rules:
    """The rules of `.sops.yaml`, or of none."""

    def __init__(self, repository: Repository) -> None:
        self.found: list[CreationRule] = []
        self.error: DeployError | None = None
        path = repository.root / RULES
        self.there = path.is_file()
        if self.there:
            try:
                self.found = creation_rules(document.read(path, RULES))
            except DeployError as error:
                self.error = error

    def of(self, name: str) -> CreationRule | None:
        """The rule for a file."""
        return next((rule for rule in self.found if rule.is_for(name)), None)


def _check_recipients(file: SecretFile, tree: MappingNode, rules: _Rules, findings: Findings) -> None:
    if not rules.there:
        return  # it may stand in a directory around the repository
    if rules.error is not None:
        findings.error(rules.error, home=RULES)
        return
    rule = rules.of(file.name)
    if rule is None:
        hint = f"add one: path_regex: {DIRECTORY}/{SECRETS_PREFIX}{file.stage}.*\\.yml$"
        findings.add("secrets-recipients", Location(file.name), "no rule of .sops.yaml is for this file", hint)
        return
    found = recipients(tree)
    if not rule.keys or rule.keys == set(found):
        return
    place = tree.entries["sops"].location
    missing, extra = sorted(rule.keys - set(found)), sorted(set(found) - rule.keys)
    parts = [f"{key} is missing" for key in missing] + [f"{key} is not in .sops.yaml" for key in extra]
    if extra:
        place = _place(found[extra[0]])
    findings.add(
        "secrets-recipients",
        place,
        f"this file is for other keys than .sops.yaml says: {'; '.join(parts)}",
        f"`deploy secrets rotate {file.stage}` updates them; or correct .sops.yaml",
    )


def _place(item: Entry | Node) -> Location:
    return item.location


def _check_shared_keys(
    files: Sequence[SecretFile],
    trees: Mapping[str, MappingNode],
    rules: _Rules,
    wanted: set[str],
    findings: Findings,
) -> None:
    """A key that opens files of more than one stage is told where its stage's rule does not give it, or at the rule."""
    stages: dict[str, dict[str, None]] = {}
    for file in files:
        rule = rules.of(file.name)
        for key in {*recipients(trees[file.name]), *(rule.keys if rule else ())}:
            stages.setdefault(key, {})[file.stage] = None
    for file in files:
        if file.name not in wanted:
            continue
        rule = rules.of(file.name)
        for key, item in recipients(trees[file.name]).items():
            others = sorted(set(stages[key]) - {file.stage})
            if not others or (rule is not None and key in rule.keys and not _all_given(key, files, others, rules)):
                continue
            given = rule is not None and key in rule.keys
            findings.add(
                "secrets-shared-person" if key.startswith(_PEOPLE) else "secrets-shared-key",
                rule.node.location if given and rule is not None else _place(item),
                f"{key} opens the secrets of {file.stage} and of {', '.join(others)}",
                "give each stage a key of its own in .sops.yaml"
                if given
                else f"`deploy secrets rotate {file.stage}` takes it out, since .sops.yaml does not have it",
            )


def _all_given(key: str, files: Iterable[SecretFile], others: Sequence[str], rules: _Rules) -> bool:
    """Whether another stage has the key by its rule, too; if not, that stage's file is the wrong one."""
    found = (rules.of(file.name) for file in files if file.stage in others)
    return any(rule is not None and key in rule.keys for rule in found)


# --- keys that a region lacks ----------------------------------------------------------------------------------------


def _check_parity(
    repository: Repository,
    stage: str,
    files: Sequence[SecretFile],
    trees: Mapping[str, MappingNode],
    findings: Findings,
) -> None:
    """Each key of a region's secrets is in every other region where the app runs, secret or not."""
    regions = repository.regions(stage, repository.apps)
    own = {file.region: file for file in files if file.region is not None}
    if len(regions) < 2:
        return
    keys = {region: _keys(repository, stage, region, files, trees) for region in regions}
    held: dict[tuple[str, ...], list[str]] = {}
    places: dict[tuple[str, ...], ScalarNode] = {}
    for region, file in own.items():
        for value in stored_values(trees[file.name]):
            key = _names(value.path)
            if region not in held.setdefault(key, []):
                held[key].append(region)
            places.setdefault(key, value.node)
    for key, having in held.items():
        lacking = [other for other in _concerned(repository, stage, key, regions) if key not in keys[other]]
        if lacking:
            findings.add(
                "secrets-parity",
                places[key].location,
                f"{'.'.join(key)} is in {', '.join(having)}, but not in {', '.join(lacking)}",
                f"`deploy secrets set {stage} {lacking[0]} {'.'.join(key)}`, or set it once for the stage",
            )


def _concerned(repository: Repository, stage: str, key: tuple[str, ...], regions: Sequence[str]) -> Sequence[str]:
    """The regions that need a key: for what is below `Values.APP` those in which the app runs."""
    if len(key) > 1 and key[0] == "Values" and key[1] in repository.apps:
        try:
            return repository.regions_of(key[1], stage)
        except DeployError:
            return regions
    return regions


def _keys(
    repository: Repository,
    stage: str,
    region: str,
    files: Sequence[SecretFile],
    trees: Mapping[str, MappingNode],
) -> set[tuple[str, ...]]:
    found: set[tuple[str, ...]] = set()
    for file in files:
        if file.region in (None, region):
            found |= {_names(path) for path, _ in scalars(content_of(trees[file.name]))}
    for stem in ("all", stage, f"{stage}.{region}"):
        for suffix in SUFFIXES:
            path = repository.root / DIRECTORY / f"{stem}{suffix}"
            if path.is_file():
                try:
                    found |= {_names(path) for path, _ in scalars(document.read(path, f"{DIRECTORY}/{path.name}"))}
                except DeployError:
                    continue
    return found


def _names(path: Path) -> tuple[str, ...]:
    return tuple(str(part) for part in path if not isinstance(part, int))
