"""What the kernel does not take fails the step, before anything is changed where that can be known."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tempo_infra.on_host import generation, kernel_refuses
from tempo_infra.on_host.generation import switch
from tempo_infra.on_host.layout import Layout
from tempo_infra.on_host.shell import Output, StepError
from tempo_infra.on_host.steps import change
from tests.unit.on_host.test_generation import bundle, staged

SYSCTL = "vm.swappiness = 1\nnet.core.somaxconn = 4096\n"
THP_FILE = "/sys/kernel/mm/transparent_hugepage/enabled"
THP = "w  /sys/kernel/mm/transparent_hugepage/enabled  -  -  -  -  madvise\n"
FILES = {
    "proc/sys/vm/swappiness": "60\n",
    "proc/sys/net/core/somaxconn": "4096\n",
    "sys/kernel/mm/transparent_hugepage/enabled": "always [madvise] never\n",
}


@pytest.fixture
def host(tmp_path: Path) -> Layout:
    for path, text in FILES.items():
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_text(text)
    return Layout(tmp_path)


def kernel(monkeypatch: pytest.MonkeyPatch, layout: Layout, keeps: str, said: str = "") -> None:
    """A kernel that has `keeps` for vm.swappiness whatever it is told, and a sysctl that says `said`."""

    def run(words: list[str], **_: object) -> Output:
        if words[0] == "sysctl":
            (layout.root / "proc/sys/vm/swappiness").write_text(f"{keeps}\n")
        return Output(1 if said else 0, "", said)

    monkeypatch.setattr(generation, "run", run)


def switched(layout: Layout, *, insist: bool) -> generation.Switched:
    made = bundle(etc__sysctl_dot_d__60_dot_conf=SYSCTL, etc__tmpfiles_dot_d__60_dot_conf=THP)
    staged(layout, made)
    return switch(layout, change.Switch(made.digest, {}, insist=insist))


@pytest.mark.parametrize("said", ['sysctl: setting key "vm.swappiness": Read-only file system', ""])
@pytest.mark.parametrize("keeps", ["60", "10"])
def test_a_value_that_is_not_in_force_fails_the_switch(
    host: Layout, monkeypatch: pytest.MonkeyPatch, keeps: str, said: str
) -> None:
    """Refused with a word, refused in silence, or bent to what the kernel allows."""
    kernel(monkeypatch, host, keeps, said)
    with pytest.raises(
        StepError, match=f"the kernel refuses settings: vm.swappiness is {keeps}, not 1"
    ) as caught:
        switched(host, insist=True)
    assert said in str(caught.value)
    assert "accept: [kernel-settings]" in caught.value.remedy


def test_where_that_is_accepted_it_is_said(host: Layout, monkeypatch: pytest.MonkeyPatch) -> None:
    kernel(monkeypatch, host, "60")
    assert switched(host, insist=False).say == "without vm.swappiness is 60, not 1"


def test_values_in_force_pass_and_nothing_is_said(host: Layout, monkeypatch: pytest.MonkeyPatch) -> None:
    kernel(monkeypatch, host, "1")
    assert switched(host, insist=True).say == ""


@pytest.mark.parametrize(
    ("wanted", "says"),
    [
        ({"proc/sys/vm/swappiness": "60"}, []),
        ({"proc/sys/vm/swappiness": "1"}, []),
        ({"proc/sys/vm/nr_hugepages": "9"}, ["the kernel has no vm.nr_hugepages"]),
        (
            {"sys/kernel/mm/transparent_hugepage/enabled": "never"},
            [
                f"{THP_FILE} can't be set to never, it is madvise: Read-only file system",
            ],
        ),
        ({"sys/kernel/mm/transparent_hugepage/enabled": "madvise"}, []),
    ],
)
def test_what_can_not_be_set_is_known_beforehand(
    host: Layout, monkeypatch: pytest.MonkeyPatch, wanted: dict[str, str], says: list[str]
) -> None:
    real = os.open

    def read_only(path: Path, flags: int, mode: int = 0o777) -> int:
        if flags & os.O_WRONLY and "transparent" in str(path):
            raise OSError(30, "Read-only file system")
        return real(path, flags, mode)

    monkeypatch.setattr(os, "open", read_only)
    assert list(kernel_refuses.beforehand(host, wanted)) == says
    assert (host.root / "proc/sys/vm/swappiness").read_text() == "60\n"
