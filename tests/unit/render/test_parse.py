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


@pytest.mark.parametrize("escape", [r"\564", r"\400", r"\777", r"\351", r"\200", r"\000", r"\0"])
def test_an_escape_that_the_server_takes_for_another_character_is_refused(escape: str) -> None:
    """Eight bits for three digits: '/bin/\\564rue' is /bin/true there, what follows \\400 is not read."""
    with pytest.raises(ValueError, match="takes eight bits of it"):
        parse.pgconf(f"archive_command = '/bin/{escape}rue'")


@pytest.mark.parametrize(("escape", "read"), [(r"\164", "t"), (r"\11", "\t"), (r"\9", "9"), (r"\²", "²")])
def test_an_escape_that_is_read_alike_is_taken(escape: str, read: str) -> None:
    assert parse.pgconf(f"a = '{escape}'") == {"a": read}


@pytest.mark.parametrize("reader", [parse.pgconf, parse.sysctl])
def test_a_name_stands_there_once(reader: object) -> None:
    assert callable(reader)
    with pytest.raises(ValueError, match="line 2"):
        reader("a = 1\na = 2\n")


def test_a_parameter_is_the_same_in_small_and_large_letters() -> None:
    with pytest.raises(ValueError, match="line 2: Fsync stands there twice, as fsync too"):
        parse.pgconf("fsync = on\nFsync = on\n")
    assert parse.pgconf("Fsync = on\n") == {"Fsync": "on"}


def test_sysctl() -> None:
    assert parse.sysctl("# why\nvm.swappiness = 1\n\nnet.ipv4.ip_local_port_range=1024 65535\n") == {
        "vm.swappiness": "1",
        "net.ipv4.ip_local_port_range": "1024 65535",
    }


def test_words_leave_comments_out() -> None:
    assert parse.limits("# a\n*  soft nofile 10 # b\n\nroot hard nofile 10\n") == [
        ["*", "soft", "nofile", "10"],
        ["root", "hard", "nofile", "10"],
    ]


@pytest.mark.parametrize("filler", ["x" * 1022, "\u00e9" * 511])
def test_a_comment_is_no_longer_than_what_reads_limits_takes_for_a_line(filler: str) -> None:
    """pam_limits 1.5.2 puts `* hard core 4242` in force here: its buffer ends before it."""
    with pytest.raises(ValueError, match="line 2: longer than 1000 bytes"):
        parse.limits(f"# a\n#{filler}* hard core 4242\n")
    assert parse.limits(f"#{'x' * 999}\n* hard core 0\n") == [["*", "hard", "core", "0"]]


def test_broken_yaml_is_a_value_error() -> None:
    with pytest.raises(ValueError, match="flow node"):
        parse.yaml("a: [")


OTHER_BLANKS = ["\u00a0", "\u2003", "\u3000", "\x0b", "\x0c", "\x1c", "\x85", "\u2028"]


@pytest.mark.parametrize("blank", OTHER_BLANKS)
def test_a_blank_is_a_space_or_a_tab(blank: str) -> None:
    """Python strips 27 more characters, and splits at them; no program on a host does."""
    assert parse.words(f"a{blank}b \t c\n{blank}# d") == [[f"a{blank}b", "c"], [f"{blank}#", "d"]]
    assert parse.limits(f"{blank}a b{blank} # c") == [[f"{blank}a", f"b{blank}"]]
    assert parse.sysctl(f"a{blank} = {blank}1") == {f"a{blank}": f"{blank}1"}
    for line in (f"a{blank}= 1", f"a ={blank}1", f"a = 1{blank}", f"{blank}a = 1", f"{blank}# a = 1"):
        with pytest.raises(ValueError, match="line 1"):
            parse.pgconf(line)
    for line in (f"local{blank}all all peer", f"local all all peer{blank}", f"{blank}# local"):
        with pytest.raises(ValueError, match="plain fields only"):
            parse.fields(line)


def test_a_mark_of_a_comment_within_a_word_is_none_but_in_limits() -> None:
    assert parse.words("w /x - - - - a#b") == [["w", "/x", "-", "-", "-", "-", "a#b"]]
    assert parse.limits("* hard nofile 1#2") == [["*", "hard", "nofile", "1"]]
