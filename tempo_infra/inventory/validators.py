"""What a name, a path, a version may look like: the value itself, or ValueError in plain words.

Everything here is a whitelist: these values end in file names, argument lists and configuration files.
"""

from __future__ import annotations

import datetime as dt
import re

from tempo_infra.components import COMPONENTS, port
from tempo_infra.inventory.addresses import split_port, ssh_address
from tempo_infra.inventory.cluster import TEMPORAL_ROLES, ImageSource, Role
from tempo_infra.inventory.countries import COUNTRIES
from tempo_infra.inventory.dynamic_config import OWN_TEMPLATE
from tempo_infra.inventory.logins import Login
from tempo_infra.inventory.problems import did_you_mean, quoted

HOST_NAME = re.compile(r"[a-z]([a-z0-9-]{0,61}[a-z0-9])?")
_USER = re.compile(r"[A-Za-z_][A-Za-z0-9_.-]{0,31}")
_VERSION = re.compile(r"(0|[1-9][0-9]{0,3})\.(0|[1-9][0-9]{0,3})\.(0|[1-9][0-9]{0,3})")
_REGISTRY = re.compile(
    r"[a-z0-9]([a-z0-9.-]{0,252})(:[0-9]{1,5})?(/[a-z0-9][a-z0-9._-]{0,126}){0,8}", re.IGNORECASE
)
_RECIPIENT = re.compile(r"age1[a-z0-9]{50,100}|ssh-(ed25519|rsa) [A-Za-z0-9+/=]{60,2000}( [ -~]{0,100})?")

OLDEST_TEMPORAL = (1, 31, 0)  # older servers drop passwordCommand in silence, and have no password then
POSTGRES_VERSIONS = ("15", "16", "17")
ROLES = tuple(role.value for role in Role)
LOGINS = tuple(login.value for login in Login)
LONGEST_PROSE = 400
LONGEST_PATH = 1024
MOST_SHARDS = 16384
SSH_TRANSPORTS = ("paramiko", "openssh")
NETWORKS = ("bridge", "host")
IMAGE_SOURCES = tuple(source.value for source in ImageSource)
LEANS = ("cpu", "io", "memory")
DISK_KINDS = ("nvme", "ssd", "hdd", "unknown")
ACCEPTABLE = {
    "public-internal": "an internal address outside of the private networks: others may reach it",
    "floating-images": "images that are known by a name only, whose content may change",
    "own-compose": "containers of own templates with more than the inventory means",
    "own-access": "whom own templates or settings let in, or whose keys they believe, beyond what is meant",
    "commands-and-exports": "settings that run programs, load code, or send or write data elsewhere",
    "files-elsewhere": "secrets or known_hosts outside of the inventory's folder",
    "shared-user-ids": "containers that run as user ids which somebody else has on the host",
    "kernel-settings": "a host whose kernel refuses settings of ours: it runs without them",
    "older-temporal": "one minor version of Temporal back: it may not know what the newer one has written",
    "synchronous-commit-off": "acknowledged steps of workflows are lost when the database host fails",
}
POOL_ROLES = tuple(role.value for role in TEMPORAL_ROLES)
HTTP_API = port("frontend", "http")
CONTAINERS = tuple(one.name for one in COMPONENTS)
LONGEST_VALUE = 400
LONGEST_NAME = 100


def dns_label(text: str) -> str:
    if not HOST_NAME.fullmatch(text):
        raise ValueError(
            f"{quoted(text)} is not a name; use a-z, 0-9 and inner hyphens, begin with a letter, at most 63"
        )
    return text


def namespace(text: str) -> str:
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]{0,127}", text):
        raise ValueError("not a namespace; use letters, digits, '.', '_' and '-', at most 128")
    if text in {"temporal-system", "tempo-infra-smoke"}:
        raise ValueError(f"{quoted(text)} is reserved")
    return text


def user_name(text: str) -> str:
    if not _USER.fullmatch(text):
        raise ValueError("not a user name; use letters, digits, '_', '.' and '-', at most 32")
    return text


def title(text: str) -> str:
    if not re.fullmatch(r"\w[\w .,&+()/-]{0,63}", text):
        raise ValueError("use letters, digits, spaces and . , & + ( ) / - only, at most 64 characters")
    return text


def prose(text: str) -> str:
    if not text or len(text) > LONGEST_PROSE or not text.isprintable():
        raise ValueError(f"use one line of text, at most {LONGEST_PROSE} characters")
    return text


def label_key(text: str) -> str:
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._/-]{0,62}", text):
        raise ValueError(f"{quoted(text)} is not a label; use letters, digits and . _ / - only, at most 63")
    return text


def class_name(text: str) -> str:
    if not re.fullmatch(r"[A-Za-z][A-Za-z0-9-]{0,31}", text):
        raise ValueError(f"{quoted(text)} is not a class name; use letters, digits and hyphens, at most 32")
    return text


def setting_name(text: str) -> str:
    if not re.fullmatch(r"[A-Za-z][A-Za-z0-9_]*([.-][A-Za-z0-9_]+){0,8}", text) or len(text) > LONGEST_NAME:
        raise ValueError(f"{quoted(text)} is not the name of a setting")
    return text


def setting_value(value: object) -> object:
    if not isinstance(value, str | int | float | bool):
        raise ValueError("must be one value: text, a number, true or false")  # noqa: TRY004  # for pydantic
    if isinstance(value, str) and (len(value) > LONGEST_VALUE or not value.isprintable()):
        raise ValueError(f"use one line of text, at most {LONGEST_VALUE} characters")
    return value


def dynamic_value(value: object) -> object:
    if isinstance(value, list | dict):
        raise ValueError(OWN_TEMPLATE)  # noqa: TRY004  # for pydantic
    return setting_value(value)


def one_of(known: tuple[str, ...], what: str, text: str) -> str:
    if text not in known:
        hint = did_you_mean(text, known) or f"; known are {', '.join(known)}"
        raise ValueError(f"unknown {what} {quoted(text)}{hint}")
    return text


def country(text: str) -> str:
    if text in COUNTRIES:
        return text
    folded = {"UK": "GB", "EN": "GB", "NOR": "NO"}.get(text.upper(), text.upper())
    hint = f' (did you mean "{folded}"?)' if folded in COUNTRIES else ", such as NO"
    raise ValueError(f"{quoted(text)} is not a country; use its two letters of ISO 3166{hint}")


def jump(text: str) -> str:
    """Return `[user@]host[:port]`, an IPv6 address in brackets: that is what ssh takes."""
    wrong = ValueError(
        "not a jump host; write it like bastion, user@bastion, user@bastion:22 or [2001:db8::7]:22"
    )
    user, at, place = text.rpartition("@")
    if at and not _USER.fullmatch(user):
        raise wrong
    try:
        host, port = split_port(place)
        ssh_address(host)
    except ValueError:
        raise wrong from None
    host = f"[{host}]" if ":" in host else host
    return f"{user}{at}{host}" + (f":{port}" if port is not None else "")


def path(text: str) -> str:
    if not text or len(text) > LONGEST_PATH or "\n" in text:
        raise ValueError("not a path")
    if text.startswith("~") and not text.startswith("~/"):
        raise ValueError("only ~/ is understood, not another user's home")
    return text


def version(text: str) -> str:
    if not _VERSION.fullmatch(text):
        raise ValueError(f"{quoted(text)} is not a version; write all three numbers, such as 1.31.2")
    return text


def temporal_version(text: str) -> str:
    version(text)
    if tuple(int(part) for part in text.split(".")) < OLDEST_TEMPORAL:
        oldest = ".".join(str(part) for part in OLDEST_TEMPORAL)
        raise ValueError(f"Temporal {text} is too old; {oldest} or newer")
    return text


def postgres_version(text: str) -> str:
    if text in POSTGRES_VERSIONS:
        return text
    major = text.split(".", maxsplit=1)[0]
    if major in POSTGRES_VERSIONS:
        raise ValueError(f"the major version only: {major}")
    if major.isdecimal() and int(major) > int(POSTGRES_VERSIONS[-1]):
        raise ValueError(f"PostgreSQL {major} not yet: its image keeps the data in another place; use 17")
    raise ValueError(f"unknown PostgreSQL version {quoted(text)}; known are {', '.join(POSTGRES_VERSIONS)}")


def shards(number: int) -> int:
    if not 1 <= number <= MOST_SHARDS:
        raise ValueError(f"must be between 1 and {MOST_SHARDS}")
    if number & (number - 1):
        below = 1 << (number.bit_length() - 1)
        nearest = below if number - below < 2 * below - number else 2 * below
        raise ValueError(f"{number} is not a power of two (did you mean {nearest}?)")
    return number


def registry(text: str) -> str:
    if "://" in text:
        raise ValueError(f"without the scheme (did you mean {quoted(_without_scheme(text))}?)")
    if not _REGISTRY.fullmatch(text):
        raise ValueError("not a registry; write it like registry.example.no:5000")
    return text


def _without_scheme(text: str) -> str:
    return text.split("://", maxsplit=1)[1].rstrip("/")


def image(text: str) -> str:
    if not re.fullmatch(r"[a-z0-9][a-z0-9._/-]{0,126}:[A-Za-z0-9_][A-Za-z0-9._-]{0,127}", text):
        raise ValueError(f"{quoted(text)} is not an image; write name:tag, such as postgres:17")
    return text


def repository(text: str) -> str:
    if not re.fullmatch(r"[a-z0-9][a-z0-9._/-]{0,126}", text):
        raise ValueError(
            f"{quoted(text)} is not the name of an image; write it without a tag, such as postgres"
        )
    return text


def digest(text: str) -> str:
    if not re.fullmatch(r"sha256:[0-9a-f]{64}", text):
        raise ValueError("not a digest; it is sha256: and 64 hexadecimal digits")
    return text


TIME_OF_DAY = "^([01][0-9]|2[0-3]):[0-5][0-9]$"
REPOSITORY_KINDS = ("sftp",)
NOT_YET = ("s3", "host")  # that people ask for


def time_of_day(text: str) -> str:
    if not re.fullmatch(TIME_OF_DAY.strip("^$"), text):
        raise ValueError(f"{quoted(text)} is not a time of day; write it like 02:30")
    return text


def repository_kind(text: str) -> str:
    if text in NOT_YET:
        raise ValueError(f"{quoted(text)} is not supported yet; known are {', '.join(REPOSITORY_KINDS)}")
    return one_of(REPOSITORY_KINDS, "kind of repository", text)


def repository_path(text: str) -> str:
    if not re.fullmatch(r"(/[A-Za-z0-9_][A-Za-z0-9_.-]{0,62}){1,16}", text):
        raise ValueError(
            f"{quoted(text)} is not a folder for backups; begin with /, use letters, digits and . _ - only"
        )
    return text


def recipient(text: str) -> str:
    if text.upper().startswith("AGE-SECRET-KEY-") or "PRIVATE KEY" in text:
        raise ValueError(
            "this is a private key: take it out of this file and make a new one; a recipient begins with age1"
        )
    if not _RECIPIENT.fullmatch(text):
        raise ValueError('not a recipient; it begins with "age1", "ssh-ed25519 " or "ssh-rsa "')
    return text


def date(text: str) -> str:
    try:
        day = dt.date.fromisoformat(text)
    except ValueError:
        day = None
    if day is None or day.isoformat() != text:  # 20261120 and 2026-W47-5 are dates, too
        raise ValueError("not a date; write it like 2026-11-20")
    return text
