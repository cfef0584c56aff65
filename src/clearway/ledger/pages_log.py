"""The log itself: its checkpoint and keys, whether it continues, verifying it, and the public page of trust."""

from __future__ import annotations

import shutil
import tempfile
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

from litestar import Request, Response, get, post
from litestar.background_tasks import BackgroundTask
from litestar.response import File
from msgspec import Struct

from clearway.http.acting import SIGNED_IN, acting, doorkeeper, needs
from clearway.http.guard import PUBLIC
from clearway.http.pages import done, page, plot
from clearway.records.errors import ClearwayError, ConflictError, IntegrityError

from . import entries, verifying
from . import tree_store as tree
from .merkle import verify_consistency

if TYPE_CHECKING:
    from litestar.handlers import HTTPRouteHandler

_R = Request[Any, Any, Any]
_PAGE: dict[str, Any] = {"sync_to_thread": True, "include_in_schema": False}
_STRIP = 8  # checkpoints that are compared with the one before
_DAYS = 30
_EXPORTING = 0x6C6F67  # an advisory lock: one export at a time


class Continued(Struct, frozen=True, kw_only=True):
    """A checkpoint, and whether its tree begins with the one before; None for the first that is shown."""

    size: int
    root: str
    signed: datetime
    witnesses: int
    holds: bool | None


def handlers() -> list[HTTPRouteHandler]:
    """The routes of this file."""

    @get("/audit/log", opt=SIGNED_IN, **_PAGE)
    def whole(request: _R) -> Response[bytes]:
        """How the log stands, and whether it continues."""
        with acting(request) as (db, me):
            state = entries.status(db)
            strip = continuity(db)
            grown = growth(db)
            newest = tree.newest(db)
            verified = verifying.standing(db)
            keys = tree.keys(db)
            epochs = tree.epochs(db)
        return page(
            request,
            "ledger/log.html",
            state=state,
            strip=strip,
            drawn=None
            if len(grown) < 2
            else plot.lines(
                "Entries in the log, the last 30 days",
                [d for d, _ in grown],
                {"entries": [n for _, n in grown]},
                steps=True,
            ),
            checkpoint=newest[1].render() if newest else "",
            verified=verified,
            keys=keys,
            epochs=epochs,
            broken=[one for one in strip if one.holds is False],
            may_verify=me.may("audit"),
            late=verified.running is not None
            and datetime.now(UTC) - verified.running > timedelta(minutes=10),
        )

    @post("/audit/log/verify", opt=needs("audit"), **_PAGE)
    def verify(request: _R) -> Response[bytes]:
        """Has the whole log verified by the worker. Who asked is on the log."""
        door = doorkeeper(request)
        with door.pool.owner() as owner:
            verifying.ask(owner, door.key(request))
        return done(request, "/audit/log#verification", "Asked for. The result stands here, and on the log.")

    @get("/audit/log/bundle", opt=SIGNED_IN, **_PAGE)
    def bundle(request: _R) -> File:
        """The log as one file without headers and contents: what `clearway ledger verify FILE` needs."""
        return bundled(request)

    @get("/trust", opt=PUBLIC, **_PAGE)
    def trust(request: _R) -> Response[bytes]:
        """For everybody: what this installation has committed itself to, and how to hold it to that."""
        with acting(request) as (db, _):
            newest = tree.newest(db)
            witnessed = tree.newest(db, witnessed=True)
            keys = tree.keys(db)
            witnesses = [key.text() for key in tree.witnesses(db)]
            epochs = tree.epochs(db)
            signed = db.execute(
                "select signed from clearway.log_checkpoint order by size desc limit 1"
            ).fetchone()
        return page(
            request,
            "ledger/trust.html",
            newest=newest[0] if newest else None,
            root=tree.encoded([newest[0].root])[0] if newest else "",
            checkpoint=newest[1].render() if newest else "",
            witnessed=witnessed[0] if witnessed else None,
            keys=keys,
            witnesses=witnesses,
            epochs=epochs,
            signed=signed[0] if signed else None,
            host=f"{request.url.scheme}://{request.headers.get('host', '')}",
        )

    return [whole, verify, bundle, trust]


def bundled(request: _R) -> File:
    """The log as one file without headers and contents; it is removed when it was sent.

    Raises:
        ConflictError: somebody else's is being made.
    """
    from clearway.store.connect import connect, translated

    from .stored import export_to

    path = Path(tempfile.mkdtemp(prefix="clearway-log-")) / "log.zip"
    try:
        url = doorkeeper(request).pool.url
        with translated(), connect(url, autocommit=True, application_name="clearway export") as db:
            free = db.execute("select pg_try_advisory_lock(%s)", (_EXPORTING,)).fetchone()
            if free is None or not free[0]:
                raise ConflictError("somebody is downloading the log just now", mend="try again in a minute")
            made = export_to(db, path, opened=False)
    except BaseException:
        _remove(path)
        raise
    return File(
        path,
        filename=f"clearway-log-{made.size}.zip",
        media_type="application/zip",
        background=BackgroundTask(_remove, path),
        headers={"cache-control": "no-store"},
    )


def continuity(db: Any) -> list[Continued]:
    """The newest checkpoints that are kept, newest first, each held against the one before by a proof.

    The roots are those that were signed, the proofs are computed from the tiles now: where somebody changed the
    tree in between, they do not fit.
    """
    rows = db.execute(
        "select c.size, c.root, c.signed, (select count(*) from clearway.log_cosignature s where s.size = c.size)::int "
        "from clearway.log_checkpoint c order by c.size desc limit %s",
        (_STRIP + 1,),
    ).fetchall()
    made: list[Continued] = []
    for number, (size, root, signed, witnesses) in enumerate(rows[:_STRIP]):
        before = rows[number + 1] if number + 1 < len(rows) else None
        made.append(
            Continued(
                size=size,
                root=tree.encoded([bytes(root)])[0],
                signed=signed,
                witnesses=witnesses,
                holds=None
                if before is None
                else _continues(db, before[0], bytes(before[1]), size, bytes(root)),
            )
        )
    return made


def growth(db: Any) -> list[tuple[date, int]]:
    """How large the log was at the end of each of the last 30 days on which it grew, and on the day before these."""
    since = datetime.now(UTC) - timedelta(days=_DAYS)
    rows = db.execute(
        "select (signed at time zone 'UTC')::date, max(size) from clearway.log_checkpoint where signed >= %s "
        "group by 1 order by 1",
        (since,),
    ).fetchall()
    if not rows:
        return []
    before = db.execute(
        "select coalesce(max(size), 0) from clearway.log_checkpoint where signed < %s", (since,)
    ).fetchone()
    return [(rows[0][0] - timedelta(days=1), int(before[0])), *((day, int(size)) for day, size in rows)]


def _continues(db: Any, old: int, old_root: bytes, size: int, root: bytes) -> bool:
    if old == 0:
        return True
    try:
        verify_consistency(old, old_root, size, root, tree.consistency(db, old, size))
    except (IntegrityError, ClearwayError):
        return False
    return True


def _remove(path: Path) -> None:
    shutil.rmtree(path.parent, ignore_errors=True)
