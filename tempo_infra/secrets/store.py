"""The secrets of one cluster, in an age-encrypted file beside its inventory."""

from __future__ import annotations

import os
import secrets
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final, Protocol

from tempo_infra import trees
from tempo_infra.errors import InputError
from tempo_infra.secrets import age, content, identity
from tempo_infra.secrets.content import Content
from tempo_infra.secrets.secret import Secret, Secrets

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from tempo_infra.secrets.identity import Identity

_GENERATED_BYTES: Final = 32
_LARGEST_BYTES: Final = 1024 * 1024


class SecretsFile(Protocol):
    """Where the file lies and who else may open it; the inventory's `secrets` section."""

    @property
    def path(self) -> Path: ...
    @property
    def recipients(self) -> tuple[str, ...]: ...


@dataclass(frozen=True, slots=True)
class Reader:
    """One who can open the file, or will after the next write."""

    key: str
    origin: str  # "inventory", "operator" (wrote the file once), "you", or "no longer listed"
    can_read: bool


@dataclass(frozen=True, slots=True)
class Rekeyed:
    recipients: tuple[str, ...]
    added: tuple[str, ...]
    removed: tuple[str, ...]


class SecretStore:
    """Reads, generates and re-encrypts the secrets of one file. It prints nothing: read `notices`."""

    def __init__(
        self, path: Path, listed: Iterable[str], identities: Sequence[Identity], notices: Iterable[str] = ()
    ) -> None:
        self._path = path
        self._listed = _unique(_without_comment(one) for one in listed)
        self._identities = tuple(identities)
        self._notices = list(notices)

    @classmethod
    def open(
        cls,
        file: SecretsFile,
        identity_folder: Path | None = None,
        *,
        environ: Mapping[str, str] = os.environ,
    ) -> SecretStore:
        """Find the keys of this operator; where there are none, make an identity and say so in `notices`.

        TEMPO_INFRA_IDENTITY (an age identity or an SSH private key) comes first, then identity.txt in
        identity_folder, by default the user's config folder. InputError for keys that others can read,
        damaged ones, ones behind a passphrase, and recipients that are no keys. The file is not read yet.
        """
        for recipient in file.recipients:
            age.parse_recipient(recipient)
        folder = identity_folder or identity.default_folder(environ, Path.home())
        own = folder / identity.FILE_NAME
        named = environ.get(identity.VARIABLE, "")
        identities = [identity.read(Path(os.path.expanduser(named)))] if named else []  # noqa: PTH111
        notices = []
        if own.exists():
            identities.append(identity.read(own))
        elif not named:
            identities.append(identity.create(own))
            notices.append(
                f"made your identity {own}: it opens {file.path.name}. Back it up now (password manager, "
                f"paper); without it and without other recipients, the passwords in the file are lost"
            )
        return cls(file.path, file.recipients, identities, notices)

    @property
    def notices(self) -> tuple[str, ...]:
        """What the operator should be told: a new identity, newly generated secrets."""
        return tuple(self._notices)

    def read(self) -> Secrets:
        """Return all secrets of the file, none when it doesn't exist. Never writes."""
        return _secrets(self._load().values)

    def ensure(self, names: Iterable[str]) -> Secrets:
        """Return the secrets of these names; missing ones are generated and stored first.

        The file is written only when one was missing, under a lock, whole or not at all.
        InputError when it can't be opened, is damaged or can't be written.
        """
        wanted = tuple(names)
        values = self._load().values
        if not set(wanted) <= set(values):
            values = self._generate(wanted)
        return _secrets({name: values[name] for name in wanted})

    def forget(self, names: Iterable[str]) -> None:
        """Take secrets out of the file; names that it does not have are fine."""
        gone = set(names)
        with trees.locked(self._existing().parent):
            old = self._load()
            if gone & set(old.values):
                kept = {name: value for name, value in old.values.items() if name not in gone}
                self._write(Content(kept, old.operators))

    def rekey(self, *, only_listed: bool = False) -> Rekeyed:
        """Encrypt the file again for the inventory's recipients, this operator and earlier operators.

        With only_listed, earlier operators whom the inventory doesn't list lose access. What they have
        read they still know: that takes new passwords.
        """
        with trees.locked(self._existing().parent):
            old = self._load()
            kept = Content(old.values, () if only_listed else old.operators)
            new = self._write(kept)
        was, now = set(old.recipients), set(new.recipients)
        return Rekeyed(
            new.recipients,
            added=tuple(key for key in new.recipients if key not in was),
            removed=tuple(key for key in old.recipients if key not in now),
        )

    def readers(self) -> tuple[Reader, ...]:
        """Return who can open the file now and who could after a rekey."""
        self._existing()
        known = self._load()
        everyone = _unique((*self._own, *self._listed, *known.operators, *known.recipients))
        return tuple(Reader(key, self._origin(key, known), key in known.recipients) for key in everyone)

    def _origin(self, key: str, known: Content) -> str:
        if key in self._own:
            return "you"
        if key in self._listed:
            return "inventory"
        return "operator" if key in known.operators else "no longer listed"

    @property
    def _own(self) -> tuple[str, ...]:
        return _unique(key for one in self._identities for key in one.recipients)

    def _existing(self) -> Path:
        if not self._path.exists():
            raise InputError(
                f"there is no secrets file {self._path} yet",
                remedy="the first `tempo-infra provision` makes it",
            )
        return self._path

    def _load(self) -> Content:
        try:
            data = trees.read(self._path, _LARGEST_BYTES)
        except FileNotFoundError:
            return Content({})
        return content.from_bytes(self._path, age.decrypt(self._path, data, self._identities))

    def _generate(self, wanted: tuple[str, ...]) -> Mapping[str, str]:
        _folder_of(self._path)
        with trees.locked(self._path.parent):
            old = self._load()  # once more: another run may have generated them meanwhile
            missing = [name for name in wanted if name not in old.values]
            if not missing:
                return old.values
            fresh = {name: secrets.token_urlsafe(_GENERATED_BYTES) for name in missing}
            new = self._write(Content({**old.values, **fresh}, old.operators))
        self._notices.append(
            f"generated {', '.join(missing)} in {self._path} (encrypted for {len(new.recipients)} "
            f"key{'s' if len(new.recipients) > 1 else ''}); commit it with the inventory"
        )
        return new.values

    def _write(self, wanted: Content) -> Content:
        operators = tuple(key for key in _unique((*wanted.operators, *self._own)) if key not in self._listed)
        new = Content(wanted.values, operators, _unique((*self._listed, *operators)))
        data = age.encrypt(content.to_bytes(new), new.recipients)
        self._refuse_lockout(data)
        trees.write(self._path, data, mode=0o600)
        return new

    def _refuse_lockout(self, data: bytes) -> None:
        """Nothing is written that its writer can't read: a PEM key doesn't tell its public part."""
        try:
            age.decrypt(self._path, data, self._identities)
        except InputError as error:
            raise InputError(
                f"{self._path} was not written: you could not open it afterwards",
                remedy="add the public key of your identity to secrets.recipients in the inventory",
            ) from error


def _folder_of(path: Path) -> None:
    if not path.parent.is_dir():
        raise InputError(
            f"the folder of {path} doesn't exist", remedy="secrets.file is relative to the inventory"
        )


def _secrets(values: Mapping[str, str]) -> Secrets:
    return {name: Secret(name, value) for name, value in values.items()}


def _without_comment(recipient: str) -> str:
    """`ssh-ed25519 AAAA… user@host` without its comment, so that equal keys compare equal."""
    return " ".join(recipient.split()[:2])


def _unique(keys: Iterable[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(keys))
