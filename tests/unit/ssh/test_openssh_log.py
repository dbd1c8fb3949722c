"""What `ssh` says of itself, as OpenSSH 9.2 wrote it, and what is made of it."""

from __future__ import annotations

import pytest

from tempo_infra.ssh.openssh_log import LONGEST_WORDS, Log, OfferedKey, Stage

CONNECTING = """OpenSSH_9.2p1 Debian-2+deb12u6, OpenSSL 3.0.19 27 Jan 2026\r
debug1: Reading configuration data /dev/null\r
debug1: Connecting to 192.0.2.1 [192.0.2.1] port 2222.\r
"""
CONNECTED = (
    CONNECTING
    + """debug1: Connection established.\r
debug1: Local version string SSH-2.0-OpenSSH_9.2p1 Debian-2+deb12u6\r
"""
)
KEYS = (
    CONNECTED
    + """debug1: Remote protocol version 2.0, remote software version OpenSSH_10.0p2 Debian-7+deb13u4\r
debug1: Authenticating to 192.0.2.1:2222 as 'deploy'\r
debug1: Server host key: ssh-ed25519 SHA256:5oGHZbfnKr7H5nKTxZ0uf7WF3oH3PyoR5SWvJWa/qGM\r
"""
)
LOGGING_IN = (
    KEYS
    + """debug1: SSH2_MSG_NEWKEYS received\r
debug1: Offering public key: /keys/a b ED25519 SHA256:f4tNh2dtwVMu1H7idCxRXjtR7kLVPTPZimo27cCpDyU explicit\r
"""
)
IN = LOGGING_IN + 'Authenticated to 192.0.2.1 ([192.0.2.1]:2222) using "publickey".\r\n'


@pytest.mark.parametrize(
    ("text", "stage"),
    [
        ("", Stage.CONNECT),
        (CONNECTING, Stage.CONNECT),
        (CONNECTED, Stage.KEY_EXCHANGE),
        ("debug1: Executing proxy command: exec ssh -W\r\n", Stage.KEY_EXCHANGE),
        (KEYS, Stage.KEY_EXCHANGE),
        (LOGGING_IN, Stage.LOGIN),
        (IN, Stage.IN),
    ],
)
def test_the_stage_is_how_far_ssh_came(text: str, stage: Stage) -> None:
    assert Log(text).stage is stage


def test_a_host_can_not_claim_a_stage_inside_a_line_of_its_own() -> None:
    """Its version is part of a line of the log; it is no line."""
    claim = "debug1: Remote protocol version 2.0, remote software version Authenticated to 192.0.2.1\r\n"
    assert Log(CONNECTED + claim).stage is Stage.KEY_EXCHANGE


@pytest.mark.parametrize(
    ("text", "peer"),
    [
        (LOGGING_IN, None),
        (IN, "192.0.2.1"),
        ('Authenticated to db ([2001:db8::7%eth0]:22) using "publickey".\r\n', "2001:db8::7%eth0"),
        ('Authenticated to 10.0.0.3 (via proxy) using "publickey".\r\n', None),
    ],
)
def test_the_address_that_was_reached_is_known_unless_a_proxy_stands_between(
    text: str, peer: str | None
) -> None:
    assert Log(text).peer == peer


@pytest.mark.parametrize(
    ("more", "name"),
    [("", "[192.0.2.1]:2222"), ("debug1: using hostkeyalias: db\r\n", "db")],
)
def test_a_refused_key_is_told_with_the_name_that_known_hosts_is_searched_for(more: str, name: str) -> None:
    log = Log(KEYS + more + "Host key verification failed.\r\n")
    assert log.host_key_refused
    assert log.offered_key == OfferedKey(name, "ed25519 SHA256:5oGHZbfnKr7H5nKTxZ0uf7WF3oH3PyoR5SWvJWa/qGM")


def test_a_certificate_counts_by_the_key_in_it() -> None:
    log = Log(KEYS.replace("key: ssh-ed25519", "certificate: ssh-ed25519-cert-v01@openssh.com"))
    assert log.offered_key is not None
    assert log.offered_key.fingerprint.startswith("ed25519 SHA256:5oGH")


def test_without_a_key_exchange_there_is_no_key() -> None:
    assert Log(CONNECTED).offered_key is None
    assert not Log(CONNECTED).host_key_refused


def test_a_refused_login_names_the_keys_once_each() -> None:
    log = Log(LOGGING_IN * 2 + "deploy@192.0.2.1: Permission denied (publickey,password).\r\n")
    assert log.login_refused
    assert log.keys_offered == ["SHA256:f4tNh2dtwVMu1H7idCxRXjtR7kLVPTPZimo27cCpDyU"]


@pytest.mark.parametrize(
    ("text", "hung_up"),
    [
        (CONNECTED + "kex_exchange_identification: Connection closed by remote host\r\n", True),
        (CONNECTED + "kex_exchange_identification: read: Connection reset by peer\r\n", True),
        (CONNECTED + "Connection closed by 192.0.2.1 port 2222\r\n", True),
        (KEYS + "Connection closed by 192.0.2.1 port 2222\r\n", False),
        (CONNECTED, False),
    ],
)
def test_only_an_end_before_the_hosts_banner_is_a_reason_to_knock_again(text: str, hung_up: bool) -> None:
    assert Log(text).hung_up is hung_up


def test_a_closed_port_is_told_from_a_silent_one() -> None:
    assert Log(CONNECTING + "ssh: connect to host 192.0.2.1 port 2222: Connection refused\r\n").refused
    assert not Log(CONNECTING + "ssh: connect to host 192.0.2.1 port 2222: No route to host\r\n").refused


def test_words_for_a_person_leave_out_debugging_and_control_characters() -> None:
    text = KEYS + "ssh: connect to \x1b[31mhost\x07 192.0.2.1 port 2222: Connection refused\r\n"
    assert Log(text).words == "ssh: connect to host? 192.0.2.1 port 2222: Connection refused"
    assert Log("x" * 5000).words == "x" * (LONGEST_WORDS - 1) + "…"
    assert Log(IN).words == ""


@pytest.mark.parametrize(("text", "code"), [(IN, None), (IN + "debug1: Exit status 255\r\n", 255)])
def test_the_programs_own_exit_code_is_told_from_sshs(text: str, code: int | None) -> None:
    assert Log(text).exit_status == code
