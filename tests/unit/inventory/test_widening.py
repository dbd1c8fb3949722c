"""What lets callers do or see more is known, key by key, in every version that the table knows."""

from __future__ import annotations

from pathlib import Path

import pytest

from tempo_infra.inventory import dynamic_config, parameters, widening
from tempo_infra.inventory.outward import is_outward_key
from tempo_infra.inventory.validators import ACCEPTABLE

JUDGED = Path(__file__).parents[2] / "data/dynamic_keys_judged.txt"
NUMBERS = {"int", "float", "duration"}
OLD, NEW = "1.31.4", "1.32.2"


def test_every_key_that_is_no_number_was_judged_by_a_person() -> None:
    """One that a newer version brings is read in its source, and written down there."""
    known = {
        one.name
        for version in dynamic_config.versions()
        for one in dynamic_config.keys(version).values()
        if one.kind not in NUMBERS
    }
    assert {line for line in JUDGED.read_text().splitlines() if line[:1] != "#"} == known


def test_each_judgement_is_about_a_key_or_parameter_that_there_is() -> None:
    keys = {name for version in dynamic_config.versions() for name in dynamic_config.keys(version)}
    assert widening._SAFE.keys() <= keys
    assert widening._PARAMETERS.keys() <= {
        name for version in (15, 17) for name in parameters.postgresql(version)
    }
    assert widening.RISK in ACCEPTABLE


@pytest.mark.parametrize(
    ("version", "name", "value", "widens"),
    [
        (NEW, "system.enableCrossNamespaceCommands", True, True),
        (NEW, "SYSTEM.enablecrossnamespacecommands", "t", True),
        (NEW, "system.enableCrossNamespaceCommands", False, False),
        (NEW, "system.disableStreamingAuthorizer", 1, True),
        (NEW, "frontend.enableTokenNamespaceEnforcement", "FALSE", True),
        (NEW, "frontend.enableTokenNamespaceEnforcement", True, False),
        (OLD, "history.validateReplicationTaskSourceCluster", False, True),
        (NEW, "frontend.exposeAuthorizerErrors", True, True),
        (NEW, "frontend.maskInternalErrorDetails", False, True),
        (NEW, "callback.inspectSourceHeader", True, True),
        (OLD, "callback.inspectSourceHeader", True, False),  # it is that version's own value
        (OLD, "callback.inspectSourceHeader", False, False),
        (NEW, "nexusoperation.disallowedHeaders", [], True),
        (NEW, "frontend.nexusRequestHeadersBlacklist", ["x"], True),
        (NEW, "frontend.httpAllowedHosts", ["a.example"], False),  # by itself it is any
        (NEW, "frontend.enableSchedules", False, False),
        (NEW, "history.rps", 1, False),
    ],
)
def test_a_value_that_lets_callers_do_more_than_this_versions_own_one(
    version: str, name: str, value: object, *, widens: bool
) -> None:
    assert widening.by_key(version, name, value) is widens


@pytest.mark.parametrize(
    ("name", "text", "widens"),
    [
        ("lo_compat_privileges", "on", True),
        ("LO_compat_privileges", "t", True),
        ("lo_compat_privileges", "fal", False),
        ("bonjour", "yes", True),
        ("krb_caseins_users", "on", True),
        ("ssl_min_protocol_version", "TLSv1", True),
        ("ssl_min_protocol_version", "TLSv1.3", False),
        ("work_mem", "4MB", False),
        ("bonjour", "perhaps", False),  # the server refuses it
    ],
)
def test_a_parameter_that_lets_others_do_more(name: str, text: str, *, widens: bool) -> None:
    assert widening.by_parameter(17, name, text) is widens


@pytest.mark.parametrize(("value", "leads"), [(True, True), ("true", True), (False, False), ("0", False)])
def test_a_call_home_leads_out(value: object, *, leads: bool) -> None:
    assert is_outward_key("frontend.enableServerVersionCheck", value) is leads
