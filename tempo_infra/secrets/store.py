"""The secrets of one cluster, in an age-encrypted file beside its inventory."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Final, Protocol

from tempo_infra import trees
from tempo_infra.errors import InputError
from tempo_infra.secrets import age, content, identity
from tempo_infra.secrets.content import Content
from tempo_infra.secrets.generated import generated
from tempo_infra.secrets.origin import Origin
from tempo_infra.secrets.secret import Secret, Secrets

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from tempo_infra.secrets.identity import Identity

_LARGEST_BYTES: Final = 1024 * 1024
NOT_LISTED: Final = "not listed"


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
    origin: str  # "you", "inventory" or "not listed": the next write drops that one
    can_read: bool

    def __str__(self) -> str:
        later = "" if self.can_read else ", not yet: tempo-infra secrets rekey"
        gone = ": dropped by the next write" if self.origin == NOT_LISTED else ""
        return f"{age.short(self.key)} ({self.origin}{gone}{later})"


@dataclass(frozen=True, slots=True)
class Rekeyed:
    recipients: tuple[str, ...]
    added: tuple[str, ...]
    removed: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Found:
    """What the file holds; nothing where there is none."""

    secrets: Secrets = field(default_factory=dict)
    origin: Origin = field(default_factory=Origin)
    readers: tuple[Reader, ...] = ()

    @property
    def material_key(self) -> bytes:
        """The key of digests of these secrets (decision 27)."""
        return self.origin.material_key(one.value for one in self.secrets.values())

    def generated(self, name: str) -> bool:
        """Whether this program made that password, and nobody has changed it since."""
        return name in self.secrets and self.origin.generated(name, self.secrets[name].value)


class SecretStore:
    """Reads, generates and re-encrypts the secrets of one file. It prints nothing: read `notices`.

    Only `ensure`, `keep`, `forget`, `rekey` and `own_identity` write, the others nothing anywhere.
    """

    def __init__(self, path: Path, listed: Iterable[str], identities: Sequence[Identity], own: Path) -> None:
        """`own` is where this operator's identity lies, or will."""
        self._path = path
        self._listed = _unique(_without_comment(one) for one in listed)
        self._identities = tuple(identities)
        self._own_file = own
        self._notices: list[str] = []

    @classmethod
    def open(
        cls,
        file: SecretsFile,
        identity_folder: Path | None = None,
        *,
        environ: Mapping[str, str] = os.environ,
    ) -> SecretStore:
        """Find the keys of this operator, who may have none yet.

        TEMPO_INFRA_IDENTITY (an age identity or an SSH private key) comes first, then identity.txt in
        identity_folder, by default the user's config folder. InputError for keys that others can read,
        damaged ones, ones behind a passphrase, and recipients that are no keys. The file is not read yet.
        """
        for recipient in file.recipients:
            age.parse_recipient(recipient)
        folder = identity_folder or identity.default_folder(environ, Path.home())
        own = folder / identity.FILE_NAME
        named = environ.get(identity.VARIABLE, "")
        identities = [identity.read(Path(os.path.expanduser(named)))] if named else []  # noqa: PTH111  # Path.expanduser raises where there is no such user
        if own.exists():
            identities.append(identity.read(own))
        return cls(file.path, file.recipients, identities, own)

    @property
    def notices(self) -> tuple[str, ...]:
        """What the operator should be told: a new identity, new secrets, who can't open the file any more."""
        return tuple(self._notices)

    def own_identity(self) -> tuple[str, ...]:
        """Return this operator's public keys; where there is no identity, make one and say so by a notice."""
        if not self._identities:
            self._identities = (identity.create(self._own_file),)
            self._notices.append(
                f"made your identity {self._own_file}: it opens {self._path.name}. Back it up now (password "
                f"manager, paper); without it and without other recipients, nobody can open that file"
            )
        return self._own

    def look(self) -> Found:
        """Return what the file holds."""
        data = self._data()
        if data is None:
            return Found()
        known = self._opened(data)
        return Found(_secrets(known.values), known.origin, self._readers(known, age.recipients_in(data)))

    def read(self) -> Secrets:
        """Return all secrets of the file, none when it doesn't exist."""
        return _secrets(self._load().values)

    def ensure(self, names: Iterable[str]) -> Secrets:
        """Return the secrets of these names; missing ones are generated and stored first.

        The file is written only when one was missing, under a lock, whole or not at all.
        InputError when it can't be opened, is damaged or can't be written.
        """
        wanted = tuple(names)
        if not self._path.exists():
            _folder_of(self._path)
            self.own_identity()
        values = self._load().values
        if not set(wanted) <= set(values):
            values = self._generate(wanted)
        return _secrets({name: values[name] for name in wanted})

    def keep(self, values: Mapping[str, str]) -> Origin:
        """Recreate the file from passwords that are in use; InputError where there is one. Its origin."""
        _folder_of(self._path)
        with trees.locked(self._path.parent):
            self.refuse_existing()
            return self._write(Content({}), values).origin

    def refuse_existing(self) -> None:
        """Raise InputError when there is a file: it is not for this program to throw away."""
        if os.path.lexists(self._path):
            raise InputError(
                f"{self._path} is there: nothing was written",
                remedy="if nobody can open it any more, move it away first",
            )

    def forget(self, names: Iterable[str]) -> Origin:
        """Take secrets out of the file; names that it does not have are fine. Return where it is from now."""
        gone = set(names)
        with trees.locked(self._existing().parent):
            old = self._load()
            if not gone & set(old.values):
                return old.origin
            kept = {name: value for name, value in old.values.items() if name not in gone}
            return self._write(old, kept).origin

    def rekey(self) -> Rekeyed:
        """Encrypt the file again for the inventory's recipients and this operator, and for nobody else.

        Who loses access still knows what it held: that takes new passwords.
        """
        with trees.locked(self._existing().parent):
            old = self._load()
            new = self._write(old, old.values)
        was, now = set(old.recipients), set(new.recipients)
        return Rekeyed(
            new.recipients,
            added=tuple(key for key in new.recipients if key not in was),
            removed=tuple(key for key in old.recipients if key not in now),
        )

    def readers(self) -> tuple[Reader, ...]:
        """Return who can open the file now and who could after a rekey."""
        self._existing()
        return self.look().readers

    def _readers(self, known: Content, really: int) -> tuple[Reader, ...]:
        """`really` is for how many keys it is encrypted, which may be more than it names."""
        everyone = _unique((*self._own, *self._listed, *known.recipients))
        hidden = [Reader("a key that it does not name", NOT_LISTED, can_read=True)]
        return (
            *(Reader(key, self._origin(key), key in known.recipients) for key in everyone),
            *hidden * (really - len(known.recipients)),
        )

    def _origin(self, key: str) -> str:
        if key in self._own:
            return "you"
        return "inventory" if key in self._listed else NOT_LISTED

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
        data = self._data()
        return Content({}) if data is None else self._opened(data)

    def _data(self) -> bytes | None:
        try:
            data = trees.read(self._path, _LARGEST_BYTES)
        except FileNotFoundError:
            return None
        return data

    def _opened(self, data: bytes) -> Content:
        if not self._identities and self._own_file.exists():  # made since, by another run of this operator
            self._identities = (identity.read(self._own_file),)
        return content.from_bytes(self._path, age.decrypt(self._path, data, self._identities))

    def _generate(self, wanted: tuple[str, ...]) -> Mapping[str, str]:
        with trees.locked(self._path.parent):
            old = self._load()  # once more: another run may have generated them meanwhile
            missing = [name for name in wanted if name not in old.values]
            if not missing:
                return old.values
            made = {name: generated(name) for name in missing}
            new = self._write(old, {**old.values, **made}, made)
        self._notices.append(
            f"generated {', '.join(missing)} in {self._path}, which {_count(new.recipients)} can open; "
            "commit it with the inventory"
        )
        return new.values

    def _write(
        self, old: Content, values: Mapping[str, str], made: Mapping[str, str] | None = None
    ) -> Content:
        """Write values in place of what was there; `made` are those of them that are new."""
        recipients = _unique((*self._listed, *self.own_identity()))
        new = Content(dict(values), recipients, old.origin.next(values, made or {}))
        plain = content.to_bytes(new)
        content.from_bytes(self._path, plain)  # nothing is written that would be refused afterwards
        data = age.encrypt(plain, new.recipients)
        self._refuse_lockout(data)
        trees.write(self._path, data, mode=0o600)
        self._say_who_can_not(old)
        return new

    def _say_who_can_not(self, old: Content) -> None:
        for key in old.recipients:
            if key not in self._listed and key not in self._own:
                self._notices.append(
                    f"{age.short(key)} can't open {self._path.name} any more: it is not in secrets.recipients"
                    " of the inventory"
                )
        for key in self._own:
            if key not in self._listed:
                self._notices.append(
                    f"your key {age.short(key)} is not in secrets.recipients of the inventory: when somebody "
                    f"else writes {self._path.name}, you can't open it any more"
                )

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


def _count(keys: Sequence[str]) -> str:
    return f"{len(keys)} key{'s' if len(keys) > 1 else ''}"


def _secrets(values: Mapping[str, str]) -> Secrets:
    return {name: Secret(name, value) for name, value in values.items()}


def _without_comment(recipient: str) -> str:
    """`ssh-ed25519 AAAA… user@host` without its comment, so that equal keys compare equal."""
    return " ".join(recipient.split()[:2])


def _unique(keys: Iterable[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(keys))
