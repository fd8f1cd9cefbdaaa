from __future__ import annotations

import base64
import json
import subprocess
import sys
import threading
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from getpass import getpass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from botocore.credentials import AssumeRoleProvider
from botocore.stub import Stubber

from deployer.adapters.aws import eks_token
from deployer.adapters.aws.account import StsAccount, account_in, region_in
from deployer.adapters.aws.ecr import Ecr
from deployer.adapters.aws.eks import Eks
from deployer.adapters.aws.faults import Access, translate
from deployer.adapters.aws.profiles import choose_profile, profiles
from deployer.adapters.aws.session import Session, Sessions
from deployer.errors import ConfigurationError, DeployError, UnreachableError
from deployer.model import EcrSettings

IDENTITY = """<GetCallerIdentityResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><GetCallerIdentityResult>
<Arn>arn:aws:iam::123456789012:user/a</Arn><UserId>A</UserId><Account>123456789012</Account>
</GetCallerIdentityResult></GetCallerIdentityResponse>"""


@dataclass
class FakeAws:
    """AWS's wire protocols on loopback: answers by operation, and what was asked."""

    url: str = ""
    answers: dict[str, list[tuple[int, str]]] = field(default_factory=dict)
    asked: list[tuple[str, Any]] = field(default_factory=list)

    def answer(self, operation: str, document: object, status: int = 200) -> None:
        text = document if isinstance(document, str) else json.dumps(document)
        self.answers.setdefault(operation, []).append((status, text))

    def refuse(self, operation: str, code: str, message: str = "", status: int = 400) -> None:
        if operation == "GetCallerIdentity":
            text = f"<ErrorResponse><Error><Code>{code}</Code><Message>{message}</Message></Error></ErrorResponse>"
        else:
            text = json.dumps({"__type": code, "message": message})
        self.answers.setdefault(operation, []).append((status, text))

    def handle(self, request: BaseHTTPRequestHandler) -> None:
        body = request.rfile.read(int(request.headers.get("Content-Length") or 0)).decode()
        operation = request.headers.get("X-Amz-Target", "").rpartition(".")[2]
        if "Action=GetCallerIdentity" in body + request.path:
            operation = "GetCallerIdentity"
        operation = operation or f"{request.command} {request.path}"
        self.asked.append((operation, body))
        scripted = self.answers.get(operation, [(500, "{}")])
        status, text = scripted.pop(0) if len(scripted) > 1 else scripted[0]
        code = json.loads(text).get("__type", "") if text.startswith("{") else ""
        request.send_response(status)
        request.send_header("x-amzn-ErrorType", code)
        request.send_header("Content-Length", str(len(text)))
        request.end_headers()
        request.wfile.write(text.encode())


@pytest.fixture
def aws() -> Iterator[FakeAws]:
    fake = FakeAws()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            fake.handle(self)

        do_POST = do_GET  # noqa: N815

        def log_message(self, *arguments: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        fake.url = f"http://127.0.0.1:{server.server_port}"
        yield fake
        server.shutdown()
        thread.join()


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in ("AWS_PROFILE", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_ENDPOINT_URL"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "none"))
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "none"))
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")


def config_file(directory: Path, url: str, more: str = "") -> str:
    file = directory / "aws-config"
    keys = "aws_access_key_id = AKIDEXAMPLE\naws_secret_access_key = sekretsekret\naws_session_token = tokentoken"
    file.write_text(f"[profile local]\n{keys}\nregion = eu-west-2\nendpoint_url = {url}\n{more}")
    return str(file)


@pytest.fixture
def session(aws: FakeAws, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Session:
    monkeypatch.setattr("botocore.retries.standard.ExponentialBackoff.delay_amount", lambda *_: 0)
    return Sessions().of("eu-west-2", "local", config_file(tmp_path, aws.url))


# --- profiles


def test_the_profile_is_the_one_given_else_the_stages_else_none(tmp_path: Path) -> None:
    file = config_file(tmp_path, "http://x", "[ profile 'prod' ]\n[sso-session dev]\n[default]\n")
    (tmp_path / "credentials").write_text("[preprod]\n")
    environ = {"AWS_SHARED_CREDENTIALS_FILE": str(tmp_path / "credentials")}
    assert profiles(file, environ) == {"local", "prod", "default", "preprod"}
    assert choose_profile("mine", "prod", file, environ) == "mine"
    assert choose_profile(None, "prod", file, environ) == "prod"
    assert choose_profile(None, "preprod", file, environ) == "preprod"
    assert choose_profile(None, "dev", file, environ) is None
    assert choose_profile(None, "prod", None, {"AWS_CONFIG_FILE": file}) == "prod"
    assert profiles(str(tmp_path), environ) == {"preprod"}


# --- sessions


def test_sessions_and_clients_are_made_once_and_from_any_thread(session: Session, tmp_path: Path) -> None:
    sessions = Sessions()
    same = [sessions.of("eu-west-2", "local", session.access.config_file) for _ in range(2)]
    assert same[0] is same[1]
    assert same[0] is not sessions.of("us-east-1", "local", session.access.config_file)
    sessions.prepare(same[0], "sts", "ecr").join()
    found: list[Any] = []
    threads = [threading.Thread(target=lambda: found.append(same[0].client("sts"))) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len({id(client) for client in found}) == 1


def test_preparing_never_fails() -> None:
    sessions = Sessions()
    sessions.prepare(sessions.of("eu-west-2", "unknown"), "s3", "no-such-service").join()


def test_nothing_of_aws_is_imported_before_it_is_used() -> None:
    code = (
        "import sys; from deployer.adapters.aws import account, ecr, eks, profiles, session;"
        "session.Sessions().of('eu-west-2', 'x');"
        "sys.exit(any(name in sys.modules for name in ('botocore', 'boto3', 'urllib3')))"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_the_secrets_of_the_credentials_are_known(session: Session) -> None:
    assert {secret.reveal() for secret in session.secrets()} == {"sekretsekret", "tokentoken"}
    assert Sessions().of("eu-west-2").secrets() == []


@pytest.mark.parametrize(
    ("profile", "more", "kind", "words"),
    [
        ("unknown", "", ConfigurationError, ("no AWS profile unknown", "aws-config", "aws configure sso --profile")),
        ("local", "[profile local]\n[profile local\nx", ConfigurationError, ("cannot be read", "aws-config")),
        ("empty", "[profile empty]\n", UnreachableError, ("no AWS credentials", "aws sso login --profile empty")),
        ("half", "[profile half]\naws_access_key_id = x\n", UnreachableError, ("incomplete",)),
        ("loop", "[profile loop]\nrole_arn = a\nsource_profile = loop2\n", ConfigurationError, ("not set up well",)),
        ("proc", "[profile proc]\ncredential_process = false\n", UnreachableError, ("could not be fetched",)),
        (
            "sso",
            "[profile sso]\nsso_session = s\nsso_account_id = 123456789012\nsso_role_name = Dev\n"
            "[sso-session s]\nsso_region = eu-west-2\nsso_start_url = https://x.invalid/start\n",
            UnreachableError,
            ("expired or was never made", "aws sso login --profile sso"),
        ),
    ],
)
def test_what_is_wrong_with_a_profile_is_said(
    tmp_path: Path, profile: str, more: str, kind: type[DeployError], words: tuple[str, ...]
) -> None:
    session = Sessions().of("eu-west-2", profile, config_file(tmp_path, "http://127.0.0.1:9", more))
    with pytest.raises(kind) as raised:
        StsAccount(session).number()
    text = f"{raised.value} {raised.value.hint}"
    assert all(word in text for word in words), text


PRINTS = "credential_process = sh -c 'echo %s'\n"


@pytest.mark.parametrize(
    ("settings", "environ", "words"),
    [
        ("credential_process = /absent/program --give\n", {}, "No such file or directory: /absent/program"),
        (PRINTS % "sekret", {}, "did not give what it should (JSONDecodeError)"),
        (PRINTS % "[]", {}, "did not give what it should (AttributeError)"),
        (
            "role_arn = arn:aws:iam::123456789012:role/x\nweb_identity_token_file = /absent/token\n",
            {},
            "No such file or directory: /absent/token",
        ),
        (
            None,
            {"AWS_WEB_IDENTITY_TOKEN_FILE": "/absent/token", "AWS_ROLE_ARN": "arn:aws:iam::123456789012:role/x"},
            "No such file or directory: /absent/token",
        ),
        (
            None,
            {"AWS_CONTAINER_CREDENTIALS_FULL_URI": "http://elsewhere.example.com"},
            "did not give what it should (ValueError)",
        ),
    ],
    ids=["no program", "no JSON", "no object", "no token", "no token by environment", "container"],
)
def test_credentials_that_cannot_be_fetched_are_no_defect(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    settings: str | None,
    environ: dict[str, str],
    words: str,
) -> None:
    for name, value in environ.items():
        monkeypatch.setenv(name, value)
    profile, place = ("broken", "eu-west-2 (profile broken)") if settings else (None, "eu-west-2")
    file = config_file(tmp_path, "http://127.0.0.1:9", f"[profile broken]\n{settings}") if settings else None
    session = Sessions().of("eu-west-2", profile, file)
    for ask in (StsAccount(session).number, session.secrets):
        with pytest.raises(UnreachableError, match="the AWS credentials could not be fetched") as raised:
            ask()
        assert (raised.value.where, raised.value.hint) == (place, session.access.login)
        assert words in str(raised.value.why)
        assert "sekret" not in str(raised.value)


def test_nobody_there_to_type_an_mfa_code_is_no_defect(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def nobody(prompt: str) -> str:
        raise EOFError

    made = AssumeRoleProvider.__init__
    monkeypatch.setattr(
        made, "__defaults__", tuple(nobody if one is getpass else one for one in made.__defaults__ or ())
    )
    profiles = "[profile mfa]\nrole_arn = arn:aws:iam::123456789012:role/x\nsource_profile = local\nmfa_serial = x\n"
    session = Sessions().of("eu-west-2", "mfa", config_file(tmp_path, "http://127.0.0.1:9", profiles))
    with pytest.raises(UnreachableError, match="asks for an MFA code"):
        StsAccount(session).number()


@pytest.mark.parametrize(
    ("settings", "environ"),
    [
        ("metadata_service_timeout = soon\n", {}),
        ("", {"AWS_ENDPOINT_URL": "no url"}),
        ("defaults_mode = mine\n", {}),
    ],
    ids=["number", "URL", "mode"],
)
def test_a_setting_that_makes_no_sense_is_no_defect(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, settings: str, environ: dict[str, str]
) -> None:
    for name, value in environ.items():
        monkeypatch.setenv(name, value)
    file = tmp_path / "config"
    file.write_text(f"[profile x]\naws_access_key_id = a\naws_secret_access_key = b\n{settings}")
    with pytest.raises(ConfigurationError, match=r"setting has a value|not set up well"):
        StsAccount(Sessions().of("eu-west-2", "x", str(file))).number()


def test_the_password_of_a_broken_proxy_url_is_not_repeated(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, aws: FakeAws
) -> None:
    monkeypatch.setattr("botocore.retries.standard.ExponentialBackoff.delay_amount", lambda *_: 0)
    monkeypatch.setenv("HTTP_PROXY", "http://anna:sek/ret@proxy.example.com:80")
    monkeypatch.delenv("NO_PROXY", raising=False)
    monkeypatch.delenv("no_proxy", raising=False)
    with pytest.raises(UnreachableError) as raised:
        StsAccount(Sessions().of("eu-west-2", "local", config_file(tmp_path, aws.url))).number()
    assert "sek" not in f"{raised.value} {raised.value.hint}"


def test_our_own_defects_stay_defects(session: Session) -> None:
    with pytest.raises(KeyError), session.asking("sts:GetCallerIdentity"):
        raise KeyError("ours")


def test_a_config_file_that_is_missing_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="config file does not exist") as raised:
        Sessions().of("eu-west-2", "local", str(tmp_path / "absent")).client("sts")
    assert raised.value.where == str(tmp_path / "absent")


def test_an_endpoint_that_is_not_there_is_unreachable(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("botocore.retries.standard.ExponentialBackoff.delay_amount", lambda *_: 0)
    session = Sessions().of("eu-west-2", "local", config_file(tmp_path, "http://127.0.0.1:9"))
    with pytest.raises(UnreachableError, match="STS could not be reached") as raised:
        StsAccount(session).number()
    assert str(raised.value.where) == "eu-west-2 (profile local)"
    assert "http://127.0.0.1:9" in str(raised.value.why)


def test_a_region_that_is_none_is_a_configuration_error(tmp_path: Path) -> None:
    session = Sessions().of("not a region", "local", config_file(tmp_path, "http://127.0.0.1:9"))
    with pytest.raises(ConfigurationError, match="not an AWS region"):
        StsAccount(session).number()


@pytest.mark.parametrize(
    ("code", "message", "status", "kind", "words"),
    [
        ("ExpiredToken", "secret-part", 403, UnreachableError, ("have expired", "aws sso login --profile local")),
        ("InvalidClientTokenId", "secret-part", 403, UnreachableError, ("does not accept the credentials",)),
        ("SignatureDoesNotMatch", "canonical secret-part", 403, UnreachableError, ("does not accept",)),
        ("SignatureDoesNotMatch", "Signature expired: secret-part", 403, UnreachableError, ("clock is wrong",)),
        (
            "AccessDenied",
            "User: arn:aws:iam::1:user/a is not authorized to perform: sts:Other on x",
            403,
            UnreachableError,
            ("does not allow sts:Other", "docs/iam.md", "user/a"),
        ),
        ("AccessDenied", "no", 403, UnreachableError, ("does not allow sts:GetCallerIdentity",)),
        ("Throttling", "", 400, UnreachableError, ("STS limits our requests",)),
        ("InternalFailure", "", 503, UnreachableError, ("STS failed",)),
        ("OptInRequired", "", 403, UnreachableError, ()),
        ("Weird", "line\nline", 400, UnreachableError, ("STS refused sts:GetCallerIdentity: Weird: line line",)),
    ],
)
def test_what_aws_answers_is_explained(
    aws: FakeAws,
    session: Session,
    code: str,
    message: str,
    status: int,
    kind: type[DeployError],
    words: tuple[str, ...],
) -> None:
    aws.refuse("GetCallerIdentity", code, message, status)
    with pytest.raises(kind) as raised:
        StsAccount(session).number()
    text = f"{raised.value} {raised.value.hint}"
    assert all(word in text for word in words), text
    assert "secret-part" not in text


def test_errors_of_ours_pass_through_translation() -> None:
    error = ConfigurationError("x")
    assert translate(error, Access("eu-west-2"), "s3:GetObject") is error


def test_without_a_profile_the_hint_names_none() -> None:
    from botocore.exceptions import NoCredentialsError

    translated = translate(NoCredentialsError(), Access("eu-west-2"), "s3:GetObject")
    assert translated.hint
    assert "--profile" not in translated.hint


# --- account


@pytest.mark.parametrize(
    ("prefix", "account", "region"),
    [
        ("123456789012.dkr.ecr.eu-west-2.amazonaws.com", "123456789012", "eu-west-2"),
        ("123456789012.dkr.ecr.cn-north-1.amazonaws.com.cn/team", "123456789012", "cn-north-1"),
        ("123456789012.dkr-ecr.eu-west-2.on.aws", "123456789012", "eu-west-2"),
        ("127.0.31.1:5000/123456789012", "123456789012", None),
        ("registry.example.com/team/1234567890123", None, None),
        ("my-prod-account-number.ecr.london.amazonaws.com", None, None),
        ("", None, None),
        (None, None, None),
    ],
)
def test_account_and_region_are_read_from_a_prefix(prefix: str | None, account: str | None, region: str | None) -> None:
    assert account_in(prefix) == account
    assert region_in(prefix) == region


def test_the_account_is_asked_once_and_compared(aws: FakeAws, session: Session) -> None:
    aws.answer("GetCallerIdentity", IDENTITY)
    account = StsAccount(session)
    assert account.number() == "123456789012"
    account.check("123456789012.dkr.ecr.eu-west-2.amazonaws.com")
    with pytest.raises(ConfigurationError, match="account 123456789012, and AwsEcrPrefix is in account 999999999999"):
        account.check("127.0.31.1:5000/999999999999")
    assert len(aws.asked) == 1


def test_a_prefix_without_an_account_asks_nothing(aws: FakeAws, session: Session) -> None:
    StsAccount(session).check("localhost:5000")
    StsAccount(session).check(None)
    assert aws.asked == []


# --- ECR


def token(expires: datetime, text: bytes = b"AWS:pass:word") -> dict[str, Any]:
    data = {"authorizationToken": base64.b64encode(text).decode(), "expiresAt": expires.timestamp()}
    return {"authorizationData": [data]}


def test_the_ecr_login_is_kept_while_it_is_fresh(aws: FakeAws, session: Session) -> None:
    now = datetime.now(UTC)
    aws.answer("GetAuthorizationToken", token(now + timedelta(minutes=5)))
    aws.answer("GetAuthorizationToken", token(now + timedelta(hours=12), b"AWS:second"))
    ecr = Ecr(session)
    first = ecr.authorization_token()
    assert (first.user, first.password.reveal()) == ("AWS", "pass:word")
    assert "pass:word" not in repr(first)
    assert ecr.authorization_token().password.reveal() == "second"
    assert ecr.authorization_token().password.reveal() == "second"
    assert len(aws.asked) == 2


@pytest.mark.parametrize("answer", [{}, {"authorizationData": []}, token(datetime.now(UTC), b"sekret")])
def test_an_answer_without_a_login_is_an_error_that_does_not_show_it(
    aws: FakeAws, session: Session, answer: dict[str, Any]
) -> None:
    aws.answer("GetAuthorizationToken", answer)
    with pytest.raises(UnreachableError, match="ECR gave no login") as raised:
        Ecr(session).authorization_token()
    assert "sekret" not in str(raised.value)
    assert raised.value.__context__ is None or raised.value.__suppress_context__


def test_a_missing_repository_is_made_only_when_settings_say_so(aws: FakeAws, session: Session) -> None:
    aws.refuse("DescribeRepositories", "RepositoryNotFoundException")
    aws.answer("CreateRepository", {"repository": {}})
    with pytest.raises(ConfigurationError, match="no ECR repository team/myapp") as raised:
        Ecr(session).ensure_repository("team/myapp")
    assert "CreateRepositories" in str(raised.value.hint)
    assert "CreateRepository" not in dict(aws.asked)

    assert Ecr(session, EcrSettings(create_repositories=True)).ensure_repository("team/myapp")
    assert json.loads(dict(aws.asked)["CreateRepository"]) == {
        "repositoryName": "team/myapp",
        "imageTagMutability": "IMMUTABLE",
        "imageScanningConfiguration": {"scanOnPush": True},
    }


def test_a_repository_that_exists_is_left_alone(aws: FakeAws, session: Session) -> None:
    aws.answer("DescribeRepositories", {"repositories": [{"repositoryName": "myapp"}]})
    assert not Ecr(session, EcrSettings(create_repositories=True)).ensure_repository("myapp")
    aws.refuse("CreateRepository", "RepositoryAlreadyExistsException")
    Ecr(session).create_repository("myapp")  # another run was quicker


def test_a_name_that_ecr_does_not_take_is_explained(aws: FakeAws, session: Session) -> None:
    aws.refuse("CreateRepository", "InvalidParameterException", "Invalid parameter at 'repositoryName'")
    with pytest.raises(ConfigurationError, match="does not take My App"):
        Ecr(session).create_repository("My App")


def test_a_missing_permission_names_the_action(aws: FakeAws, session: Session) -> None:
    aws.refuse("DescribeRepositories", "AccessDeniedException", "no identity-based policy allows it")
    with pytest.raises(UnreachableError, match="does not allow ecr:DescribeRepositories"):
        Ecr(session).repository_exists("myapp")


# --- EKS


CLUSTER = {
    "cluster": {
        "name": "prod",
        "endpoint": "https://abc.eks",
        "certificateAuthority": {"data": "Q0E="},
        "status": "ACTIVE",
        "version": "1.34",
    }
}


def test_the_question_for_a_cluster_and_its_answer_are_as_botocores_model_has_them(session: Session) -> None:
    with Stubber(session.client("eks")) as stub:
        stub.add_response("describe_cluster", CLUSTER, {"name": "prod"})
        assert Eks(session).cluster("prod").endpoint == "https://abc.eks"
        stub.assert_no_pending_responses()


def test_a_clusters_kubeconfig_holds_no_secret_and_runs_our_plugin(aws: FakeAws, session: Session) -> None:
    aws.answer("GET /clusters/prod", CLUSTER)
    eks = Eks(session)
    kubeconfig = eks.kubeconfig("prod")
    assert eks.cluster("prod").version == "1.34"
    assert len(aws.asked) == 1
    assert kubeconfig["clusters"] == [
        {"name": "prod", "cluster": {"server": "https://abc.eks", "certificate-authority-data": "Q0E="}}
    ]
    assert kubeconfig["current-context"] == kubeconfig["contexts"][0]["name"] == "prod"
    assert "sekret" not in json.dumps(kubeconfig)

    plugin = kubeconfig["users"][0]["user"]["exec"]
    environment = {entry["name"]: entry["value"] for entry in plugin["env"]}
    answer = subprocess.run(
        [plugin["command"], *plugin["args"]], env=environment, cwd="/", capture_output=True, check=True, text=True
    )
    credential = json.loads(answer.stdout)
    assert credential["apiVersion"] == plugin["apiVersion"]
    assert credential["kind"] == "ExecCredential"
    expires = datetime.fromisoformat(credential["status"]["expirationTimestamp"])
    assert timedelta(minutes=10) < expires - datetime.now(UTC) < timedelta(minutes=15)
    assert_signed(credential["status"]["token"], aws)


def test_a_token_is_made_in_this_process_too_and_kept(aws: FakeAws, session: Session) -> None:
    eks = Eks(session)
    secret, expires = eks.token("prod")
    assert expires - datetime.now(UTC) > timedelta(minutes=13)
    assert eks.token("prod") == (secret, expires)
    assert eks.token("other")[0] != secret
    assert_signed(secret.reveal(), aws)


def assert_signed(token: str, aws: FakeAws) -> None:
    """The token is a URL of STS that answers, and whose signature covers the cluster's name."""
    from botocore.auth import SigV4QueryAuth
    from botocore.awsrequest import AWSRequest
    from botocore.credentials import Credentials

    kind, _, encoded = token.partition(".")
    assert kind == "k8s-aws-v1"
    url = base64.urlsafe_b64decode(encoded + "=" * (-len(encoded) % 4)).decode()
    assert url.startswith(f"{aws.url}/?Action=GetCallerIdentity&Version=2011-06-15&X-Amz-Algorithm=AWS4-HMAC-SHA256")
    query = dict(part.split("=", 1) for part in url.partition("?")[2].split("&"))
    assert query["X-Amz-SignedHeaders"] == "host%3Bx-k8s-aws-id"
    assert query["X-Amz-Expires"] == "60"

    auth = SigV4QueryAuth(Credentials("AKIDEXAMPLE", "sekretsekret", "tokentoken"), "sts", "eu-west-2", expires=60)
    request = AWSRequest("GET", url.partition("&X-Amz-Signature=")[0], headers={"x-k8s-aws-id": "prod"})
    request.context["timestamp"] = query["X-Amz-Date"]
    canonical = auth.canonical_request(request)
    assert auth.signature(auth.string_to_sign(request, canonical), request) == query["X-Amz-Signature"]

    aws.answer("GetCallerIdentity", IDENTITY)
    with urllib.request.urlopen(urllib.request.Request(url, headers={"x-k8s-aws-id": "prod"})) as answer:
        assert b"123456789012" in answer.read()


@pytest.mark.parametrize(
    ("region", "host"),
    [
        ("eu-west-2", "sts.eu-west-2.amazonaws.com"),
        ("us-east-1", "sts.us-east-1.amazonaws.com"),
        ("cn-north-1", "sts.cn-north-1.amazonaws.com.cn"),
    ],
)
def test_the_token_names_the_regional_endpoint_of_sts(tmp_path: Path, region: str, host: str) -> None:
    file = tmp_path / "config"
    file.write_text("[profile x]\naws_access_key_id = a\naws_secret_access_key = b\n")
    token = Eks(Sessions().of(region, "x", str(file))).token("prod")[0].reveal()
    encoded = token.partition(".")[2]
    assert base64.urlsafe_b64decode(encoded + "=" * (-len(encoded) % 4)).decode().startswith(f"https://{host}/?Action=")


def test_the_plugin_says_in_one_line_why_there_is_no_credential(session: Session) -> None:
    plugin = Eks(Sessions().of("eu-west-2", "unknown", session.access.config_file)).exec_plugin("prod")
    answer = subprocess.run([plugin["command"], *plugin["args"]], capture_output=True, check=False, text=True)
    assert answer.returncode == 1
    assert answer.stdout == ""
    assert answer.stderr.splitlines() == [
        "no credential for the EKS cluster prod: The config profile (unknown) could not be found"
    ]


def test_the_plugin_repeats_nothing_of_what_gives_credentials(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    config = config_file(tmp_path, "http://127.0.0.1:9", f"[profile broken]\n{PRINTS % 'sekret'}")
    monkeypatch.setenv("AWS_CONFIG_FILE", config)
    plugin = Eks(Sessions().of("eu-west-2", "broken")).exec_plugin("prod")
    answer = subprocess.run([plugin["command"], *plugin["args"]], capture_output=True, check=False, text=True)
    assert (answer.returncode, answer.stdout) == (1, "")
    assert answer.stderr == "no credential for the EKS cluster prod: JSONDecodeError\n"


@pytest.mark.parametrize(
    ("exec_info", "version"),
    [
        ('{"apiVersion": "client.authentication.k8s.io/v1"}', "client.authentication.k8s.io/v1"),
        (None, eks_token.API_VERSION),
        ("not json", eks_token.API_VERSION),
        ("[]", eks_token.API_VERSION),
        ('{"apiVersion": 1}', eks_token.API_VERSION),
    ],
)
def test_the_plugin_answers_in_the_version_that_it_is_asked_in(exec_info: str | None, version: str) -> None:
    assert eks_token.asked_version(exec_info) == version


def test_a_cluster_that_is_not_there_or_not_ready(aws: FakeAws, session: Session) -> None:
    aws.refuse("GET /clusters/gone", "ResourceNotFoundException", status=404)
    with pytest.raises(ConfigurationError, match="no EKS cluster gone"):
        Eks(session).cluster("gone")
    aws.answer("GET /clusters/new", {"cluster": {"name": "new", "status": "CREATING"}})
    with pytest.raises(UnreachableError, match="new is CREATING"):
        Eks(session).cluster("new")


def test_without_credentials_there_is_no_token(tmp_path: Path) -> None:
    action: Callable[[], object] = lambda: Eks(Sessions().of("eu-west-2")).token("prod")  # noqa: E731
    with pytest.raises(UnreachableError, match="no AWS credentials"):
        action()
