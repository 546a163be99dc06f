"""A certificate of our own making for the simulator's TLS."""

from __future__ import annotations

import ipaddress
import os
import ssl
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

DEFAULT_HOSTS: Final = ("127.0.0.1", "localhost", "api.schwabapi.com")

_VALID_FOR: Final = timedelta(days=397)
_NAME: Final = "Simulated Schwab, not for trust"


@dataclass(frozen=True, slots=True)
class TlsIdentity:
    """Files that make a TLS server.

    Attributes:
        certificate: The server's certificate, PEM. Clients trust this file itself.
        key: Its private key, PEM, mode 0600.
    """

    certificate: Path
    key: Path

    def server_context(self) -> ssl.SSLContext:
        """Return the context that a server wraps its connections with."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self.certificate, self.key)
        return context


def self_signed(directory: Path, hosts: Sequence[str] = DEFAULT_HOSTS) -> TlsIdentity:
    """Make a certificate for some hosts, or return the one made there before if still valid.

    Args:
        directory: Where `simulator.crt` and `simulator.key` go.
        hosts: Names and addresses that it is good for.
    """
    identity = TlsIdentity(directory / "simulator.crt", directory / "simulator.key")
    if not _usable(identity, hosts):
        _make(identity, hosts)
    return identity


def _usable(identity: TlsIdentity, hosts: Sequence[str]) -> bool:
    from cryptography import x509

    if not (identity.certificate.is_file() and identity.key.is_file()):
        return False
    try:
        certificate = x509.load_pem_x509_certificate(identity.certificate.read_bytes())
    except ValueError:
        return False
    names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    known = {str(name.value) for name in names}
    tomorrow = datetime.now(UTC) + timedelta(days=1)
    return known >= set(hosts) and certificate.not_valid_after_utc > tomorrow


def _make(identity: TlsIdentity, hosts: Sequence[str]) -> None:
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, _NAME)])
    now = datetime.now(UTC)
    usage = x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH])
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + _VALID_FOR)
        .add_extension(x509.SubjectAlternativeName([_general(x509, h) for h in hosts]), False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), False)
        .add_extension(usage, False)
        .sign(key, hashes.SHA256())
    )
    identity.certificate.parent.mkdir(parents=True, exist_ok=True)
    pem = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    _write_private(identity.key, pem)
    identity.certificate.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))


def _general(x509: Any, host: str) -> Any:
    try:
        return x509.IPAddress(ipaddress.ip_address(host))
    except ValueError:
        return x509.DNSName(host)


def _write_private(path: Path, data: bytes) -> None:
    path.unlink(missing_ok=True)
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(data)
