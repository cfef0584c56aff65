"""A fleet, and a mail server on this machine that keeps what it is given, with and without encryption."""

from __future__ import annotations

import ipaddress
import socket
import ssl
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from aiosmtpd.controller import Controller
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from database import new_world, server, world  # noqa: F401
from digest_world import with_something_overdue
from fleet_world import Fleet, fleet_of
from intake_world import World
from mail_server import Letters


@pytest.fixture
def fleet(world: World) -> Iterator[Fleet]:  # noqa: F811
    yield from fleet_of(world)


@pytest.fixture
def known(fleet: Fleet) -> Fleet:
    return with_something_overdue(fleet)


@pytest.fixture
def letters() -> Letters:
    return Letters()


@pytest.fixture
def smtp(letters: Letters) -> Iterator[Callable[..., int]]:
    """Starts a server; its port. Takes what `Controller` does."""
    running: list[Controller] = []

    def start(**more: object) -> int:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = int(free.getsockname()[1])
        made = Controller(letters, hostname="127.0.0.1", port=port, **more)  # type: ignore[arg-type]
        made.start()
        running.append(made)
        return port

    yield start
    for one in running:
        one.stop()


@pytest.fixture(scope="session")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A certificate of 127.0.0.1 that nobody but itself vouches for; its key is beside it."""
    folder = tmp_path_factory.mktemp("certificate")
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "mail of the test")])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=2))
        .add_extension(
            x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), critical=False
        )
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(key, hashes.SHA256())
    )
    path = folder / "cert.pem"
    path.write_bytes(made.public_bytes(serialization.Encoding.PEM))
    (folder / "key.pem").write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
    )
    return path


@pytest.fixture
def tls(certificate: Path) -> ssl.SSLContext:
    """What a server presents that certificate with."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, certificate.with_name("key.pem"))
    return context
