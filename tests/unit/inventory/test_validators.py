"""Whitelists: what ends in file names, argument lists and configuration files."""

from __future__ import annotations

import re
import shlex
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tempo_infra.inventory import addresses, validators
from tempo_infra.inventory.countries import COUNTRIES

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

GOOD = [
    (validators.dns_label, ["a", "db-1", "a" * 63]),
    (validators.namespace, ["billing", "Billing.v2_x-y", "0"]),
    (validators.user_name, ["deploy", "_x", "first.last"]),
    (validators.title, ["example-hosting", "Sørlandet Skytjenester AS", "A (B) + C, D/E & F"]),
    (validators.class_name, ["C-Series", "Tiny"]),
    (validators.label_key, ["rack", "example.no/rack", "1"]),
    (validators.jump, ["bastion", "ops@bastion.example.no:2222", "203.0.113.1"]),
    (validators.registry, ["registry.lab:5000", "localhost:5000", "registry.example.no/mirror/temporal"]),
    (validators.image, ["postgres:17", "temporalio/server:1.31.2"]),
    (validators.digest, ["sha256:" + "0af" * 21 + "9"]),
    (validators.recipient, ["age1" + "q" * 58, "ssh-ed25519 " + "A" * 68 + " a@b"]),
    (validators.path, ["a", "../a b", "~/x", "/etc/x"]),
    (validators.date, ["2026-11-20"]),
    (validators.temporal_version, ["1.31.0", "1.31.2", "2.0.0"]),
    (validators.postgres_version, ["15", "16", "17"]),
    (addresses.ssh_address, ["front", "a.b", "203.0.113.1", "127.0.0.1", "fd00::1", "_x"]),
    (addresses.internal_address, ["10.0.0.1", "192.168.1.1", "8.8.8.8"]),
]
BAD = [
    (validators.dns_label, ["", "A", "1a", "-a", "a-", "a_b", "a" * 64, "a\n", "a.b", "å"]),
    (validators.namespace, ["", "-a", "a b", "a" * 129, "temporal-system", "a\n", "$a"]),
    (validators.user_name, ["", "-l", "a b", "a;b", "1a", "a\n"]),
    (validators.title, ["", " a", "a\nb", "a'b", 'a"b', "{{a}}", "$a", "a" * 65]),
    (validators.class_name, ["", "a b", "1a", "a\n"]),
    (validators.label_key, ["", "-a", "a b", "a:b"]),
    (validators.jump, ["", "-W x", "a b", "a:b", "a@b@c", "a,b", "a\n"]),
    (validators.registry, ["", "-a", "a/", "a b", "a/../b", "a:x", "https://a", "a//b", "a\n"]),
    (validators.image, ["", "postgres", "postgres:", "Postgres:17", "-a:1", "a:b:c", "a@b:1"]),
    (validators.digest, ["", "sha256:", "sha256:" + "g" * 64, "SHA256:" + "0" * 64, "sha512:" + "0" * 64]),
    (validators.recipient, ["", "bob", "age1short", "AGE-SECRET-KEY-1" + "Q" * 58, "ssh-dss " + "A" * 68]),
    (validators.path, ["", "~root/x", "~", "a\nb", "a" * 1025]),
    (validators.date, ["2026-13-01", "20261120", "2026-W01-1", "today", ""]),
    (validators.temporal_version, ["1.30.6", "1.29.9", "1.31", "v1.31.2", "1.31.2-rc", "01.31.2"]),
    (validators.postgres_version, ["14", "18", "17.1", "seventeen", "", "17\n"]),
    (addresses.ssh_address, ["", "-x", "a b", "a;b", "1.2.3", "256.1.1.1", "0.0.0.0"]),
    (addresses.ssh_address, ["å.no", "224.0.0.1", "a\n", "a@b", "a:22"]),
    (addresses.ssh_address, ["::", "ff02::1", "fe80::1%eth0", "fe80::1%$(x)", "[::1]"]),
    (addresses.internal_address, ["", "a", "0.0.0.0", "0.1.2.3", "127.0.0.1", "224.0.0.1"]),
    (addresses.internal_address, ["255.255.255.255", "10.0.0.1/24", "10.0.0.01", "10.0.0", "fd00::1"]),
    (addresses.internal_address, ["10.0.0.1\n", "\u0661\u0660.0.0.1"]),
]  # fmt: skip


def _cases(table: Sequence[tuple[Callable[[str], str], list[str]]]) -> list[tuple[Callable[[str], str], str]]:
    return [(check, text) for check, texts in table for text in texts]


@pytest.mark.parametrize(("check", "text"), _cases(GOOD))
def test_what_may_stand_there_comes_back_unchanged(check: Callable[[str], str], text: str) -> None:
    assert check(text) == text


@pytest.mark.parametrize(("check", "text"), _cases(BAD))
def test_what_may_not_is_refused_in_words(check: Callable[[str], str], text: str) -> None:
    with pytest.raises(ValueError, match=r"\w+ \w+"):
        check(text)


@given(st.text(max_size=40))
def test_no_name_needs_quoting_in_a_shell(text: str) -> None:
    for check in (
        validators.dns_label,
        validators.user_name,
        validators.jump,
        addresses.ssh_address,
        validators.image,
    ):
        try:
            name = check(text)
        except ValueError:
            continue
        assert shlex.quote(name) == name or re.fullmatch(r"[A-Za-z0-9._:@-]+", name)
        assert not name.startswith("-")


def test_a_private_key_is_not_repeated() -> None:
    with pytest.raises(ValueError, match="private key") as caught:
        validators.recipient("AGE-SECRET-KEY-1QQQ")
    assert "QQQ" not in str(caught.value)


@pytest.mark.parametrize(("number", "hint"), [(3, 4), (500, 512), (5, 4), (16000, 16384), (6, 8)])
def test_shards_are_a_power_of_two(number: int, hint: int) -> None:
    with pytest.raises(ValueError, match=f"did you mean {hint}"):
        validators.shards(number)


@pytest.mark.parametrize("number", [0, -1, 16385, 32768])
def test_shards_have_bounds(number: int) -> None:
    with pytest.raises(ValueError, match="between 1 and 16384"):
        validators.shards(number)


def test_countries() -> None:
    assert len(COUNTRIES) == 249
    assert {"NO", "SE", "DK", "FI", "IS", "SJ"} <= COUNTRIES
    assert not {"UK", "EU", "XX"} & COUNTRIES
