"""The page of what the tool may touch has every path that the tool knows."""

from __future__ import annotations

from docs.footprint import places
from tempo_infra.on_host.layout import Layout

# Folders whose content is listed, and what `eject` leaves: a sentence of the page, for nobody provisions it.
IN_OTHER_WORDS = {"state", "data", "plain_compose_file"}


def test_every_path_of_the_layout_is_on_the_page() -> None:
    layout, listed = Layout(), [place.path for place in places()]
    known = {name for name, one in vars(Layout).items() if isinstance(one, property)}
    missing = {
        name
        for name in known - IN_OTHER_WORDS
        if not any(
            str(getattr(layout, name)).startswith(path.partition("/<")[0].partition("/*")[0])
            for path in listed
        )
    }
    assert missing == set()
    assert {"pgdata", "journal", "zero_compose_file"} <= known
