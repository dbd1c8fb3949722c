"""People at work: an edited file, a planted link, a plan that is old, an image that is nowhere."""

from __future__ import annotations

from functools import partial
from pathlib import Path

from lab import faults
from lab.hosts import Host
from tempo_infra.inventory import load
from tests.lab.conftest import Ran
from tests.lab.reliability.bed import Change
from tests.lab.reliability.case import NEW, OLD, Case, Scene, ended
from tests.lab.reliability.moments import AFTER_SWITCH
from tests.lab.reliability.watch import Moment, Watcher

SYSCTL = "/etc/sysctl.d/60-tempo-infra.conf"
LIMITS = "/etc/security/limits.d/60-tempo-infra.conf"
STATE = "/var/lib/tempo-infra"


def put(scene: Scene, script: str) -> None:
    scene.bed.host.must(["sh", "-c", script])


def edited(scene: Scene) -> Ran:
    """Refused, and shown by `diff`; the edit stays until someone decides."""
    host = scene.bed.host
    kept = host.must(["cat", SYSCTL])
    put(scene, f"echo '# mine' >> {SYSCTL}")
    shown = scene.bed.run("diff", scene.bed.inventory(scene.bed.now))
    assert "+# mine" in shown.out, shown.said
    ran = scene.provision()
    assert host.must(["cat", SYSCTL]) == f"{kept}# mine\n"
    host.must(["tee", SYSCTL], input=kept)
    return ran


def taken_over(scene: Scene) -> Ran:
    put(scene, f"echo '# mine' >> {SYSCTL}")
    ran = scene.provision("--take-over")
    kept = scene.bed.host.must(["sh", "-c", f"cat {STATE}/taken-over/*{SYSCTL}"])
    assert kept.endswith("# mine\n")
    return ran


def edited_at(moment: Moment, scene: Scene) -> Ran:
    """Edited after it was planned: compared once more under the lock, or kept aside by the way back."""
    host = scene.bed.host
    kept = host.must(["cat", SYSCTL])
    ran = scene.at(moment, lambda _: put(scene, f"echo '# mine' >> {SYSCTL}"))
    if host.must(["cat", SYSCTL]) == f"{kept}# mine\n":
        host.must(["tee", SYSCTL], input=kept)
    return ran


def planted_link(path: str, scene: Scene) -> Ran:
    """An owned file is a link to something precious: it is not followed."""
    host = scene.bed.host
    put(scene, f"echo precious > /root/precious && mv {path} /root/kept && ln -s /root/precious {path}")
    try:
        ran = scene.provision("--take-over")
        assert host.must(["cat", "/root/precious"]) == "precious\n"
    finally:
        put(scene, f"mv /root/kept {path}; rm -f /root/precious")
    return ran


def planted_in_state(scene: Scene) -> Ran:
    """The lock is a link: it is not followed, and nothing is begun."""
    host = scene.bed.host
    put(scene, f"echo precious > /root/precious && rm -f {STATE}/lock && ln -s /root/precious {STATE}/lock")
    try:
        ran = scene.provision()
        assert host.must(["cat", "/root/precious"]) == "precious\n"
    finally:
        put(scene, f"rm -f {STATE}/lock /root/precious")
    return ran


def stale(what: str, scene: Scene) -> Ran:
    """The plan was kept in a file, and the host moved since."""
    inventory = scene.bed.inventory(scene.change)
    plan = str(inventory.with_name("plan.json"))
    made = scene.bed.run("plan", inventory, "--out", plan)
    assert made.code == 0, made.said
    if what == "provisioned since":
        scene.bed.provision(Change.new())
        scene.notes.append("moved")
    else:
        put(scene, f"rm {LIMITS}")
    ran = scene.bed.run("provision", inventory, "--plan", plan)
    if what != "provisioned since":
        put(scene, f"cp {STATE}/current{LIMITS} {LIMITS}")
    return ran


def missing_image() -> Change:
    return Change.new(
        more=(
            (r"ui: 2\.50\.1\n", "ui: 2.50.9\n"),
            (r"ui:2\.50\.1: sha256:\w+", f"ui:2.50.9: sha256:{'0' * 64}"),
        )
    )


def no_such_image(scene: Scene) -> Ran:
    return scene.provision()


def registry_away_and_pruned(scene: Scene) -> Ran:
    """The image is not on the host, and the registry does not answer."""
    assert isinstance(scene.bed.host, Host)
    with faults.registry_away(scene.bed.host):
        return scene.provision()


def by_hand(scene: Scene) -> Ran:
    """Forward, back by hand, and to a named generation."""
    bed = scene.bed
    first = bed.look()["current"].removeprefix("generations/")
    bed.provision(scene.change)
    back = bed.run("rollback", bed.inventory(scene.change))
    assert back.code == 0, back.said
    assert bed.look()["current"].endswith(first)
    second = Change.new()
    bed.provision(second)
    ran = bed.run("rollback", bed.inventory(second), "--to", first[:16])
    assert "rolled back by hand" in bed.run("history", bed.inventory(second)).out
    return ran


def to_zero(scene: Scene) -> tuple[Path, tuple[str, ...]]:
    """Return what `rollback` takes to go to generation 0."""
    inventory = scene.bed.inventory(scene.change)
    return inventory, ("--to", "0", "--confirm-rollback", load(inventory).name)


def by_hand_to_zero(scene: Scene) -> Ran:
    """Nothing of ours runs any more, and whoever asks is told why."""
    bed = scene.bed
    inventory, words = to_zero(scene)
    ran = bed.run("rollback", inventory, *words)
    assert bed.look()["current"] is None, ran.said
    assert "generation 0" in bed.run("status", inventory).out
    assert "confirmed generation 0" in bed.run("history", inventory).out
    again = bed.run("rollback", inventory, *words)
    assert again.code == 0, again.said
    assert "already" in again.out, again.said
    return ran


def by_hand_cut(moment: Moment, zero: bool, scene: Scene) -> Ran:
    """Going back by hand is guarded as going forward is."""
    bed = scene.bed
    inventory, words = to_zero(scene) if zero else (bed.inventory(scene.change), ())
    with Watcher(bed.host, moment) as watcher:
        operator = bed.start(inventory, *words, word="rollback")
        assert watcher.seen(operator)
        operator.kill()
        watcher.go_on()
        return ended(operator)


def drifted_kernel_value(scene: Scene) -> Ran:
    """Someone set a live value by hand; the file is as it was. A run sets it right."""
    put(scene, "sysctl -w vm.swappiness=3")
    return scene.provision()


def cases() -> list[Case]:
    old, new = frozenset({OLD}), frozenset({NEW})
    failed, fine = frozenset({1}), frozenset({0})
    found = [
        Case("owned file edited", "before the run", edited, old, failed, says="was changed on the host"),
        Case("owned file edited, taken over", "before the run", taken_over, new, fine),
        Case("planted link for an owned file", "before the run", partial(planted_link, SYSCTL), old, failed),
        Case("planted link for the lock", "before the run", planted_in_state, old, failed),
        Case("plan is old", "file taken away since", partial(stale, "file"), old, failed, says="moved since"),
        Case("plan is old", "provisioned since", partial(stale, "provisioned since"), new, failed,
             says="moved since"),
        Case("image is nowhere", "before the switch", no_such_image, old, failed, change=missing_image,
             after=Change.new(), says="nothing was switched"),
        Case("registry away", "image not on the host", registry_away_and_pruned, old, failed,
             change=missing_image, after=Change.new(), says="nothing was switched"),
        Case("registry away", "images on the host", registry_away_and_pruned, new, fine),
        Case("back by hand", "--to a generation", by_hand, old, fine),
        Case("back by hand", "--to 0", by_hand_to_zero, new, fine, retake=True),
        Case("kernel value set by hand", "before the run", drifted_kernel_value, new, fine),
    ]  # fmt: skip
    found += [
        Case("owned file edited", str(moment), partial(edited_at, moment), old, failed)
        for moment in (Moment("stage"), Moment("pull"))
    ]
    found += [
        Case(
            f"back by hand{' to 0' if zero else ''}, operator SIGKILL",
            str(moment),
            partial(by_hand_cut, moment, zero),
            codes=frozenset({-9}),
            retake=zero,
        )
        for zero in (False, True)
        for moment in (AFTER_SWITCH[0], AFTER_SWITCH[-1])
    ]
    return found
