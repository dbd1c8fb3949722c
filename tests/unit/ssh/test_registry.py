"""Asking a registry for digests: a registry on loopback, over HTTP and TLS."""

from __future__ import annotations

import socket
import threading
import time
from contextlib import suppress
from typing import TYPE_CHECKING

import pytest

from tempo_infra.errors import InputError, StepFailedError, UnreachableError
from tempo_infra.ssh.registry import MOST_BYTES, Registry, digest_of
from tests.unit.ssh.registries import DIGEST, Behaviour, certificate, running
from tests.unit.ssh.test_hosts_that_drip import outcome

if TYPE_CHECKING:
    from pathlib import Path


def test_a_digest_is_asked_for_without_fetching_the_image() -> None:
    behaviour = Behaviour()
    with running(behaviour) as address:
        assert digest_of(Registry(address), "postgres:17") == DIGEST
    assert [(method, path) for method, path, _ in behaviour.asked] == [("HEAD", "/v2/postgres/manifests/17")]


@pytest.mark.parametrize(
    "behaviour", [Behaviour(head=False), Behaviour(names_digest=False)], ids=["405", "no header"]
)
def test_a_registry_that_does_not_say_it_is_asked_for_the_manifest(behaviour: Behaviour) -> None:
    with running(behaviour) as address:
        assert digest_of(Registry(address), "temporalio/ui:2.50.1") == DIGEST
    assert [method for method, _, _ in behaviour.asked] == ["HEAD", "GET"]


def test_a_registry_with_a_path_before_its_images() -> None:
    behaviour = Behaviour(images={"mirror/hub/postgres:17"})
    with running(behaviour) as address:
        assert digest_of(Registry(f"{address}/mirror/hub"), "postgres:17") == DIGEST


@pytest.mark.parametrize(
    ("name", "image", "repository"),
    [
        ("", "postgres", "library/postgres"),
        ("", "temporalio/ui", "temporalio/ui"),
        ("r.no", "postgres", "postgres"),
        ("r.no/a", "temporalio/ui", "a/temporalio/ui"),
    ],
)
def test_where_an_image_is(name: str, image: str, repository: str) -> None:
    assert Registry(name).repository(image) == repository


def test_an_anonymous_token_is_fetched_where_it_is_wanted() -> None:
    behaviour = Behaviour(token="opaque-123")
    with running(behaviour) as address:
        assert digest_of(Registry(address), "postgres:17") == DIGEST
    assert [method for method, _, _ in behaviour.asked] == ["HEAD", "GET", "HEAD"]
    assert behaviour.asked[1][1] == "/token?service=a+registry&scope=repository%3Apostgres%3Apull"
    assert "Authorization" not in behaviour.asked[1][2]


@pytest.mark.parametrize(
    ("realm", "says"),
    [
        ("http://auth.example.no/token", "without TLS; refused"),
        ("file:///etc/passwd", "wants a login"),
        ("https://a b/", "wants a login"),
        ("https://user@auth.example.no/", "wants a login"),
        ("https://[auth.example.no/token", "wants a login"),  # no URL at all
    ],
)
def test_a_token_is_not_fetched_from_anywhere(realm: str, says: str) -> None:
    with running(Behaviour(token="x", realm=realm)) as address, pytest.raises(StepFailedError, match=says):
        digest_of(Registry(address), "postgres:17")


def test_a_token_that_would_break_the_request_is_refused() -> None:
    with (
        running(Behaviour(token="a\r\nX: y")) as address,
        pytest.raises(StepFailedError, match="gave no token"),
    ):
        digest_of(Registry(address), "postgres:17")


@pytest.mark.parametrize(
    ("behaviour", "error", "says"),
    [
        (Behaviour(images=set()), StepFailedError, "has no postgres:17"),
        (Behaviour(status=403), StepFailedError, "wants a login for postgres:17"),
        (Behaviour(status=503), UnreachableError, "answered 503 Service Unavailable for postgres:17"),
        (Behaviour(status=307), UnreachableError, "answered 307 Temporary Redirect for postgres:17"),
        (Behaviour(names_digest=False, body=b"<html>"), UnreachableError, "did not answer with a manifest"),
        (Behaviour(names_digest=False, body=b"[]"), UnreachableError, "did not answer with a manifest"),
        (Behaviour(names_digest=False, announced=9999), UnreachableError, "ended early"),
        (
            Behaviour(names_digest=False, body=b" " * (MOST_BYTES + 1)),
            UnreachableError,
            "more than 4194304 bytes",
        ),
    ],
)
def test_what_a_registry_answers_instead(behaviour: Behaviour, error: type[Exception], says: str) -> None:
    with running(behaviour) as address, pytest.raises(error, match=says):
        digest_of(Registry(address), "postgres:17")


def test_a_registry_that_answers_a_byte_now_and_then_is_given_up() -> None:
    started = time.monotonic()
    with (
        running(Behaviour(names_digest=False, drip_s=0.1)) as address,
        pytest.raises(UnreachableError, match="nothing within 1 s"),
    ):
        digest_of(Registry(address), "postgres:17", deadline_s=0.6)
    assert time.monotonic() - started < 3


def test_a_registry_that_says_nothing_is_given_up() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        address = f"127.0.0.1:{listener.getsockname()[1]}"
        with pytest.raises(UnreachableError, match=f"no answer from {address}: nothing within"):
            digest_of(Registry(address), "postgres:17", deadline_s=0.3)


def test_a_registry_that_drips_its_certificate_is_given_up(tmp_path: Path) -> None:
    """The deadline is for the handshake, too, which waits for each byte of a record anew."""
    _, pem = certificate(tmp_path, "127.0.0.1")
    with socket.create_server(("127.0.0.1", 0)) as listener:
        threading.Thread(target=drip, args=(listener,), daemon=True).start()
        registry = Registry(f"127.0.0.1:{listener.getsockname()[1]}", pem)
        error = outcome(lambda: digest_of(registry, "postgres:17", deadline_s=0.6))
    assert isinstance(error, UnreachableError)
    assert error.what.endswith("nothing within 1 s")


def drip(listener: socket.socket) -> None:
    client, _ = listener.accept()
    with client, suppress(OSError):
        client.sendall(b"\x16\x03\x03\x40\x00")  # a record of 16 KiB of a handshake
        while True:
            client.sendall(b"\x02")
            time.sleep(0.1)


def test_a_registry_that_is_not_there() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        address = f"127.0.0.1:{listener.getsockname()[1]}"
    with pytest.raises(UnreachableError, match=f"{address}: connection refused"):
        digest_of(Registry(address), "postgres:17")


def test_tls_with_an_own_authority_and_another_address(tmp_path: Path) -> None:
    tls, pem = certificate(tmp_path, "registry.example")
    with running(Behaviour(), tls) as address:
        assert digest_of(Registry("registry.example", pem, address), "postgres:17") == DIGEST
        assert digest_of(Registry(address, pem), "postgres:17") == DIGEST


def test_a_certificate_of_an_unknown_authority_is_refused(tmp_path: Path) -> None:
    tls, _ = certificate(tmp_path, "registry.example")
    _, other = certificate(tmp_path, "other.example")
    with running(Behaviour(), tls) as address:
        for ca_file in (None, other):
            with pytest.raises(UnreachableError, match="its certificate is not trusted") as caught:
                digest_of(Registry("registry.example", ca_file, address), "postgres:17")
            assert "--ca-file" in str(caught.value)


def test_an_expired_certificate_is_refused(tmp_path: Path) -> None:
    tls, pem = certificate(tmp_path, "registry.example", ends_in_h=-1.0)
    with (
        running(Behaviour(), tls) as address,
        pytest.raises(UnreachableError, match="not trusted: certificate has expired"),
    ):
        digest_of(Registry("registry.example", pem, address), "postgres:17")


def test_a_certificate_of_another_name_is_refused(tmp_path: Path) -> None:
    tls, pem = certificate(tmp_path, "registry.example")
    with (
        running(Behaviour(), tls) as address,
        pytest.raises(UnreachableError, match="not trusted: Hostname mismatch"),
    ):
        digest_of(Registry("elsewhere.example", pem, address), "postgres:17")


def test_only_loopback_is_spoken_to_without_tls() -> None:
    """`localhost` may be plain; another name is not, also when its address is loopback."""
    behaviour = Behaviour()
    with running(behaviour) as address:
        with pytest.raises(UnreachableError):
            digest_of(Registry("registry.example", None, address), "postgres:17", deadline_s=2)
        assert behaviour.asked == []
        assert digest_of(Registry(f"localhost:{address.rpartition(':')[2]}"), "postgres:17") == DIGEST


@pytest.mark.parametrize("content", [None, "no certificate\n"])
def test_an_authority_file_that_is_none(tmp_path: Path, content: str | None) -> None:
    pem = tmp_path / "ca.pem"
    if content:
        pem.write_text(content)
    with (
        running(Behaviour()) as address,
        pytest.raises(InputError, match="no certificate authority can be read"),
    ):
        digest_of(Registry(address, pem), "postgres:17")


@pytest.mark.parametrize("address", ["-x", "a:b", "a:1:2", "http://a", ""])
def test_an_address_that_is_none(address: str) -> None:
    registry = Registry("registry.example", None, address) if address else Registry("-x")
    with pytest.raises(InputError, match="is not HOST or HOST:PORT"):
        digest_of(registry, "postgres:17")


@pytest.mark.parametrize(
    ("name", "address", "place"),
    [
        ("registry.lab:5000", "127.0.1.10", "127.0.1.10:5000"),
        ("registry.lab:5000", "127.0.1.10:5001", "127.0.1.10:5001"),
        ("registry.lab:5000/mirror", "127.0.1.10", "127.0.1.10:5000"),
        ("registry.lab", "127.0.1.10", "127.0.1.10"),
        ("registry.lab:5000", "", "registry.lab:5000"),
        ("", "", "registry-1.docker.io"),
    ],
)
def test_an_address_without_a_port_has_the_registrys(name: str, address: str, place: str) -> None:
    assert Registry(name, address=address).place == place


def test_an_error_names_the_port_that_was_asked() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    with pytest.raises(
        UnreachableError, match=f"no answer from 127.0.0.1:{port}: connection refused"
    ) as caught:
        digest_of(Registry(f"registry.lab:{port}", address="127.0.0.1"), "postgres:17")
    assert "nobody listens" in caught.value.remedy


@pytest.mark.parametrize(
    ("status", "todo"),
    [(429, "wait"), (503, "in trouble"), (407, "the proxy between this machine"), (307, "try again later")],
)
def test_what_a_registry_answers_has_its_own_remedy(status: int, todo: str) -> None:
    with running(Behaviour(status=status)) as address, pytest.raises(UnreachableError) as caught:
        digest_of(Registry(address), "postgres:17")
    assert todo in caught.value.remedy
