"""The keys of a desk as one file, encrypted, so that a restored installation can open what is sealed.

A backup holds none of them, so that it is no arsenal; this file opens nothing without the backup. Keep the two apart.

    vault/     the keys of sealed reports, reproducers, threads and drafts, and the names of those that were destroyed
    desk/      the key that signs receipts and evidence
    leases/    the key under which scopes are looked up

The file is age's (`formats.age`), for recipients or under a passphrase; inside it is JSON (`Keys`). A key that was
destroyed, here or where the file comes from, does not come back; nor does one that nothing in the database needs.
"""

from __future__ import annotations

from datetime import datetime
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec
from msgspec import Struct

from clearway import ledger
from clearway.formats import age
from clearway.records.errors import ConfigError, ConflictError, InputError, NotFoundError, TooLargeError
from clearway.store.failures import at
from clearway.store.key_file import write_first

from . import desk_key
from .lease import blind
from .vault import KEY_BYTES, NAME, Vault

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    import psycopg

    Connection = psycopg.Connection[Any]

SCHEMA = "urn:clearway:desk-keys:1"
LEAST_PASSPHRASE = 12  # characters
_CLEAR = 0  # the audience of what everybody may read
_FILES = ((desk_key.FOLDER, desk_key.KEY), (blind.FOLDER, blind.KEY))


class Keys(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What the file holds: keys by their names, names of destroyed ones, and the desk's single keys, b"" without."""

    schema: str
    made: datetime
    vault: dict[str, bytes]
    destroyed: list[str]
    desk: bytes
    leases: bytes


class Taken(Struct, frozen=True, kw_only=True):
    """What an import did: keys that are new here, those that were, those left out since they were destroyed, and
    those that nothing in the database needs; and which of the desk's single keys are new."""

    added: int
    there: int
    destroyed: int
    needless: int
    files: tuple[str, ...]


def collected(home: Path, now: datetime) -> Keys:
    """Every key of `home`.

    Raises:
        NotFoundError: it has none.
        ConfigError, UpstreamError: a key can't be read.
    """
    vault = Vault.of_home(home)
    gone = vault.destroyed()
    found = {}
    for name in vault.names():
        try:
            if name not in gone:
                found[name] = vault.key(name)
        except NotFoundError:
            continue  # destroyed while this read
    single = {folder: _single(home / folder / file) for folder, file in _FILES}
    if not found and not any(single.values()):
        raise NotFoundError(
            "this home has no keys of a findings desk", where=str(home), mend="name the home with --home"
        )
    return Keys(schema=SCHEMA, made=now, vault=found, destroyed=sorted(gone), **single)


def encrypted(
    keys: Keys, *, recipients: Sequence[str] = (), passphrase: str = "", work: int = age.WORK
) -> bytes:
    """The file of `keys`, for these recipients or under the passphrase.

    Raises:
        InputError: neither or both are given, a recipient is none, or the passphrase is short.
    """
    if passphrase and len(passphrase) < LEAST_PASSPHRASE:
        raise InputError(
            "the passphrase is short", where="passphrase", mend=f"at least {LEAST_PASSPHRASE} characters"
        )
    return age.encrypt(msgspec.json.encode(keys), recipients=recipients, passphrase=passphrase, work=work)


def opened(file: bytes, *, identities: Sequence[str] = (), passphrase: str = "") -> Keys:
    """The keys in such a file.

    Raises:
        InputError: it is no such file, or holds something else.
        IntegrityError: it opens under another key, or was changed.
    """
    data = age.decrypt(file, identities=identities, passphrase=passphrase)
    try:
        keys = msgspec.json.decode(data, type=Keys)
    except (msgspec.MsgspecError, RecursionError):
        raise InputError("it holds no keys of a desk", where="file") from None
    if keys.schema != SCHEMA:
        raise InputError("it is of another release", where="file", mend="import it with that release")
    if not all(NAME.fullmatch(n) and len(k) == KEY_BYTES for n, k in keys.vault.items()):
        raise InputError("one of its keys is none", where="file")
    if not all(NAME.fullmatch(n) for n in keys.destroyed) or len(keys.leases) not in (0, blind.KEY_BYTES):
        raise InputError("one of its keys is none", where="file")
    if keys.desk:
        desk_key.checked(keys.desk, "file")
    return keys


def needed(owner: Connection) -> frozenset[str]:
    """The names of the keys under which something in the database is sealed; as the owner."""
    from .case.mail import LINKS

    rows = owner.execute(
        """select 'finding/' || handling from clearway.finding
        union all select 'case/' || handling from clearway.desk_case
        union all select seal from clearway.submission where seal <> ''"""
    )
    return frozenset(Vault.name_of(subject) for subject in (LINKS, *(s for (s,) in rows)))


def put(home: Path, keys: Keys, wanted: Collection[str]) -> Taken:
    """Brings `keys` into `home`: those of the vault that are `wanted`, and the desk's single ones.

    Nothing is written when one of them is another here: which of the two sealed what can't be told.

    Raises:
        ConflictError: a key here is another than the file's.
        ConfigError, UpstreamError: a file can't be read or written.
    """
    vault = Vault.of_home(home)
    gone = vault.destroyed() | set(keys.destroyed)
    here = set(vault.names())
    single = [(home / folder / file, getattr(keys, folder)) for folder, file in _FILES]
    for path, key in single:
        if key and _single(path) not in (b"", key):
            raise ConflictError(
                "this home has another key",
                where=str(path),
                mend="stop the server, move it away, and import again",
            )
    for name in here & keys.vault.keys():
        if vault.key(name) != keys.vault[name]:
            raise ConflictError(
                "this home has another key of that name", where=f"{vault.folder}/{name[:2]}/{name}.key"
            )
    vault.note_destroyed(sorted(set(keys.destroyed) - vault.destroyed()))
    new = sorted(n for n in keys.vault if n in wanted and n not in gone and n not in here)
    for name in new:
        vault.put(name, keys.vault[name])
    made = []
    for path, key in single:
        if key and not path.exists():
            with at(path):
                path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
                write_first(path, key)
            made.append(f"{path.parent.name}/{path.name}")
    return Taken(
        added=len(new),
        there=len(here & keys.vault.keys()),
        destroyed=sum(n in gone for n in keys.vault),
        needless=sum(n not in wanted and n not in gone and n not in here for n in keys.vault),
        files=tuple(made),
    )


def log_keys(owner: Connection, act: str, file: bytes) -> None:
    """Logs that the keys were exported or imported, by the file's hash; how many there are is nobody's business."""
    ledger.append(owner, act, "desk-keys", {"sha256": sha256(file).hexdigest()}, aud=_CLEAR)


def _single(path: Path) -> bytes:
    """A file of one key, for its owner's eyes alone; b"" when there is none."""
    with at(path):
        try:
            if path.stat().st_mode & 0o077:
                raise ConfigError("the key can be read by others", where=str(path), mend=f"chmod 600 {path}")
            data = path.read_bytes()
        except FileNotFoundError:
            return b""
    if len(data) > 1 << 14:
        raise TooLargeError("this is no key", where=str(path))
    return data
