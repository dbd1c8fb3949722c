"""Telling hosts to go back to where they were, and what each says that it is then."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from tempo_infra.errors import StepFailedError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from tempo_infra.deploy.fleet import Fleet
    from tempo_infra.errors import TempoInfraError
    from tempo_infra.inventory.cluster import Host
    from tempo_infra.on_host.steps.step import Step


@dataclass(frozen=True, slots=True)
class Back:
    """What a host answers when it was told to go back."""

    now: str = ""


def put_back(
    fleet: Fleet, steps: Mapping[str, Sequence[Step]], hosts: Sequence[Host]
) -> tuple[dict[str, str], dict[str, TempoInfraError]]:
    """Put hosts back side by side; what they are now, and the errors of who could not, or did not say."""
    answers, errors = fleet.ask(steps, hosts, Back)
    now = {name: answer.now for name, answer in answers.items()}
    return now | {name: e.now for name, e in errors.items() if isinstance(e, StepFailedError)}, errors
