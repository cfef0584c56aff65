"""Beside requests: cases meet the fleets, what was released is published, ended embargoes followed, CVE ids asked."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from clearway.records.clock import Clock, SystemClock
from clearway.store.jobs import Spec
from clearway.store.jobs_retry import Retry

from . import cve_id, kept, party, release
from . import settings as setting
from .withdrawn import sweep

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    import psycopg

    from clearway.http.outbound import Client
    from clearway.store.jobs import Job, Tasks

    from .settings import Settings

    Connection = psycopg.Connection[Any]


def tasks(home: Path, url: str, clock: Clock | None = None) -> Tasks:
    """The tasks, for the home that holds the vault, the settings and the advisory table."""
    at = clock or SystemClock()

    def publish(job: Job, args: Mapping[str, Any]) -> None:
        """Publishes one case, or all whose embargo has ended."""
        if "case" in args:
            waiting = [int(args["case"])]
        else:
            with job.owner() as db:
                waiting = release.settle(db)
        for number in waiting:
            release.publish(job.owner, url, home, number, at)
            if job.stopping:
                return

    def number(job: Job, args: Mapping[str, Any]) -> None:
        """Gets a CVE id for one case, or publishes the records of those that are public."""
        found = setting.known(home)
        if found is None or found.cna is None:
            return
        with client(found) as outside:
            if "case" in args:
                reserve(job.owner, outside, found, int(args["case"]), at)
            else:
                tell_cna(job.owner, outside, found, home)

    def turns(job: Job, args: Mapping[str, Any]) -> None:
        """Asks vendors whose turn has come, by their own limits."""
        with job.owner() as db:
            take_turns(db)

    def match(job: Job, args: Mapping[str, Any]) -> None:
        """Matches what open cases say against the fleets, for their parties; takes back what is public or closed."""
        from ..vault import Vault
        from . import assets

        with job.owner() as db:
            assets.follow(db, Vault.of_home(home), at.now().date())

    def withdrawn(job: Job, args: Mapping[str, Any]) -> None:
        """Lets reporters leave whose findings of a case are all withdrawn."""
        with job.owner() as db:
            sweep(db)

    return {
        "findings.case_assets": Spec(match, cron="* * * * *"),
        release.TASK: Spec(publish, Retry(attempts=12)),
        "findings.case_settle": Spec(publish, cron="* * * * *"),
        cve_id.TASK: Spec(number, Retry(attempts=12)),
        "findings.case_cve_publish": Spec(number, cron="*/10 * * * *"),
        "findings.case_turns": Spec(turns, cron="23 * * * *"),
        "findings.case_withdrawn": Spec(withdrawn, cron="* * * * *"),
    }


def client(found: Settings) -> Client:
    """A client that reaches what the settings allow, and public addresses."""
    from clearway.http.outbound import Client, Networks

    return Client(Networks.parse(found.allow, setting.FILE))


def reserve(owner: Any, outside: Client, found: Settings, number: int, clock: Clock) -> str:
    """The CVE id that the authority has reserved for a case that asked for one; "" when it asks no more.

    Raises:
        ConfigError, UpstreamError: as `cve_id.reserve`.
    """
    assert found.cna is not None
    with owner() as db:
        case = kept.by_id(db, number)
    if case.cve_state != "requested":
        return ""
    given = cve_id.reserve(outside, found.cna, clock.now().year)
    with owner() as db:
        case = kept.by_id(db, number)
        if case.cve_state != "requested":
            return ""
        cve_id.note(db, case, given, "case.cve_reserved")
    return given


def tell_cna(owner: Any, outside: Client, found: Settings, home: Path) -> int:
    """Publishes the CNA containers of cases that are public and whose id is reserved; how many.

    Raises:
        ConfigError, UpstreamError: as `cve_id.publish`.
    """
    import msgspec

    assert found.cna is not None
    with owner() as db:
        rows = db.execute(
            """select c.case_id, c.cve, d.body from clearway.desk_case c
            join lateral (select body from clearway.case_document d where d.case_id = c.case_id and d.kind = 'cve'
                order by number desc limit 1) d on true
            where c.cve_state = 'reserved' and c.published is not null order by c.case_id limit 50"""
        ).fetchall()
    for number, cve, body in rows:
        container = msgspec.json.decode(bytes(body))["containers"]["cna"]
        cve_id.publish(outside, found.cna, cve, container)
        with owner() as db:
            case = kept.by_id(db, number)
            kept.changed(db, case, "cve_state = 'published'")
            kept.tell(db, case, "case.cve_published", {"cve": cve})
    return len(rows)


def take_turns(db: Connection) -> int:
    """Asks those vendors that waited and wait no longer; how many."""
    rows = db.execute(
        """select p.case_id, p.party, coalesce((select max(f.level) from clearway.finding f
            where f.case_id = p.case_id), 0)
        from clearway.case_party p join clearway.desk_case c using (case_id)
        where p.waits <> '' and p.rm = 'start' and p.left_at is null and c.closed is null order by p.party limit 500"""
    ).fetchall()
    asked = 0
    for case_id, number, level in rows:
        case = kept.by_id(db, case_id)
        asked += party.ask(db, case, party.one(db, case, number), level=level).rm != "start"
    return asked


def now() -> datetime:
    """The machine's time."""
    return datetime.now(UTC)
