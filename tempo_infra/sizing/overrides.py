"""What the operator sets instead of the sized values: found for a host, put in, and the risks in it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Literal, TypeAlias

from tempo_infra.inventory import dynamic_config, outward, parameters, widening
from tempo_infra.inventory.addresses import why_not_private
from tempo_infra.inventory.overrides import (
    KEEPS_ALL,
    KERNEL_RISK,
    OLDER_RISK,
    RISK,
    SECTIONS,
    Known,
    canonical,
    is_off,
    keeps_all,
    text_of,
    why_not,
)
from tempo_infra.inventory.problems import Problem, refuse
from tempo_infra.inventory.validators import ACCEPTABLE
from tempo_infra.sizing.settings import Setting
from tempo_infra.topology import store

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from tempo_infra.inventory.cluster import Cluster, Host, Overrides, Value
    from tempo_infra.inventory.problems import Loc

Section: TypeAlias = Literal["postgresql", "sysctl", "temporal", "pools", "memory"]


@dataclass(frozen=True, slots=True)
class Override:
    value: Value
    loc: Loc


def effective(cluster: Cluster, host: Host, section: Section) -> dict[str, Override]:
    """Return the overrides of one section that hold on a host; its own come before the cluster's.

    They have the names that their servers write; a place has the one that was written.
    """
    places: tuple[tuple[Loc, Overrides], ...] = (
        (("overrides",), cluster.overrides),
        (("hosts", host.name, "overrides"), host.overrides),
    )
    return {
        canonical(cluster.temporal.version, section, name): Override(value, (*loc, section, name))
        for loc, overrides in places
        for name, value in getattr(overrides, section).items()
    }


def put_in(
    cluster: Cluster, sized: Iterable[Setting], overrides: Mapping[str, Override], source: str
) -> tuple[Setting, ...]:
    """Return the settings with the operator's values in their places, and behind them those nobody sizes."""
    settings = list(sized)
    names = {setting.name for setting in settings}
    replaced = [
        _instead(cluster, setting, overrides[setting.name]) if setting.name in overrides else setting
        for setting in settings
    ]
    added = [
        Setting(name, one.value, "", "set in the inventory", source, written=cluster.place(*one.loc))
        for name, one in sorted(overrides.items())
        if name not in names
    ]
    return (*replaced, *added)


def _instead(cluster: Cluster, setting: Setting, override: Override) -> Setting:
    return replace(
        setting,
        value=override.value,
        unit="",
        reason=f"set in the inventory instead of {setting.text}: {setting.reason}",
        instead=(("sized", setting.text), *setting.instead),
        written=cluster.place(*override.loc),
    )


def known(cluster: Cluster) -> Known:
    """Return what values are judged by."""
    postgresql = effective(cluster, store(cluster).writer, "postgresql")
    loaded = (text_of(postgresql[name].value) for name in parameters.LOADING if name in postgresql)
    return Known(
        cluster.postgres.version, cluster.temporal.version, cluster.accept, parameters.libraries_in(loaded)
    )


def check(cluster: Cluster) -> None:
    """Raise InputError with every override that can't be, as loading an inventory does."""
    by = known(cluster)
    places: tuple[tuple[Loc, Overrides], ...] = (
        (("overrides",), cluster.overrides),
        *((("hosts", host.name, "overrides"), host.overrides) for host in cluster.hosts),
    )
    problems = [
        Problem(cluster.marks.get((*loc, section, name)), (*loc, section, name), what)
        for loc, overrides in places
        for section in SECTIONS
        for name, value in getattr(overrides, section).items()
        for what in why_not(by, section, name, value)
    ]
    database = effective(cluster, store(cluster).writer, "postgresql")
    if keeps_all({name: text_of(one.value) for name, one in database.items()}):
        loc = database["archive_mode"].loc
        problems.append(Problem(cluster.marks.get(loc), loc, KEEPS_ALL))
    if problems:
        raise refuse(cluster.path, problems)


def risks(cluster: Cluster) -> tuple[str, ...]:
    """Return the accepted risks that are really taken, one line each, for a plan to show."""
    taken = []
    database = effective(cluster, store(cluster).writer, "postgresql")
    setting = database.get("synchronous_commit")
    if setting is not None and is_off(text_of(setting.value)):
        taken.append(
            f"{RISK}: steps that Temporal was told are done are lost when {store(cluster).writer.name} fails"
            f" ({cluster.place(*setting.loc)})"
        )
    version, temporal = int(cluster.postgres.version), cluster.temporal.version
    kinds = (
        (outward.RISK, outward.WHAT, outward.is_outward, outward.is_outward_key),
        (widening.RISK, widening.WHAT, widening.by_parameter, partial(widening.by_key, temporal)),
    )
    for risk, what, by_parameter, by_key in kinds:
        found = {
            name: one for name, one in database.items() if by_parameter(version, name, text_of(one.value))
        }
        found |= {name: one for name, one in _dynamic(cluster).items() if by_key(name, one.value)}
        taken += [
            f"{risk}: {name} = {text_of(one.value)} {what} ({cluster.place(*one.loc)})"
            for name, one in found.items()
        ]
    if cluster.shares_network:
        taken.append(
            "host-network: services can bind any address of their host and reach its loopback, and rules for"
            f" containers in the firewall don't hold for them ({cluster.place('network')})"
        )
    if cluster.floating and "floating-images" in cluster.accept:
        taken.append(
            f"floating-images: {', '.join(cluster.floating)} may be another content with the next pull"
            f" ({cluster.place('images', 'digests')})"
        )
    for host in cluster.hosts:
        if why := why_not_private(host.internal):  # loading refuses it where it is not accepted
            place = cluster.place("hosts", host.name, "internal")
            taken.append(f"public-internal: {why}, and nothing protects the ports there ({place})")
    for key in cluster.elsewhere:
        place = cluster.place(*key.split("."))
        taken.append(f"files-elsewhere: {key} names a file outside of the inventory's folder ({place})")
    if KERNEL_RISK in cluster.accept:
        taken.append(
            f"{KERNEL_RISK}: what a kernel refuses of sysctl and huge pages is left as it is, and only said"
            f" by the step that switches ({cluster.place('accept')})"
        )
    if OLDER_RISK in cluster.accept:
        taken.append(f"{OLDER_RISK}: {ACCEPTABLE[OLDER_RISK]} ({cluster.place('accept')})")
    return (*taken, *_unknown_keys(cluster))


def _dynamic(cluster: Cluster) -> dict[str, Override]:
    """Return the keys of any host, each with one of its values."""
    found = {
        name: one for host in cluster.hosts for name, one in effective(cluster, host, "temporal").items()
    }
    return dict(sorted(found.items()))


def _unknown_keys(cluster: Cluster) -> Iterator[str]:
    """Say which keys nobody has looked at: the version is newer than the table of keys."""
    version = cluster.temporal.version
    for name, one in _dynamic(cluster).items():
        if dynamic_config.key(version, name).kind == dynamic_config.ANY:
            yield (
                f"unknown-key: Temporal {version} is newer than the table of its keys: all services are given"
                f" {name}, and whether any reads it is not known ({cluster.place(*one.loc)})"
            )
