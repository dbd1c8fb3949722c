"""Until when a certificate among the secrets holds is read from it, and from nothing else."""

from __future__ import annotations

from datetime import UTC, datetime

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from tempo_infra.deploy.inspect import Supply
from tempo_infra.secrets import Found, Secret
from tempo_infra.secrets.certificates import not_after

KEY = ec.generate_private_key(ec.SECP256R1())
NAME = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "host-1")])


def certificate(until: datetime) -> str:
    made = (
        x509.CertificateBuilder()
        .subject_name(NAME)
        .issuer_name(NAME)
        .public_key(KEY.public_key())
        .serial_number(7)
        .not_valid_before(datetime(2026, 1, 1, tzinfo=UTC))
        .not_valid_after(until)
        .sign(KEY, hashes.SHA256())
    )
    return made.public_bytes(Encoding.PEM).decode()


LONG, SHORT = (
    certificate(datetime(2036, 5, 4, 3, 2, 1, tzinfo=UTC)),
    certificate(datetime(2027, 3, 1, tzinfo=UTC)),
)


def test_the_first_of_a_chain_that_ends_counts() -> None:
    assert not_after(LONG) == "2036-05-04T03:02:01Z"
    assert not_after(LONG + SHORT) == not_after(SHORT + LONG) == "2027-03-01T00:00:00Z"


def test_what_is_no_certificate_ends_never() -> None:
    key = KEY.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()
    broken = LONG.replace("\n", "\nAAAA", 1)
    assert [not_after(one) for one in (key, broken, "a password", "")] == [""] * 4


def test_it_stands_beside_the_digest() -> None:
    supply = Supply({"cert": Secret("cert", SHORT), "token": Secret("token", "x" * 20)}, Found())
    assert {name: one.not_after for name, one in supply.known.items()} == {
        "cert": "2027-03-01T00:00:00Z",
        "token": "",
    }
