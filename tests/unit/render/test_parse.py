"""The readers see what the programs on the host see."""

from __future__ import annotations

import pytest

from tempo_infra.render import parse


@pytest.mark.parametrize(
    ("line", "value"),
    [
        ("a = 1", "1"),
        ("a=1", "1"),
        ("  a = '1'  # why", "1"),
        ("a = 128MB # why", "128MB"),
        (r"a = 'it''s \'x\' \\ \n \101'", "it's 'x' \\ \n A"),
        ("a = ''", ""),
        ("a = '# no comment'", "# no comment"),
    ],
)
def test_postgresql_conf(line: str, value: str) -> None:
    assert parse.pgconf(f"# comment\n\n{line}\n") == {"a": value}


@pytest.mark.parametrize("line", ["a", "a = ", "a = 'b", "a = b c", "a = 'b' c", "1a = 2", "include 'x'"])
def test_postgresql_conf_refuses_what_the_server_refuses(line: str) -> None:
    with pytest.raises(ValueError, match="line 1"):
        parse.pgconf(line)


@pytest.mark.parametrize("reader", [parse.pgconf, parse.sysctl])
def test_a_name_stands_there_once(reader: object) -> None:
    assert callable(reader)
    with pytest.raises(ValueError, match="line 2"):
        reader("a = 1\na = 2\n")


def test_sysctl() -> None:
    assert parse.sysctl("# why\nvm.swappiness = 1\n\nnet.ipv4.ip_local_port_range=1024 65535\n") == {
        "vm.swappiness": "1",
        "net.ipv4.ip_local_port_range": "1024 65535",
    }


def test_words_leave_comments_out() -> None:
    assert parse.words("# a\n*  soft nofile 10 # b\n\nroot hard nofile 10\n") == [
        ["*", "soft", "nofile", "10"],
        ["root", "hard", "nofile", "10"],
    ]


def test_broken_yaml_is_a_value_error() -> None:
    with pytest.raises(ValueError, match="flow node"):
        parse.yaml("a: [")
