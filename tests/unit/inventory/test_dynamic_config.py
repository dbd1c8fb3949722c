"""Temporal's dynamic keys: which version knows which, who reads them, what is a value of one."""

from __future__ import annotations

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tempo_infra.inventory import dynamic_config
from tempo_infra.inventory.dynamic_config import Scalar

SERVICES = {"frontend", "history", "matching", "worker"}


@pytest.mark.parametrize("version", dynamic_config.versions())
def test_each_version_has_its_keys_once_and_reads_nearly_all(version: str) -> None:
    known = dynamic_config.keys(version)
    assert 600 < len(known) < 800
    assert {reader for key in known.values() for reader in key.readers} == SERVICES
    unread = [key.name for key in known.values() if not key.readers]
    assert "frontend.ListWorkersEnabled" in unread  # deprecated, by its own comment in the source
    assert len(unread) < 20


@pytest.mark.parametrize(
    ("version", "as_"),
    [
        ("1.31.0", "1.31.2"),
        ("1.31.2", "1.31.2"),
        ("1.31.4", "1.31.4"),
        ("1.31.9", "1.31.5"),
        ("1.32.0", "1.32.0"),
        ("1.32.7", "1.32.2"),
        ("1.40.0", "1.32.2"),
    ],
)
def test_a_version_that_was_not_read_is_taken_for_its_neighbour(version: str, as_: str) -> None:
    assert dynamic_config.keys(version) == dynamic_config.keys(as_)


@pytest.mark.parametrize("version", ["1.31.9", "1.32.3", "1.33.0"])
def test_a_version_newer_than_the_table_may_know_more(version: str) -> None:
    found = dynamic_config.key(version, "history.ofTomorrow")
    assert found.kind == dynamic_config.ANY
    assert found.readers == SERVICES
    assert dynamic_config.checked(version, "history.ofTomorrow", "x") == "x"
    with pytest.raises(ValueError, match="must be a whole number"):
        dynamic_config.checked(version, "history.rps", "x")


@pytest.mark.parametrize("version", ["1.31.0", *dynamic_config.versions()])
def test_one_that_was_read_knows_what_it_knows(version: str) -> None:
    with pytest.raises(ValueError, match="knows no such key"):
        dynamic_config.key(version, "history.ofTomorrow")


@pytest.mark.parametrize(
    ("name", "with_", "without"),
    [
        ("scheduler.specMaxIterations", {"1.31.5", "1.32.2"}, {"1.31.2"}),
        ("matching.enableMigration", {"1.31.2", "1.31.5"}, {"1.32.0"}),
        ("history.namespaceRPS", {"1.32.0"}, {"1.31.5"}),
    ],
)
def test_versions_differ_where_they_do(name: str, with_: set[str], without: set[str]) -> None:
    assert all(name.casefold() in dynamic_config.keys(version) for version in with_)
    assert not any(name.casefold() in dynamic_config.keys(version) for version in without)


@pytest.mark.parametrize(
    ("name", "readers"),
    [
        ("history.hostLevelCacheMaxSizeBytes", {"history"}),
        ("frontend.rps", {"frontend"}),
        ("matching.numTaskqueueReadPartitions", SERVICES),
        ("limit.maxIDLength", SERVICES),
        ("frontend.searchAttributesSizeOfValueLimit", {"frontend", "history"}),
        ("history.enableCHASMSchedulerRouting", {"frontend"}),
        ("history.defaultWorkflowTaskTimeout", {"frontend", "history"}),
        ("frontend.allowDeleteNamespaceIfNexusEndpointTarget", {"worker"}),
        ("worker.persistenceMaxQPS", {"worker"}),
    ],
)
def test_readers_are_who_reads_not_the_first_word(name: str, readers: set[str]) -> None:
    """Each one looked up in the source of 1.31.2 by hand."""
    assert dynamic_config.key("1.31.2", name).readers == readers


@pytest.mark.parametrize(
    "name",
    [
        "matching.maxDeployments",
        "matching.maxVersionsInDeployment",
        "matching.maxTaskQueuesInDeploymentVersion",
        "matching.deploymentWorkflowVersion",
        "matching.wv.VersionDrainageStatusRefreshInterval",
    ],
)
@pytest.mark.parametrize("version", dynamic_config.versions())
def test_the_worker_service_reads_what_deployments_are_bound_by(version: str, name: str) -> None:
    """service/worker/workerdeployment/fx.go reads them, and matching need not."""
    assert "worker" in dynamic_config.key(version, name).readers


@pytest.mark.parametrize(
    ("name", "value", "what"),
    [
        (
            "history.rpz",
            1,
            'Temporal 1.31.2 knows no such key of dynamic configuration (did you mean "history.rps"?)',
        ),
        ("history.rps", "many", "must be a whole number, not below 0"),
        ("history.rps", True, "must be a whole number, not below 0"),
        ("history.rps", -1, "must be a whole number, not below 0"),
        ("history.rps", 1.5, "must be a whole number, not below 0"),
        ("history.rps", 2**63, "must be a whole number, not below 0"),
        ("frontend.globalNamespaceRPS.visibility", "1", "must be a whole number, not below 0"),
        ("matching.enableFairness", 1, "must be true or false"),
        ("matching.enableFairness", "yes", "must be true or false"),
        ("history.cacheSizeBasedLimit", "on", "must be true or false"),
        ("worker.perNamespaceWorkerOptions", 2, dynamic_config.OWN_TEMPLATE),
        *(
            (
                "history.shutdownDrainDuration",
                value,
                "must be a duration such as 500ms, 10s, 5m or 60d; a plain number is seconds",
            )
            for value in ("soon", "5 s", "5S", "-5s", -5, "", "1h-5m", "s", "300y", "110000d", 1e12, True)
        ),
    ],
)
def test_what_the_server_would_pass_over_is_refused(name: str, value: Scalar, what: str) -> None:
    with pytest.raises(ValueError) as caught:  # noqa: PT011  # the whole message is compared
        dynamic_config.checked("1.31.2", name, value)
    assert str(caught.value) == what


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("20", 20),
        ("1.5", 1.5),
        (".5", 0.5),
        ("0", 0),
        ("60d", 60 * 86400),
        ("1d12h", 129600),
        ("1.5d", 129600),
        ("500ms", 0.5),
        ("1m30s", 90),
        ("2h45m", 9900),
        ("+5s", 5),
        ("250us", 0.00025),
        ("1h.5m", 3630),
    ],
)
def test_durations_are_read_as_the_server_reads_them(text: str, seconds: float) -> None:
    """timestamp.ParseDurationDefaultSeconds: days, and plain numbers for seconds."""
    assert dynamic_config.checked("1.31.2", "history.shutdownDrainDuration", text) == text
    assert dynamic_config.duration_s(text) == pytest.approx(seconds)


@given(seconds=st.integers(0, 10**6), minutes=st.integers(0, 10**4))
def test_durations_add_up(seconds: int, minutes: int) -> None:
    assert dynamic_config.duration_s(f"{minutes}m{seconds}s") == 60 * minutes + seconds


@given(st.text(max_size=200), st.one_of(st.text(max_size=50), st.floats(), st.integers(), st.booleans()))
def test_any_name_and_value_are_taken_or_refused(name: str, value: Scalar) -> None:
    for one in (name, "history.shutdownDrainDuration", "history.rps"):
        with contextlib.suppress(ValueError):
            dynamic_config.checked("1.32.0", one, value)


@pytest.mark.parametrize("version", dynamic_config.versions())
def test_each_key_that_is_read_at_each_use_is_one(version: str) -> None:
    live = {name for name in dynamic_config.keys(version) if dynamic_config.is_live(name, [{"value": 1}])}
    assert {"frontend.rps", "frontend.namespacerps", "history.rps", "limit.blobsize.error"} <= live
    assert {"history.persistencemaxqps", "matching.numtaskqueuereadpartitions"} <= live
    assert 35 < len(live) < 60


@pytest.mark.parametrize(
    ("name", "values", "live"),
    [
        ("frontend.rps", [{"value": 1200}], True),
        (
            "Frontend.NamespaceRPS",
            [{"value": 9, "constraints": {"namespace": "b"}}, {"value": 1}],
            True,
        ),
        ("frontend.rps.namespaceReplicationInducingAPIs", [{"value": 1}], False),
        ("frontend.enableServerVersionCheck", [{"value": False}], False),  # asked for at the start
        ("history.hostLevelCacheMaxSizeBytes", [{"value": 1}], False),
        ("history.acquireShardInterval", [{"value": "15s"}], False),
        ("history.persistenceMaxQPS", [{"value": 300}], True),
        ("history.persistenceMaxQPS", [{"value": 0}], False),  # with 0 no limiter is made
        ("frontend.rps", 1200, False),
        ("frontend.rps", None, False),
    ],
)
def test_a_key_is_live_only_where_the_server_asks_again(name: str, values: object, *, live: bool) -> None:
    assert dynamic_config.is_live(name, values) is live
