"""What a store of secrets wants its operator to know, on standard error."""

from __future__ import annotations

from typing import TYPE_CHECKING

import typer

if TYPE_CHECKING:
    from tempo_infra.secrets import SecretStore


def say_notices(store: SecretStore) -> None:
    for notice in store.notices:
        typer.echo(f"note: {notice}", err=True)
