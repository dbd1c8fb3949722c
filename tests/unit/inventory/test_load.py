"""Loading: what the examples say, what bad files are told, and that nothing else can happen."""

from __future__ import annotations

import contextlib
import os
import time
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tempo_infra.errors import InputError
from tempo_infra.inventory import load
from tempo_infra.inventory.cluster import Role
from tempo_infra.inventory.load import loads
from tempo_infra.sizing import size
from tempo_infra.topology import store
from tests.unit.inventory.texts import EXAMPLES, FILE, VALID, changed, cluster, refusal

BAD = Path(__file__).parent / "bad"
BAD_FILES = sorted(BAD.glob("*.yaml"))
GIB = 1024**3


def test_there_are_examples_and_bad_files() -> None:
    """The tests below find their cases; this says that they found some."""
    assert {path.name for path in EXAMPLES} >= {"single.yaml", "oslo-trio.yaml", "lab.yaml"}
    assert len(BAD_FILES) >= 60
    assert {path.stem for path in BAD_FILES} == {path.stem for path in BAD.glob("*.txt")}


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_every_example_is_valid(path: Path) -> None:
    found = load(path)
    assert found.path == path
    assert found.hosts
    assert store(found).writer.has(Role.POSTGRESQL)


@pytest.mark.parametrize("path", BAD_FILES, ids=lambda path: path.stem)
def test_a_bad_inventory_gets_exactly_its_message(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(BAD)
    started = time.process_time()
    with pytest.raises(InputError) as caught:
        load(Path(path.name))
    assert str(caught.value) + "\n" == path.with_suffix(".txt").read_text("utf-8")
    assert time.process_time() - started < 1


def test_everything_of_the_file_arrives() -> None:
    found = load(next(path for path in EXAMPLES if path.name == "oslo-trio.yaml"))
    front = found.host("front-1")
    assert (found.name, found.country, found.nofile, found.accept) == ("oslo", "NO", 65535, frozenset())
    assert (found.temporal.version, found.temporal.ui_version, found.temporal.shards) == (
        "1.31.2",
        "2.50.1",
        512,
    )
    assert [(space.name, space.retention_hours) for space in found.temporal.namespaces] == [("billing", 72)]
    assert found.postgres.version == "17"
    assert (front.ssh.address, front.ssh.user, front.ssh.port) == ("203.0.113.11", "deploy", 22)
    assert front.ssh.known_hosts == found.path.parent / "known_hosts"
    assert front.roles == (Role.MATCHING, Role.WORKER, Role.FRONTEND, Role.UI)
    assert (front.resources.vcpu, front.resources.memory_bytes) == (4, 8 * GIB)
    assert front.resources.disk.size_bytes == 80 * GIB
    assert found.secrets.path == found.path.parent / "secrets.age"


def test_roles_come_in_the_order_in_which_they_start() -> None:
    named = cluster(("history]", f"history, {', '.join(one for one in Role if one not in VALID)}]")).hosts[0]
    assert named.roles == tuple(Role)


def test_the_defaults_are_those_of_the_reference() -> None:
    found = cluster()
    assert found.hosts[0].ssh.port == 22
    assert found.hosts[0].ssh.keys == ()
    assert found.images.registry == ""
    assert found.images.ca_file is None
    assert found.nofile == 65535
    assert found.temporal.namespaces == ()


@pytest.mark.parametrize(
    ("written", "read"),
    [("1.31.10", "1.31.10"), ("'1.31.2'", "1.31.2"), ("1.40.0", "1.40.0")],
)
def test_a_version_arrives_as_it_was_written(written: str, read: str) -> None:
    assert cluster(("version: 1.31.2", f"version: {written}")).temporal.version == read


def test_norway_is_a_country() -> None:
    """In YAML 1.1, NO is false."""
    assert cluster().country == "NO"


def test_a_host_may_differ_in_how_it_is_reached() -> None:
    found = cluster(("    class: C-Series\n", "    class: C-Series\n    ssh: {user: root, port: 2222}\n"))
    assert (found.hosts[0].ssh.user, found.hosts[0].ssh.port) == ("root", 2222)
    assert cluster().hosts[0].ssh.transport == "paramiko"
    openssh = ("ssh: {user: deploy}", "ssh: {user: deploy, transport: openssh}")
    assert cluster(openssh).hosts[0].ssh.transport == "openssh"
    but_here = ("    class: C-Series\n", "    class: C-Series\n    ssh: {transport: paramiko}\n")
    assert cluster(openssh, but_here).hosts[0].ssh.transport == "paramiko"


@pytest.mark.parametrize(
    ("key", "path"),
    [
        ("id_ed25519", FILE.parent / "id_ed25519"),
        ("../keys/a", FILE.parent / "../keys/a"),
        ("/etc/keys/a", Path("/etc/keys/a")),
        ("~/.ssh/a", Path.home() / ".ssh/a"),
    ],
)
def test_paths_start_at_the_inventory(key: str, path: Path) -> None:
    found = cluster(("ssh: {user: deploy}", f"ssh: {{user: deploy, keys: ['{key}']}}"))
    assert found.hosts[0].ssh.keys == (path,)


def test_own_classes_and_changed_thresholds() -> None:
    tiny_class = "  Tiny: {purpose: p, leans: cpu, thresholds: {rtt_ms: 7}}\n"
    own = f"classes:\n{tiny_class}  C-Series: {{thresholds: {{rtt_ms: 8}}}}\n"
    tiny = cluster(("hosts:", f"{own}hosts:"), ("class: C-Series", "class: Tiny")).hosts[0].instance_class
    assert (tiny.name, tiny.leans) == ("Tiny", "cpu")
    assert (tiny.thresholds["rtt_ms"], tiny.thresholds["fsync_p99_ms"]) == (7, 10)
    changed_class = cluster(("hosts:", f"{own}hosts:")).hosts[0].instance_class
    assert (changed_class.leans, changed_class.thresholds["rtt_ms"]) == ("cpu", 8)
    assert cluster().hosts[0].instance_class.thresholds["rtt_ms"] == 2


def test_a_public_internal_address_can_be_accepted() -> None:
    public = ("internal: 10.0.0.11", "internal: 185.12.59.11")
    assert "accept: [public-internal]" in refusal(public)[0]
    found = cluster(public, ("hosts:", "accept: [public-internal]\nhosts:"))
    assert found.accept == {"public-internal"}


@pytest.mark.parametrize(
    ("internal", "why"),
    [
        ("100.64.0.1", "100.64.0.1 lies in 100.64.0.0/10, which a provider's customers share"),
        ("100.127.255.254", "which a provider's customers share"),
        ("203.0.113.1", "203.0.113.1 is in no private network"),
        ("198.18.0.1", "is in no private network"),
        ("169.254.10.1", "is in no private network"),
        ("172.32.0.1", "the internet can reach 172.32.0.1"),
        ("192.169.0.1", "the internet can reach"),
        ("11.0.0.1", "the internet can reach"),
    ],
)
def test_an_address_that_others_may_reach_is_a_risk_to_accept(internal: str, why: str) -> None:
    changed = ("internal: 10.0.0.11", f"internal: {internal}")
    assert why in refusal(changed)[0]
    taken = size(cluster(changed, ("hosts:", "accept: [public-internal]\nhosts:"))).risks
    assert [why in risk and risk.startswith("public-internal: ") for risk in taken] == [True]


def test_a_risk_that_is_accepted_and_not_taken_is_not_shown() -> None:
    assert size(cluster(("hosts:", "accept: [public-internal]\nhosts:"))).risks == ()


@pytest.mark.parametrize("internal", ["10.0.0.1", "10.255.1.1", "172.16.0.1", "172.31.9.9", "192.168.1.1"])
def test_private_addresses_need_no_acceptance(internal: str) -> None:
    assert cluster(("internal: 10.0.0.11", f"internal: {internal}")).hosts[0].internal == internal


@pytest.mark.parametrize("address", ["127.0.1.11", "fd00::1", "front", "front.example.no", "FRONT_1"])
def test_ssh_may_reach_a_host_by_name_alias_or_any_address(address: str) -> None:
    assert cluster(("address: 203.0.113.11", f"address: '{address}'")).hosts[0].ssh.address == address


def test_crlf_is_fine() -> None:
    assert loads(VALID.replace("\n", "\r\n"), FILE).name == "oslo"


@pytest.mark.parametrize(
    "char", ["\r", "\0", "\x1b", "\x85", "\u200b", "\u202e", "\u2028", "\u2066", "\ufeff"]
)
def test_a_character_that_people_can_not_see_is_refused_where_it_is(char: str) -> None:
    assert refusal(("example-hosting", f"ex{char}ample")) == [
        f"3:13: an invisible character, U+{ord(char):04X}; remove it"
    ]


@pytest.mark.parametrize("name", ["Sørlandet", "日本", "Ελλάδα"])
def test_letters_of_every_script_are_fine(name: str) -> None:
    assert cluster(("example-hosting", name)).provider == name


def test_a_misspelt_role_is_not_also_a_missing_one() -> None:
    assert refusal(("history]", "histroy]")) == [
        '15:57: hosts.one.roles[5]: unknown role "histroy" (did you mean "history"?)'
    ]


def test_a_key_that_is_there_twice_hides_no_other_error() -> None:
    lines = refusal(("country: NO\n", "country: NO\ncountry: SE\n"), ("shards: 512", "shards: 3"))
    assert lines == [
        "3:1: country: the key is here twice, first on line 2",
        "9:11: temporal.shards: 3 is not a power of two (did you mean 4?)",
    ]


def test_a_value_of_the_file_is_not_repeated_under_an_unknown_key() -> None:
    """It could be a password."""
    assert "hunter2" not in "".join(refusal(("country: NO\n", "country: NO\npassword: hunter2\n")))


def test_many_problems_end_with_their_number() -> None:
    keys = "".join(f"key{number}: 1\n" for number in range(200))
    with pytest.raises(InputError) as caught:
        loads(VALID + keys, FILE)
    *_, more, last = str(caught.value).splitlines()
    assert more == f"{FILE}: and 150 more"
    assert last == "200 errors; nothing was contacted"


NAME_IT = "put the file itself there, or name the place that it leads to"


@pytest.mark.parametrize(
    ("name", "what"),
    [
        ("missing.yaml", "there is no such file; `tempo-infra init` writes one"),
        ("folder", "is a folder, not a file"),
        ("fifo", "is a pipe, not a file"),
        ("file/under", "can't be read: not a directory"),
        ("loop", f"is a link, and links are not followed: {NAME_IT}"),
        ("large", "is larger than 1 MiB"),
        ("a\0b", "can't be read: not a path"),
    ],
)
def test_what_is_no_inventory_file(tmp_path: Path, name: str, what: str) -> None:
    (tmp_path / "folder").mkdir()
    os.mkfifo(tmp_path / "fifo")
    (tmp_path / "file").write_text("x")
    (tmp_path / "loop").symlink_to("loop")
    (tmp_path / "large").write_text("# " + "x" * 1024 * 1024)
    with pytest.raises(InputError) as caught:
        load(tmp_path / name)
    shown = str(tmp_path / name).replace("\0", "?")
    assert str(caught.value) == f"{shown}: {what}\n1 error; nothing was contacted"


@pytest.mark.skipif(os.geteuid() == 0, reason="root reads everything")
def test_an_unreadable_file(tmp_path: Path) -> None:
    path = tmp_path / "closed.yaml"
    path.write_text(VALID)
    path.chmod(0)
    with pytest.raises(InputError, match="can't be read: permission denied"):
        load(path)


def test_a_file_that_everybody_may_change_is_not_followed(tmp_path: Path) -> None:
    path = tmp_path / "open.yaml"
    path.write_text(VALID)
    path.chmod(0o666)
    with pytest.raises(InputError, match=r"everybody on this machine may change it \(0666\): chmod o-w"):
        load(path)
    path.chmod(0o664)
    assert load(path).name == "oslo"


def _loads_or_refuses(text: str) -> None:
    started = time.process_time()
    try:
        loads(text, FILE)
    except InputError as error:
        lines = str(error).splitlines()
        assert lines[-1].endswith("nothing was contacted")
        assert all(line.startswith(str(FILE)) for line in lines[:-1])
    assert time.process_time() - started < 1


FUZZ = settings(suppress_health_check=[HealthCheck.too_slow])


@given(st.text(max_size=300))
@FUZZ
def test_any_text_is_loaded_or_refused(text: str) -> None:
    _loads_or_refuses(text)


YAML_PIECES = st.sampled_from(
    [
        *"{}[]:,-#&*!|>'\"%@`?~=\n\t ",
        ": ",
        "- ",
        "\n  ",
        "hosts",
        "roles",
        "one",
        "1.10",
        "0x1F",
        ".inf",
        "<<",
        "---\n",
    ]
)


@given(st.lists(YAML_PIECES, max_size=60).map("".join))
@FUZZ
def test_any_yaml_is_loaded_or_refused(text: str) -> None:
    _loads_or_refuses(text)


@given(st.data())
@FUZZ
def test_any_value_in_any_place_is_loaded_or_refused(data: st.DataObject) -> None:
    lines = VALID.splitlines()
    number = data.draw(st.integers(0, len(lines) - 1))
    key, colon, _ = lines[number].partition(":")
    value = data.draw(st.one_of(st.text(max_size=40), st.lists(YAML_PIECES, max_size=12).map("".join)))
    lines[number] = f"{key}{colon} {value}"
    _loads_or_refuses("\n".join(lines) + "\n")


@given(st.binary(max_size=200), st.booleans())
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_bytes_are_loaded_or_refused(tmp_path: Path, data: bytes, valid_before: bool) -> None:
    path = tmp_path / "any.yaml"
    path.write_bytes((VALID.encode() if valid_before else b"") + data)
    with contextlib.suppress(InputError):
        assert load(path).name == "oslo"


@pytest.mark.thorough
@pytest.mark.parametrize(
    "text",
    [
        "[" * 100_000,
        "{" * 100_000,
        "".join(" " * depth + "a:\n" for depth in range(1000)),
        "a: [" + "1," * 400_000 + "]",
        "a: " + "x" * 1_000_000,
        "- " * 400_000,
        "'" + "\n" * 1_000_000,
        "\n".join(f"k{number}: 1" for number in range(60_000)),
        "? " * 200_000,
    ],
    ids=lambda text: text[:8].strip(),
)
def test_bombs_are_refused_within_a_second(text: str) -> None:
    started = time.process_time()
    with pytest.raises(InputError):
        loads(text, FILE)
    assert time.process_time() - started < 1


def test_a_hundred_hosts_load_quickly() -> None:
    host = VALID[VALID.index("  one:") :].replace("postgresql, ", "")
    hosts = "".join(
        host.replace("one", f"h{number}").replace(".11\n", f".{number}\n") for number in range(100, 200)
    )
    started = time.process_time()
    found = loads(changed() + hosts, FILE)
    assert len(found.hosts) == 101
    assert time.process_time() - started < 1
