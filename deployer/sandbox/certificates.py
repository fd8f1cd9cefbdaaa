"""The sandbox's certificate authority, the certificates that it signs, and the clusters' tokens."""

from __future__ import annotations

import ipaddress
import secrets
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from deployer.sandbox.layout import REGIONS, Layout

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey
    from cryptography.x509 import Certificate, CertificateBuilder, Name

TOKENS = {
    "admin": ("sandbox-admin", "system:masters"),
    "controller-manager": ("system:kube-controller-manager", "system:masters"),
    "scheduler": ("system:kube-scheduler", ""),
    "ingress": ("sandbox:ingress", ""),
    **{f"node-{region.name}": (f"system:node:{region.name}", "system:nodes") for region in REGIONS},
}
"""The clusters' users: the token's file → user name and group."""

_YEARS = timedelta(days=3650)


def ensure(layout: Layout) -> None:
    """Make all keys, certificates and tokens once; the directory is complete or absent."""
    keys = layout.keys
    if keys.exists():
        return
    from cryptography import x509

    unfinished = keys.with_name("keys.unfinished")
    unfinished.mkdir(parents=True, exist_ok=True, mode=0o700)
    authority_key = _key(unfinished / "ca.key")
    authority = _certificate("deployer sandbox", authority_key)
    authority = authority.issuer_name(_name("deployer sandbox")).add_extension(
        x509.BasicConstraints(ca=True, path_length=0), critical=True
    )
    signed = _sign(authority, authority_key, unfinished / "ca.crt")
    _issue(unfinished / "kubelet-client", "sandbox-api-server", "system:masters", (), signed, authority_key)
    for region in REGIONS:
        addresses = (region.address, region.service_address, region.node_address)
        _issue(unfinished / f"api-server-{region.name}", "kubernetes", None, addresses, signed, authority_key)
    _key(unfinished / "service-accounts.key")
    for name in TOKENS:
        _write(unfinished / f"{name}.token", secrets.token_hex(24).encode())
    rows = [f"{token(unfinished, name)},{user},{name},{group}" for name, (user, group) in TOKENS.items()]
    _write(unfinished / "tokens.csv", "".join(f"{row}\n" for row in rows).encode())
    unfinished.rename(keys)


def token(keys: Path, name: str) -> str:
    """The token of one of `TOKENS`."""
    return (keys / f"{name}.token").read_text()


def _issue(
    stem: Path,
    common_name: str,
    organisation: str | None,
    addresses: tuple[str, ...],
    authority: Certificate,
    authority_key: EllipticCurvePrivateKey,
) -> None:
    from cryptography import x509
    from cryptography.x509.oid import ExtendedKeyUsageOID

    builder = _certificate(common_name, _key(stem.with_suffix(".key")), organisation)
    usage = ExtendedKeyUsageOID.SERVER_AUTH if addresses else ExtendedKeyUsageOID.CLIENT_AUTH
    builder = builder.issuer_name(authority.subject).add_extension(x509.ExtendedKeyUsage([usage]), critical=False)
    if addresses:
        names: list[x509.GeneralName] = [x509.IPAddress(ipaddress.ip_address(address)) for address in addresses]
        names += [x509.DNSName(name) for name in ("localhost", "kubernetes", "kubernetes.default.svc")]
        builder = builder.add_extension(x509.SubjectAlternativeName(names), critical=False)
    _sign(builder, authority_key, stem.with_suffix(".crt"))


def _name(common_name: str, organisation: str | None = None) -> Name:
    from cryptography import x509
    from cryptography.x509.oid import NameOID

    attributes = [x509.NameAttribute(NameOID.COMMON_NAME, common_name)]
    if organisation:
        attributes.append(x509.NameAttribute(NameOID.ORGANIZATION_NAME, organisation))
    return x509.Name(attributes)


def _certificate(common_name: str, key: EllipticCurvePrivateKey, organisation: str | None = None) -> CertificateBuilder:
    from cryptography import x509

    now = datetime.now(UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(_name(common_name, organisation))
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(hours=1))
        .not_valid_after(now + _YEARS)
    )


def _sign(builder: CertificateBuilder, key: EllipticCurvePrivateKey, file: Path) -> Certificate:
    from cryptography.hazmat.primitives import hashes
    from cryptography.hazmat.primitives.serialization import Encoding

    certificate = builder.sign(key, hashes.SHA256())
    _write(file, certificate.public_bytes(Encoding.PEM))
    return certificate


def _key(file: Path) -> EllipticCurvePrivateKey:
    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

    key = ec.generate_private_key(ec.SECP256R1())
    _write(file, key.private_bytes(Encoding.PEM, PrivateFormat.TraditionalOpenSSL, NoEncryption()))
    return key


def _write(file: Path, content: bytes) -> None:
    file.touch(mode=0o600)
    file.write_bytes(content)
