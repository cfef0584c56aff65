"""CVE ids: asked of the numbering authority's service, or assigned by hand where another authority gave one.

The shape is CVE Services' (https://github.com/CVEProject/cve-services): `POST /cve-id` reserves, `POST /cve/{id}/cna`
publishes the CNA container, and `PUT` replaces it. A reservation that is lost on the way back leaves an id unused
there; it is never guessed here.
"""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec
from msgspec import Struct

from clearway.access import embargo
from clearway.formats.report_advisory import CVE
from clearway.records.errors import ConfigError, ConflictError, InputError, IntegrityError, OutsideError
from clearway.records.text import plain

from . import kept
from . import settings as setting

if TYPE_CHECKING:
    import psycopg

    from clearway.http.outbound import Client

    from .kept import Case
    from .settings import Cna

    Connection = psycopg.Connection[Any]

TASK = "findings.case_cve"
DEADLINE_S = 30.0
MOST_RECORD = 4 * 1024 * 1024  # bytes of a record at the authority, which is read to see whose it is


class _Source(Struct, frozen=True):
    advisory: str = ""


class _Container(Struct, frozen=True):
    source: _Source = _Source()


class _Containers(Struct, frozen=True):
    cna: _Container = _Container()


class _Record(Struct, frozen=True):
    """What is read of a CVE record (CVE Record Format 5): which advisory it was made of."""

    containers: _Containers = _Containers()


def ask(db: Connection, case: Case, home: Path) -> Case:
    """Asks for an id; a job gets it from the authority. One that could not be had is asked for again.

    Raises:
        ConflictError: it has one, or one is asked for; or the home's settings name no authority.
        ForbiddenError: the caller does not coordinate for the clearinghouse that keeps the case.
    """
    kept.check_open(case)
    case = kept.locked(db, case)
    found = setting.known(home)
    if found is None or found.cna is None:
        raise ConflictError(
            "no numbering authority is named",
            where=setting.FILE,
            mend="add [cna], or note an id that you were given",
        )
    if case.cve_state not in ("", "rejected") and not (case.cve_state == "requested" and case.cve_problem):
        raise ConflictError(f"its CVE id is {case.cve_state}", where=case.subject)
    kept.changed(db, case, "cve = '', cve_state = 'requested', cve_problem = ''")
    kept.tell(db, case, "case.cve_requested", {})
    db.execute("select clearway.start_case_job(%s, 'cve')", (case.id,))
    return kept.by_id(db, case.id)


def assign(db: Connection, case: Case, cve: str, *, sure: bool = False) -> Case:
    """Notes the id that an authority has given. `sure`: somebody has looked, and what is public of it is of this flaw.

    Raises:
        InputError: it is no CVE id; or it is public already, and nobody is sure (`where` is then "sure").
        ConflictError: the case has another, or another case has this one: one flaw is one case.
        ForbiddenError: the caller does not coordinate for the clearinghouse that keeps the case.
    """
    kept.check_open(case)
    case = kept.locked(db, case)
    found = cve.strip().upper()
    if not CVE.fullmatch(found):
        raise InputError("this is no CVE id", where="cve", mend="such as CVE-2026-12345")
    if case.cve_state in ("reserved", "published"):
        if case.cve == found:
            return case
        raise ConflictError("it has another CVE id", where=case.subject)
    note(db, case, found, "case.cve_assigned", sure=sure)
    return kept.by_id(db, case.id)


def note(db: Connection, case: Case, cve: str, act: str, *, sure: bool = False) -> None:
    """Gives a case that is locked its id, and its embargo too, while that holds: a listing of it in KEV is noticed.

    The one way to an id. An id that is public before its case is, was most likely given by mistake or mistyped: what
    is said of that flaw would be taken as said of this one, its exploitation too.

    Raises:
        ConflictError: another case has it.
        InputError: it is public, and nobody is `sure`.
    """
    known = _elsewhere(db, case, cve)
    for what, named in known:
        if what == "case":
            raise ConflictError(
                "another case has this CVE id",
                where=f"case/{named}",
                mend="close one of the two; one flaw is one case",
            )
    if known and not sure:
        places = ", ".join(plain(named, 100) for _, named in known[:3])
        listed = " and listed as exploited" if any(what == "listing" for what, _ in known) else ""
        raise InputError(
            f"this CVE id is public already{listed}: {places}",
            where="sure",
            mend="look whether that is this flaw, and say that you are sure",
        )
    kept.changed(db, case, "cve = %s, cve_state = 'reserved', cve_problem = ''", (cve,))
    _about(db, case, cve)
    kept.tell(db, case, act, {"cve": cve})


def give_up(db: Connection, case: Case) -> None:
    """Takes from a closed case, which is locked, the id that another case has by now; the case says which."""
    if not case.cve or case.published is not None:
        return
    other = next((named for what, named in _elsewhere(db, case, case.cve) if what == "case"), "")
    if other:
        why = f"{case.cve} is of {other} by now: ask for another, or note one"
        _about(db, case, case.cve, about=False)
        kept.changed(db, case, "cve = '', cve_state = '', cve_problem = %s", (why,))


def _elsewhere(db: Connection, case: Case, cve: str) -> list[tuple[str, str]]:
    """(what, its name) of what has this id beside the case: another "case", a public "record", "listing" or "score"."""
    # Two that note one id at once come one after the other; a unique index stands behind it.
    db.execute("select pg_advisory_xact_lock(hashtextextended(%s, 19))", (f"case cve {cve}",))
    return db.execute("select what, named from clearway.cve_elsewhere(%s, %s)", (case.id, cve)).fetchall()


def _about(db: Connection, case: Case, cve: str, *, about: bool = True) -> None:
    """Says of the case's embargo, while that holds, that it is about this id, or no longer."""
    if embargo.one(db, case.embargo).ended_by is None:
        embargo.name_flaw(db, case.embargo, cve, about=about)


def reserve(client: Client, cna: Cna, year: int) -> str:
    """An id that the authority's service has reserved.

    Raises:
        ConfigError: it refuses our credentials or the request.
        OutsideError: it does not answer, or with an error; try again later.
        IntegrityError: it has done so, and does not say which, or gives one of another year: asking again would
            reserve another.
    """
    url = (
        f"{cna.url.rstrip('/')}/cve-id?amount=1&batch_type=sequential&cve_year={year:d}&short_name={cna.org}"
    )
    body = _post(client, cna, url, b"{}")
    try:
        found = str(body["cve_ids"][0]["cve_id"])
    except (KeyError, IndexError, TypeError):
        found = ""
    if not CVE.fullmatch(found):
        raise IntegrityError(
            "the numbering authority names no CVE id",
            where=cna.url,
            mend="see there which, and note it",
        )
    if found.split("-")[1] != f"{year:d}":
        raise IntegrityError(
            f"the numbering authority gives {found}, and was asked for one of {year:d}",
            where=cna.url,
            mend="see there which it has reserved, and note it",
        )
    return found


def publish(client: Client, cna: Cna, cve: str, container: dict[str, Any], *, again: bool = False) -> None:
    """Publishes the CNA container of an id; in place of what stands there with `again`, or where that is ours.

    Ours is a record that names the same advisory as its source: an answer to us was lost. Any other is another flaw's.

    Raises:
        ConfigError, OutsideError: as `reserve`.
        ConflictError: the authority has a record of this id that is not of this advisory.
    """
    url, body = f"{cna.url.rstrip('/')}/cve/{cve}/cna", msgspec.json.encode({"cnaContainer": container})
    if not again:
        try:
            _post(client, cna, url, body)
        except ConfigError as error:
            if "CVE_RECORD_EXISTS" not in error.what:
                raise
        else:
            return
        advisory = container.get("source", {}).get("advisory", "")
        if not advisory or _advisory_of(client, cna, cve) != advisory:
            raise ConflictError(
                f"the numbering authority has a record of {cve} that is not of this case",
                where=cna.url,
                mend="see there whose it is; nothing was replaced",
            )
    _post(client, cna, url, body, replaces=True)


def _advisory_of(client: Client, cna: Cna, cve: str) -> str:
    """The advisory that the authority's record of an id names as its source; "" for none that can be read."""
    with tempfile.TemporaryDirectory(prefix="clearway-") as folder:
        at = Path(folder) / "record.json"
        client.get_to_file(
            f"{cna.url.rstrip('/')}/cve/{cve}", at, max_bytes=MOST_RECORD, deadline_s=DEADLINE_S,
            headers=_headers(cna),
        )  # fmt: skip
        try:
            return msgspec.json.decode(at.read_bytes(), type=_Record).containers.cna.source.advisory
        except (msgspec.MsgspecError, RecursionError, UnicodeDecodeError):
            return ""


def _headers(cna: Cna) -> dict[str, str]:
    return {
        "content-type": "application/json",
        "CVE-API-ORG": cna.org,
        "CVE-API-USER": cna.user,
        "CVE-API-KEY": cna.key,
    }


def _post(client: Client, cna: Cna, url: str, body: bytes, *, replaces: bool = False) -> dict[str, Any]:
    answer = (client.put if replaces else client.post)(url, body, _headers(cna), DEADLINE_S)
    try:
        said = msgspec.json.decode(answer.body)
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError):
        said = {}  # an answer that is cut: its status is what counts
    if 200 <= answer.status < 300:
        return said if isinstance(said, dict) else {}
    told = plain(str(said.get("error", "")) if isinstance(said, dict) else "", 100)
    if answer.status in (400, 401, 403, 404):
        raise ConfigError(f"the numbering authority refuses: {answer.status} {told}".strip(), where=cna.url)
    raise OutsideError(f"the numbering authority answers {answer.status}", where=cna.url)
