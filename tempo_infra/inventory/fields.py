"""The types of the inventory's fields: how each is written, checked, and shown by an editor."""

from __future__ import annotations

from typing import Annotated

from pydantic import AfterValidator, BeforeValidator, Field, WithJsonSchema

from tempo_infra.inventory import addresses, fingerprints, quantities, subnets, validators
from tempo_infra.inventory.document import WrittenFloat, WrittenInt


def _as_written(value: object) -> object:
    """17 and 1.10 are versions here: the text of the file, not the number."""
    return value.text if isinstance(value, WrittenInt | WrittenFloat) else value


def _capacity(text: str) -> str:
    if not quantities.UNITS_BYTES["GiB"] <= quantities.parse_size(text) <= 64 * quantities.UNITS_BYTES["TiB"]:
        raise ValueError("must be between 1GiB and 64TiB")
    return text


def _as_plain(value: object) -> object:
    """Return a number without the memory of how it was written."""
    if isinstance(value, WrittenInt):
        return int(value)
    return float(value) if isinstance(value, WrittenFloat) else value


def _container_memory(text: str) -> str:
    if not 32 * quantities.UNITS_BYTES["MiB"] <= quantities.parse_size(text) <= quantities.UNITS_BYTES["TiB"]:
        raise ValueError("must be between 32MiB and 1TiB")
    return text


def _retention(text: str) -> str:
    if not 1 <= quantities.parse_duration(text) <= 3650 * 24:
        raise ValueError("must be between 1h and 3650d")
    return text


def _days(text: str) -> str:
    days, more = divmod(quantities.parse_duration(text), 24)
    if more or not 1 <= days <= 3650:  # noqa: PLR2004 - ten years
        raise ValueError("must be whole days between 1d and 3650d")
    return text


def _within(low_s: int, high_s: int, words_: str) -> AfterValidator:
    def check(text: str) -> str:
        if not low_s <= quantities.parse_seconds(text) <= high_s:
            raise ValueError(f"must be between {words_}")
        return text

    return AfterValidator(check)


def _enum(known: tuple[str, ...]) -> WithJsonSchema:
    return WithJsonSchema({"type": "string", "enum": list(known)})


def _pattern(pattern: str) -> WithJsonSchema:
    return WithJsonSchema({"type": "string", "pattern": pattern})


def _known(known: tuple[str, ...], what: str) -> AfterValidator:
    return AfterValidator(lambda text: validators.one_of(known, what, text))


_TEXT_OR_NUMBER = WithJsonSchema({"type": ["string", "number"]})
_ACCEPTABLE = tuple(validators.ACCEPTABLE)

Name = Annotated[str, AfterValidator(validators.dns_label), _pattern(f"^{validators.HOST_NAME.pattern}$")]
Title = Annotated[str, BeforeValidator(_as_written), AfterValidator(validators.title), _TEXT_OR_NUMBER]
Label = Annotated[str, BeforeValidator(_as_written), AfterValidator(validators.prose), _TEXT_OR_NUMBER]
LabelKey = Annotated[str, AfterValidator(validators.label_key)]
Prose = Annotated[str, AfterValidator(validators.prose)]
Path = Annotated[str, AfterValidator(validators.path)]
Port = Annotated[int, Field(ge=1, le=65535)]
User = Annotated[str, AfterValidator(validators.user_name)]
Jump = Annotated[str, AfterValidator(validators.jump)]
SshTransportName = Annotated[
    str, _known(validators.SSH_TRANSPORTS, "ssh transport"), _enum(validators.SSH_TRANSPORTS)
]
Capacity = Annotated[
    str, BeforeValidator(_as_written), AfterValidator(_capacity), _pattern(quantities.SIZE_PATTERN)
]
Retention = Annotated[
    str, BeforeValidator(_as_written), AfterValidator(_retention), _pattern(quantities.DURATION_PATTERN)
]
Grace = Annotated[
    str, BeforeValidator(_as_written), _within(10, 1800, "10s and 30m"), _pattern(quantities.SECONDS_PATTERN)
]
Soak = Annotated[
    str, BeforeValidator(_as_written), _within(0, 600, "0s and 10m"), _pattern(quantities.SECONDS_PATTERN)
]
Migration = Annotated[
    str,
    BeforeValidator(_as_written),
    _within(300, 43_200, "5m and 720m"),
    _pattern(quantities.SECONDS_PATTERN),
]
Rpo = Annotated[
    str, BeforeValidator(_as_written), _within(10, 3600, "10s and 60m"), _pattern(quantities.SECONDS_PATTERN)
]
Days = Annotated[
    str, BeforeValidator(_as_written), AfterValidator(_days), _pattern(quantities.DURATION_PATTERN)
]
TimeOfDay = Annotated[
    str,
    BeforeValidator(_as_written),
    AfterValidator(validators.time_of_day),
    _pattern(validators.TIME_OF_DAY),
]
Fingerprint = Annotated[str, AfterValidator(fingerprints.fingerprint)]
RepositoryKind = Annotated[
    str, AfterValidator(validators.repository_kind), _enum(validators.REPOSITORY_KINDS)
]
RepositoryPath = Annotated[str, AfterValidator(validators.repository_path)]
Country = Annotated[str, AfterValidator(validators.country), _pattern("^[A-Z]{2}$")]
Version = Annotated[str, BeforeValidator(_as_written), AfterValidator(validators.version), _TEXT_OR_NUMBER]
TemporalVersion = Annotated[
    str, BeforeValidator(_as_written), AfterValidator(validators.temporal_version), _TEXT_OR_NUMBER
]
PostgresVersion = Annotated[
    str,
    BeforeValidator(_as_written),
    AfterValidator(validators.postgres_version),
    WithJsonSchema(
        {"enum": [*validators.POSTGRES_VERSIONS, *(int(v) for v in validators.POSTGRES_VERSIONS)]}
    ),
]
Shards = Annotated[
    int,
    AfterValidator(validators.shards),
    WithJsonSchema({"enum": [1 << exponent for exponent in range(15)]}),
]
NamespaceName = Annotated[str, AfterValidator(validators.namespace)]
Registry = Annotated[str, AfterValidator(validators.registry)]
ImageName = Annotated[str, AfterValidator(validators.image)]
Repository = Annotated[str, AfterValidator(validators.repository)]
ImageSource = Annotated[str, _known(validators.IMAGE_SOURCES, "source"), _enum(validators.IMAGE_SOURCES)]
Digest = Annotated[str, AfterValidator(validators.digest), _pattern("^sha256:[0-9a-f]{64}$")]
Recipient = Annotated[str, AfterValidator(validators.recipient)]
ClassName = Annotated[str, AfterValidator(validators.class_name)]
Network = Annotated[str, _known(validators.NETWORKS, "network"), _enum(validators.NETWORKS)]
Leans = Annotated[str, _known(validators.LEANS, "direction"), _enum(validators.LEANS)]
DiskKind = Annotated[str, _known(validators.DISK_KINDS, "disk kind"), _enum(validators.DISK_KINDS)]
RoleName = Annotated[str, _known(validators.ROLES, "role"), _enum(validators.ROLES)]
Accepted = Annotated[str, _known(_ACCEPTABLE, "risk"), _enum(_ACCEPTABLE)]
LoginName = Annotated[str, _known(validators.LOGINS, "login"), _enum(validators.LOGINS)]
InternalAddress = Annotated[str, AfterValidator(addresses.internal_address)]
Subnet = Annotated[str, AfterValidator(subnets.subnet)]
SshAddress = Annotated[str, AfterValidator(addresses.ssh_address)]
Date = Annotated[str, AfterValidator(validators.date), WithJsonSchema({"type": "string", "format": "date"})]
Threshold = Annotated[float, Field(ge=0, le=1e12)]
Milliseconds = Annotated[float, Field(ge=0, le=60_000)]
SettingName = Annotated[str, AfterValidator(validators.setting_name)]
SettingValue = Annotated[
    object,
    BeforeValidator(_as_plain),
    AfterValidator(validators.setting_value),
    WithJsonSchema({"type": ["string", "number", "boolean"]}),
]
DynamicValue = Annotated[
    object,
    BeforeValidator(_as_plain),
    AfterValidator(validators.dynamic_value),
    WithJsonSchema({"type": ["string", "number", "boolean"]}),
]
PoolRole = Annotated[str, _known(validators.POOL_ROLES, "role"), _enum(validators.POOL_ROLES)]
ContainerName = Annotated[str, _known(validators.CONTAINERS, "container"), _enum(validators.CONTAINERS)]
ContainerMemory = Annotated[
    str, BeforeValidator(_as_written), AfterValidator(_container_memory), _pattern(quantities.SIZE_PATTERN)
]
