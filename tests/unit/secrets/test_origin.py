"""Keys that only the file holds: one a write, and a seal for what was generated."""

from __future__ import annotations

from tempo_infra.secrets.origin import KEPT, Origin

PASSWORD = "tahK3xu9bei2Oor5Aing"


def test_each_write_adds_a_key_and_keeps_those_before() -> None:
    one = Origin().next({}, {})
    two = one.next({}, {})
    assert (one.write, two.write) == (1, 2)
    assert two.keys[:1] == one.keys
    assert len(set(two.digests)) == 2
    assert not set(two.keys) & set(two.digests)
    assert len(bytes.fromhex(two.keys[-1])) == 32


def test_old_keys_go_and_the_count_goes_on() -> None:
    origin = Origin()
    for _ in range(KEPT + 5):
        origin = origin.next({}, {})
    assert (len(origin.keys), origin.write) == (KEPT, KEPT + 5)


def test_the_key_of_digests_stays_the_same_and_is_no_key_of_the_file() -> None:
    first = Origin().next({}, {})
    origin, key = first, first.material_key([])
    for _ in range(KEPT + 5):
        origin = origin.next({}, {})
        assert origin.material_key(["another password by now"]) == key
    assert Origin().next({}, {}).material_key([]) != key
    assert key.hex() not in (*first.keys, *first.digests)


def test_a_file_without_keys_has_a_key_of_digests_by_what_is_in_it() -> None:
    assert Origin().material_key(["a", "b"]) == Origin().material_key(["b", "a"])
    assert Origin().material_key(["a", "b"]) != Origin().material_key(["a", "c"])


def test_what_was_generated_stays_so_for_as_long_as_it_is_the_same() -> None:
    origin = Origin().next({"a": PASSWORD}, {"a": PASSWORD})
    for _ in range(KEPT + 5):
        origin = origin.next({"a": PASSWORD}, {})
    assert origin.generated("a", PASSWORD)
    assert not origin.generated("a", f"{PASSWORD}!")
    assert not origin.generated("b", PASSWORD)
    changed = origin.next({"a": f"{PASSWORD}!"}, {})
    assert not changed.generated("a", f"{PASSWORD}!")
    assert not changed.generated("a", PASSWORD)


def test_nothing_is_shown_by_accident() -> None:
    origin = Origin().next({"a": PASSWORD}, {"a": PASSWORD})
    assert origin.keys[0] not in repr(origin)
    assert origin.seals["a"] not in repr(origin)
