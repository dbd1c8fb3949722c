"""Settings to files: the same inventory gives the same bytes everywhere."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tempo_infra.on_host.users import OWN
from tempo_infra.render.bundle import Bundle, File, own_used
from tempo_infra.render.material import NOTHING, Known, Placed, placed

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from tempo_infra.inventory.cluster import Cluster, Host
    from tempo_infra.on_host.users import Users
    from tempo_infra.sizing import Settings

__all__ = ["Bundle", "File", "Known", "own_used", "render"]


def render(
    cluster: Cluster,
    settings: Settings,
    sound: Callable[[], None] = lambda: None,
    users: Users = OWN,
    known: Mapping[str, Known] = NOTHING,
) -> tuple[Bundle, ...]:
    """Return one bundle a host, in the inventory's order.

    A folder `templates/` beside the inventory replaces single templates. InputError when one of them fails,
    is unbounded, or renders what does not read back as it was meant; the text names its file and line.
    `users` is whom containers run as: a host that has data keeps those of before (`on_host.users`).
    `known` is what somebody who has opened the secrets knows of them: folders are named by it.
    `sound` is called when nothing that came in can be refused any more, which may be long before the end.
    """
    from tempo_infra.render.templates import own_templates, refuse_unknown
    from tempo_infra.render.views import cluster_view

    own = own_templates(cluster)
    view = cluster_view(cluster, settings)
    if own is None:
        sound()
    from tempo_infra.render.engine import Engine
    from tempo_infra.render.host import bundle

    def material(host: Host) -> Placed:
        names = [one.name for one in settings.host(host.name).containers]
        return placed(cluster, host.name, names, users, known)

    engine = Engine(own)
    refuse_unknown(engine.own, own)
    bundles = tuple(
        bundle(engine, cluster, host, settings.host(host.name), view, material(host))
        for host in cluster.hosts
    )
    if own is not None:
        sound()
    return bundles
