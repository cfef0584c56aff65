"""What a team's installation needs besides: two roles, tables of this release, a log that is signed, a backup."""

from __future__ import annotations

import os
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from clearway.records.errors import ClearwayError
from clearway.records.text import plain

from .doctor import Check

if TYPE_CHECKING:
    from pathlib import Path

    import psycopg

    Connection = psycopg.Connection[Any]

_LATE = timedelta(minutes=5)
_BACKUP_AFTER = timedelta(days=2)
_SKEW_S = 5.0
_UNTAKEN_S = 120.0  # a job that is due is taken within seconds where a worker lives
_LOGIN = """
select r.rolsuper, r.rolbypassrls, pg_has_role(current_user, 'clearway_app', 'member'),
    (select count(*) from pg_class c join pg_namespace n on n.oid = c.relnamespace
        where n.nspname = 'clearway' and c.relowner = r.oid),
    has_database_privilege(current_database(), 'temporary'),
    array(select distinct split_part(given, '=', 1) from pg_db_role_setting s, unnest(s.setconfig) given
        where s.setrole in (r.oid, (select a.oid from pg_roles a where a.rolname = 'clearway_app'))
        and s.setdatabase in (0, (select d.oid from pg_database d where d.datname = current_database())) order by 1)
from pg_roles r where r.rolname = current_user
"""
# No time was seen yet where the mark is -infinity.
_CLOCK = """
select clock_timestamp(), coalesce(
    (select extract(epoch from nullif(high, '-infinity') - clock_timestamp()) from clearway.clock_mark), 0)::float
"""
_TEMPORARY = (
    "as the database's owner: `revoke temporary on database … from public` (docs/howto/run-for-a-team.md)"
)
_FROZEN = """
select frozen, count(*)::int from clearway.embargo where frozen <> '' and ended_by is null
group by frozen order by 2 desc, 1
"""
_LOG = """
select (select min(at) from clearway.log_entry where entry > (select head from clearway.log_state)),
    (select max(at) from clearway.log_entry where act = 'backup.taken'),
    (select size from clearway.log_state),
    (select count(*) from clearway.hold where lifted is null),
    array(select vkey from clearway.log_key where retired is null order by number)
"""


def team(home: Path) -> list[Check]:
    """Looks at a database that is up; starts none. Nothing is changed."""
    from clearway.store import server
    from clearway.store.connect import connect, translated
    from clearway.store.migrate import current, head

    found = _restore(home)
    try:
        state = server.status(home)
        if not state.running:
            return found
        url = os.environ.get(server.URL_VARIABLE, "").strip() or state.url
        now = current(url)
        found.append(_migrations(now, head()))
        if not state.embedded:
            found.append(_login(url))
        if now != head():
            return found
        with translated(), connect(url, autocommit=True, statement_timeout_s=10) as db:
            found += [_clock(db), *_embargoes(db), *_jobs(db), *_log(db, home)]
    except ClearwayError as error:
        found.append(Check("database", False, plain(error.what), error.mend))
    return found


def _restore(home: Path) -> list[Check]:
    from clearway.store.server import RESTORING

    if not (home / RESTORING).exists():
        return []
    return [Check("restore", False, "a restore was cut short", "give the same `clearway restore` again")]


def _migrations(now: str, last: str) -> Check:
    if now == last:
        return Check("migrations", True, f"at {now}")
    newer = now > last
    return Check(
        "migrations",
        False,
        f"the database stands at {now or 'none'}, this release at {last}",
        "upgrade Clearway" if newer else "`clearway ingest --rebuild` brings it up to date",
    )


def _login(url: str) -> Check:
    """What requests connect as: a role that owns nothing, or a mistake away from everything."""
    from clearway.store.connect import connect
    from clearway.store.principal import APP_URL_VARIABLE, login_url

    name = "requests' login"
    if not os.environ.get(APP_URL_VARIABLE, "").strip():
        return Check(
            name,
            False,
            "requests use the owner's login: only the role of each transaction keeps them from its rights",
            f"name a login that owns nothing in {APP_URL_VARIABLE} (docs/howto/run-for-a-team.md)",
        )
    try:
        with connect(login_url(url), autocommit=True) as db:
            row = db.execute(_LOGIN).fetchone()
    except ClearwayError as error:
        return Check(name, False, plain(error.what), f"see {APP_URL_VARIABLE}")
    assert row is not None
    is_super, bypasses, member, owned, temporary, given = row
    if is_super or bypasses or owned:
        why = "is a superuser" if is_super else "goes round row-level rules" if bypasses else "owns tables"
        return Check(name, False, f"the role of {APP_URL_VARIABLE} {why}", "use a role that owns nothing")
    if not member:
        return Check(name, False, "it may not become clearway_app", "grant clearway_app to it")
    if temporary:
        return Check(name, False, "it may make temporary objects, which outlive a request", _TEMPORARY)
    if given:
        # A role may always give itself settings, and every new session of its begins with them.
        return Check(
            name,
            False,
            f"settings are kept for it: {plain(', '.join(given), 200)}",
            "whoever did not mean them: `alter role … reset all`; settings for everybody belong to the database",
        )
    return Check(name, True, "a role of its own, which owns nothing")


def _clock(db: Connection) -> Check:
    """The database's clock against this machine's: sessions end and embargoes open by the former."""
    from clearway.access import clock, clockwatch

    row = db.execute(_CLOCK).fetchone()
    assert row is not None
    there, behind = row
    apart = (datetime.now(UTC) - there).total_seconds()
    cure = "set NTP right on both machines (docs/howto/incident.md)"
    if abs(apart) > _SKEW_S:
        return Check("clock", False, f"this machine is {apart:+.0f} s from the database's", cure)
    if behind > _SKEW_S:
        return Check("clock", False, f"time was seen {behind:.0f} s ahead of now: a clock was put back", cure)
    found = clock.standing(db, clockwatch.read())
    if found.doubt:
        accept = "look, then `clearway access clock --accept --why …` (docs/howto/incident.md)"
        return Check("clock", False, f"it is not believed: {found.doubt}", accept)
    unsure = f"; {clock.said(found.unsure_s)} that nobody can vouch for" if found.unsure_s else ""
    return Check("clock", True, f"within {_SKEW_S:.0f} s of the database's{unsure}")


def _embargoes(db: Connection) -> list[Check]:
    """Those that wait for a coordinator, by why: they end neither at their hour nor by exploitation."""
    rows = db.execute(_FROZEN).fetchall()
    if not rows:
        return []
    total = sum(count for _, count in rows)
    more = f", and {len(rows) - 1:,} other reasons" if len(rows) > 1 else ""
    return [
        Check(
            "embargoes",
            False,
            f"{total:,} frozen: {plain(rows[0][0], 300)}{more}",
            "a coordinator looks at each, then arms it again or ends it: `clearway access embargo list`",
        )
    ]


def _jobs(db: Connection) -> list[Check]:
    """Whether a worker lives and takes over what others left, and the loops that fail."""
    from clearway.store import jobs_admin
    from clearway.store.jobs_life import LIFE

    now = jobs_admin.health(db)
    cure = "see `clearway jobs list` and the server's log"
    said = f"{now.workers:,} live, {now.running:,} jobs run, {now.due:,} are due, {now.dead:,} are dead"
    fault = next((loop.reason for loop in now.loops if loop.name == LIFE and loop.failed), "")
    if not now.workers and now.due_s > _UNTAKEN_S:
        said = f"none lives, and {now.due:,} jobs are due, one for {now.due_s / 60:,.0f} minutes"
        cure = "run `clearway up` or `clearway worker`"
    elif now.lost:
        said = f"{now.lost:,} jobs have lost their worker, and no other takes them over"
    elif fault:
        said = f"it ended and began anew: {fault}"
    else:
        cure = ""
    found = [Check("worker", not cure, plain(said, 200), cure)]
    cure = "see `clearway jobs list` and the server's log"
    return found + [
        Check(f"loop {loop.name}", False, plain(loop.reason, 200), cure)
        for loop in now.loops
        if loop.failed and loop.name != LIFE
    ]


def _signing(db: Connection, home: Path) -> list[Check]:
    """A log that this home must not sign: restored or rewritten, or with a restart that nobody opened."""
    from clearway.ledger.sequencer import held_back

    try:
        why = held_back(db, home)
    except ClearwayError as error:
        return [Check("log signing", False, plain(error.what, 200), plain(error.mend, 300))]
    return [Check("log signing", False, plain(why, 400), "see docs/howto/verify-the-log.md")] if why else []


def _log(db: Connection, home: Path) -> list[Check]:
    """Whether entries get their places, whether this home can sign, and how old the newest backup is."""
    from clearway.ledger.keys import FOLDER, LOG_KEY

    row = db.execute(_LOG).fetchone()
    assert row is not None
    waiting, backup, entries, holds, keys = row
    now = datetime.now(UTC)
    late = waiting is not None and now - waiting > _LATE
    found = [
        Check(
            "log",
            not late,
            f"an entry has waited for its place since {waiting:%Y-%m-%d %H:%M} UTC"
            if late
            else f"{entries:,} entries",
            "run `clearway up` or `clearway worker` in the home that has its key, or `clearway ledger integrate`",
        )
    ]
    if keys and not (home / FOLDER / LOG_KEY).exists():
        found.append(
            Check(
                "log key",
                False,
                "this home can't sign the log",
                f"copy {FOLDER}/ from the home that does, mode 0600",
            )
        )
    elif keys:
        found += _signing(db, home)
    if entries:
        old = backup is None or now - backup > _BACKUP_AFTER
        told = f"newest of {backup:%Y-%m-%d %H:%M} UTC" if backup else "none was ever taken"
        # A figure, not a fault: other tools may back the server up.
        found.append(Check("backup", True, told + ("; take one with `clearway backup FILE`" if old else "")))
    if holds:
        found.append(Check("legal holds", True, f"{holds:,} stand; `clearway retention holds` lists them"))
    return found
