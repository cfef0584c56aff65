"""The keys of a log over its life: the first use, rotation, and what an outsider can follow.

A new key is endorsed by the key before: a note, signed by both, that names the new key. Who has pinned the
first key follows the endorsements to the one that signs today.
"""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING, Any

from clearway.records.errors import ConfigError, IntegrityError

from . import tree_store as tree
from .append import CLEAR, append
from .keys import LOG_KEY, POST_QUANTUM_KEY, Signer, load_or_make, write_key
from .note import Note, SigningKey, VerifierKey, parse, parse_key, verified

if TYPE_CHECKING:
    from collections.abc import Sequence

    import psycopg

    Connection = psycopg.Connection[Any]


_MOST = 1_000  # keys of one log


def ensure_registered(db: Connection, signer: Signer) -> Signer:
    """The signer with those of its keys that the log knows; a log without keys gets to know them, by an act.

    Raises:
        ConfigError: the log is signed by a key that this home has not.
    """
    now = tree.head(db)
    if not now.keys and not tree.keys(db):
        with db.transaction():
            db.execute("lock table clearway.log_key in share row exclusive mode")
            if not tree.keys(db):
                for key in signer.keys:
                    _register(db, key.public, "")
        now = tree.head(db)
    return known(signer, now)


def known(signer: Signer, now: tree.Head) -> Signer:
    """The signer with those of its keys that sign the log now.

    Raises:
        ConfigError: one of those keys is not this home's.
    """
    own = {key.public.text(): key for key in signer.keys}
    if not now.keys or not set(now.keys) <= own.keys():
        raise ConfigError(
            "the key of this home is not the one that signs this log",
            where=str(signer.folder / LOG_KEY),
            mend=f"copy the folder {signer.folder.name}/ from the home that signs it, mode 0600",
        )
    return signer if len(now.keys) == len(own) else Signer(signer.folder, [own[vkey] for vkey in now.keys])


def rotate(db: Connection, signer: Signer) -> Signer:
    """A new key for the log, endorsed by the one it follows, which signs no more. Its file is kept beside.

    The next batch is signed with the new key. Raises as `ensure_registered`.
    """
    signer = ensure_registered(db, signer)
    old = signer.keys[0]
    path = signer.folder / LOG_KEY
    new = SigningKey(old.name, "ed25519", secrets.token_bytes(32))
    number = len(tree.keys(db))
    coming = signer.folder / f"{LOG_KEY}.new"
    coming.unlink(missing_ok=True)
    write_key(coming, new)
    with db.transaction():
        db.execute(
            "update clearway.log_key set retired = clock_timestamp() where vkey = %s", (old.public.text(),)
        )
        _register(db, new.public, endorse(old, new))
    # Committed: from here on only the new key signs. A crash before the renames leaves `log.key.new` to be put there.
    path.rename(signer.folder / f"{LOG_KEY}.{number}")
    coming.rename(path)
    return Signer(signer.folder, [new, *signer.keys[1:]])


def add_post_quantum(db: Connection, signer: Signer) -> Signer:
    """Adds an ML-DSA-87 key, which signs beside the first from the next batch on."""
    signer = ensure_registered(db, signer)
    if len(signer.keys) > 1:
        return signer
    old = signer.keys[0]
    key = load_or_make(signer.folder / POST_QUANTUM_KEY, old.name, "ml-dsa-87")
    with db.transaction():
        _register(db, key.public, endorse(old, key))
    return Signer(signer.folder, [old, key])


def _register(db: Connection, key: VerifierKey, endorsement: str) -> None:
    text = key.text()
    append(
        db,
        "ledger.key_added",
        f"key/{key.key_id.hex()}",
        {"vkey": text, "endorsement": endorsement},
        aud=CLEAR,
    )
    db.execute(
        "insert into clearway.log_key (number, vkey, endorsement) "
        "select coalesce(max(number), 0) + 1, %s, %s from clearway.log_key",
        (text, endorsement),
    )


def accept_witness(db: Connection, key: VerifierKey) -> int:
    """Takes co-signatures of this witness from now on; the entry that says so.

    Raises:
        ConfigError: it is not a witness's key.
    """
    if key.kind != "cosignature":
        raise ConfigError("this key is not a witness's", where="key", mend="a witness prints its own")
    with db.transaction():
        entry = append(db, "ledger.witness_accepted", f"witness/{key.name}", {"vkey": key.text()}, aud=CLEAR)
        db.execute(
            "insert into clearway.log_witness (vkey, name, entry) values (%s, %s, %s) on conflict do nothing",
            (key.text(), key.name, entry),
        )
    return entry


def endorse(old: SigningKey, new: SigningKey) -> str:
    """The note in which `old` says that `new` signs this log too."""
    text = _statement(new.public)
    return Note(text, (old.sign(text), new.sign(text))).render()


def _statement(key: VerifierKey) -> str:
    return f"clearway ledger key\n{key.name}\n{key.text()}\n"


def followed(pinned: VerifierKey, keys: Sequence[tree.LogKey]) -> list[VerifierKey]:
    """The keys that `pinned` vouches for, itself first: those it endorsed, and those that these endorsed.

    Raises:
        IntegrityError: an endorsement in the name of a followed key does not hold.
        InputError: a key or endorsement is not readable.
    """
    trusted = [pinned]
    for one in keys:
        key = parse_key(one.vkey)
        if key in trusted or not one.endorsement:
            continue
        note = parse(one.endorsement)
        if note.text != _statement(key):
            raise IntegrityError("an endorsement is about another key", where=f"key {one.number}")
        if any(verified(note, by) is not None for by in trusted) and verified(note, key) is not None:
            trusted.append(key)
    return trusted


def leading_to(pinned: VerifierKey, keys: Sequence[tree.LogKey]) -> list[VerifierKey]:
    """The keys that came before `pinned`, of those that the holder names: `pinned` is endorsed by them, or by theirs.

    `pinned` does not vouch for them: who names its own key as the one before can do so of anybody's. What they have
    signed counts only under a checkpoint that a followed key has signed. Raises as `followed`.
    """
    endorsed = {key.vkey: key for key in keys[:_MOST] if key.endorsement}
    known = {key.vkey: parse_key(key.vkey) for key in keys[:_MOST]}
    found: list[VerifierKey] = []
    wanted = [pinned]
    while wanted:
        one = endorsed.get(wanted.pop().text())
        if one is None:
            continue
        note = parse(one.endorsement)
        if note.text != _statement(known[one.vkey]):
            raise IntegrityError("an endorsement is about another key", where=f"key {one.number}")
        for key in known.values():
            if (
                key != pinned
                and key not in found
                and key.text() != one.vkey
                and verified(note, key) is not None
            ):
                found.append(key)
                wanted.append(key)
    return found
