"""Having the whole log verified by the worker: asked for on the log, answered on the log.

Both entries may be read by everybody who is signed in: what they say is of hashes, not of what was hashed.
"""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any

import msgspec
from msgspec import Struct

from clearway.store import jobs

from .append import append

if TYPE_CHECKING:
    from pathlib import Path

    import psycopg

    from clearway.store.jobs import Job

    Connection = psycopg.Connection[Any]

TASK = "ledger.verify"
ASKED = "ledger.verification_asked"
DONE = "ledger.verified"
SUBJECT = "ledger/whole"
_GREEN = 1  # the audience of everybody who is signed in


class Verified(Struct, frozen=True, kw_only=True):
    """One verification of the whole log: what was found, and the entry that says so."""

    ok: bool
    size: int
    root: str
    first_bad: int | None = None
    reasons: tuple[str, ...] = ()
    checkpoints: int = 0
    opened: int = 0
    closed: int = 0
    entry: int = 0
    at: datetime | None = None


class Standing(Struct, frozen=True, kw_only=True):
    """The last verification, and since when another one is asked for and has not answered."""

    last: Verified | None = None
    running: datetime | None = None


def ask(owner: Connection, key: str) -> int:
    """Starts a verification on behalf of whose `key` it is; the entry that says so. One waits at a time.

    One transaction of the owner's, who may start any job; the act itself is the principal's.
    """
    from clearway.store.principal import set_principal

    jobs.defer(owner, TASK, {}, lock=TASK, once=TASK)
    set_principal(owner, key)
    return append(owner, ASKED, SUBJECT, aud=_GREEN)


def standing(db: Connection) -> Standing:
    """How it stands, for whoever is signed in."""
    last = db.execute(
        "select entry, at, content from clearway.log_entry where act = %s order by entry desc limit 1",
        (DONE,),
    ).fetchone()
    asked = db.execute(
        "select entry, at from clearway.log_entry where act = %s order by entry desc limit 1", (ASKED,)
    ).fetchone()
    found = None
    if last is not None and last[2]:
        found = msgspec.structs.replace(
            msgspec.json.decode(last[2], type=Verified), entry=int(last[0]), at=last[1]
        )
    waits = asked is not None and (last is None or asked[0] > last[0])
    return Standing(last=found, running=asked[1] if waits and asked is not None else None)


def run(job: Job, home: Path, url: str) -> None:
    """Verifies the whole log as its owner sees it, and logs what was found. The task of `TASK`."""
    from clearway.store.connect import connect, translated

    from . import verify as v
    from .keys import FOLDER, LOG_KEY
    from .memory import all_seen
    from .note import SigningKey
    from .stored import Stored, pending, snapshot

    file = home / FOLDER / LOG_KEY
    own = SigningKey.parse(file.read_text("utf-8", "replace")).public if file.exists() else None
    with translated(), connect(url, autocommit=True, application_name="clearway verify") as db, snapshot(db):
        report = v.verify(
            Stored(db, whole=True),
            own=own,
            signed_here=all_seen(home / FOLDER),
            pending=pending(db),
            progress=lambda done, size: job.progress(done, size, "leaves"),
        )
    found = Verified(
        ok=report.ok,
        size=report.size,
        root=report.root,
        first_bad=report.first_bad,
        reasons=tuple(reason[:300] for reason in report.reasons[:20]),
        checkpoints=report.checkpoints,
        opened=report.opened,
        closed=report.closed,
    )
    content = msgspec.to_builtins(found)
    del content["entry"], content["at"]
    with job.owner() as db, job.step("told", db) as todo:
        if todo:
            append(db, DONE, SUBJECT, content, aud=_GREEN)
