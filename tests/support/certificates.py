"""An authority of our own, and the certificates that servers of a test show."""

from __future__ import annotations

import ssl
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

_AUTHORITY = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "An authority of the tests")])
_CURVE = ec.SECP256R1()
_SERVER = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "A server of the tests")])


@dataclass(frozen=True)
class Authority:
    """Issues certificates; whoever trusts it is told so by ``ca_file``."""

    folder: Path
    key: ec.EllipticCurvePrivateKey = field(default_factory=lambda: ec.generate_private_key(_CURVE))

    @property
    def ca_file(self) -> Path:
        """Its own certificate."""
        path = self.folder / "authority.pem"
        if not path.exists():
            path.write_bytes(_pem(self._issued(_AUTHORITY, self.key, ca=True)))
        return path

    def server(self, *, host: str = "127.0.0.1", days: int = 30) -> ssl.SSLContext:
        """What a server of that address shows; it is good for so many days more."""
        key = ec.generate_private_key(_CURVE)
        shown = self.folder / f"{host} {days}.pem"
        private = key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
        shown.write_bytes(private + _pem(self._issued(_SERVER, key, host=host, days=days)))
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(shown)
        return context

    def _issued(
        self,
        subject: x509.Name,
        key: ec.EllipticCurvePrivateKey,
        *,
        ca: bool = False,
        host: str = "127.0.0.1",
        days: int = 30,
    ) -> x509.Certificate:
        now = datetime.now(UTC)
        usage = dict.fromkeys(
            ("content_commitment", "key_encipherment", "data_encipherment", "key_agreement",
             "encipher_only", "decipher_only"), False
        )  # fmt: skip
        certificate = (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(_AUTHORITY)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - timedelta(days=30))
            .not_valid_after(now + timedelta(days=days))
            .add_extension(x509.BasicConstraints(ca=ca, path_length=None), critical=True)
            .add_extension(
                x509.KeyUsage(digital_signature=True, key_cert_sign=ca, crl_sign=ca, **usage),
                critical=True,
            )
        )
        if not ca:
            names = x509.SubjectAlternativeName([x509.IPAddress(ip_address(host))])
            certificate = certificate.add_extension(names, critical=False)
        return certificate.sign(self.key, hashes.SHA256())


def _pem(certificate: x509.Certificate) -> bytes:
    return certificate.public_bytes(serialization.Encoding.PEM)
