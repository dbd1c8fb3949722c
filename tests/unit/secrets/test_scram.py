"""The stored form of a password, against the RFC's exchange and a verifier that PostgreSQL made."""

from __future__ import annotations

import base64
import hashlib
import hmac
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tempo_infra.errors import InputError
from tempo_infra.secrets import Secret, scram_sha_256

SALT = base64.b64decode("W22ZaJ0SNY7soEsUEjb6gQ==")
AUTH_MESSAGE = (
    b"n=user,r=rOprNGfwEbeRWgbNEkqO,"
    b"r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096,"
    b"c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0"
)
CLIENT_PROOF = "dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ="
SERVER_SIGNATURE = "6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4="


def keys(verifier: str) -> tuple[bytes, bytes]:
    stored, server = verifier.rsplit("$", 1)[1].split(":")
    return base64.b64decode(stored), base64.b64decode(server)


def test_the_exchange_of_rfc_7677_verifies() -> None:
    stored_key, server_key = keys(scram_sha_256(Secret("rfc", "pencil"), salt=SALT))
    assert base64.b64encode(hmac.digest(server_key, AUTH_MESSAGE, "sha256")).decode() == SERVER_SIGNATURE
    signature = hmac.digest(stored_key, AUTH_MESSAGE, "sha256")
    client_key = bytes(a ^ b for a, b in zip(base64.b64decode(CLIENT_PROOF), signature, strict=True))
    assert hashlib.sha256(client_key).digest() == stored_key


def test_the_form_is_the_one_that_postgresql_makes_itself() -> None:
    """PostgreSQL 15 answered this to `CREATE ROLE … PASSWORD 'pencil-pencil-16'`; it took ours as a login."""
    salt = base64.b64decode("EhT4/+2f18mtWUd2sXloNw==")
    assert scram_sha_256(Secret("postgres", "pencil-pencil-16"), salt=salt) == (
        "SCRAM-SHA-256$4096:EhT4/+2f18mtWUd2sXloNw==$"
        "RUi3L/yLst7nDvvHK/yc2mwevUpZUERsPtT/vncK/uc=:KHZSfQk+Eag442wicRSoGicX1HmW22bqirzocRZnzeE="
    )


@given(
    st.text(st.characters(min_codepoint=32, max_codepoint=126), min_size=1),
    st.binary(min_size=8, max_size=32),
)
def test_every_printable_password_gives_the_form(password: str, salt: bytes) -> None:
    verifier = scram_sha_256(Secret("any", password), salt=salt, iterations=2)
    assert re.fullmatch(r"SCRAM-SHA-256\$2:[A-Za-z0-9+/]+=*\$[A-Za-z0-9+/]{43}=:[A-Za-z0-9+/]{43}=", verifier)


@pytest.mark.parametrize("password", ["", "blåbær-1234567890", "tab\there", "nul\0"])
def test_what_saslprep_would_change_is_refused_without_being_shown(password: str) -> None:
    with pytest.raises(InputError, match="'temporal_db' holds characters") as told:
        scram_sha_256(Secret("temporal_db", password), salt=SALT)
    assert not password or password not in str(told.value)
