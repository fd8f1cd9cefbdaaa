from __future__ import annotations

from pathlib import Path

import pytest

from deployer.config import Repository
from deployer.lint.collecting import Findings
from deployer.lint.finding import Finding
from deployer.lint.secret_files import check_secrets

KEYS = {name: f"arn:aws:kms:eu-west-2:123456789012:alias/{name}" for name in ("dev", "prod", "other")}
RULES = "".join(
    f"  - path_regex: group_vars/secrets_{name}.*\\.yml$\n    kms: {KEYS[name]}\n" for name in ("dev", "prod")
)


def encrypted(*keys: str, kms: str, **metadata: str) -> str:
    """What a file looks like that SOPS made: lint does not look into ciphertext."""
    lines = [f"{key}: ENC[AES256_GCM,data:x,iv:x,tag:x,type:str]" for key in keys]
    extra = [f"    {name}: {value}" for name, value in (metadata or {"unencrypted_suffix": "_unencrypted"}).items()]
    return "\n".join([*lines, "sops:", "    kms:", f"        - arn: {kms}", "    mac: ENC[x]", *extra, ""])


@pytest.fixture
def root(tmp_path: Path) -> Path:
    (tmp_path / "apps").mkdir()
    (tmp_path / "group_vars").mkdir()
    (tmp_path / "apps/myapp.yml").write_text("Environments: [prod.london, prod.seoul, dev.london]\n")
    (tmp_path / "apps/alone.yml").write_text("Environments: [prod.london]\n")
    (tmp_path / ".sops.yaml").write_text(f"creation_rules:\n{RULES}")
    for name in ("prod", "dev"):
        (tmp_path / f"group_vars/{name}.yml").write_text("{}\n")
        write(tmp_path, name, encrypted("FingerprintKey", kms=KEYS[name]))
    return tmp_path


def write(root: Path, place: str, text: str) -> None:
    (root / f"group_vars/secrets_{place}.yml").write_text(text)


def lint(root: Path, stage: str | None = None, region: str | None = None) -> list[Finding]:
    findings = Findings()
    check_secrets(Repository(root), stage, region, findings)
    return sorted(findings.all())


def found(root: Path, stage: str | None = None) -> list[tuple[str, str, int]]:
    return [(one.rule, one.file.removeprefix("group_vars/"), one.line) for one in lint(root, stage)]


def test_good_files_have_no_findings(root: Path) -> None:
    assert not lint(root)


@pytest.mark.parametrize("text", ["A: s3cr3t\n", "", "A: s3cr3t\nsops: {}\n"])
def test_plaintext_is_found(root: Path, text: str) -> None:
    write(root, "prod.london", text)
    assert found(root) == [("plaintext-secrets", "secrets_prod.london.yml", 1)]
    assert "s3cr3t" not in repr(lint(root))


def test_a_plain_value_among_encrypted_ones_is_found(root: Path) -> None:
    write(root, "prod", encrypted("A", kms=KEYS["prod"]) + "PASSWORD: s3cr3t\nOpen_unencrypted: x\nNothing: null\n")
    assert found(root) == [("secrets-plain-value", "secrets_prod.yml", 7)]


def test_what_the_files_own_rule_leaves_open_is_no_finding(root: Path) -> None:
    text = encrypted("PASSWORD", kms=KEYS["prod"], encrypted_regex="^(PASSWORD|Deep)$")
    write(root, "prod", text + "Open: x\nDeep:\n  A: s3cr3t\n")
    assert found(root) == [("secrets-plain-value", "secrets_prod.yml", 9)]


def test_other_recipients_than_the_rules_are_found(root: Path) -> None:
    write(root, "prod", encrypted("A", kms=KEYS["other"]))
    (finding,) = lint(root)
    assert (finding.rule, finding.line) == ("secrets-recipients", 4)
    assert f"kms {KEYS['prod']} is missing" in finding.message
    assert f"kms {KEYS['other']} is not in .sops.yaml" in finding.message


def test_a_file_without_a_rule_is_found(root: Path) -> None:
    (root / ".sops.yaml").write_text("creation_rules:\n  - path_regex: secrets_dev\n    kms: " + KEYS["dev"])
    assert found(root) == [("secrets-recipients", "secrets_prod.yml", 0)]


def test_a_key_of_another_stage_is_found_where_it_does_not_belong(root: Path) -> None:
    write(root, "prod", encrypted("A", kms=KEYS["dev"]))
    rules = [rule for rule, file, _ in found(root) if file == "secrets_prod.yml"]
    assert sorted(rules) == ["secrets-recipients", "secrets-shared-key"]
    assert not [file for rule, file, _ in found(root) if file == "secrets_dev.yml"]


def test_a_rule_for_two_stages_is_found_at_the_rule(root: Path) -> None:
    (root / ".sops.yaml").write_text(f"creation_rules:\n  - path_regex: secrets_\n    kms: {KEYS['prod']}\n")
    write(root, "dev", encrypted("A", kms=KEYS["prod"]))
    assert {(rule, file) for rule, file, _ in found(root)} == {("secrets-shared-key", ".sops.yaml")}


def test_keys_that_a_region_lacks_are_found_once(root: Path) -> None:
    write(root, "prod.london", encrypted("A", "B", "FingerprintKey", kms=KEYS["prod"]))
    write(root, "prod.seoul", encrypted("B", "C", kms=KEYS["prod"]))
    assert found(root) == [
        ("secrets-parity", "secrets_prod.london.yml", 1),
        ("secrets-parity", "secrets_prod.seoul.yml", 2),
    ]
    assert [one.message for one in lint(root)] == [
        "A is in london, but not in seoul",
        "C is in seoul, but not in london",
    ]


def test_a_region_needs_only_the_values_of_apps_that_run_there(root: Path) -> None:
    value = "ENC[AES256_GCM,data:x,type:str]"
    text = f"Values:\n  alone:\n    A: {value}\n  myapp:\n    B: {value}\n" + encrypted(kms=KEYS["prod"])
    write(root, "prod.london", text)
    assert [one.message for one in lint(root)] == ["Values.myapp.B is in london, but not in seoul"]


def test_a_plain_value_in_the_other_region_is_enough(root: Path) -> None:
    write(root, "prod.london", encrypted("A", kms=KEYS["prod"]))
    (root / "group_vars/prod.seoul.yml").write_text("A: plain\n")
    assert not lint(root)


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("DB_PASSWORD: s3cr3t", True),
        ("apiKey: s3cr3t", True),
        ("Url: psql://me:s3cr3t@db/x", True),
        ("Key: '-----BEGIN RSA PRIVATE KEY-----'", True),
        ("DB_PASSWORD: '{{ Values.x }}'", False),
        ("DB_PASSWORD: ''", False),
        ("TokenUrl: https://x.test/token", False),
        ("DB_PASSWORD: s3cr3t # lint: disable=secret-like-value", True),  # which `kept` takes away
    ],
)
def test_what_looks_like_a_secret_in_a_plain_file_is_a_warning(root: Path, line: str, expected: bool) -> None:
    (root / "group_vars/prod.yml").write_text(f"{line}\n")
    for stage in (None, "prod"):
        findings = lint(root, stage)
        assert [(one.rule, one.severity) for one in findings] == [("secret-like-value", "warning")] * expected
        assert "s3cr3t" not in repr(findings)


def test_a_stage_alone_is_looked_at_when_it_is_named(root: Path) -> None:
    write(root, "dev", "A: s3cr3t\n")
    assert not lint(root, "prod")
    assert found(root, "dev") == [("plaintext-secrets", "secrets_dev.yml", 1)]


def test_leftovers_are_found(root: Path) -> None:
    (root / "group_vars/unencrypted_secrets_prod.yml").write_text("A: s3cr3t\n")
    (root / "group_vars/secrets_prod.yml.dec").write_text("A: s3cr3t\n")
    assert {rule for rule, *_ in found(root)} == {"secrets-leftover"}
    assert len(found(root)) == 2


@pytest.mark.parametrize("text", ["A: [", "\xff", "<<<<<<< x\n", "- a"])
def test_a_broken_file_or_rule_is_a_finding(root: Path, text: str) -> None:
    (root / "group_vars/secrets_prod.yml").write_bytes(text.encode("latin-1"))
    assert [file for _, file, _ in found(root)] == ["secrets_prod.yml"]
    write(root, "prod", encrypted("A", kms=KEYS["prod"]))
    (root / ".sops.yaml").write_bytes(text.encode("latin-1"))
    assert {file for _, file, _ in found(root)} == {".sops.yaml"}
