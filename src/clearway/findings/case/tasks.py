"""Beside requests: cases meet the fleets, what was released is published, ended embargoes followed, CVE ids asked."""

from __future__ import annotations

from contextlib import suppress
from datetime import UTC, datetime, timedelta
from itertools import takewhile
from typing import TYPE_CHECKING, Any

from clearway.records.clock import Clock, SystemClock
from clearway.records.errors import (
    ClearwayError,
    ConflictError,
    InputError,
    IntegrityError,
    NotFoundError,
    UpstreamError,
)
from clearway.records.text import plain
from clearway.store.jobs import Spec
from clearway.store.jobs_retry import Retry

from . import cve_id, kept, party, release
from . import settings as setting
from .withdrawn import sweep

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    import psycopg

    from clearway.http.outbound import Client
    from clearway.store.jobs import Job, Tasks

    from .settings import Settings

    Connection = psycopg.Connection[Any]

SOON = timedelta(days=3)  # before an embargo ends, its case's members are told
_MOST_SILENT = (
    3  # tries in a row without an answer, after which the numbering authority is left alone for this time
)


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
        release.publish_all(job.owner, url, home, takewhile(lambda _: not job.stopping, waiting), at)

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
        take_turns(job.owner, lambda: job.stopping)

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

    def seal(job: Job, args: Mapping[str, Any]) -> None:
        """Seals words of cases from before, which stand in clear."""
        from ..vault import Vault
        from .words import seal_old

        with job.owner() as db:
            seal_old(db, Vault.of_home(home))

    def soon(job: Job, args: Mapping[str, Any]) -> None:
        """Tells the members of a case once that its embargo ends within three days."""
        with job.owner() as db:
            tell_soon(db, at.now())

    return {
        "findings.case_assets": Spec(match, cron="* * * * *"),
        release.TASK: Spec(publish, Retry(attempts=12)),
        "findings.case_settle": Spec(publish, cron="* * * * *"),
        cve_id.TASK: Spec(number, Retry(attempts=12)),
        "findings.case_cve_publish": Spec(number, cron="*/10 * * * *"),
        "findings.case_seal": Spec(seal, cron="41 * * * *"),
        "findings.case_soon": Spec(soon, cron="7 * * * *"),
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
        IntegrityError: as there; or the id that it gives is public, or another case's. The case goes on waiting.
    """
    assert found.cna is not None
    with owner() as db:
        case = kept.by_id(db, number)
    if case.cve_state != "requested":
        return ""
    try:
        given = cve_id.reserve(outside, found.cna, clock.now().year)
        return given if _given(owner, number, given, found.cna.url) else ""
    except ClearwayError as problem:
        with owner() as db:
            _problem(db, number, problem)
        raise


def _given(owner: Any, number: int, given: str, authority: str) -> bool:
    """Notes what the authority has given; whether the case still waits for one."""
    try:
        with owner() as db:
            case = kept.locked(db, kept.by_id(db, number))
            if case.cve_state != "requested":
                return False
            cve_id.note(db, case, given, "case.cve_reserved")
    except (ConflictError, InputError) as problem:
        # Asking again by itself would reserve another each time.
        told = f"{problem.what} ({problem.where})" if isinstance(problem, ConflictError) else problem.what
        raise IntegrityError(
            f"the numbering authority gives {given}, and {told}",
            where=authority,
            mend="see there which it has reserved, and note that; or ask again",
        ) from problem
    return True


def tell_cna(owner: Any, outside: Client, found: Settings, home: Path) -> int:
    """Publishes the CNA containers of cases that are public, and those of their revisions; how many.

    One that the authority refuses is noted with the case and tried again the next time, after the others.

    Raises:
        ConfigError, UpstreamError, ConflictError: as `cve_id.publish`; the first, once the others were tried.
    """
    import msgspec

    assert found.cna is not None
    with owner() as db:
        rows = db.execute(
            """select c.case_id, c.cve, c.cve_told > 0, d.number, d.body from clearway.desk_case c
            join lateral (select number, body from clearway.case_document d
                where d.case_id = c.case_id and d.kind = 'cve' order by number desc limit 1) d on true
            where c.cve_state in ('reserved', 'published') and c.published is not null and d.number > c.cve_told
                and d.number <= c.told
            order by c.cve_problem <> '', c.case_id limit 50"""
        ).fetchall()
    told, silent, first = 0, 0, None
    for number, cve, again, version, body in rows:
        container = msgspec.json.decode(bytes(body))["containers"]["cna"]
        try:
            cve_id.publish(outside, found.cna, cve, container, again=again)
        except ClearwayError as problem:
            first = first or problem
            with owner() as db:
                _problem(db, number, problem)
            silent = silent + 1 if isinstance(problem, UpstreamError) else 0
            if silent == _MOST_SILENT:
                break  # it is down: each try would cost the whole time that an answer may take
            continue
        with owner() as db:
            case = kept.by_id(db, number)
            kept.changed(db, case, "cve_state = 'published', cve_told = %s, cve_problem = ''", (version,))
            kept.tell(db, case, "case.cve_published", {"cve": cve, "number": version})
        told, silent = told + 1, 0
    if first is not None:
        raise first
    return told


def _problem(db: Connection, number: int, problem: ClearwayError) -> None:
    """Notes what is wrong with the case's CVE id, for the desk to see."""
    case = kept.by_id(db, number)
    words = plain(f"{problem.what}: {problem.mend}".rstrip(": "), 300)
    if case.cve_problem != words:
        kept.changed(db, case, "cve_problem = %s", (words,))


def take_turns(owner: Any, stopping: Callable[[], bool] = lambda: False) -> int:
    """Asks those vendors that waited and wait no longer, each by itself; how many."""
    with owner() as db:
        rows = db.execute(
            """select p.case_id, p.party from clearway.case_party p join clearway.desk_case c using (case_id)
            where p.waits <> '' and p.rm = 'start' and p.left_at is null and c.closed is null
            order by p.party limit 500"""
        ).fetchall()
    asked = 0
    for case_id, number in takewhile(lambda _: not stopping(), rows):
        # What another has changed meanwhile, or a coordinator asks at this moment, has its turn without this.
        with suppress(ConflictError, NotFoundError), owner() as db:
            case = kept.by_id(db, case_id)
            kept.check_open(case)
            waiting = party.one(db, case, number)
            asked += party.ask(db, case, waiting, level=kept.level_of(db, case)).rm != "start"
    return asked


def tell_soon(db: Connection, now: datetime) -> int:
    """Tells of each embargo whose agreed end is at most `SOON` away, once for each such end; how many."""
    rows = db.execute(
        """select case_id from clearway.desk_case where closed is null and released is null
            and em in ('active', 'revised') and until > %s and until <= %s and soon_told is distinct from until
        order by case_id limit 500 for update""",
        (now, now + SOON),
    ).fetchall()
    for (number,) in rows:
        case = kept.by_id(db, number)
        assert case.until is not None
        db.execute("update clearway.desk_case set soon_told = until where case_id = %s", (number,))
        kept.tell(db, case, "case.embargo_soon", {"until": case.until.isoformat(), "zone": case.zone})
    return len(rows)


def now() -> datetime:
    """The machine's time."""
    return datetime.now(UTC)
