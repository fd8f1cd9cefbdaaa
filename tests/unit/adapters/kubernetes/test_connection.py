import base64
import socket
import ssl
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from ipaddress import IPv4Address
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from deployer.adapters.kubernetes.connection import Connection
from deployer.adapters.kubernetes.kubeconfig import read_access
from deployer.errors import ConfigurationError, UnreachableError
from tests.unit.adapters.kubernetes.apiserver import Answer, Request, kubeconfig, serving


class Script:
    """Answers one after the other; the last one for ever."""

    def __init__(self, *answers: Answer) -> None:
        self._answers = list(answers)
        self._lock = threading.Lock()

    def __call__(self, request: Request) -> Answer:
        with self._lock:
            return self._answers.pop(0) if len(self._answers) > 1 else self._answers[0]


class Pauses(list[float]):
    def __call__(self, seconds: float) -> None:
        self.append(seconds)


def connect(url: str, sleep: Pauses | None = None, **user: Any) -> Connection:
    return Connection(
        read_access(kubeconfig(url, user or None), None), timeout=5, sleep=Pauses() if sleep is None else sleep
    )


@pytest.mark.parametrize("status", [429, 500, 502, 503, 504])
def test_a_failing_server_is_asked_again(status: int) -> None:
    pauses = Pauses()
    with serving(Script(Answer(status), Answer(status), Answer(200, {"a": 1}))) as server:
        connection = connect(server.url, pauses)
        assert connection.request("GET", "/a").json() == {"a": 1}
        connection.close()
    assert len(pauses) == 2
    assert all(0 < pause <= 5 for pause in pauses)


def test_the_server_says_how_long_to_wait_but_not_for_ever() -> None:
    pauses = Pauses()
    answers = (Answer(429, headers={"Retry-After": "3"}), Answer(429, headers={"Retry-After": "3600"}))
    with serving(Script(*answers, Answer(429, headers={"Retry-After": "soon"}), Answer(200))) as server:
        connection = connect(server.url, pauses)
        assert connection.request("GET", "/").status_code == 200
        connection.close()
    assert pauses[:2] == [3.0, 5.0]


def test_a_server_that_keeps_failing_gives_its_answer_in_the_end() -> None:
    with serving(Script(Answer(503))) as server:
        connection = connect(server.url)
        assert connection.request("GET", "/").status_code == 503
        connection.close()
        assert len(server.requests) == 4


def test_a_broken_connection_is_tried_again() -> None:
    with serving(Script(Answer(200), Answer(close=True), Answer(200, {"a": 1}))) as server:
        connection = connect(server.url)
        connection.request("GET", "/")
        assert connection.request("GET", "/").json() == {"a": 1}
        connection.close()


def test_nobody_listening_is_told_at_once() -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{unused.getsockname()[1]}"
        pauses = Pauses()
        connection = connect(url, pauses)
        with pytest.raises(UnreachableError, match="refused") as raised:
            connection.request("GET", "/")
        connection.close()
    assert raised.value.where == url
    assert pauses == []


def test_a_cluster_on_this_machine_is_not_asked_through_a_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")
    with serving(Script(Answer(200))) as server:
        connection = connect(server.url)
        assert connection.request("GET", "/").status_code == 200
        connection.close()


@pytest.mark.parametrize("url", ["ftp://a", "nonsense", "http://", "https://[", "http://a:99999"])
def test_an_address_that_is_none(url: str) -> None:
    with pytest.raises((ConfigurationError, UnreachableError)):
        connect(url).request("GET", "/")


def test_a_refused_token_is_an_error_with_a_way_out() -> None:
    with serving(Script(Answer(401))) as server:
        connection = connect(server.url)
        with pytest.raises(UnreachableError, match="credentials") as raised:
            connection.request("GET", "/")
        connection.close()
    assert "context main" in (raised.value.hint or "")
    assert "token-1" not in str(raised.value)


def test_a_rotated_token_is_tried_before_giving_up(tmp_path: Path) -> None:
    file = tmp_path / "token"
    file.write_text("old")

    def answer(request: Request) -> Answer:
        if request.headers["Authorization"] == "Bearer old":
            file.write_text("new")
            return Answer(401)
        return Answer(200)

    with serving(answer) as server:
        connection = connect(server.url, tokenFile=str(file))
        assert connection.request("GET", "/").status_code == 200
        connection.close()
        assert [request.headers["Authorization"] for request in server.requests] == ["Bearer old", "Bearer new"]


def test_a_password_is_sent() -> None:
    with serving(Script(Answer(200))) as server:
        connection = connect(server.url, username="anna", password="secret")
        connection.request("GET", "/")
        connection.close()
        expected = base64.b64encode(b"anna:secret").decode()
        assert server.requests[0].headers["Authorization"] == f"Basic {expected}"


# --- TLS ---


@dataclass(frozen=True)
class Authority:
    certificate: x509.Certificate
    key: ec.EllipticCurvePrivateKey

    @property
    def pem(self) -> bytes:
        return self.certificate.public_bytes(serialization.Encoding.PEM)

    def issue(self, name: str) -> tuple[bytes, bytes]:
        """A certificate for 127.0.0.1, and its key."""
        key = ec.generate_private_key(ec.SECP256R1())
        certificate = _certificate(name, key, self, authority=False)
        return certificate.public_bytes(serialization.Encoding.PEM), _pem(key)


def _pem(key: ec.EllipticCurvePrivateKey) -> bytes:
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )


def _certificate(
    name: str, key: ec.EllipticCurvePrivateKey, issuer: Authority | None, *, authority: bool
) -> x509.Certificate:
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    now = datetime.now(UTC)
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer.certificate.subject if issuer else subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.BasicConstraints(ca=authority, path_length=None), critical=True)
        .add_extension(
            x509.SubjectAlternativeName([x509.IPAddress(IPv4Address("127.0.0.1")), x509.DNSName("cluster.test")]),
            critical=False,
        )
    )
    return builder.sign(issuer.key if issuer else key, hashes.SHA256())


@pytest.fixture(scope="module")
def authority() -> Authority:
    key = ec.generate_private_key(ec.SECP256R1())
    return Authority(_certificate("authority", key, None, authority=True), key)


@pytest.fixture
def server_context(authority: Authority, tmp_path: Path) -> Iterator[ssl.SSLContext]:
    certificate, key = authority.issue("server")
    file = tmp_path / "server.pem"
    file.write_bytes(certificate + key)
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(file)
    yield context


def encoded(content: bytes) -> str:
    return base64.b64encode(content).decode()


def test_the_clusters_own_authority_is_trusted(authority: Authority, server_context: ssl.SSLContext) -> None:
    with serving(Script(Answer(200)), server_context) as server:
        content = kubeconfig(server.url, cluster={"certificate-authority-data": encoded(authority.pem)})
        connection = Connection(read_access(content, None), timeout=5)
        assert connection.request("GET", "/").status_code == 200
        connection.close()


def test_a_server_may_have_another_name_than_its_address(authority: Authority, server_context: ssl.SSLContext) -> None:
    """As behind a tunnel. Each way of asking makes its own connection here."""
    with serving(Script(Answer(200)), server_context) as server:
        cluster = {"certificate-authority-data": encoded(authority.pem), "tls-server-name": "cluster.test"}
        content = kubeconfig(server.url.replace("127.0.0.1", "localhost"), cluster=cluster)
        for _ in range(2):
            connection = Connection(read_access(content, None), timeout=5)
            if server.requests:
                with connection.stream("/", {}) as response:
                    assert response.status_code == 200
            else:
                assert connection.request("GET", "/").status_code == 200
            connection.close()


def test_another_authority_is_not(server_context: ssl.SSLContext) -> None:
    key = ec.generate_private_key(ec.SECP256R1())
    other = Authority(_certificate("other", key, None, authority=True), key)
    with serving(Script(Answer(200)), server_context) as server:
        content = kubeconfig(server.url, cluster={"certificate-authority-data": encoded(other.pem)})
        connection = Connection(read_access(content, None), timeout=5)
        with pytest.raises(UnreachableError, match="CERTIFICATE_VERIFY_FAILED") as raised:
            connection.request("GET", "/")
        connection.close()
        assert server.requests == []
    assert "certificate-authority" in (raised.value.hint or "")


def test_a_client_certificate_is_shown_and_its_key_touches_no_disk(
    authority: Authority, server_context: ssl.SSLContext, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    server_context.verify_mode = ssl.CERT_REQUIRED
    server_context.load_verify_locations(cadata=authority.pem.decode())
    monkeypatch.setenv("TMPDIR", "/does/not/exist")  # nowhere to write it
    certificate, key = authority.issue("anna")
    with serving(Script(Answer(200)), server_context) as server:
        user = {"client-certificate-data": encoded(certificate), "client-key-data": encoded(key)}
        content = kubeconfig(server.url, user, cluster={"certificate-authority-data": encoded(authority.pem)})
        connection = Connection(read_access(content, None), timeout=5)
        assert connection.request("GET", "/").status_code == 200
        connection.close()


@pytest.mark.parametrize("broken", ["authority", "key", "encrypted"])
def test_certificates_that_are_none(broken: str, authority: Authority) -> None:
    certificate, key = authority.issue("anna")
    if broken == "key":
        key = authority.issue("somebody else")[1]
    if broken == "encrypted":
        secret = serialization.BestAvailableEncryption(b"secret")
        pem, pkcs8 = serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8
        key = ec.generate_private_key(ec.SECP256R1()).private_bytes(pem, pkcs8, secret)
    trusted = b"nonsense" if broken == "authority" else authority.pem
    user = {"client-certificate-data": encoded(certificate), "client-key-data": encoded(key)}
    content = kubeconfig("https://127.0.0.1:1", user, cluster={"certificate-authority-data": encoded(trusted)})
    with pytest.raises(ConfigurationError):
        Connection(read_access(content, None), timeout=5)
