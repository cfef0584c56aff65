"""The act that ends the embargo, and what follows: documents, the advisories of this installation, matching, letters.

    arm       a coordinator says in advance that the embargo ends on the agreed day; `access.tasks` carries that out
    release   or ends it now
    settle    however it ended, the machines follow: embargo exited, flaw public
    publish   documents are made once and kept, marked CLEAR; taken in like any other advisory; the fleets follow

Each step is done once: killed anywhere, the next run goes on with the documents that are kept.
"""

from __future__ import annotations

import json
import logging
import tempfile
from contextlib import contextmanager
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Any

from clearway import ledger
from clearway.access import embargo
from clearway.formats import report_check
from clearway.records.errors import ClearwayError, ConfigError, ConflictError, NotFoundError
from clearway.store import events
from clearway.store.connect import translated

from .. import kept as findings
from ..dedup import public, returned
from . import assets, draft, kept, mail
from . import settings as setting

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from contextlib import AbstractContextManager

    import psycopg

    from clearway.records.clock import Clock

    from ..vault import Vault
    from .kept import Case

    Connection = psycopg.Connection[Any]
    Owner = Callable[[], AbstractContextManager[Connection]]

TASK = "findings.case_release"
_LOG = logging.getLogger(__name__)
_PUBLIC = 0  # the audience of what everybody may read


def ready(db: Connection, vault: Vault, case: Case, home: Path, now: datetime) -> tuple[str, ...]:
    """The documents that a release would publish, by kind.

    Raises:
        NotFoundError: there is no draft.
        ConflictError: it is not said who publishes.
        ConfigError: what is said of it can't be used.
        InputError: no documents that validate and are read back can be made of it.
    """
    draft.checked(db, vault, case)
    made = draft.documents(draft.advisory(db, vault, case, setting.read(home).publisher, now))
    report_check.check(made)
    return tuple(made)


def arm(
    db: Connection, vault: Vault, case: Case, home: Path, *, now: datetime, on_exploitation: bool = False
) -> Case:
    """Says in advance that the embargo ends on the day agreed, and with `on_exploitation` when attacks are seen.

    Raises:
        ConflictError: no day is agreed, or the case has no finding that stands.
        NotFoundError, ConfigError, InputError: as `ready`: what ends must have something to publish.
    """
    kept.check_open(case)
    case = kept.locked(db, case)
    if case.until is None or case.em not in ("active", "revised"):
        raise ConflictError("no day is agreed", where=case.subject, mend="propose one, and accept it")
    _of_something(db, case)
    ready(db, vault, case, home, now)
    embargo.arm(db, case.embargo, case.until, now=now, on_exploitation=on_exploitation)
    kept.tell(db, case, "case.armed", {"until": case.until.isoformat(), "on_exploitation": on_exploitation})
    return kept.by_id(db, case.id)


def release(db: Connection, vault: Vault, case: Case, home: Path, why: str, *, now: datetime) -> Case:
    """Ends the embargo now; its documents follow within moments. It can't be taken back.

    Raises:
        ConflictError: it has ended, or the case has no finding that stands.
        NotFoundError, ConfigError, InputError: as `ready`.
        ForbiddenError: the caller is no coordinator.
    """
    kept.check_open(case)
    case = kept.locked(db, case)
    if case.released is not None:
        raise ConflictError(
            "it is released", where=case.subject,
            mend="" if case.published else "what waits to be published is its newest draft: write one to change it",
        )  # fmt: skip
    _of_something(db, case)
    ready(db, vault, case, home, now)
    embargo.release(db, case.embargo, why)
    moved = _moved(db, case, why, vault)
    kept.changed(db, moved, "released = %s", (now.astimezone(UTC).replace(microsecond=0),))
    kept.tell(db, moved, "case.released", {"why": why[:500]})
    db.execute("select clearway.start_case_job(%s, 'release')", (case.id,))
    return kept.by_id(db, case.id)


def observe(
    db: Connection, vault: Vault, case: Case, home: Path, act: str, why: str, *, now: datetime
) -> Case:
    """Records that the flaw, an exploit or attacks are public; an embargo that was armed to end then, ends, unless
    every finding of the case is withdrawn or it is frozen.

    Raises:
        ConflictError: it was recorded before.
        NotFoundError, ConfigError, InputError: the embargo would end with nothing to publish.
    """
    kept.check_keeper(db, case)
    moved = kept.move(db, case, "public", act, why, vault=vault)
    held = embargo.one(db, case.embargo)
    if (
        held.on_exploitation
        and not held.frozen
        and held.ended_by is None
        and moved.released is None
        and kept.stands(db, moved)
    ):
        return release(db, vault, moved, home, f"{act}: {why}".rstrip(": "), now=now)
    return moved


def update(db: Connection, vault: Vault, case: Case, home: Path, *, now: datetime) -> Case:
    """Publishes the newest draft of a case that is public already.

    Raises:
        ConflictError: it is not published, or has nothing new.
    """
    kept.check_open(case)
    case = kept.locked(db, case)
    if case.published is None:
        raise ConflictError("it is not published yet", where=case.subject)
    versions = draft.listed(db, case)
    if not versions or versions[-1].released is not None:
        raise ConflictError("there is nothing new to publish", where=case.subject, mend="write a draft first")
    ready(db, vault, case, home, now)
    db.execute(
        "update clearway.case_draft set released = %s where case_id = %s and number = %s",
        (now.astimezone(UTC).replace(microsecond=0), case.id, versions[-1].number),
    )
    kept.tell(db, case, "case.updated", {"number": versions[-1].number})
    db.execute("select clearway.start_case_job(%s, 'release')", (case.id,))
    return kept.by_id(db, case.id)


def settle(owner: Connection) -> list[int]:
    """Lets the machines follow embargoes that have ended by themselves or elsewhere; the cases that wait to publish.

    Each case by itself: one that can't follow is left out, and tried again the next time.
    """
    waiting = []
    for case in kept.ended(owner):
        try:
            with owner.transaction(), translated():
                _follow(owner, case)
        except ClearwayError as problem:
            _LOG.warning("%s does not follow its embargo: %s", case.subject, problem)
            continue
        waiting.append(case.id)
    return waiting


def _follow(owner: Connection, case: Case) -> None:
    if case.released is None:
        case = kept.locked(owner, case)
    if case.released is None:  # nor has another let it follow meanwhile
        moved = _moved(owner, case)
        at = embargo.one(owner, case.embargo).ended_at or datetime.now(UTC)
        kept.changed(owner, moved, "released = %s", (at.astimezone(UTC).replace(microsecond=0),))
        kept.tell(owner, moved, "case.released", {"why": "the embargo has ended"})


def publish_all(owner: Owner, url: str, home: Path, waiting: Iterable[int], clock: Clock) -> int:
    """Publishes each of these cases by itself; how many. One that can't be published keeps no other from it.

    Raises:
        ClearwayError: the first that failed, once all were tried.
    """
    done, first = 0, None
    for number in waiting:
        try:
            done += publish(owner, url, home, number, clock)
        except ClearwayError as problem:
            _LOG.warning("case %d is not published: %s", number, problem)
            first = first or problem
    if first is not None:
        raise first
    return done


def publish(owner: Owner, url: str, home: Path, case_id: int, clock: Clock) -> bool:
    """Makes and keeps the documents of what is released, takes them in, and tells; whether there was anything.

    Raises:
        ConflictError: it is not said who publishes.
        ConfigError: what is said of it can't be used.
        UpstreamError: the database does not answer; run it again.
    """
    from ..vault import Vault

    with owner() as db:
        number, made = _kept_documents(
            db, Vault.of_home(home), kept.locked(db, kept.by_id(db, case_id)), home
        )
    if not made:
        return False
    _take_in(url, home, made, clock)
    with owner() as db:
        case = kept.locked(db, kept.by_id(db, case_id))
        if case.told >= number:
            return True  # another has published it meanwhile, and told
        first = case.published is None
        kept.changed(db, case, "published = coalesce(published, %s), told = %s", (clock.now(), number))
        hashes = {name: sha256(body).hexdigest() for name, body in made.items()}
        ledger.append(
            db, "case.published", case.subject, {"documents": hashes, "title": _title(made)}, aud=_PUBLIC
        )
        _say_known(db, Vault.of_home(home), case)
        if first:
            mail.queue_all(db, case, "released")
        events.emit(
            db, "case.published", case.subject, org=case.org, aud=_PUBLIC, body={"handling": case.handling}
        )
    return True


def _say_known(db: Connection, vault: Vault, case: Case) -> None:
    """Says of the case's findings which public flaw they are, and what fixes it: so that it is told when it returns."""
    versions = [v.number for v in draft.listed(db, case) if v.released is not None]
    products = draft.read(db, vault, case, max(versions)).products
    for handling in kept.findings_of(db, case):
        finding = findings.one(db, handling)
        affected = returned.of_products(products, finding.ecosystem, finding.package)
        fixed = tuple(dict.fromkeys(b.fixed for b in affected if b.fixed))
        if finding.state == "withdrawn" or not finding.live:
            continue
        said = [
            s
            for s in public.statements(db, finding.id)
            if s.revoked is None and s.reason.startswith(f"published as {case.handling}")
        ]
        if any((s.flaw, s.affected) == (assets.name_of(case), affected) for s in said):
            continue
        for number in (one.id for one in said if one.id is not None):
            public.take_back(db, finding, number, "a newer version of the advisory says otherwise")
        public.say(
            db, finding, assets.name_of(case), fixed, f"published as {case.handling}", affected=affected
        )


def document(db: Connection, handling: str, kind: str) -> bytes:
    """A published document as it was published, the newest version. Everybody may read it.

    Raises:
        NotFoundError: there is none that the caller may see.
    """
    row = db.execute(
        """select body from clearway.case_document where handling = %s and kind = %s
        order by number desc limit 1""",
        (handling.upper(), kind),
    ).fetchone()
    if row is None:
        raise NotFoundError("no such document", where="advisory")
    return bytes(row[0])


def title(db: Connection, handling: str) -> str:
    """The title of what is published of a case, in its newest version; "" before, and for who may not see it.

    The case's own title is a reporter's, and for its parties.
    """
    row = db.execute(
        """select d.body from clearway.case_document d join clearway.desk_case c using (case_id)
        where c.handling = %s and d.kind = 'csaf' and c.published is not null and d.number <= c.told
        order by d.number desc limit 1""",
        (handling,),
    ).fetchone()
    return "" if row is None else _title({"csaf": bytes(row[0])})


def _of_something(db: Connection, case: Case) -> None:
    if not kept.stands(db, case):
        none = not kept.findings_of(db, case)
        raise ConflictError(
            "the case has no finding" if none else "every finding of the case is withdrawn",
            where=case.subject, mend="put one in: what is published is of one",
        )  # fmt: skip


def _title(made: dict[str, bytes]) -> str:
    """The advisory's own title: the case's is a reporter's, and for its parties."""
    for body in made.values():
        said = json.loads(body)
        if "document" in said:
            return str(said["document"]["title"])
    return ""


def _moved(db: Connection, case: Case, why: str = "", vault: Vault | None = None) -> Case:
    if case.em != "exited":
        case = kept.move(db, case, "embargo", "terminate", why, vault=vault)
    if "P" not in case.pxa:
        case = kept.move(db, case, "public", "made-public", why, vault=vault)
    return case


def _kept_documents(db: Connection, vault: Vault, case: Case, home: Path) -> tuple[int, dict[str, bytes]]:
    """The newest released draft's number and its documents by file name, made once; 0 and none where nothing waits.

    As long as a case is not published its newest draft is what is to be: one that can't be published is replaced by
    the next, as a revision where documents of it stood.
    """
    if case.released is None:
        return 0, {}
    versions = draft.listed(db, case)
    if not versions:
        return 0, {}  # it ended without a draft: the case says so, and the next draft goes out
    if case.published is None and versions[-1].released is None:
        db.execute(
            "update clearway.case_draft set released = %s where case_id = %s and number = %s",
            (case.released, case.id, versions[-1].number),
        )
        db.execute(
            """update clearway.case_draft d set released = null where d.case_id = %s and d.number < %s and not exists (
                select from clearway.case_document k where k.case_id = d.case_id and k.number = d.number)""",
            (case.id, versions[-1].number),
        )
        versions = draft.listed(db, case)
    number = max(v.number for v in versions if v.released is not None)
    if not _rows(db, case, number):
        made = draft.documents(
            draft.advisory(db, vault, case, setting.read(home).publisher, case.released, number)
        )
        report_check.check(made)
        for kind, body in made.items():
            db.execute(
                """insert into clearway.case_document (case_id, number, kind, org, aud, handling, body, sha256)
                values (%s, %s, %s, %s, %s, %s, %b, %s)""",
                (case.id, number, kind, case.org, case.open_aud, case.handling, body, sha256(body).digest()),
            )
    return number, {f"{case.handling}.{kind}.json": body for kind, body in _rows(db, case, number)}


def _rows(db: Connection, case: Case, number: int) -> list[tuple[str, bytes]]:
    rows = db.execute(
        "select kind, body from clearway.case_document where case_id = %s and number = %s order by kind",
        (case.id, number),
    )
    return [(kind, bytes(body)) for kind, body in rows]


def _take_in(url: str, home: Path, made: dict[str, bytes], clock: Clock) -> None:
    from clearway.advisories.keep import Keeper

    with _files(made) as paths, Keeper(url, home, clock) as keeper:
        counts = keeper.take_in(paths)
    if counts.set_aside:
        place, reason = counts.rejects[0]
        raise ConfigError(f"an advisory of our own can't be taken in: {reason}", where=place)


@contextmanager
def _files(made: dict[str, bytes]) -> Iterator[list[str]]:
    with tempfile.TemporaryDirectory(prefix="clearway-") as folder:
        paths = []
        for name, body in made.items():
            path = Path(folder) / name
            path.write_bytes(body)
            paths.append(str(path))
        yield paths
