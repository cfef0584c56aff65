"""Reading the log: who did what, newest first, as far as the reader may see.

Every query runs with the rights of the connection: row-level rules leave out what its principal may not
see. An entry is *acknowledged* once it is committed, and *integrated* once it has a leaf.
"""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any, Literal

from msgspec import Raw, Struct

from clearway.records.errors import NotFoundError, UsageError
from clearway.store.labels import STRICTEST, labels

from . import tree_store as tree
from .proofs import Proof

if TYPE_CHECKING:
    import psycopg

    Connection = psycopg.Connection[Any]

MAX_PAGE = 500
State = Literal["acknowledged", "integrated"]


class Entry(Struct, frozen=True, kw_only=True):
    """One entry as its reader sees it, marked `tlp`. What was erased is None."""

    entry: int
    state: State
    leaf: int | None
    act: str | None
    subject: str | None
    actor: int | None  # 0 the system, -1 the public, else a person
    credential: int | None  # the session or token, 0 for none
    at: datetime | None
    content: Raw | None  # a JSON object, null for none
    tlp: str = STRICTEST
    header_erased_by: int | None = None  # the entry that says so
    content_erased_by: int | None = None


class Kept(Entry, frozen=True, kw_only=True):
    """One entry with the number of its audience, which is good for the transaction that read it."""

    aud: int


def told(db: Connection, kept: Kept) -> Entry:
    """The entry for who asks, in the transaction that read it: with its label, without the number."""
    said = {name: getattr(kept, name) for name in Entry.__struct_fields__}
    return Entry(**{**said, "tlp": labels(db, [kept.aud])[kept.aud]})


class Filter(Struct, frozen=True, kw_only=True):
    """What to list. Empty parts filter nothing; `since` is inclusive, `until` is not.

    `actor` is who acted; a session that began counts as done by whose it is.
    """

    subject: str = ""
    act: str = ""
    actor: int | None = None
    since: datetime | None = None
    until: datetime | None = None


_COLUMNS = (
    "e.entry, l.leaf, e.act, e.subject, e.actor, e.credential, e.at, e.content, e.aud, e.header_erased, "
    "e.content_erased"
)
# Whose a session is that began: until then they were nobody, and the system wrote the entry. Null once it is erased.
BEGAN = """case when e.act = 'session.begun' and e.actor = 0
    then substring(e.content from '"person":([0-9]{1,9})[,}]')::int end"""
# Entries under who acted: the session that somebody began is theirs, and not the system's.
BY_WHOM = f"(e.actor = any(%s) and {BEGAN} is null) or (e.act = 'session.begun' and {BEGAN} = any(%s))"
NOT_BY = f"({BY_WHOM}) is not true"
_WHO = BY_WHOM.replace("%s", "array[%(actor)s]::int[]")
# Constant text; what people ask for is in the parameters. "entry < before" is the keyset.
_LIST = f"""
select {_COLUMNS} from clearway.log_entry e left join clearway.log_leaf l using (entry)
where e.entry < %(before)s {{more}} order by e.entry desc limit %(limit)s
"""  # noqa: S608
_ONE = f"select {_COLUMNS} from clearway.log_entry e left join clearway.log_leaf l using (entry) where e.entry = %s"  # noqa: S608
_PARTS = {
    "subject": "and e.subject = %(subject)s",
    "act": "and e.act = %(act)s",
    "actor": f"and ({_WHO})",
    "since": "and e.at >= %(since)s",
    "until": "and e.at < %(until)s",
}
_NEWEST = (1 << 63) - 1


def listed(db: Connection, wanted: Filter, *, before: int | None = None, limit: int = 50) -> list[Kept]:
    """The newest entries that fit and that the caller may see, at most `limit` (up to `MAX_PAGE`).

    `before` is the number of the last entry of the page before.

    Raises:
        UsageError: the limit is not between 1 and `MAX_PAGE`.
    """
    if not 1 <= limit <= MAX_PAGE:
        raise UsageError(f"a page has 1 to {MAX_PAGE} entries", where="limit")
    values = {name: value for name in _PARTS if (value := getattr(wanted, name)) not in ("", None)}
    query = _LIST.format(more=" ".join(_PARTS[name] for name in values))
    rows = db.execute(
        query.encode(), {**values, "before": _NEWEST if before is None else before, "limit": limit}
    )
    return [_entry(row) for row in rows]


def one(db: Connection, entry: int) -> Kept:
    """One entry.

    Raises:
        NotFoundError: there is none, or the caller may not see it.
    """
    row = db.execute(_ONE, (entry,)).fetchone() if 0 < entry < _NEWEST else None
    if row is None:
        raise NotFoundError(f"no entry {entry}")
    return _entry(row)


def acts(db: Connection) -> list[str]:
    """The kinds of act that the caller may see, sorted: for a filter's choices."""
    # A loose scan: one look-up for each act instead of all entries.
    rows = db.execute(
        "with recursive a(act) as ((select min(act) from clearway.log_entry) union all "
        "select (select min(act) from clearway.log_entry e where e.act > a.act) from a where a.act is not null) "
        "select act from a where act is not null limit 500"
    )
    return [act for (act,) in rows]


def proof(db: Connection, entry: int) -> Proof:
    """The proof that an entry is in the log, under the newest checkpoint, with what the caller may see of it.

    Raises:
        NotFoundError: there is no such entry, or it is not integrated yet.
    """
    row = db.execute(
        "select l.leaf, case when e.act is not null then "
        "clearway.log_header(e.act, e.actor, e.at, e.credential, e.subject) end, "
        "e.header_salt, e.content, e.content_salt "
        "from clearway.log_entry e left join clearway.log_leaf l using (entry) where e.entry = %s",
        (entry,),
    ).fetchone()
    newest = tree.newest(db)
    if row is None or row[0] is None or newest is None:
        state = "is not integrated yet" if row is not None else "is not there"
        raise NotFoundError(f"entry {entry} {state}", mend="try again when it is integrated")
    leaf, header, header_salt, content, content_salt = row
    checkpoint, note = newest
    return Proof(
        entry=entry,
        leaf=leaf,
        size=checkpoint.size,
        leaf_data=tree.leaf_bytes(db, leaf).hex(),
        header=header,
        header_salt=header_salt.hex() if header_salt is not None else None,
        content=content,
        content_salt=content_salt.hex() if content_salt is not None else None,
        proof=tuple(tree.encoded(tree.inclusion(db, leaf, checkpoint.size))),
        checkpoint=note.render(),
    )


class Status(Struct, frozen=True, kw_only=True):
    """How the log stands."""

    origin: str
    size: int
    root: str
    pending: int  # acknowledged, without a leaf
    oldest_pending: datetime | None
    signed: datetime | None  # the newest checkpoint
    witnessed_size: int  # the newest size that a witness has co-signed
    witnessed_at: datetime | None
    witnesses: tuple[str, ...]
    keys: tuple[str, ...]  # those that sign now
    epoch: int


def status(db: Connection) -> Status:
    """How the log stands; `pending` counts what the caller may see."""
    from .merkle import EMPTY_ROOT
    from .stored import pending

    now = tree.head(db)
    newest = tree.newest(db)
    row = db.execute(
        "select (select at from clearway.log_entry where entry > %s order by entry limit 1), "
        "(select signed from clearway.log_checkpoint order by size desc limit 1), "
        "(select max(size) from clearway.log_cosignature), (select max(at) from clearway.log_cosignature)",
        (now.head,),
    ).fetchone()
    assert row is not None
    return Status(
        origin=now.origin,
        size=now.size,
        root=tree.encoded([newest[0].root if newest else EMPTY_ROOT])[0],
        pending=pending(db),
        oldest_pending=row[0],
        signed=row[1],
        witnessed_size=row[2] or 0,
        witnessed_at=row[3],
        witnesses=tuple(key.name for key in tree.witnesses(db)),
        keys=now.keys,
        epoch=now.epoch.number if now.epoch else 1,
    )


def _entry(row: tuple[Any, ...]) -> Kept:
    number, leaf, act, subject, actor, credential, at, content, aud, header_erased, content_erased = row
    return Kept(
        entry=number,
        state="acknowledged" if leaf is None else "integrated",
        leaf=leaf,
        act=act,
        subject=subject,
        actor=actor,
        credential=credential,
        at=at,
        content=Raw(content.encode()) if content else None,
        aud=aud,
        header_erased_by=header_erased,
        content_erased_by=content_erased,
    )
