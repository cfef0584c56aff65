"""The files of a finding: its document, inputs, harness, patches, logs, statements. In the database they are sealed.

What a file is sealed under is its finding's own key (`vault`), bound to its kind and hash: a row that is changed, or
moved to another finding, does not open. Reading one is an entry of the log.
"""

from __future__ import annotations

from datetime import datetime
from hashlib import sha256
from typing import TYPE_CHECKING, Any, Literal, get_args

from msgspec import Struct

from clearway import ledger
from clearway.records.errors import IntegrityError, NotFoundError, TooLargeError
from clearway.records.text import plain

from . import kept

if TYPE_CHECKING:
    from collections.abc import Iterable

    import psycopg

    from .kept import Finding
    from .vault import Vault

    Connection = psycopg.Connection[Any]

Kind = Literal["document", "input", "harness", "source", "patch", "attachment", "log", "statement"]
KINDS: tuple[Kind, ...] = get_args(Kind)
MAX_BYTES = 64 << 20  # one file
MAX_FILES = 1_000  # of one finding
MAX_TOTAL = 512 << 20  # of one finding, bytes
_MAX_NAME = 300


class Artefact(Struct, frozen=True, kw_only=True):
    """One sealed file; `bytes` and `sha256` are of what was sealed. `name` is a label: never a path to write to.

    `id` stays within: it counts the files of all findings. What is told is `number`: 1, 2, … within the finding.
    """

    id: int
    number: int
    finding: int
    aud: int
    kind: Kind
    name: str
    media: str
    bytes: int
    sha256: str
    added: datetime


class File(Struct, frozen=True, kw_only=True):
    """A file to be kept."""

    kind: Kind
    data: bytes
    name: str = ""
    media: str = ""


_SELECT = """select a.artefact, a.nth, a.finding, a.aud::int, a.kind, a.name, a.media, a.bytes,
    encode(a.sha256, 'hex'), a.added
    from clearway.artefact a"""


def add(db: Connection, vault: Vault, finding: Finding, file: File) -> Artefact:
    """The file as it is kept; the same bytes under the same kind and name are kept once.

    Logs and statements are the desk's own: added as the owner.

    Raises:
        ForbiddenError: the caller may not add to this finding.
        TooLargeError: it is over a bound, or the finding's files would be.
    """
    return add_all(db, vault, finding, [file])[0]


def add_all(
    db: Connection, vault: Vault, finding: Finding, files: Iterable[File], *, first: bool = False
) -> list[Artefact]:
    """As `add`, for several, in their order; `first` when the finding is new and has no file yet."""
    wanted = list(files)
    if not wanted:
        return []
    count, total = (0, 0) if first else _kept(db, finding.id)
    _check(wanted, count, total)
    made = []
    for file in wanted:
        digest = sha256(file.data).digest()
        name, media = plain(file.name, _MAX_NAME), plain(file.media, 200)
        sealed = vault.seal(finding.subject, file.data, label=_label(file.kind, digest.hex()))
        row = db.execute(
            """insert into clearway.artefact as a (finding, org, aud, kind, name, media, bytes, sha256, sealed)
            values (%s, %s, %s, %s, %s, %s, %s, %s, %b) on conflict do nothing
            returning a.artefact, a.nth, a.finding, a.aud::int, a.kind, a.name, a.media, a.bytes,
                encode(a.sha256, 'hex'), a.added""",
            (finding.id, finding.org, finding.aud, file.kind, name, media, len(file.data), digest, sealed),
        ).fetchone()
        if row is None:  # the same file is there
            row = db.execute(
                f"{_SELECT} where a.finding = %s and a.kind = %s and a.sha256 = %s and a.name = %s",
                (finding.id, file.kind, digest, name),
            ).fetchone()
        assert row is not None
        made.append(_artefact(row))
    return made


def _kept(db: Connection, finding: int) -> tuple[int, int]:
    """How many files a finding has, and their bytes."""
    row = db.execute(
        "select count(*), coalesce(sum(bytes), 0) from clearway.artefact where finding = %s", (finding,)
    ).fetchone()
    assert row is not None
    return int(row[0]), int(row[1])


def listed(db: Connection, finding: int, *kinds: Kind) -> list[Artefact]:
    """The files of a finding, of these kinds or of all, oldest first; the bytes are not read."""
    rows = db.execute(
        f"{_SELECT} where a.finding = %s and (%s or a.kind = any(%s)) order by a.artefact",
        (finding, not kinds, list(kinds)),
    )
    return [_artefact(row) for row in rows]


def one(db: Connection, file: int) -> Artefact:
    """The file whose `id` that is. Raises NotFoundError."""
    row = db.execute(f"{_SELECT} where a.artefact = %s", (file,)).fetchone()
    if row is None:
        raise NotFoundError("no such file")
    return _artefact(row)


def of(db: Connection, finding: Finding, number: int) -> Artefact:
    """The file of that number within the finding. Raises NotFoundError."""
    row = db.execute(f"{_SELECT} where a.finding = %s and a.nth = %s", (finding.id, number)).fetchone()
    if row is None:
        raise NotFoundError("no such file", where=f"{finding.subject}/artefact/{number}")
    return _artefact(row)


def by_sha256(db: Connection, finding: int, digest: str) -> Artefact:
    """A file of the finding with that hash, in hexadecimal. Raises NotFoundError."""
    row = db.execute(
        f"{_SELECT} where a.finding = %s and encode(a.sha256, 'hex') = %s order by a.artefact limit 1",
        (finding, digest.lower()),
    ).fetchone()
    if row is None:
        raise NotFoundError("the finding has no such file", where=plain(digest, 64))
    return _artefact(row)


def read(db: Connection, vault: Vault, artefact: Artefact, *, logged: bool = True) -> bytes:
    """What was sealed. That it was read is put on the log, for those who may see it.

    `logged=False` is for the desk's own work on it (a validation, a new key), which has an entry of its own.

    Raises:
        NotFoundError: the file is gone, or its key is not in this home.
        IntegrityError: what is kept is not what was sealed.
    """
    row = db.execute(
        """select a.sealed, f.handling from clearway.artefact a join clearway.finding f on f.finding = a.finding
        where a.artefact = %s""",
        (artefact.id,),
    ).fetchone()
    if row is None:
        raise NotFoundError("no such file", where=f"artefact/{artefact.number}")
    subject = kept.subject(row[1])
    data = vault.open(subject, row[0], label=_label(artefact.kind, artefact.sha256))
    if sha256(data).hexdigest() != artefact.sha256:
        raise IntegrityError("the file's hash does not hold", where=f"artefact/{artefact.number}")
    if logged:
        ledger.append_read(db, [f"{subject}/artefact/{artefact.number}"], artefact.aud)
    return data


def _check(wanted: list[File], files: int, total: int) -> None:
    for file in wanted:
        if len(file.data) > MAX_BYTES:
            raise TooLargeError(
                f"a file of {len(file.data):,} bytes",
                where=plain(file.name, 80) or file.kind,
                mend=f"at most {MAX_BYTES:,}",
            )
    if files + len(wanted) > MAX_FILES:
        raise TooLargeError("too many files", where="files", mend=f"at most {MAX_FILES:,} for one finding")
    if total + sum(len(file.data) for file in wanted) > MAX_TOTAL:
        raise TooLargeError("too many bytes", where="files", mend=f"at most {MAX_TOTAL:,} for one finding")


def _label(kind: str, digest: str) -> str:
    return f"{kind}/{digest}"


def _artefact(row: tuple[Any, ...]) -> Artefact:
    return Artefact(**dict(zip(Artefact.__struct_fields__, row, strict=True)))
