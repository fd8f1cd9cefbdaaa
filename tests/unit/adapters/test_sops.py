from __future__ import annotations

import json
import os
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from deployer.adapters import process
from deployer.adapters.sops import Sops, faults
from deployer.adapters.sops.decryptor import environment
from deployer.errors import ConfigurationError, DeployError, UnreachableError
from deployer.tools import require

PUBLIC = "age1z2as73lfjaz9cl65nzpg85raau3mr0z292xqtqdpsz5cu42kjczsk852jy"
PRIVATE = "AGE-SECRET-KEY-18PRY8MGE469XX5X6GTN6F3GU7ZN3PHQ739FU008NUSLSPPPARP9S34LAX5"  # of these tests only

PLAIN = """\
DnsDomain: what3words.com
Values:
  myapp:
    Replicas: 2
    Big: 9223372036854775807
    Ratio: 0.1
    Enabled: true
    Nothing: null
    Quoted: "0123"
    Empty: ""
    Unicode: "hé☃😀"
    Lines: |
      line1
      line2
    List: [1, two]
"""
CONTENT = {
    "DnsDomain": "what3words.com",
    "Values": {
        "myapp": {
            "Replicas": 2,
            "Big": 9223372036854775807,
            "Ratio": 0.1,
            "Enabled": True,
            "Nothing": None,
            "Quoted": "0123",
            "Empty": "",
            "Unicode": "hé☃😀",
            "Lines": "line1\nline2\n",
            "List": [1, "two"],
        }
    },
}


@pytest.fixture(scope="module")
def encrypted() -> str:
    return encrypt(PLAIN)


def encrypt(text: str) -> str:
    arguments = ["encrypt", "--age", PUBLIC, "--input-type", "yaml", "--output-type", "yaml", "/dev/stdin"]
    result = process.run([require("sops"), *arguments], stdin=text.encode(), env={"PATH": os.environ["PATH"]}, cwd="/")
    assert result.ok, result.stderr
    return result.stdout.decode()


@pytest.fixture
def sops() -> Sops:
    return Sops(lambda: require("sops"), environ={"PATH": os.environ["PATH"], "SOPS_AGE_KEY": PRIVATE, "HOME": "/"})


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "secrets_prod.yml"


def decrypt(sops: Sops, file: Path, text: str | bytes) -> object:
    file.write_bytes(text if isinstance(text, bytes) else text.encode())
    return sops.decrypt(file, profile=None)


def test_values_keep_their_types(sops: Sops, file: Path, encrypted: str) -> None:
    content = decrypt(sops, file, encrypted)
    assert content == CONTENT
    assert json.dumps(content) == json.dumps(CONTENT)  # 1, 1.0 and True are equal, and are not the same


def test_files_are_decrypted_in_parallel(sops: Sops, tmp_path: Path, encrypted: str) -> None:
    files = [tmp_path / f"-secrets {number}.yml" for number in range(8)]
    for each in files:
        each.write_text(encrypted)
    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(lambda each: sops.decrypt(each, profile="x"), files)) == [CONTENT] * 8


def test_json_and_a_leading_comment_are_taken_too(sops: Sops, file: Path, encrypted: str) -> None:
    assert decrypt(sops, file, "# the secrets of prod\n---\n" + encrypted) == CONTENT
    convert = ["decrypt", "--input-type", "yaml", "--output-type", "json", str(file)]
    plain = process.run([require("sops"), *convert], env={"SOPS_AGE_KEY": PRIVATE}).stdout
    as_json = process.run(
        [require("sops"), "encrypt", "--age", PUBLIC, "--input-type", "json", "--output-type", "json", "/dev/stdin"],
        stdin=plain,
        cwd="/",
    ).stdout
    assert decrypt(sops, file, as_json) == CONTENT


@pytest.mark.parametrize(
    ("change", "what"),
    [
        (lambda text: "", "is empty"),
        (lambda text: " \n\n", "is empty"),
        (lambda text: PLAIN, "not a SOPS file"),
        (lambda text: "# sops: later\nKey: sekret-plain\n", "not a SOPS file"),
        (lambda text: '{"Key": "sekret-plain"}', "not a SOPS file"),
        (lambda text: text.encode("utf-16"), "not a SOPS file"),
        (lambda text: "Key: sekret-plain\nsops: {}\n", "not a SOPS file"),
        (lambda text: text + "---\nOther: sekret-plain\n", "more than one document"),
        (lambda text: "<<<<<<< HEAD\n" + text, "merge conflict"),
        (lambda text: "[sekret-plain\n" + text, "not valid YAML"),
        (lambda text: text.replace("    Unicode:", "    Quoted:"), "changed without SOPS|twice"),
        (lambda text: text.replace("Replicas: ENC", "Copies: ENC"), "changed without SOPS"),
        (lambda text: text.replace("Nothing: null", "Nothing: sekret-plain"), "changed without SOPS"),
        (lambda text: text.replace("tag:", "tag:AAAA", 1), "changed without SOPS"),
        (lambda text: "".join(line for line in text.splitlines(True) if "Replicas" not in line), "without SOPS"),
        (lambda text: "".join(line for line in text.splitlines(True) if " mac:" not in line), "without SOPS"),
        (lambda text: encrypt("{}\n"), "holds no values"),
        (
            lambda text: encrypt("Values: {a: ['ENC[AES256_GCM,data:x,type:str]']}\n"),
            r"still encrypted.*Values\.a\[0\]",
        ),
    ],
)
def test_a_file_that_is_not_as_it_should_be_is_refused(
    sops: Sops, file: Path, encrypted: str, change: object, what: str
) -> None:
    with pytest.raises(ConfigurationError, match=what) as raised:
        decrypt(sops, file, change(encrypted))  # type: ignore[operator]
    assert str(file) in str(raised.value.where)
    everything = f"{raised.value!r} {raised.value} {raised.value.hint} {raised.value.__cause__}"
    assert "sekret-plain" not in everything
    assert "Traceback" not in everything


def test_a_file_that_cannot_be_read_is_named(sops: Sops, tmp_path: Path, encrypted: str) -> None:
    with pytest.raises(ConfigurationError, match="does not exist"):
        sops.decrypt(tmp_path / "absent.yml", profile=None)
    with pytest.raises(ConfigurationError, match="is not a file"):
        sops.decrypt(tmp_path, profile=None)
    with pytest.raises(ConfigurationError, match="cannot be read"):
        sops.decrypt(tmp_path / "a\0b", profile=None)


def test_a_config_file_that_is_missing_is_named(sops: Sops, file: Path, encrypted: str) -> None:
    file.write_text(encrypted)
    with pytest.raises(ConfigurationError, match="config file does not exist") as raised:
        sops.decrypt(file, profile="local", config_file="/nonexistent/aws-config")
    assert raised.value.where == "/nonexistent/aws-config"


def test_a_bad_line_is_numbered(sops: Sops, file: Path, encrypted: str) -> None:
    with pytest.raises(ConfigurationError) as raised:
        decrypt(sops, file, encrypted.replace("    Unicode:", "    Quoted:"))
    assert str(raised.value.where).rpartition(":")[2].isdigit() or "changed" in raised.value.what
    with pytest.raises(ConfigurationError, match="merge conflict") as raised:
        decrypt(sops, file, "a: b\n>>>>>>> other\n" + encrypted)
    assert str(raised.value.where) == f"{file}:2"


def test_a_broken_sops_yaml_does_no_harm(
    sops: Sops, file: Path, encrypted: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(file.parent)
    Path(".sops.yaml").write_text("creation_rules: [")
    assert decrypt(sops, file, encrypted) == CONTENT


def test_without_a_key_the_file_is_out_of_reach(file: Path, encrypted: str) -> None:
    file.write_text(encrypted)
    without = Sops(lambda: require("sops"), environ={"PATH": os.environ["PATH"], "HOME": "/nonexistent"})
    with pytest.raises(UnreachableError, match="none of the file's keys is on this machine") as raised:
        without.decrypt(file, profile=None)
    assert f"{PUBLIC}: not on this machine" in str(raised.value.why)


def test_without_sops_the_error_is_the_resolvers(file: Path, encrypted: str) -> None:
    def missing() -> Path:
        raise ConfigurationError("sops is missing", hint="apt")

    with pytest.raises(ConfigurationError, match="sops is missing"):
        decrypt(Sops(missing), file, encrypted)
    with pytest.raises(ConfigurationError, match="was not found"):
        decrypt(Sops(lambda: "/nonexistent/sops"), file, encrypted)


def script(directory: Path, text: str, environ: Mapping[str, str] = os.environ) -> Sops:
    program = directory / "sops"
    program.write_text("#!/bin/sh\n" + text)
    program.chmod(0o755)
    return Sops(lambda: program, timeout=0.3 if "sleep" in text else 60, environ=environ)


@pytest.mark.parametrize(
    ("text", "kind", "what"),
    [
        ("exec sleep 60", UnreachableError, "did not finish within 0.3 s"),
        ("kill -9 $$", DeployError, "ended from outside"),
        ("echo '{sekret'", DeployError, "not JSON"),
        ("echo '[1]'", ConfigurationError, "not a mapping"),
        ("true", DeployError, "not JSON"),
        ("echo sekret >&2; exit 99", ConfigurationError, "exit status 99"),
        ('python3 -c "print(\'{\\"a\\":\' * 99999)"', DeployError, "not JSON"),
    ],
)
def test_a_strange_answer_is_no_traceback_and_not_shown(
    tmp_path: Path, file: Path, encrypted: str, text: str, kind: type[DeployError], what: str
) -> None:
    file.write_text(encrypted)
    with pytest.raises(kind, match=what) as raised:
        script(tmp_path, text).decrypt(file, profile=None)
    assert "sekret" not in f"{raised.value} {raised.value.hint}"
    assert raised.value.__cause__ is None


def test_the_profile_goes_before_keys_in_the_environment() -> None:
    ambient = {"AWS_ACCESS_KEY_ID": "a", "AWS_SECRET_ACCESS_KEY": "b", "AWS_SESSION_TOKEN": "c", "HOME": "/h"}
    assert environment("prod", "/x/aws-config", ambient) == {
        "AWS_MAX_ATTEMPTS": "2",
        "HOME": "/h",
        "AWS_PROFILE": "prod",
        "AWS_CONFIG_FILE": "/x/aws-config",
    }
    assert environment(None, None, {**ambient, "AWS_MAX_ATTEMPTS": "5"}) == {**ambient, "AWS_MAX_ATTEMPTS": "5"}


def test_sops_is_given_the_profile(tmp_path: Path, file: Path, encrypted: str) -> None:
    file.write_text(encrypted)
    echo = script(tmp_path, """printf '{"profile": "%s", "arguments": "%s"}' "$AWS_PROFILE" "$*" """)
    content = echo.decrypt(file, profile="prod")
    assert content["profile"] == "prod"
    assert content["arguments"] == f"--config /dev/null decrypt --input-type yaml --output-type json {file}"


# --- what sops 3.13.3 says of AWS, as printed

ARN = "arn:aws:kms:eu-west-2:123456789012:key/41c5d804-21f0-4e67-8f9c-b68fff02098d"
ARN2 = ARN.replace("eu-west-2", "us-east-1")


def message(*reasons: str) -> str:
    groups = [
        f"  {arn}: FAILED\n    - | failed to decrypt sops data key with AWS KMS: operation\n      | {reason}\n"
        for arn, reason in zip((ARN, ARN2), reasons, strict=False)
    ]
    return (
        "Failed to get the data key required to decrypt the SOPS file.\n\nGroup 0: FAILED\n"
        + "\n".join(groups)
        + "\nRecovery failed because no master key was able to decrypt the file. In\n"
        "order for SOPS to recover the file, at least one key has to be successful,\nbut none were.\n"
    )


FRAME = "\n      | "
DENIED = FRAME.join(
    [
        "error KMS: Decrypt, https response error StatusCode: 400,",
        "RequestID: x, api error AccessDeniedException: User:",
        "arn:aws:iam::123456789012:user/anna is not authorized to perform:",
        "kms:Decrypt on resource: arn",
    ]
)
GONE = FRAME.join(
    [
        "error KMS: Decrypt, api error AccessDeniedException: The",
        "ciphertext refers to a customer master key that does not",
        "exist, does not exist in this region, or you are not allowed",
        "to access.",
    ]
)
UNREACHED = FRAME.join(
    [
        "error KMS: Decrypt, exceeded maximum number of attempts, 2,",
        "https response error StatusCode: 0, RequestID: , request",
        'send failed, Post "http://127.0.0.1:9/": dial tcp',
        "127.0.0.1:9: connect: connection refused",
    ]
)
EXPIRED = (
    f"error KMS: Decrypt, api error ExpiredTokenException: The{FRAME}security token included in the request is expired"
)
MFA = f"could not load AWS config: assume role with MFA enabled, but{FRAME}AssumeRoleTokenProvider session option"


@pytest.mark.parametrize(
    ("reasons", "kind", "words"),
    [
        ([DENIED], UnreachableError, ("does not allow kms:Decrypt", "user/anna may not kms:Decrypt", "docs/iam.md")),
        ([GONE], UnreachableError, ("KMS has no such key in this account", "sandbox up")),
        ([UNREACHED], UnreachableError, ("KMS could not be reached", "network")),
        ([EXPIRED], UnreachableError, ("credentials have expired", "aws sso login --profile prod")),
        ([UNREACHED, DENIED], UnreachableError, ("does not allow", f"{ARN}: not reached; {ARN2}: ")),
        (
            ["error KMS: Decrypt, NotFoundException: Key\n      | 'arn' does not exist"],
            ConfigurationError,
            ("KMS key does not exist", "sandbox up"),
        ),
        (
            ["could not load AWS config: failed to get shared config\n      | profile, prod"],
            ConfigurationError,
            ("no such AWS profile", "(profile prod of /x/aws-config)", "aws configure sso --profile prod"),
        ),
        (
            ["get identity: get credentials: failed to\n      | refresh cached credentials, no EC2 IMDS role found,"],
            UnreachableError,
            ("no AWS credentials",),
        ),
        (
            ["get identity: failed to refresh cached credentials, failed to read cached SSO token\n      | file, open"],
            UnreachableError,
            ("sign-in has expired or was never made", "aws sso login --profile prod"),
        ),
        (["refresh cached credentials, process provider error: x"], UnreachableError, ("could not be fetched",)),
        (
            [MFA],
            UnreachableError,
            ("MFA code",),
        ),
        (["api error UnrecognizedClientException: The security token"], UnreachableError, ("does not accept",)),
        (["api error InvalidSignatureException: Signature expired: x"], UnreachableError, ("clock is wrong",)),
        (["api error DisabledException: arn is disabled."], UnreachableError, ("key is disabled",)),
        (["api error InvalidCiphertextException:"], ConfigurationError, ("not one of this KMS key",)),
        (["api error ThrottlingException: Rate exceeded"], UnreachableError, ("limits our requests",)),
        (["something sekret that nobody knows"], UnreachableError, ("none of the file's keys could be used",)),
    ],
)
def test_each_failure_of_kms_has_its_own_message(
    reasons: list[str], kind: type[DeployError], words: tuple[str, ...]
) -> None:
    error = faults.explain(128, message(*reasons), file="s.yml", profile="prod", config_file="/x/aws-config")
    assert isinstance(error, kind)
    text = f"{error} {error.hint}"
    assert all(word in text for word in words), text
    assert "sekret" not in text


def test_a_profile_that_the_file_itself_names_is_told_apart() -> None:
    text = message("could not load AWS config: failed to get shared config\n      | profile, prod")
    error = faults.explain(128, text, file="s.yml", profile=None)
    assert isinstance(error, ConfigurationError)
    assert "no AWS profile prod, which the secrets file itself asks for" in str(error)
    assert "aws_profile" in str(error.hint)


def test_a_message_in_another_shape_is_understood_too() -> None:
    error = faults.explain(128, "AccessDeniedException", file="s.yml")
    assert "does not allow kms:Decrypt" in str(error)
    assert faults.explain(128, "", file="s.yml").exit_code == 5


def test_the_environment_of_sops_holds_no_key(tmp_path: Path, file: Path, encrypted: str) -> None:
    file.write_text(encrypted)
    ambient = {"PATH": os.environ["PATH"], "AWS_SECRET_ACCESS_KEY": "sekret"}
    dump = script(
        tmp_path, "tr '\\0' '\\n' < /proc/self/environ | grep -c sekret | sed 's/.*/{\"found\": &}/'", ambient
    )
    assert dump.decrypt(file, profile="prod") == {"found": 0}
