"""Settings to files: the same inventory gives the same bytes everywhere."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tempo_infra.render.bundle import Bundle, File, Service

if TYPE_CHECKING:
    from tempo_infra.inventory.cluster import Cluster
    from tempo_infra.sizing import Settings

__all__ = ["Bundle", "File", "Service", "render"]


def render(cluster: Cluster, settings: Settings) -> tuple[Bundle, ...]:
    """Return one bundle a host, in the inventory's order.

    A folder `templates/` beside the inventory replaces single templates. InputError when one of them fails,
    is unbounded, or renders what does not read back as it was meant; the text names its file and line.
    """
    from tempo_infra.render.engine import Engine, built_in
    from tempo_infra.render.host import bundle
    from tempo_infra.render.views import cluster_view

    own = cluster.path.parent / "templates"
    usable = own.is_dir() and own.resolve() != built_in().resolve()
    engine = Engine(own if usable else None)
    view = cluster_view(cluster, settings)
    return tuple(bundle(engine, cluster, host, settings.host(host.name), view) for host in cluster.hosts)
